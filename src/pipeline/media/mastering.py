"""The one gain that brings a programme to its loudness, found from what each sentence would be at any gain.

Limited sound is quieter than its gain says, by how much depends on its peaks. So each sentence is looked at once: how
much of its energy the limiter leaves at a row of gains. From those rows the gain of a programme follows in
milliseconds, however long it is, and a sentence that has not changed is never looked at again.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import EngineNonsense
from pipeline.media import limiter, loudness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.media.pcm import Wave

# A programme that would need more than this is noise with a whisper in it; the noise must not be blown up.
MAX_GAIN_DB = 30.0

# Coding moves the peaks: MP3 of Piper's voices came back 0.1 dB above what went in at 96 kbit/s, 0.5 at 48; music
# and noise move further.
CODING_HEADROOM_DB = 1.0

# What is lost in coding: MP3 of Piper's voices comes back 0.04 to 0.06 LU quieter than what went in, from 48 to 128
# kbit/s.
_CODING_LOSS_LU = 0.05

# A gain is rounded, so that one changed sentence seldom gives all the others another one: as coarsely as leaves the
# loudness this near to its target. Limited sound answers a decibel of gain with a half, or less, and takes 0.2 or 0.5.
_CLOSE_ENOUGH_LU = 0.05
_STEPS_DB = (0.5, 0.2, 0.1)
_HALVINGS = 12  # of at most 61 dB: to a hundredth and a half

# The row of gains: from the one at which the first peak reaches the limit, a decibel apart. Piper's peakiest sentences
# are taken 10 dB beyond.
_ROW_STEPS = 20
_ONSET = struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Row:
    """What the limiter leaves of one sentence at a row of gains."""

    onset_db: float
    """The gain at which its highest peak reaches the limit."""
    energies: NDArray[np.float32]
    """A line for each decibel above the onset, the first at the onset: the energy of each frame before the gain."""

    def at(self, gain_db: float) -> NDArray[np.float32]:
        """The energy of each frame at a gain, limited."""
        import numpy as np

        place = min(max(gain_db - self.onset_db, 0.0), float(_ROW_STEPS))
        line = min(int(place), _ROW_STEPS - 1)
        part = np.float32(place - line)
        between = self.energies[line] * (1 - part) + self.energies[line + 1] * part
        # Beyond the row's end it gets no louder; before its beginning it is what the gain says.
        held: NDArray[np.float32] = between * np.float32(10 ** (min(gain_db, self.onset_db + _ROW_STEPS) / 10))
        return held

    def dump(self) -> bytes:
        return _ONSET.pack(self.onset_db) + self.energies.astype("<f4").tobytes()

    @classmethod
    def parse(cls, data: bytes) -> Row:
        """The row that `dump` wrote."""
        import numpy as np

        lines = np.frombuffer(data, dtype="<f4", offset=_ONSET.size).reshape(_ROW_STEPS + 1, -1)
        return cls(_ONSET.unpack_from(data)[0], lines)


def row_of(wave: Wave, sample_rate: int, *, ceiling_dbtp: float) -> Row:
    """Look at one sentence. Its peaks are held below the ceiling by the headroom that coding needs."""
    import numpy as np

    peaks = limiter.block_peaks(wave, sample_rate)
    highest = float(peaks.max(initial=0.0))
    limit = _ratio(ceiling_dbtp - CODING_HEADROOM_DB)
    onset_db = _decibels(limit / highest) if highest else MAX_GAIN_DB
    squares = np.square(loudness.k_weighted(wave, sample_rate))
    of_blocks = np.pad(squares, (0, -len(squares) % limiter.BLOCK)).reshape(-1, limiter.BLOCK).mean(axis=1)
    lines = []
    for step in range(_ROW_STEPS + 1):
        at_boundaries = limiter.factors(peaks, sample_rate, _ratio(onset_db + step), limit)
        left = np.ones_like(of_blocks)
        # The filter is short against the limiter's reach, so that limiting what is filtered is as good as filtering
        # what is limited (0.02 LU apart on Piper's voices, 10 dB beyond the onset).
        left[: len(peaks)] = np.square((at_boundaries[:-1] + at_boundaries[1:]) / 2)
        lines.append(loudness.energies(of_blocks * left, sample_rate / limiter.BLOCK))
    return Row(onset_db, np.stack(lines))


def gain_for(rows: Sequence[tuple[int, Row]], frame_count: int, *, target_lufs: float) -> float:
    """The gain in decibels, rounded, that brings a programme to within 0.05 LU of its target.

    `rows` holds each sentence's first frame and its row. Raises EngineNonsense for a programme that is silent.
    """

    def at(gain_db: float) -> float:
        sounds = ((first, row.at(gain_db)) for first, row in rows)
        return loudness.measure(loudness.placed(sounds, frame_count)).integrated_lufs

    wanted = target_lufs + _CODING_LOSS_LU
    unlimited_db = min(0.0, *(row.onset_db for _, row in rows))
    before = at(unlimited_db)
    if before <= loudness.ABSOLUTE_GATE_LUFS:
        raise EngineNonsense(
            "the programme is silent: nothing in it is louder than -70 LUFS",
            hint="Listen to the voice on its own, and have it spoken again or choose another.",
        )
    low = min(unlimited_db + wanted - before, MAX_GAIN_DB)
    high = MAX_GAIN_DB
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < wanted else (low, middle)
    slope = at(high + 0.5) - at(high - 0.5)
    step_db = next((step for step in _STEPS_DB if slope * step / 2 <= _CLOSE_ENOUGH_LU), _STEPS_DB[-1])
    return round(round(high / step_db) * step_db, 1)


def mastered(
    wave: Wave, sample_rate: int, gain_db: float, *, ceiling_dbtp: float, headroom_db: float = CODING_HEADROOM_DB
) -> tuple[Wave, bool]:
    """A sentence at a gain, its peaks held below the ceiling by the headroom; and whether any had to be held down."""
    peaks = limiter.block_peaks(wave, sample_rate)
    gain, limit = _ratio(gain_db), _ratio(ceiling_dbtp - headroom_db)
    at_boundaries = limiter.factors(peaks, sample_rate, gain, limit)
    return limiter.applied(wave, gain, at_boundaries), bool(peaks.max(initial=0.0) * gain > limit)


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)
