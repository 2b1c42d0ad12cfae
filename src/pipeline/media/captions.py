"""Which words stand together in a caption, and when it is shown.

All captions of a paragraph are chosen at once: of all ways to cut its words, the one whose cuts, line breaks, lengths
and reading speeds cost least together (dynamic programming, as TeX breaks a paragraph into lines). A caption begins
with its first word; it stays after its last one only as long as it takes to be read, and never into the next.

The numbers are those of the Netflix and BBC style guides where nothing else is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.domain.timeline import Span, TimedSentence, Timeline
from pipeline.media.line_breaks import characters, eased, parting_cost

SHORTEST_SECONDS = 5 / 6
LONGEST_SECONDS = 7.0
# Two frames at 25 a second: without a gap the eye does not notice that the text has changed.
GAP_SECONDS = 0.08

# What the qualities cost against one another. A break costs from 1 (after a semicolon) to 30 (within a name).
_ANOTHER_CAPTION = 10.0
_SHARED_BY_SENTENCES = 6.0
_PART_OF_A_SENTENCE_WITH_ANOTHER = 30.0
_END_OF_A_CAPTION = 1.5
_BREAK_OF_A_LINE = 1.0
_UNEVEN_LINES = 8.0
_LONGER_ABOVE = 0.5
_TOO_SHORT = 100.0
_TOO_FAST = 0.5
_FAR_TOO_FAST = 4.0
_LONE_WORDS = 8.0
_AGAINST_THE_RULES = 10_000.0

# A last caption with less text than this share of a line looks left over.
_LONE_SHARE = 0.35


_TAKEN_FOR_MARKUP = re.compile(r"<(?=[/a-zA-Z])|\{(?=\\)|-(?=->)")


@dataclass(frozen=True, slots=True)
class Reading:
    """How much people read at a glance, and how fast."""

    line_characters: int = 42
    comfortable_per_second: float = 17.0
    most_per_second: float = 21.0
    by_characters: bool = False
    """Written without spaces: lines may end between characters."""


_LATIN = Reading()
_READINGS = {
    "zh": Reading(16, 9.0, 12.0, by_characters=True),
    "yue": Reading(16, 9.0, 12.0, by_characters=True),
    "ja": Reading(13, 9.0, 12.0, by_characters=True),
    "ko": Reading(16, 12.0, 14.0),
}


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: one or two lines, and when they are shown. Times are whole milliseconds."""

    span: Span
    lines: tuple[str, ...]


def reading(language: str) -> Reading:
    """The limits for a BCP 47 language."""
    return _READINGS.get(_primary(language), _LATIN)


def cues(timeline: Timeline, language: str, limits: Reading | None = None) -> tuple[Cue, ...]:
    """All captions of a programme, in order; every word is in exactly one, none crosses a paragraph.

    `limits` are the language's own where no others are given.
    """
    limits = limits or reading(language)
    pieces = list(_pieces(timeline.sentences, limits))
    paragraphs = [list(group) for _, group in groupby(range(len(pieces)), key=lambda place: pieces[place].paragraph)]
    made = []
    for places in paragraphs:
        paragraph = _Paragraph(pieces, places[0], places[-1] + 1, limits, _primary(language), timeline.seconds)
        made += [paragraph.cue(start, end) for start, end in paragraph.best_cuts()]
    return tuple(made)


def vtt(captions: Sequence[Cue], *, language: str, title: str = "") -> str:
    """The captions as WebVTT (w3.org/TR/webvtt1), each with its number as its id."""
    heading = f"WEBVTT - {_one_line(title).replace('-->', '→')}" if title else "WEBVTT"
    blocks = [heading, f"NOTE Language: {language}"]
    blocks += [
        f"{number}\n{_time(cue.span.start, '.')} --> {_time(cue.span.end, '.')}\n"
        + "\n".join(_escaped(line) for line in cue.lines)
        for number, cue in enumerate(captions, 1)
    ]
    return "\n\n".join(blocks) + "\n"


