"""When each word, sentence and segment of a programme is heard, in seconds from its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to `end`, in seconds; never negative, never backwards."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span runs forward from 0, not from {self.start} to {self.end}")

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def moved(self, seconds: float) -> Span:
        return Span(self.start + seconds, self.end + seconds)


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as it is shown, and when it is heard. A word that is not heard has a span of length 0."""

    shown: str
    span: Span


@dataclass(frozen=True, slots=True)
class TimedSentence:
    words: tuple[TimedWord, ...]
    span: Span
    segment: int
    """The index of its segment in the script, from 0."""
    ends_paragraph: bool = False

    @property
    def shown(self) -> str:
        return " ".join(word.shown for word in self.words)


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    span: Span


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole programme. Sentences are in order and do not overlap; chapters cover it from end to end."""

    sentences: tuple[TimedSentence, ...]
    chapters: tuple[Chapter, ...]
    seconds: float
    exact: bool = True
    """False where the synthesizer gave no phoneme lengths and word times are shared out by letters."""
