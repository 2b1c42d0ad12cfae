"""Sound and timelines made up for the tests: what a voice would give, without a voice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.timeline import Span, TimedSentence, TimedWord, Timeline

RATE = 22050


def speech(seconds: float, *, rate: int = RATE, peak: float = 0.9, pitch_hz: float = 120.0) -> NDArray[np.int16]:
    """Something with the level, rhythm and peaks of a voice: pulses, some hiss, four syllables a second."""
    time = np.arange(round(seconds * rate)) / rate
    random = np.random.default_rng(7)
    wave = random.standard_normal(len(time)) * 0.3
    for harmonic, turn in enumerate(random.uniform(0, 2.2, 20), 1):
        wave += np.cos(2 * np.pi * pitch_hz * harmonic * time + turn) / harmonic**0.5
    wave *= 0.08 + 0.92 * np.sin(2 * np.pi * 2 * time) ** 2
    samples: NDArray[np.int16] = np.rint(wave / np.abs(wave).max() * peak * 32767).astype(np.int16)
    return samples


def silence(seconds: float, *, rate: int = RATE) -> NDArray[np.int16]:
    return np.zeros(round(seconds * rate), dtype=np.int16)


def click(samples: NDArray[np.int16], at_seconds: float, *, rate: int = RATE) -> None:
    """Put a short, sharp tone into the samples."""
    time = np.arange(round(0.01 * rate)) / rate
    start = round(at_seconds * rate)
    tone = np.sin(2 * np.pi * 2000 * time) * np.exp(-time / 0.002)
    samples[start : start + len(time)] = np.rint(25000 * tone)


def spoken(text: str, *, per_second: float = 16.0, pause: float = 0.35) -> Timeline:
    """A timeline of text at an even pace: a blank line between segments, one line a paragraph, `|` after a sentence."""
    at = 0.25
    sentences = []
    for segment, block in enumerate(text.strip().split("\n\n")):
        for paragraph in block.splitlines():
            parts = [part.split() for part in paragraph.split("|")]
            for number, words in enumerate(parts, 1):
                timed, at = _timed(words, at, per_second)
                last = number == len(parts)
                sentences.append(
                    TimedSentence(timed, Span(timed[0].span.start, timed[-1].span.end), segment, ends_paragraph=last)
                )
                at += pause * (2 if last else 1)
    return Timeline(tuple(sentences), (), at + 0.6)


def _timed(words: Iterable[str], at: float, per_second: float) -> tuple[tuple[TimedWord, ...], float]:
    timed = []
    for word in words:
        end = at + (len(word) + 1) / per_second
        timed.append(TimedWord(word, Span(at, end)))
        at = end
    return tuple(timed), at


def shown(sentences: Sequence[TimedSentence]) -> list[str]:
    return [word.shown for sentence in sentences for word in sentence.words]
