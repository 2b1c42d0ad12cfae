"""A script is spoken, measured, and made longer or shorter until the programme takes the minutes asked for.

    script ─► spoken ─► measured ─┬─► near enough for the pace to do the rest ─► spoken at that pace
                ▲                 └─► lengthened or shortened by so many words ─┐
                └───────────────────────────────────────────────────────────────┘

Every round is an artifact of its own, and its key holds what was asked of it ("segment 2 with 80 words") and never a
measurement. What a round leaves alone keeps its sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pipeline.build.recipe import Flow
from pipeline.domain import length
from pipeline.domain.length import Measured
from pipeline.domain.script import Script
from pipeline.domain.sentence import Utterance
from pipeline.stages.script import NO_REVISION, Written
from pipeline.stages.speech import SpokenSentence


@dataclass(frozen=True, slots=True)
class Spoken:
    """A script's sentences and their sound."""

    said: tuple[Utterance, ...]
    sentences: tuple[SpokenSentence, ...]
    rate: float = 1.0
    """How many times the settings' speaking rate was asked of the voice."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of it."""

    spoken: Spoken
    asked_seconds: float
    reached_seconds: float
    pace: float = 1.0
    """How many times faster than at the settings' rate it is spoken, as measured."""
    written: Written | None = None
    """The script of the round that is used; None where no writer was to change it."""
    rounds: Sequence[tuple[int, float]] = field(default_factory=tuple)
    """For each script that was spoken at the settings' rate, the first one too: its words, and its seconds."""
    why: str = ""
    """Why it is not what was asked for, where it is not."""

    @property
    def about(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "asked_seconds": self.asked_seconds,
            "reached_seconds": round(self.reached_seconds, 2),
            "off_percent": round(100 * (self.reached_seconds / self.asked_seconds - 1), 1),
            "met": not self.why,
            "why_not": self.why or None,
            "pace": round(self.pace, 3),
            "rounds": [{"words": words, "seconds": round(seconds, 2)} for words, seconds in self.rounds],
        }


Speak: TypeAlias = Callable[[Script, float], Flow[Spoken]]
"""Has a script spoken so many times faster than it is set."""
Measure: TypeAlias = Callable[[Sequence[SpokenSentence]], Flow[tuple[float, float]]]
"""Seconds of the programme, and of the speech in it."""
Revise: TypeAlias = Callable[[Written, int, int], Flow[Written]]
"""Makes a script so many words longer, in the round of that number; the same script where it cannot."""


@dataclass(frozen=True, slots=True)
class _Take:
    spoken: Spoken
    measured: Measured
    written: Written | None = None


def fit_pace(script: Script, asked_seconds: float, *, speak: Speak, measure: Measure, why: str) -> Flow[Fitted]:
    """A script that nobody may change, at the pace that brings it nearest. `why` is told where that is not near."""
    take = yield from _take(script, speak, measure)
    return (yield from _paced(script, take, asked_seconds, [take], why, speak, measure))


def fit(written: Written, asked_seconds: float, *, speak: Speak, measure: Measure, revise: Revise) -> Flow[Fitted]:
    """A script that its writer may change. The round that the pace brings nearest is the one that is used."""
    take = yield from _take(written.script, speak, measure, written)
    takes = [take]
    why = f"{length.MOST_ROUNDS} rounds of writing did not bring it nearer"
    for round_ in range(1, length.MOST_ROUNDS + 1):
        words = length.words_missing(take.measured, asked_seconds)
        if length.is_within_pace(take.measured, asked_seconds) or not words:
            break
        again = yield from revise(written, words, round_)
        if again.script != written.script:
            written = again
            take = yield from _take(written.script, speak, measure, written)
            takes.append(take)
        elif reason := _reason(again):
            why = reason
            break
    best = min(takes, key=lambda one: length.off(one.measured, asked_seconds))
    script = best.written.script if best.written is not None else written.script
    return (yield from _paced(script, best, asked_seconds, takes, why, speak, measure))


def _take(script: Script, speak: Speak, measure: Measure, written: Written | None = None) -> Flow[_Take]:
    spoken = yield from speak(script, 1.0)
    seconds, speech_seconds = yield from measure(spoken.sentences)
    return _Take(spoken, Measured(seconds, speech_seconds, script.word_count), written)


def _paced(
    script: Script, take: _Take, asked_seconds: float, takes: Sequence[_Take], why: str, speak: Speak, measure: Measure
) -> Flow[Fitted]:
    """Spoken at another pace where that is needed. A voice that is asked to speak 8 % faster may do 4 %: what it did is
    measured, and what is asked of it corrected.
    """
    wanted = length.pace_for(take.measured, asked_seconds)
    best, rate = take, wanted
    for _ in range(length.MOST_PACES if wanted != 1.0 else 0):
        spoken = yield from speak(script, rate)
        seconds, speech_seconds = yield from measure(spoken.sentences)
        paced = _Take(spoken, Measured(seconds, speech_seconds, script.word_count), take.written)
        pace = take.measured.speech_seconds / speech_seconds
        if length.is_a_pace(pace) and abs(seconds - asked_seconds) < abs(best.measured.seconds - asked_seconds):
            best = paced
        again = length.corrected(rate, pace, wanted)
        if length.is_met(best.measured.seconds, asked_seconds) or again == rate:
            break
        rate = again
    return Fitted(
        best.spoken,
        asked_seconds,
        best.measured.seconds,
        take.measured.speech_seconds / best.measured.speech_seconds,
        take.written,
        tuple((one.measured.words, one.measured.seconds) for one in takes),
        "" if length.is_met(best.measured.seconds, asked_seconds) else why,
    )


def _reason(written: Written) -> str:
    """Why a script stayed as it was, where another round would not change that."""
    for name in (NO_REVISION, "shorter_than_asked"):
        told = written.about.get(name)
        if isinstance(told, str):
            return told
    return ""
