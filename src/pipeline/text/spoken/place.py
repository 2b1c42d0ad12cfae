"""Where a word stands when it is read, and what a rule for reading looks like."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.text import roman
from pipeline.text.tokens import Token

Reading: TypeAlias = tuple[str, ...]
"""What is said for a word and, where they belong together (`$3.5 million`), for the words after it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A word among its neighbours."""

    tokens: Sequence[Token]
    index: int
    region: str = ""
    """The language's region in capitals: `US`, `GB`, `BR`; empty where none is named."""

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def core(self, offset: int) -> str:
        """A neighbour, or an empty string beyond either end."""
        index = self.index + offset
        return self.tokens[index].core if 0 <= index < len(self.tokens) else ""

    def joined(self, offset: int) -> str:
        """The word `offset` places on, if no mark of punctuation stands between here and there."""
        first, last = sorted((self.index, self.index + offset))
        if first < 0 or last >= len(self.tokens):
            return ""
        between = self.tokens[first:last]
        return self.core(offset) if all(not token.closing for token in between) else ""

    def is_dotted(self, offset: int) -> bool:
        index = self.index + offset
        return 0 <= index < len(self.tokens) and self.tokens[index].dotted


Rule: TypeAlias = tuple[re.Pattern[str], Callable[[re.Match[str], Place], "Reading | None"]]
"""A shape that a whole word has, and how such a word is read there; None leaves it to the next rule."""


def words_of(listed: str) -> frozenset[str]:
    """A set of words written one after the other, which a table of them is read in."""
    return frozenset(listed.split())


def first_reading(rules: Sequence[Rule], core: str, place: Place) -> Reading | None:
    for pattern, read in rules:
        match = pattern.fullmatch(core)
        if match and (reading := read(match, place)) is not None:
            return reading
    return None


def shouted(place: Place) -> bool:
    """Whether capitals mean nothing here, because the words around are all written in them."""
    words = [token.core for token in place.tokens if len(token.core) > 1 and token.core.isalpha()]
    around = [word for word in words if roman.value(word) is None]
    return len(around) > 2 and sum(map(str.isupper, around)) * 2 > len(around)
