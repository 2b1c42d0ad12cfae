"""What a language must know to be read out word by word, and the reading itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.text.spoken.place import Place, Reading
from pipeline.text.tokens import plain

# A hyphen inside a word is a word's own; where capitals or digits are joined by one, each side is read by itself.
_ORDINARY_COMPOUND = re.compile(r"(?:[^\W\d_]['-]?)+")
_JOINTS = re.compile(r"[-–—―/…|\\]|\.{2,}")
_PAUSES = frozenset("—―…")


@dataclass(frozen=True, slots=True)
class Language:
    reading: Callable[[Place], Reading | None]
    """What is said instead of a word, where its shape or its neighbours ask for it."""
    is_ordinary: Callable[[str], bool]
    """Whether a word is read as it stands without looking closer: most are, and this is what keeps it quick."""
    number: Callable[[str, Place], str]
    symbols: Mapping[str, str]
    run: re.Pattern[str]
    """Cuts a mixed word such as `MP3` into letters, numbers and marks."""

    def read(self, place: Place) -> Reading:
        """What is said for the word at `place` and for those that belong to it: at least one text."""
        core = place.core(0)
        if not core or (not place.token.dotted and self.is_ordinary(core)):
            return (core,)
        if (said := self.reading(place)) is not None:
            return said
        if core[-2:] == "'s" and len(core) > 2:
            base = self._alone(core[:-2], place)
            return (f"{base}'s" if base else "",)
        return (self._alone(core, place),)

    def _alone(self, core: str, place: Place) -> str:
        if _ORDINARY_COMPOUND.fullmatch(core) and not any(part.isupper() and len(part) > 1 for part in core.split("-")):
            return _letters(core)
        parts = _parts(core)
        if len(parts) == 1 and parts[0] == core:
            if core == place.core(0):
                return self._mixed(core, place)
            said = self.reading(Place((plain(core),), 0, place.region))
            return said[0] if said is not None and len(said) == 1 else self._mixed(core, place)
        inner = Place(tuple(plain(part) for part in parts), 0, place.region)
        texts: list[str] = []
        index = 0
        while index < len(parts):
            here = Place(inner.tokens, index, place.region)
            read = (parts[index],) if parts[index] == "," else self.reading(here) or (self._mixed(parts[index], here),)
            texts += read
            index += len(read)
        return " ".join(text for text in texts if text).replace(" ,", ",").strip(", ")

    def _mixed(self, core: str, place: Place) -> str:
        """A word of several kinds of sign, each read in its turn: `MP3`, `H2O`, `R&D`, `x=y`."""
        if core.isascii() and core.isalpha():
            return core
        said: list[str] = []
        runs = self.run.findall(core)
        for written in runs:
            run = written if written in self.symbols else unicodedata.normalize("NFKC", written)
            if run != written and not run.isdecimal() and not run.isalpha():
                said.append(self._mixed(run, place))  # one sign that stands for several, `①` among letters
            elif run.isdecimal() or (run[0].isdecimal() and run[-1].isdecimal()):
                said.append(self.number(run, place))
            elif run in self.symbols:
                said.append(self.symbols[run])
            elif letters := _letters(run):
                spell = letters.isupper() and 1 < len(letters) <= 3 and len(runs) > 1
                said.append("-".join(letters) if spell else letters)
        return " ".join(" ".join(said).split())


def _parts(core: str) -> list[str]:
    """The sides of dashes and slashes; a pause where a long dash or an ellipsis stood."""
    parts: list[str] = []
    start = 0
    for joint in _JOINTS.finditer(core):
        if piece := core[start : joint.start()]:
            parts.append(piece)
        if parts and (joint[0] in _PAUSES or joint[0].startswith("..")):
            parts.append(",")
        start = joint.end()
    if core[start:]:
        parts.append(core[start:])
    return parts


def _letters(text: str) -> str:
    """Letters with their accents, apostrophes and hyphens; emoji, digits and everything unheard left out."""
    if text.isascii() and text.isalpha():
        return text
    kept = "".join(c for c in text if c.isalpha() or c in "'-" or unicodedata.category(c).startswith("M"))
    return kept.strip("-") if any(map(str.isalpha, kept)) else ""
