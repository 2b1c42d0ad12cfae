"""How loud a programme is by ITU-R BS.1770, from what each of its sentences contributes.

Loudness is a mean of energies, so it can be had from parts: each sentence is filtered and squared by itself, once, and
kept as one energy for each MP3 frame; the programme's loudness is then a sum over frames, at their places. Silence
between the sentences is what makes that exact: the filter has forgotten one sentence before the next begins.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.media.pcm import FRAME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.media.pcm import Wave

    Energies = NDArray[np.float32]
    """The mean square of K-weighted sound, full scale 1, for each frame of `FRAME_SECONDS`."""

# BS.1770 measures blocks of 400 ms, one each 100 ms, counts none below -70 LUFS, and none 10 LU below the rest.
ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_BLOCK_SECONDS = 0.4
_STEP_SECONDS = 0.1
# The offset in BS.1770's formula: a tone of 997 Hz reads the same before and after the filter.
_OFFSET_LU = -0.691

# EBU Tech 3342: the range is between the 10th and 95th hundredth of what is heard within 3 s each.
_RANGE_BLOCK_SECONDS = 3.0
_RANGE_GATE_LU = -20.0
_RANGE_LOW, _RANGE_HIGH = 10, 95

# The K filter's two stages, as BS.1770-4 gives them for 48 kHz, in the terms that hold at every rate (derived in
# libebur128's `ebur128_init_filter`): a shelf for the head, a high-pass for the ear.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_SHELF_MIDDLE = 0.4996667741545416
_PASS_HZ, _PASS_Q = 38.13547087602444, 0.5003270373238773

# How long the filter rings: its lower stage has fallen by 60 dB within 50 ms.
_RINGING_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Loudness:
    """What BS.1770 and EBU Tech 3342 say about a whole programme."""

    integrated_lufs: float
    """-70 for silence: the measure knows nothing quieter."""
    range_lu: float

    @property
    def is_silence(self) -> bool:
        return self.integrated_lufs <= ABSOLUTE_GATE_LUFS


def k_weighted(wave: Wave, sample_rate: int) -> Wave:
    """A stretch of sound, silent before and after, as the measure hears it: what rings on after its end too."""
    import numpy as np

    count = len(wave) + round(_RINGING_SECONDS * sample_rate)
    size = 1 << max(8, (count - 1).bit_length())
    spectrum = np.fft.rfft(wave, size) * _response(sample_rate, size)
    return np.fft.irfft(spectrum, size)[:count].astype(np.float32)


def energies(squares: NDArray[np.floating], squares_per_second: float) -> Energies:
    """The mean of K-weighted squares over each frame from the first on; the last frame may be part silence."""
    import numpy as np

    sums = np.concatenate([np.zeros(1), np.cumsum(squares, dtype=np.float64)])
    width = FRAME_SECONDS * squares_per_second
    edges = np.arange(math.ceil(len(squares) / width) + 1) * width
    found: Energies = (np.diff(np.interp(edges, np.arange(len(sums)), sums)) / width).astype(np.float32)
    return found


def placed(sounds: Iterable[tuple[int, Energies]], frame_count: int) -> NDArray[np.float64]:
    """The energies of a programme of `frame_count` frames, from those of its sounds at their first frames."""
    import numpy as np

    whole = np.zeros(frame_count)
    for first, sound in sounds:
        inside = sound[: frame_count - first]
        whole[first : first + len(inside)] += inside
    return whole


def measure(energy: NDArray[np.floating]) -> Loudness:
    """The loudness of a programme by its frames' energies; one shorter than 0.4 s as if silence followed."""
    import numpy as np

    heard = _gated(_blocks(energy, _BLOCK_SECONDS), _RELATIVE_GATE_LU)
    if not len(heard):
        return Loudness(ABSOLUTE_GATE_LUFS, 0.0)
    integrated = _lufs(float(heard.mean()))
    longer = _gated(_blocks(energy, _RANGE_BLOCK_SECONDS), _RANGE_GATE_LU)
    if not len(longer):
        return Loudness(integrated, 0.0)
    low, high = np.percentile(longer, [_RANGE_LOW, _RANGE_HIGH])
    return Loudness(integrated, _lufs(float(high)) - _lufs(float(low)))


def _blocks(energy: NDArray[np.floating], seconds: float) -> NDArray[np.float64]:
    """The mean energy of each stretch of so many seconds, one each 100 ms; of a shorter programme, one stretch."""
    import numpy as np

    sums = np.concatenate([np.zeros(1), np.cumsum(energy, dtype=np.float64)]) * FRAME_SECONDS
    length = len(energy) * FRAME_SECONDS
    starts = np.arange(max(1, math.floor((length - seconds) / _STEP_SECONDS) + 1)) * _STEP_SECONDS
    times = np.arange(len(sums)) * FRAME_SECONDS
    found: NDArray[np.float64] = (np.interp(starts + seconds, times, sums) - np.interp(starts, times, sums)) / seconds
    return found


def _gated(blocks: NDArray[np.float64], relative_lu: float) -> NDArray[np.float64]:
    """The blocks above -70 LUFS, and of those the ones above a level relative to their mean."""
    audible = blocks[blocks > 10 ** ((ABSOLUTE_GATE_LUFS - _OFFSET_LU) / 10)]
    return audible[audible > audible.mean() * 10 ** (relative_lu / 10)] if len(audible) else audible


def _lufs(energy: float) -> float:
    return _OFFSET_LU + 10 * math.log10(energy)


@lru_cache(maxsize=16)
def _response(sample_rate: int, size: int) -> NDArray[np.complex64]:
    """The K filter at each frequency of a transform of `size` samples."""
    import numpy as np

    back = np.exp(-2j * cmath.pi * np.arange(size // 2 + 1) / size)

    def stage(top: tuple[float, ...], bottom: tuple[float, ...]) -> NDArray[np.complex128]:
        above, below = (sum(factor * back**power for power, factor in enumerate(side)) for side in (top, bottom))
        return np.asarray(above / below, dtype=np.complex128)

    k = math.tan(math.pi * _SHELF_HZ / sample_rate)
    high = 10 ** (_SHELF_DB / 20)
    middle = high**_SHELF_MIDDLE
    a0 = 1 + k / _SHELF_Q + k * k
    shelf = stage(
        (
            (high + middle * k / _SHELF_Q + k * k) / a0,
            2 * (k * k - high) / a0,
            (high - middle * k / _SHELF_Q + k * k) / a0,
        ),
        (1, 2 * (k * k - 1) / a0, (1 - k / _SHELF_Q + k * k) / a0),
    )
    k = math.tan(math.pi * _PASS_HZ / sample_rate)
    a0 = 1 + k / _PASS_Q + k * k
    high_pass = stage((1, -2, 1), (1, 2 * (k * k - 1) / a0, (1 - k / _PASS_Q + k * k) / a0))
    response: NDArray[np.complex64] = (shelf * high_pass).astype(np.complex64)
    return response
