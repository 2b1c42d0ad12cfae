"""Which peaks are held down, and how smoothly: one gain and one limiter for a stretch of sound.

The limiter works from silence to silence, so that a sentence comes out the same whatever stands around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.media.pcm import CHUNK, frames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.media.pcm import Wave

# The gain falls and rises within this time on both sides of a peak. The pulses of a voice come every 2.5 to 12 ms:
# 5 ms joins most of them into one smooth fall, so that the limiter follows the syllable and not the wave. 20 ms
# sounds no better and costs a peaky voice another 1 dB, which the gain then has to make up for.
_REACH_SECONDS = 0.005

# Peaks between samples are found at four times the rate, as BS.1770-4 annex 2 does.
_OVERSAMPLING = 4

BLOCK = 8
"""Peaks and factors are worked out for blocks of this many samples (0.36 ms at 22,050 Hz), not for each sample."""


def block_peaks(wave: Wave, sample_rate: int) -> NDArray[np.float32]:
    """The highest magnitude of the wave within each block, between the samples too."""
    import numpy as np

    width = BLOCK * _OVERSAMPLING
    peaks = []
    for fine in _magnitudes(wave, sample_rate):
        padded = np.pad(fine, (0, -len(fine) % width))
        peaks.append(padded.reshape(-1, width).max(axis=1))
    count = -(-len(wave) // BLOCK)
    return np.concatenate([*peaks, np.zeros(count, dtype=np.float32)])[:count]


def true_peak(wave: Wave, sample_rate: int) -> float:
    """The highest magnitude of the wave, between its samples too; 0 for silence and for no samples."""
    return max((float(fine.max(initial=0.0)) for fine in _magnitudes(wave, sample_rate)), default=0.0)


def factors(peaks: NDArray[np.float32], sample_rate: int, gain: float, limit: float) -> NDArray[np.float32]:
    """The factor at each boundary between blocks, one more than there are blocks, that keeps every peak times `gain`
    below `limit` and changes smoothly.

    The lowest factor needed within reach, averaged over a window no wider than reach, is at most what is needed
    in each block: no peak gets through, and none is met late.
    """
    import numpy as np

    reach = max(1, round(sample_rate * _REACH_SECONDS / BLOCK))
    highest = np.float32(limit / gain)
    needed = highest / np.maximum(peaks, highest)
    half = (reach + 1) // 2
    # A boundary answers for the blocks on both its sides.
    lowest = _lowest_within(np.pad(needed, (1, 0), constant_values=1.0), 2 * half + 1)
    # Two equal averages, one after the other, weigh like a triangle: no corner in the gain, no click.
    return _average(_average(lowest, half), half).astype(np.float32)


def applied(wave: Wave, gain: float, at_boundaries: NDArray[np.float32]) -> Wave:
    """The wave times `gain` and the limiter's factors, from one boundary between blocks to the next in a straight
    line.
    """
    import numpy as np

    ramp = (np.arange(BLOCK, dtype=np.float32) + np.float32(0.5)) / BLOCK
    smooth = at_boundaries[:-1, np.newaxis] + np.diff(at_boundaries)[:, np.newaxis] * ramp
    return (wave * smooth.reshape(-1)[: len(wave)] * np.float32(gain)).astype(np.float32, copy=False)


def _magnitudes(wave: Wave, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    import av
    import numpy as np

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=sample_rate * _OVERSAMPLING, frame_size=CHUNK)
    for frame in (*frames(wave, sample_rate), None):
        yield from (np.abs(fine.to_ndarray()[0]) for fine in resampler.resample(frame))


def _lowest_within(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The lowest value from `reach` places before to `reach` after, by doubling the window: log2 passes."""
    import numpy as np

    width = 2 * reach + 1
    lowest = np.pad(values, reach, constant_values=1.0)
    covered = 1
    while covered < width:
        step = min(covered, width - covered)
        lowest = np.minimum(lowest[: len(lowest) - step], lowest[step:])
        covered += step
    return lowest


def _average(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The mean from `reach` places before to `reach` after; beyond both ends the values go on as they are there."""
    import numpy as np

    sums = np.cumsum(np.pad(values, (reach + 1, reach), mode="edge"), dtype=np.float64)
    width = 2 * reach + 1
    return ((sums[width:] - sums[:-width]) / width).astype(np.float32)
