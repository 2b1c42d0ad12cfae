"""Which caption is on the picture at which frame, and which of its words is being said.

The captions are those of the caption files, so what is read is the same everywhere; on a tall film, with shorter lines.
A word is lit from the frame nearest to its first sound up to the one nearest to its last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.domain.timeline import Span, TimedWord, Timeline
from pipeline.media import captions
from pipeline.media.video import grid

TALL_LINE_SHARE = 4 / 7
"""How many characters a line has on a tall film, of what it has elsewhere: 24 of 42."""

# A word stays lit until the next one where there is less silence than this between them: no flicker within a phrase.
_FLICKER_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Line:
    """What is on the picture: one or two rows of text, and which characters of them are lit."""

    rows: tuple[str, ...]
    lit: tuple[tuple[int, int, int], ...] = ()
    """Row, first character, and the one after the last: of one word, which may run over two rows."""


Shown = tuple[int, Line | None]
"""A frame, counted from its segment's first, and what is shown from there on."""


def shown(timeline: Timeline, language: str, *, tall: bool) -> tuple[tuple[Shown, ...], ...]:
    """What is shown when, for each of the timeline's chapters."""
    limits = captions.reading(language)
    if tall:
        limits = replace(limits, line_characters=round(limits.line_characters * TALL_LINE_SHARE))
    moments = list(_moments(captions.cues(timeline, language, limits), _words(timeline)))
    return tuple(tuple(_in_chapter(moments, chapter.span)) for chapter in timeline.chapters)


def _in_chapter(moments: Sequence[tuple[float, Line | None]], span: Span) -> Iterator[Shown]:
    """Frames are counted from where the chapter begins, not from the film's own: a chapter that only moves, by
    whatever part of a frame, keeps its captions' frames.
    """
    latest: Shown | None = None
    for seconds, line in moments:
        if not span.start <= seconds < span.end:
            continue
        number = math.floor((seconds - span.start) * grid.FRAMES_PER_SECOND + 0.5)
        if latest is not None and latest[0] != number:
            yield latest
        latest = (number, line)
    if latest is not None:
        yield latest


def _words(timeline: Timeline) -> Iterator[TimedWord]:
    return (word for sentence in timeline.sentences for word in sentence.words)


def _moments(cues: Sequence[captions.Cue], words: Iterator[TimedWord]) -> Iterator[tuple[float, Line | None]]:
    """Each time at which something changes, and what is shown from then on."""
    word, left = None, 0
    for number, cue in enumerate(cues):
        places = [(row, at) for row, text in enumerate(cue.lines) for at, one in enumerate(text) if not one.isspace()]
        heard: list[tuple[Span, tuple[tuple[int, int, int], ...]]] = []
        while places:
            if left == 0:
                word = next(words)
                left = len("".join(word.shown.split()))
                if left == 0:
                    continue
            taken, places = places[:left], places[left:]
            left -= len(taken)
            if word is not None and word.span.seconds:
                heard.append((word.span, _ranges(taken)))
        yield from _of_cue(cue, heard)
        following = cues[number + 1].span.start if number + 1 < len(cues) else math.inf
        if cue.span.end < following:
            yield cue.span.end, None


def _of_cue(
    cue: captions.Cue, heard: Sequence[tuple[Span, tuple[tuple[int, int, int], ...]]]
) -> Iterator[tuple[float, Line | None]]:
    yield cue.span.start, Line(cue.lines)
    for place, (span, lit) in enumerate(heard):
        yield max(span.start, cue.span.start), Line(cue.lines, lit)
        following = heard[place + 1][0].start if place + 1 < len(heard) else math.inf
        if following - span.end >= _FLICKER_SECONDS and span.end < cue.span.end:
            yield span.end, Line(cue.lines)


def _ranges(places: Sequence[tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    rows = sorted({row for row, _ in places})
    found = ([at for row, at in places if row == wanted] for wanted in rows)
    return tuple((row, min(columns), max(columns) + 1) for row, columns in zip(rows, found, strict=True))
