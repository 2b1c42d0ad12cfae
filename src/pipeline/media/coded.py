"""One sentence as it is heard in the finished file: mastered, encoded, decoded again and measured.

What counts is what a player's decoder gives. Coding moves peaks; where it lifts one above the ceiling in spite of the
headroom, the sentence is held down by that much more and encoded again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.media import limiter, loudness, mp3
from pipeline.media.mastering import CODING_HEADROOM_DB, mastered
from pipeline.media.pcm import MP3_RATE

if TYPE_CHECKING:
    from pipeline.media.loudness import Energies
    from pipeline.media.pcm import Wave

# Held down by what it was too high and a little more, speech has always come out below at the second try; noise at
# 32 kbit/s, which comes back unlike itself, takes more.
_TRIES = 8
_A_LITTLE_MORE_DB = 0.3


@dataclass(frozen=True, slots=True)
class Coded:
    frames: bytes
    energies: Energies
    """Of what a decoder gives, for each frame from the sentence's first."""
    true_peak: float
    """Of what a decoder gives, full scale 1."""
    limited: bool
    """Whether any peak had to be held down."""


def coded(wave: Wave, sample_rate: int, *, gain_db: float, ceiling_dbtp: float, kbits: int) -> Coded:
    """A sentence that begins and ends in silence, as frames of MP3. Raises ValueError for a bit rate MP3 does not
    have.
    """
    import numpy as np

    headroom_db = CODING_HEADROOM_DB
    for _ in range(_TRIES):
        loud, limited = mastered(wave, sample_rate, gain_db, ceiling_dbtp=ceiling_dbtp, headroom_db=headroom_db)
        frames = mp3.encode(loud, sample_rate, kbits=kbits)
        heard = mp3.decode((*frames, mp3.silent_frame(kbits)))
        highest = limiter.true_peak(heard, MP3_RATE)
        above_db = 20 * math.log10(highest) - ceiling_dbtp if highest else 0.0
        if above_db <= 0.0:
            break
        headroom_db += above_db + _A_LITTLE_MORE_DB
    found = loudness.energies(np.square(loudness.k_weighted(heard, MP3_RATE)), MP3_RATE)
    return Coded(b"".join(frames), found, highest, limited)
