"""How the names of voices and styles are written, so that none can be a path or an option in disguise."""

from __future__ import annotations

import re

_VOICE = re.compile(r"\w[\w+-]*(?:\.[\w+-]+)*(?:#[\w+-][\w+. -]*)?")
_STYLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LONGEST_VOICE, _LONGEST_STYLE = 100, 60


def is_voice_name(text: str) -> bool:
    """`en_US-joe-medium`, `pt_PT-tugão-medium`, `en_US-libritts-high#p3922` (a speaker behind the #)."""
    return len(text) <= _LONGEST_VOICE and _VOICE.fullmatch(text) is not None


def is_style_name(text: str) -> bool:
    """The name of a file in `config/prompts/`, without `.md`."""
    return len(text) <= _LONGEST_STYLE and _STYLE.fullmatch(text) is not None
