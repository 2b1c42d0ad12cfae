"""Where each sentence stands in the programme: the silences between sentences, and the time of every word.

A pause is counted from the last sound of a sentence to the first of the next. The synthesizer's own silence around
a sentence is cut off first, because it is not the same twice (Piper 1.8 leaves 30 to 90 ms before and 30 to 250 ms
after), and pauses added to it would not be what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.sentence import Pause
from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline
from pipeline.media.mp3 import frame_count
from pipeline.media.pcm import FRAME_SECONDS

if TYPE_CHECKING:
    from pipeline.media.pcm import Samples

# What counts as sound: 10 ms whose level is within 60 dB of the sentence's highest sample. Between Piper's words the
# level falls to -90 dBFS, the quiet end of an "s" or "th" stays above -60.
_SILENCE_DB = -60.0
_WINDOW_SECONDS = 0.010

# Kept of the silence around a sentence, so that no breath and no fading consonant is cut off.
_BEFORE_SECONDS = 0.020
_AFTER_SECONDS = 0.060

# Long enough to make a join inaudible, short enough to leave a plosive as it is.
_FADE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silences, in seconds of quiet between the last sound and the next."""

    sentence: float = 0.35
    paragraph: float = 0.7
    segment: float = 1.2
    question: float = 1.3
    """How many times longer the pause is after a question within a paragraph: listeners need time to ask it too."""
    lead_in: float = 0.25
    """Before the first word: some players fade in, some devices wake up late."""
    tail: float = 0.6
    """After the last word, so that the end does not sound cut off."""

    def __post_init__(self) -> None:
        shortest = min(self.sentence, self.paragraph, self.segment, self.question, self.lead_in, self.tail)
        if shortest < 0:
            raise ValueError(f"a pause is never negative: {self}")

    def after(self, pause: Pause, shown: str) -> float:
        """Seconds of quiet after a sentence that reads `shown`."""
        match pause:
            case Pause.SENTENCE:
                return self.sentence * (self.question if _asks(shown) else 1.0)
            case Pause.PARAGRAPH:
                return self.paragraph
            case Pause.SEGMENT:
                return self.segment


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a clip that is heard."""

    samples: Samples
    start_seconds: float
    """How much silence was cut off before it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken sentence at its place in the script."""

    start_seconds: float
    """Where the heard part begins in the clip."""
    seconds: float
    """How long the heard part is."""
    spans: tuple[Span, ...]
    """One span for each word, in seconds from the clip's first sample."""
    words: tuple[str, ...]
    """The words as they are shown."""
    segment: int
    pause: Pause
    exact: bool
    """Whether the spans come from the synthesizer's own phoneme lengths."""

    def __post_init__(self) -> None:
        if not self.words or len(self.words) != len(self.spans):
            raise ValueError(f"{len(self.words)} words and {len(self.spans)} times in {' '.join(self.words)!r}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where each sentence begins, and how long the programme is, in MP3 frames (`pcm.FRAME_SECONDS`)."""

    firsts: tuple[int, ...]
    frame_count: int


def cut(pcm: bytes, sample_rate: int) -> Cut:
    """The part of a clip (16-bit signed little-endian, mono) that is heard, its ends brought to zero."""
    import numpy as np

    whole: Samples = np.frombuffer(pcm, dtype="<i2").astype(np.int16, copy=False)
    start, end = _heard(whole, sample_rate)
    return Cut(_faded(whole[start:end], sample_rate), start / sample_rate)


def places(seconds: Sequence[float], silences: Sequence[float], pauses: Pauses) -> Places:
    """Sentences of so many seconds, each with so many seconds of quiet after it, put on the grid of frames.

    A sentence begins with a frame, so that its sound never depends on what is before it: a pause is up to 13 ms
    longer or shorter than asked for, and never shorter than it takes a frame to fall silent. The last sentence's
    quiet is the programme's tail. Raises ValueError for no sentence at all.
    """
    if not seconds:
        raise ValueError("a programme has at least one sentence")
    kept = _BEFORE_SECONDS + _AFTER_SECONDS
    after = [*(max(0.0, silence - kept) for silence in silences[:-1]), pauses.tail]
    place = round(pauses.lead_in / FRAME_SECONDS)
    firsts = []
    for length, quiet in zip(seconds, after, strict=True):
        firsts.append(place)
        place = max(place + frame_count(length), round(place + (length + quiet) / FRAME_SECONDS))
    return Places(tuple(firsts), place)


def timeline(clips: Sequence[Clip], at: Places, chapter_titles: Sequence[str]) -> Timeline:
    """When everything is heard; `chapter_titles` holds one title a segment, a segment without a sentence gets no
    chapter. Raises ValueError for a segment that has no title.
    """
    sentences = [_timed(clip, first * FRAME_SECONDS) for clip, first in zip(clips, at.firsts, strict=True)]
    seconds = at.frame_count * FRAME_SECONDS
    return Timeline(
        sentences=tuple(sentences),
        chapters=_chapters(sentences, chapter_titles, seconds),
        seconds=seconds,
        exact=all(clip.exact for clip in clips),
    )


def _heard(samples: Samples, rate: int) -> tuple[int, int]:
    """The first sample worth keeping and the one after the last; everything of a clip that is silent throughout."""
    import numpy as np

    window = max(1, round(rate * _WINDOW_SECONDS))
    count = -(-len(samples) // window)
    levels = np.zeros(count * window, dtype=np.float32)
    levels[: len(samples)] = samples
    level = np.sqrt(np.mean(np.square(levels.reshape(count, window)), axis=1))
    peak = np.abs(levels).max(initial=0.0)
    loud = np.flatnonzero(level > peak * 10 ** (_SILENCE_DB / 20))
    if not len(loud):
        return 0, len(samples)
    start = int(loud[0]) * window - round(rate * _BEFORE_SECONDS)
    end = (int(loud[-1]) + 1) * window + round(rate * _AFTER_SECONDS)
    return max(0, start), min(len(samples), end)


def _faded(samples: Samples, rate: int) -> Samples:
    """A copy whose first and last milliseconds rise from zero and fall to it."""
    import numpy as np

    faded = samples.copy()
    length = min(round(rate * _FADE_SECONDS), len(samples) // 2)
    if length:
        rise = np.arange(length, dtype=np.float32) / length
        faded[:length] = np.rint(faded[:length] * rise)
        faded[-length:] = np.rint(faded[-length:] * rise[::-1])
    return faded


def _timed(clip: Clip, start: float) -> TimedSentence:
    """The clip's words in programme time. A word that reaches into silence that was cut off ends where it was cut."""
    end = start + clip.seconds
    moved = start - clip.start_seconds

    def inside(seconds: float) -> float:
        return min(max(seconds + moved, start), end)

    spans = [Span(inside(span.start), inside(span.end)) for span in clip.spans]
    heard = [span for span in spans if span.seconds] or [Span(start, end)]
    return TimedSentence(
        words=tuple(TimedWord(shown, span) for shown, span in zip(clip.words, spans, strict=True)),
        span=Span(heard[0].start, heard[-1].end),
        segment=clip.segment,
        ends_paragraph=clip.pause is not Pause.SENTENCE,
    )


def _chapters(sentences: Sequence[TimedSentence], titles: Sequence[str], seconds: float) -> tuple[Chapter, ...]:
    """From the first sentence of each segment to the first of the next; together they cover the programme."""
    starts: dict[int, float] = {}
    for sentence in sentences:
        if sentence.segment >= len(titles):
            raise ValueError(f"segment {sentence.segment} has no title among {len(titles)}")
        starts.setdefault(sentence.segment, sentence.span.start if starts else 0.0)
    ends = [*list(starts.values())[1:], seconds]
    return tuple(
        Chapter(titles[segment], Span(start, end)) for (segment, start), end in zip(starts.items(), ends, strict=True)
    )


def _asks(shown: str) -> bool:
    """Whether a sentence is a question: Latin, Arabic and East Asian marks, perhaps within quotes."""
    return shown.rstrip("\"'”’»)]」』").endswith(("?", "؟", "？"))
