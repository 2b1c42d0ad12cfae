"""A script as it is now beside the sound as it was last made: each sentence with its place in the sound, where it has
one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pipeline.domain.script import Script
from pipeline.media.page import Word
from pipeline.text import one_sentence


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of the script."""

    number: int
    """From 1, as the API counts them."""
    text: str
    words: tuple[Word, ...] = ()
    """As they are heard; none where the sound does not have the sentence."""
    unsupported: bool = False

    @property
    def start(self) -> float | None:
        """Seconds."""
        return self.words[0].start if self.words else None

    @property
    def pending(self) -> bool:
        """It is to be spoken still."""
        return not self.words and any(map(str.isalnum, self.text))


@dataclass(frozen=True, slots=True)
class Chapter:
    """A segment of the script."""

    title: str
    paragraphs: tuple[tuple[Line, ...], ...]

    @property
    def start(self) -> float | None:
        """When it begins, in seconds."""
        return next((line.start for lines in self.paragraphs for line in lines if line.start is not None), None)


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence of the sound."""

    text: str
    words: tuple[Word, ...]


def heard_in(transcript: bytes) -> tuple[Heard, ...]:
    """The sentences of a published transcript.json; none where it is not one."""
    try:
        raw: Any = json.loads(transcript)
        return tuple(
            Heard(
                _plain(segment["body"]),
                tuple(Word(str(word["body"]), float(word["startTime"])) for word in segment["words"]),
            )
            for segment in raw["segments"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def chapters_of(
    script: Script, heard: Sequence[Heard], unsupported: Collection[int] = frozenset()
) -> tuple[Chapter, ...]:
    """The script's segments. `unsupported` are those of the heard sentences, from 0, that rest on none of the notes."""
    listed = one_sentence.listed(script)
    places = _places([_plain(one.text) for one in listed], [one.text for one in heard])
    segments: list[list[list[Line]]] = [[[] for _ in segment.paragraphs] for segment in script.segments]
    for number, one in enumerate(listed, 1):
        place = places.get(number - 1)
        words = heard[place].words if place is not None else ()
        segments[one.segment][one.paragraph].append(Line(number, one.text, words, place in unsupported))
    return tuple(
        Chapter(segment.title, tuple(tuple(lines) for lines in paragraphs if lines))
        for segment, paragraphs in zip(script.segments, segments, strict=True)
    )


def _places(texts: Sequence[str], heard: Sequence[str]) -> Mapping[int, int]:
    """Sentence of the script → sentence of the sound, both from 0 and in the same order."""
    blocks = SequenceMatcher(None, texts, heard, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}


def _plain(text: object) -> str:
    return " ".join(str(text).split())
