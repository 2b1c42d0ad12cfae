"""Which frame is shown when, which stretches of frames are encoded by themselves, and which frames are drawn at all.

A film has one grid of frames, and a segment's first frame is the one nearest to its start. How many frames a segment
takes hangs by one on where it stands: 4.02 s at 25 a second are 100 or 101. So that a segment need not be encoded again
because one before it became longer, it is always encoded as if it took the larger number, its *capacity*; where it
takes one less, its last frame is left out of the film, which nothing else is predicted from (`picture_track`).

A cross-fade stands at the end of a segment, in the pause before the next one speaks: what it needs of the next segment
is the picture and how that one begins, never how long anything is. So a segment that changes leaves both its neighbours
as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FRAMES_PER_SECOND = 25
"""Enough for a camera that moves by a fifth of a pixel a frame; see docs/decisions on video."""

FADE_SECONDS = 0.4

STRETCH_FRAMES = 300
"""Frames that are encoded at a stretch: 12 seconds. A shorter one costs more key frames, a longer one more work after
an edit."""

STILL_STRETCH_FRAMES = 1500
"""The same where nothing moves: a minute takes less time than reading the picture."""

KEY_FRAME_SECONDS = 10
"""How far apart key frames are at most, and so how far back a player must begin that seeks."""

PULSE_FRAMES = 25
"""Where nothing moves, a frame is shown for this long at most: a second. Players show a frame of any length, but seek
to frames, and some of them (QuickTime's scrubber, hardware decoders, services that encode again) lose the sound's place
or the picture where one lasts many seconds."""

# A length of so much less than a whole number of frames is taken for that number: times are kept to the microsecond.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of one segment that are encoded by themselves, counted from the segment's first."""

    first: int
    count: int
    fade: int
    """How many of them, at the end, go over into the next segment's picture; 0 but in a segment's last stretch."""

    @property
    def end(self) -> int:
        return self.first + self.count


def frame_at(seconds: float) -> int:
    """The frame that is nearest to a time."""
    return math.floor(seconds * FRAMES_PER_SECOND + 0.5)


def borders(starts: Sequence[float], seconds: float) -> tuple[int, ...]:
    """The first frame of each segment, and the one after the film's last: a film that is never empty."""
    firsts = [frame_at(start) for start in starts]
    return (*firsts, max(frame_at(seconds), 1))


def capacity(seconds: float) -> int:
    """How many frames a segment of this length takes at most, wherever it stands."""
    return math.floor(seconds * FRAMES_PER_SECOND + _ROUNDING) + 1


def stretches(frame_count: int, *, moving: bool, fades: bool) -> tuple[Stretch, ...]:
    """A segment of so many frames, cut into stretches of one length, the last from a half to one and a half of that.

    A fade takes at most half of a segment; the last stretch holds all of it.
    """
    length = STRETCH_FRAMES if moving else STILL_STRETCH_FRAMES
    count = max(1, math.floor(frame_count / length + 0.5))
    firsts = [number * length for number in range(count)]
    fade = min(round(FADE_SECONDS * FRAMES_PER_SECOND), frame_count // 2) if fades else 0
    ends = [*firsts[1:], frame_count]
    return tuple(
        Stretch(first, end - first, fade if end == frame_count else 0) for first, end in zip(firsts, ends, strict=True)
    )


def drawn(stretch: Stretch, changes: Iterable[int], *, moving: bool) -> tuple[int, ...]:
    """The numbers of the stretch's frames that are drawn: all where something moves; else the first, each at which
    something changes, all of a fade, and as many between that none is shown for longer than `PULSE_FRAMES`.
    """
    everything = range(stretch.first, stretch.end)
    if moving:
        return tuple(everything)
    fade = range(stretch.end - stretch.fade, stretch.end)
    # The one before the fade keeps what stood still from fading in one long step.
    wanted = {stretch.first, stretch.end - 1, *fade, fade.start - 1, *changes} & set(everything)
    numbers: list[int] = []
    for number in sorted(wanted):
        while numbers and number - numbers[-1] > PULSE_FRAMES:
            numbers.append(numbers[-1] + PULSE_FRAMES)
        numbers.append(number)
    return tuple(numbers)


def fade_share(place: int, fade: int) -> float:
    """How much of the next picture is seen at a fade's frame `place` (from 0): slow at both ends, never 0 or 1."""
    share = (place + 1) / (fade + 1)
    return share * share * (3 - 2 * share)
