"""Which characters may stand in a topic: what is dropped, what becomes a blank, what is refused.

Characters without a shape of their own (zero-width spaces, byte order marks in the middle, the marks that turn text
around) are dropped: speech and captions follow the order of the letters. Other controls mean that something went
wrong on the way here, and nobody can tell what was meant: they are refused. Joiners stay, because emoji and
Persian need them.
"""

from __future__ import annotations

import re
import unicodedata

_BLANKS = {0x0B: "\n", 0x0C: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n\n", 0xA0: " ", 0x202F: " "}
_DROPPED = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_DROP = re.compile(f"[{_DROPPED}]")
_REFUSED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd\ufffe\uffff]")


class Unreadable(ValueError):
    """A text holds a character that cannot be meant; `what`, `hint`, and how many lines stand before it."""

    def __init__(self, what: str, hint: str, lines_before: int) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.lines_before = lines_before


def clean(text: str) -> str:
    """NFC, with the characters above dropped. Raises Unreadable."""
    bad = _REFUSED.search(text)
    if bad:
        code = ord(bad[0])
        lines = text.count("\n", 0, bad.start())
        if code == 0xFFFD:
            raise Unreadable("the character U+FFFD: a letter was lost in a conversion", "Write the letter anew.", lines)
        kind = "half a character" if 0xD800 <= code <= 0xDFFF else "the control character"
        raise Unreadable(f"{kind} U+{code:04X}", "Remove it; your editor can show invisible characters.", lines)
    if text.isascii() and "\x0b" not in text and "\x0c" not in text:
        return text
    return unicodedata.normalize("NFC", _DROP.sub("", text).translate(_BLANKS))


def one_line(text: str) -> str:
    """The same words with single blanks between them."""
    return " ".join(text.split())
