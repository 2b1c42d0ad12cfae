"""What a card says, and which of the cards it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Each has its own hierarchy: what is read first, and what is left away."""

    COVER = "cover"
    """Square, for feeds and players: the title alone, legible as a thumbnail."""
    TITLE = "title"
    SEGMENT = "segment"
    """A segment's heading, its number, and the episode's title small above it."""
    FIGURE = "figure"
    """A number that is worth remembering, with its unit and the sentence it stands in."""
    QUOTE = "quote"
    """A sentence that stands for its segment."""
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Card:
    """The request for one card. Every text is plain; an empty one is not set."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    seed: int
    """Chooses the layout and where the artwork's lines run; the title alone chooses colours, typeface and artwork."""
    title: str
    heading: str = ""
    number: int = 0
    """The segment's, from 1; 0 for the episode's own cards; one more than there are segments for the closing card."""
    segments: int = 0
    figure: str = ""
    """A number with its unit: `384,000 kilometres`."""
    sentence: str = ""
    """What `figure` is said in, or a sentence to quote."""
    language: str = "en"
    """BCP 47."""

    @property
    def kind(self) -> Kind:
        if self.number <= 0:
            return Kind.COVER if self.width == self.height else Kind.TITLE
        if self.segments and self.number > self.segments:
            return Kind.CLOSING
        if self.figure:
            return Kind.FIGURE
        return Kind.QUOTE if self.sentence else Kind.SEGMENT

    @property
    def counted(self) -> str:
        """Which segment of how many; the same in every language."""
        if not 0 < self.number <= max(self.segments, self.number):
            return ""
        if self.segments < 2 or self.number > self.segments:
            return ""
        return f"{self.number} / {self.segments}"

    @property
    def words(self) -> str:
        """Every text of the card, for what looks at its characters alone."""
        return f"{self.title} {self.heading} {self.figure} {self.sentence}"


def number_and_unit(figure: str) -> tuple[str, str]:
    """`384,000 kilometres` in its two parts, the second of them perhaps empty; what holds no digit is all unit-less."""
    tokens = figure.split(" ")
    last = max((index for index, token in enumerate(tokens) if any(one.isdigit() for one in token)), default=-1)
    if last < 0:
        return figure, ""
    return " ".join(tokens[: last + 1]), " ".join(tokens[last + 1 :])
