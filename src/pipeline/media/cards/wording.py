"""What of a text is set on a card: its letters, in one line, without pictographs.

An emoji is a picture of its own, in colours and in a style that no card has; fonts for text do not have them. They are
left out, and the card says which.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Emoji and dingbats, keycap marks, tags, skin tones; arrows and mathematics are letters to us.
_PICTOGRAPH = re.compile(
    "[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u20e3\U0001f000-\U0001faff\U000e0020-\U000e007f]"
    "|[\ufe00-\ufe0f]|(?<=[\ufe0f\U0001f000-\U0001faff])\u200d"
)
_RIGHT_TO_LEFT = {"R", "AL"}


@dataclass(frozen=True, slots=True)
class Wording:
    text: str
    """NFC, single blanks, no control characters."""
    left_out: tuple[str, ...] = ()
    """The pictographs that were taken away, each once."""

    @property
    def right_to_left(self) -> bool:
        """Whether its first letter with a direction runs from the right."""
        for character in self.text:
            way = unicodedata.bidirectional(character)
            if way in _RIGHT_TO_LEFT or way == "L":
                return way != "L"
        return False


def wording(text: str) -> Wording:
    """A text as a card can set it."""
    text = unicodedata.normalize("NFC", text)
    left_out = [found for found in dict.fromkeys(_PICTOGRAPH.findall(text)) if found.isprintable() and _is_seen(found)]
    # A pictograph in a word's place leaves no gap, and none between a word and its full stop.
    bare = _PICTOGRAPH.sub("", text)
    shown = "".join(" " if character in "\t\n\r\x0b\x0c\u2028\u2029" else character for character in bare)
    shown = "".join(character for character in shown if not _is_silent(character))
    shown = re.sub(r"[ ]+", " ", shown).strip(" ")
    return Wording(re.sub(r" ([.,!?…])(?=\s|$)", r"\1", shown) if left_out else shown, tuple(left_out))


def clusters(text: str) -> list[str]:
    """The text in parts that must stay together: a letter with the marks upon it."""
    found: list[str] = []
    for character in text:
        if found and (unicodedata.category(character) in {"Mn", "Me", "Mc"} or character in "\u200c\u200d"):
            found[-1] += character
        else:
            found.append(character)
    return found


def _is_silent(character: str) -> bool:
    """Control characters, and format characters other than the joiners that Arabic and Indian scripts need."""
    return unicodedata.category(character) in {"Cc", "Cs", "Cn", "Co"} or (
        unicodedata.category(character) == "Cf" and character not in "\u200c\u200d"
    )


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in {"Mn", "Me", "Cf"}