def srt(captions: Sequence[Cue]) -> str:
    """The captions as SubRip, with numbers from 1."""
    return "".join(
        f"{number}\n{_time(cue.span.start, ',')} --> {_time(cue.span.end, ',')}\n"
        + "\n".join(_harmless(line) for line in cue.lines)
        + "\n\n"
        for number, cue in enumerate(captions, 1)
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is never cut: a word, or a character where there are no spaces."""

    text: str
    width: int
    start: float
    end: float
    spaced: bool
    """Whether a space stands before it when something else does."""
    sentence: int
    opens_sentence: bool
    paragraph: int


def _pieces(sentences: Iterable[TimedSentence], limits: Reading) -> Iterator[_Piece]:
    paragraph = 0
    latest = 0.0
    last: TimedSentence | None = None
    for number, sentence in enumerate(sentences):
        if last is not None and (last.ends_paragraph or last.segment != sentence.segment):
            paragraph += 1
        last = sentence
        opens = True
        for word in sentence.words:
            parts = characters(_one_line(word.shown)) if limits.by_characters else [_one_line(word.shown)]
            for place, part in enumerate(parts):
                start = max(latest, word.span.start + word.span.seconds * place / len(parts))
                end = max(start, word.span.start + word.span.seconds * (place + 1) / len(parts))
                yield _Piece(part, _width(part), start, end, place == 0, number, opens, paragraph)
                latest, opens = start, False


class _Paragraph:
    """The pieces of one paragraph, and what each way to cut them costs."""

    def __init__(
        self, pieces: Sequence[_Piece], first: int, end: int, limits: Reading, language: str, seconds: float
    ) -> None:
        self._pieces = pieces
        self._first = first
        self._end = end
        self._limits = limits
        self._seconds = seconds
        # Where each piece would end on one endless line: the width of any run is a difference.
        self._edge = [0]
        for piece in pieces[first:end]:
            self._edge.append(self._edge[-1] + piece.width + piece.spaced)
        self._parting = [self._parting_before(place, language) for place in range(first + 1, end)]

    def _parting_before(self, place: int, language: str) -> float:
        before, after = self._pieces[place - 1], self._pieces[place]
        if before.sentence != after.sentence:
            return 0.0
        cost = parting_cost(before.text, after.text, language, opens_sentence=before.opens_sentence)
        return eased(cost, after.start - before.end)

    def _part(self, place: int) -> float:
        """The cost of parting before a piece; nothing at the paragraph's end."""
        return 0.0 if place == self._end else self._parting[place - self._first - 1]

    def _run(self, start: int, end: int) -> int:
        """The width of some pieces on one line."""
        return self._edge[end - self._first] - self._edge[start - self._first] - self._pieces[start].spaced

    def best_cuts(self) -> list[tuple[int, int]]:
        """The captions as ranges of pieces: cheapest in sum."""
        best = {self._first: (0.0, self._first)}
        for end in range(self._first + 1, self._end + 1):
            best[end] = min(
                ((best[start][0] + self._cost(start, end), start) for start in self._starts(end)),
                key=lambda found: found[0],
            )
        cuts = []
        end = self._end
        while end > self._first:
            start = best[end][1]
            cuts.append((start, end))
            end = start
        return cuts[::-1]

    def _starts(self, end: int) -> Iterator[int]:
        """Where a caption that ends here may begin: as far back as two lines reach."""
        most = 2 * self._limits.line_characters + 1
        for start in range(end - 1, self._first - 1, -1):
            if start < end - 1 and self._run(start, end) > most:
                return
            yield start

    def _cost(self, start: int, end: int) -> float:
        return (
            _ANOTHER_CAPTION
            + _END_OF_A_CAPTION * self._part(end)
            + self._layout(start, end)[0]
            + self._timing_cost(start, end)
            + self._sentence_cost(start, end)
        )

    def _layout(self, start: int, end: int) -> tuple[float, int]:
        """The cost of the best line break, and the piece that it stands before; `end` for a single line."""
        if self._fits(start, end):
            return 0.0, end
        best = (_AGAINST_THE_RULES + self._run(start, end), end)
        for middle in range(start + 1, end):
            if not (self._fits(start, middle) and self._fits(middle, end)):
                continue
            uneven = (self._run(start, middle) - self._run(middle, end)) / self._limits.line_characters
            uneven = max(-1.0, min(uneven, 1.0))
            cost = (
                _BREAK_OF_A_LINE * self._part(middle)
                + _UNEVEN_LINES * uneven * uneven
                + (_LONGER_ABOVE if uneven > 0 else 0.0)
            )
            best = min(best, (cost, middle))
        return best

    def _fits(self, start: int, end: int) -> bool:
        """Whether some pieces make a line; a piece longer than a line makes one by itself."""
        return end - start == 1 or self._run(start, end) <= self._limits.line_characters

    def _timing_cost(self, start: int, end: int) -> float:
        span = self._span(start, end)
        cost = 0.0
        if span.seconds > LONGEST_SECONDS:
            cost += _AGAINST_THE_RULES * span.seconds
        if span.seconds < SHORTEST_SECONDS:
            cost += _TOO_SHORT * (1 - span.seconds / SHORTEST_SECONDS)
        speed = self._run(start, end) / max(span.seconds, 0.001)
        cost += _TOO_FAST * max(0.0, speed - self._limits.comfortable_per_second)
        return cost + _FAR_TOO_FAST * max(0.0, speed - self._limits.most_per_second)

    def _sentence_cost(self, start: int, end: int) -> float:
        """Whole sentences may share a caption; a part of one neither with another nor, where it is short, alone."""
        pieces = self._pieces
        shared = pieces[end - 1].sentence - pieces[start].sentence
        whole = pieces[start].opens_sentence and (end == self._end or pieces[end].opens_sentence)
        if whole:
            return _SHARED_BY_SENTENCES * shared
        if shared:
            return _PART_OF_A_SENTENCE_WITH_ANOTHER
        return _LONE_WORDS if self._run(start, end) < _LONE_SHARE * self._limits.line_characters else 0.0

    def _span(self, start: int, end: int) -> Span:
        """When the pieces are shown: with their words, and as much longer as reading takes and the next one leaves."""
        pieces = self._pieces
        begins = pieces[start].start
        spoken = max(piece.end for piece in pieces[start:end])
        readable = begins + max(SHORTEST_SECONDS, self._run(start, end) / self._limits.comfortable_per_second)
        wanted = max(spoken, min(readable, begins + LONGEST_SECONDS))
        if end < len(pieces):
            room = pieces[end].start - begins
            return Span(begins, min(wanted, begins + max(room - GAP_SECONDS, room / 2)))
        return Span(begins, max(begins, min(wanted, self._seconds)))

    def cue(self, start: int, end: int) -> Cue:
        span = self._span(start, end)
        middle = self._layout(start, end)[1]
        lines = [self._text(*run) for run in ((start, middle), (middle, end)) if run[0] < run[1]]
        begins = round(span.start, 3)
        return Cue(Span(begins, max(round(span.end, 3), round(begins + 0.001, 3))), tuple(lines))

    def _text(self, start: int, end: int) -> str:
        return "".join(
            " " * (piece.spaced and place > 0) + piece.text for place, piece in enumerate(self._pieces[start:end])
        )


def _width(text: str) -> int:
    """How many places a text takes: marks that sit on a letter take none."""
    if text.isascii():
        return len(text)
    return sum(unicodedata.category(character) not in {"Mn", "Me", "Cf"} for character in text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _time(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _harmless(line: str) -> str:
    """SubRip cannot escape: an invisible word joiner keeps players from taking text for a tag, an ASS override
    (`{\\an8}`) or an arrow of times.
    """
    return _TAKEN_FOR_MARKUP.sub(lambda found: found[0] + "\u2060", line)


def _primary(language: str) -> str:
    return language.split("-", 1)[0].lower()
