"""The unit of speech: one sentence as it is shown and as it is spoken, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the script: what a caption shows, and what the synthesizer is given for it.

    `1984,` is shown as it stands and spoken as `nineteen eighty-four,`. Punctuation stays with its word on
    both sides, because the synthesizer takes its rhythm from it. `spoken` is empty for what is seen and
    not heard (a lone dash, a bullet).
    """

    shown: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One artifact of speech."""

    words: tuple[Word, ...]

    @property
    def shown(self) -> str:
        return " ".join(word.shown for word in self.words)

    @property
    def spoken(self) -> str:
        return " ".join(word.spoken for word in self.words if word.spoken)


class Pause(StrEnum):
    """What follows a sentence, from the shortest silence to the longest."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence at its place in the programme."""

    sentence: Sentence
    segment: int
    """The index of its segment in the script, from 0."""
    pause: Pause
    """The silence after it; the last one of a script has `Pause.SEGMENT`."""
