"""Where the camera is at a time: a slow zoom and pan that has no end and never jumps.

The way is a chain of legs between waypoints that follow from a seed alone, so a segment that becomes longer goes on as
it would have gone, and nothing before that changes. It also goes back before the segment's start: a fade into it shows
it moving already.

Nothing of it is rounded: a frame's edges lie between pixels wherever they fall. (FFmpeg's zoompan cuts at whole
pixels, and so jitters by half a pixel.)
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from pipeline.media.video.grid import FRAMES_PER_SECOND

LEG_SECONDS = 20.0
NEAR, FAR = 1.10, 1.02
"""How much larger the picture is than it must be, close and far away: a card's margins are wider than what is lost."""

# How far from the middle a waypoint may lie, as a share of what is beyond the edges.
_WANDER = 0.3
# At each end of a leg the camera takes so much of the time to start or to stop; between, its pace is even.
_EASE = 0.15
# A segment begins where the camera is already on its way.
_UNDER_WAY = 0.2


@dataclass(frozen=True, slots=True)
class View:
    """The part of a picture that is seen: its edges, as shares of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def toward(self, other: View, share: float) -> View:
        return View(
            self.left + (other.left - self.left) * share,
            self.top + (other.top - self.top) * share,
            self.right + (other.right - self.right) * share,
            self.bottom + (other.bottom - self.bottom) * share,
        )


WHOLE = View(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """A way through a picture."""

    seed: str

    def view(self, frame: float) -> View:
        """What is seen at a frame, counted from the segment's first; before that, below 0."""
        legs = frame / (FRAMES_PER_SECOND * LEG_SECONDS) + _UNDER_WAY
        leg = math.floor(legs)
        return self._waypoint(leg).toward(self._waypoint(leg + 1), _eased(legs - leg))

    def _waypoint(self, number: int) -> View:
        dice = hashlib.sha256(f"{self.seed} {number}".encode()).digest()
        inward = hashlib.sha256(self.seed.encode()).digest()[0] % 2
        zoom = NEAR if (number + inward) % 2 else FAR
        size = 1 / zoom
        left, top = ((1 - size) * (0.5 + _WANDER * (roll / 255 - 0.5)) for roll in dice[:2])
        return View(left, top, left + size, top + size)


def fastest(pixels: int) -> float:
    """By how many pixels an edge moves between two frames at most, in a picture that is so many wide or high."""
    leg = (1 - 1 / NEAR) * (0.5 + _WANDER / 2) - (1 - 1 / FAR) * (0.5 - _WANDER / 2)
    return pixels * NEAR * leg / (FRAMES_PER_SECOND * LEG_SECONDS) / (1 - _EASE)


def _eased(share: float) -> float:
    """From 0 to 1 at an even pace but for the ends, where it starts and stops evenly too."""
    pace = 1 / (1 - _EASE)
    if share < _EASE:
        return pace * share * share / (2 * _EASE)
    if share > 1 - _EASE:
        return 1 - pace * (1 - share) ** 2 / (2 * _EASE)
    return pace * (share - _EASE / 2)
