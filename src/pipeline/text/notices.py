"""The sentence that says what a machine did, in the episode's language where we have the words.

It goes into the files' tags, onto the page and into the feed. AI Act, article 50: what is generated must be marked so
that people can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Words:
    spoken: str
    written: str
    edited: str
    drawn: str


# Languages of pages (media/page/words.py) have their own; others are told in English.
_WORDS: Mapping[str, _Words] = {
    "en": _Words(
        "Voice synthesised by a machine.",
        "Voice synthesised by a machine; the script was written by a language model.",
        "Voice synthesised by a machine; the script was written by a language model and edited by a person.",
        "Pictures drawn by a machine.",
    ),
    "pt": _Words(
        "Voz sintetizada por uma máquina.",
        "Voz sintetizada por uma máquina; o roteiro foi escrito por um modelo de linguagem.",
        "Voz sintetizada por uma máquina; o roteiro foi escrito por um modelo de linguagem e editado por uma pessoa.",
        "Imagens desenhadas por uma máquina.",
    ),
}


def of_sound(language: str, *, written: bool, edited: bool) -> str:
    """What is said of the sound: `written` where a language model wrote the script, `edited` where a person changed
    it since. `language` is a BCP 47 tag.
    """
    words = _of(language)
    if not written:
        return words.spoken
    return words.edited if edited else words.written


def with_pictures(language: str, notice: str) -> str:
    """The same of an episode whose pictures a model drew."""
    return f"{notice} {_of(language).drawn}"


def _of(language: str) -> _Words:
    return _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])
