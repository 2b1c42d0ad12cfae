"""Which caption is on the picture at which frame, and which of its words is being said.

The captions are those of the caption files, so what is read is the same everywhere; on a tall film, with shorter lines.
A word is lit from the frame nearest to its first sound up to the one nearest to its last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from pipeline.domain.timeline import Span, TimedWord, Timeline
from pipeline.media import captions
from pipeline.media.video import grid

TALL_LINE_SHARE = 4 / 7
"""How many characters a line has on a tall film, of what it has elsewhere: 24 of 42."""

# A word stays lit until the next one where there is less silence than this between them: no flicker within a phrase.
_FLICKER_SECONDS = 0.2

# A gap of a caption track between two captions, with room for the milliseconds that their times are rounded to.
_SET_OFF_SECONDS = captions.GAP_SECONDS + 0.002


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
    return tuple(
        tuple(_by_frame(_moments(captions.cues(own, language, limits), _words(own)))) for own in _chapters(timeline)
    )


def _chapters(timeline: Timeline) -> Iterator[Timeline]:
    """Each chapter as if the programme began with it: one that only moves, by whatever part of a frame, keeps the
    frames of its captions.
    """
    segments = [list(sentences) for _, sentences in groupby(timeline.sentences, key=lambda sentence: sentence.segment)]
    for chapter, sentences in zip(timeline.chapters, segments, strict=True):
        start = chapter.span.start

        def moved(span: Span, start: float = start) -> Span:
            return Span(*(max(0.0, round(seconds - start, 6)) for seconds in (span.start, span.end)))

        own = tuple(
            replace(
                sentence,
                words=tuple(replace(word, span=moved(word.span)) for word in sentence.words),
                span=moved(sentence.span),
            )
            for sentence in sentences
        )
        yield Timeline(own, (), chapter.span.seconds, timeline.exact)


def _by_frame(moments: Iterable[tuple[float, Line | None]]) -> Iterator[Shown]:
    """Of several moments at one frame, the last."""
    latest: Shown | None = None
    for seconds, line in moments:
        number = grid.frame_at(seconds)
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
        # The gap that sets one caption of a track off from the next would put out the last word before it has been
        # said; here the light that moves on shows that the text is another.
        if following - cue.span.end > _SET_OFF_SECONDS:
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
