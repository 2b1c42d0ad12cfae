"""How a programme comes to the length asked for: what is left to the writer, what to the pace of the voice.

Pure arithmetic on what was measured. The writer is asked first, because a pace that is far from the voice's own is
heard; the pace takes the rest. The order of a round, its bounds and its steps are decided here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.05
"""As far from the length asked for, either way, is as asked: nine seconds of three minutes."""

MOST_ROUNDS = 3
"""How often a script is lengthened or shortened. A model that is asked for so many words gives most of them: the first
round by measured speech brings 20 % down to some 5 %, the second mends what it made too much of; a third that does not
help shows that a fourth would not either, and each costs as much as a writing."""

MOST_PACE = 0.08
"""How much faster or slower than it is set a voice may speak. Listeners notice changes of tempo in speech from some 5 %
on (Quené, J. Phonetics 35, 2007); within 8 % an unhurried voice is neither hurried nor dragging."""

PACE_STEP = 0.02
"""A pace goes in steps, so that an edit that changes the length a little does not have every sentence spoken again.
Half a step is one percent of the length, a fifth of the tolerance."""

MOST_PACES = 3
"""How often a script is spoken at another rate until the pace comes out: each time every sentence is spoken anew."""

# What may be asked of a voice for the sake of a pace within the bounds, and how fine. Piper rounds each phoneme up to
# whole frames of 12 ms: en_US-joe-medium asked for 1.08 times its rate speaks 1.03 times as fast, for 1.2 times 1.11.
_MOST_RATE = 0.3
_RATE_STEP = 0.02
_LEAST_EFFECT = 0.25
_WORDS_STEP = 5
# A segment is at most doubled, or halved, in one round: what goes further is no longer the same segment.
_MOST_CHANGE = 0.5
_FEWEST_WORDS_TO_CHANGE = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """A script as it was spoken."""

    seconds: float
    """The whole programme, its pauses too."""
    speech_seconds: float
    """What of it is speech, and gets shorter when the voice speaks faster."""
    words: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked of one segment."""

    segment: int
    """Its index in the script, from 0."""
    words: int
    """How many words it has."""
    wanted: int
    """How many it should have."""


def is_met(seconds: float, asked_seconds: float) -> bool:
    """Whether a length is what was asked for, within the tolerance."""
    return abs(seconds - asked_seconds) <= TOLERANCE * asked_seconds


def pace_for(measured: Measured, asked_seconds: float) -> float:
    """How many times faster the voice is to speak: 1 where the length is met, else the step, within its bounds, that
    comes nearest. Pauses keep their length.
    """
    if is_met(measured.seconds, asked_seconds):
        return 1.0
    most = round(MOST_PACE / PACE_STEP)
    paces = [round(1.0 + step * PACE_STEP, 4) for step in range(-most, most + 1)]
    return min(paces, key=lambda pace: (abs(_at(measured, pace) - asked_seconds), abs(pace - 1)))


def is_a_pace(pace: float) -> bool:
    """Whether a pace that was measured is within the bounds, or beyond them by no more than half a step."""
    return abs(pace - 1) <= MOST_PACE + PACE_STEP / 2


def corrected(rate: float, pace: float, wanted: float) -> float:
    """The rate to ask of a voice for the pace `wanted`, when at `rate` it spoke `pace` times as fast as at 1.

    Between the two a power law holds well enough: at 0.8, 0.92, 1.08 and 1.2 the exponent of en_US-joe-medium is 0.4 to
    0.6.
    """
    effect = max(_LEAST_EFFECT, math.log(pace) / math.log(rate)) if rate != 1.0 else 1.0
    asked = min(1 + _MOST_RATE, max(1 - _MOST_RATE, math.exp(math.log(wanted) / effect)))
    return round(_RATE_STEP * round(asked / _RATE_STEP), 4)


def is_within_pace(measured: Measured, asked_seconds: float) -> bool:
    """Whether the length is met, or the pace alone brings it there with something to spare: a voice does not keep to
    its pace to the percent.
    """
    return is_met(measured.seconds, asked_seconds) or off(measured, asked_seconds) <= TOLERANCE / 2


def off(measured: Measured, asked_seconds: float) -> float:
    """What is left of the difference once the pace has done what it can: the share of the length asked for."""
    return abs(_at(measured, pace_for(measured, asked_seconds)) / asked_seconds - 1)


def words_for(seconds: float, seconds_a_word: float) -> int:
    """How many words take so long, to the nearest five; never none."""
    return max(_WORDS_STEP, _WORDS_STEP * round(seconds / seconds_a_word / _WORDS_STEP))


def words_missing(measured: Measured, asked_seconds: float) -> int:
    """How many words the script should have more (or fewer: negative), in fives, by the pace it was spoken at."""
    words = (asked_seconds - measured.seconds) * measured.words / measured.seconds
    return _WORDS_STEP * round(words / _WORDS_STEP)


def changes(words_by_segment: Sequence[int], words: int) -> tuple[Change, ...]:
    """Which segments are to have how many words more (or fewer), in the order of the script.

    As few of them as will do, since every sentence of the others is kept as it was spoken: the shortest are lengthened
    first, the longest shortened.
    """
    longer = words > 0
    order = sorted(range(len(words_by_segment)), key=lambda index: words_by_segment[index], reverse=not longer)
    left = abs(words)
    found = []
    for index in order:
        have = words_by_segment[index]
        room = max(have, _FEWEST_WORDS_TO_CHANGE) if longer else int(have * _MOST_CHANGE)
        taken = min(left, room)
        if taken < min(left, _WORDS_STEP) or not taken:
            continue
        found.append(Change(index, have, have + taken if longer else have - taken))
        left -= taken
        if not left:
            break
    return tuple(sorted(found, key=lambda change: change.segment))


def _at(measured: Measured, pace: float) -> float:
    return measured.seconds - measured.speech_seconds + measured.speech_seconds / pace
