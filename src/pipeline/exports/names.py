"""What an exported file is called: a name that every file system takes, and that no two episodes share."""

from __future__ import annotations

import unicodedata

SOUNDS = ("m4b", "mp3", "opus", "flac")
"""The kinds of sound there are, by the ending of the file's name."""

# eCryptfs takes 143 bytes in a name, the others 255; of those a slug has up to 60, and there are brackets, a blank,
# the ending, and room for what others put at the end (" (copy)").
_LONGEST_TITLE_BYTES = 60
# What Windows, and with it exFAT and most network shares, does not take.
_FORBIDDEN = frozenset('<>:"/\\|?*')


def file_name(title: str, slug: str, ending: str = "") -> str:
    """`Why the sky is blue (why-the-sky-is-blue).m4b`: the title for people, and the slug, which nobody else has."""
    said = _as_name(title)
    name = f"{said} ({slug})" if said else slug
    return f"{name}.{ending}" if ending else name


def _as_name(title: str) -> str:
    """The title without what a file system forbids or a reader would not see, composed and cut at a letter's end."""
    kept = [
        " " if character in _FORBIDDEN or unicodedata.category(character)[0] in "CZ" else character
        for character in unicodedata.normalize("NFC", title)
    ]
    words = " ".join("".join(kept).split())
    cut = words.encode()[:_LONGEST_TITLE_BYTES].decode(errors="ignore")
    # A leading dot hides a file, a leading dash is read as an option.
    return cut.lstrip(".-~ ").rstrip(". ")
