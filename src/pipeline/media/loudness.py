"""How loud a programme is, and the one gain and the one limiter that bring it to its target.

Loudness is ITU-R BS.1770's, in LUFS, measured by FFmpeg's `ebur128` filter. What counts is the finished file: the
limiter leaves the room below the ceiling that resampling and MP3 need, and the gain makes up for what the limiter
takes away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from pipeline.errors import EngineNonsense
from pipeline.media.pcm import CHUNK, FULL_SCALE, frames

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from av.filter import Graph
    from numpy.typing import NDArray

    from pipeline.media.pcm import Samples

# BS.1770 measures blocks of 400 ms and counts none below -70 LUFS.
_ABSOLUTE_GATE_LUFS = -70.0
_BLOCK_SECONDS = 0.4
# ebur128 answers for each 100 ms and drops what is left over at the end.
_STEP_SECONDS = 0.1

# A programme that would need more than this is noise with a whisper in it; the noise must not be blown up.
MAX_GAIN_DB = 30.0

# Coding moves the peaks: MP3 of Piper's voices came back 0.1 dB above what went in at 96 kbit/s, 0.5 at 48; music
# and noise move further, and a meter reads up to 0.3 dB above what is found at four times the rate.
CODING_HEADROOM_DB = 1.0

# The gain falls and rises within this time on both sides of a peak. The pulses of a voice come every 2.5 to 12 ms:
# 5 ms joins most of them into one smooth fall, so that the limiter follows the syllable and not the wave. 20 ms
# sounds no better and costs a peaky voice another 1 dB, which the gain then has to make up for.
_REACH_SECONDS = 0.005

# Peaks between samples are found at four times the rate, as BS.1770-4 annex 2 does.
_OVERSAMPLING = 4

# Peaks and gains are worked out for blocks of this many samples (0.36 ms at 22,050 Hz), not for each sample: an
# eighth of the memory, and a second round with another gain costs next to nothing.
_BLOCK = 8

# Limited sound is quieter than its gain says, so the gain is raised, by the slope that the rounds before have shown:
# how much louder it became for each decibel of gain. Piper's peaky voices give about a half; three rounds are enough.
_MAKE_UP_ROUNDS = 5
_FIRST_SLOPE = 0.5
_CLOSE_ENOUGH_LU = 0.03


@dataclass(frozen=True, slots=True)
class Loudness:
    """What BS.1770 and EBU Tech 3342 say about a whole programme."""

    integrated_lufs: float
    """-70 for silence: the measure knows nothing quieter."""
    true_peak_dbtp: float
    """The highest point of the wave between the samples; minus infinity for digital silence."""
    range_lu: float

    @property
    def is_silence(self) -> bool:
        return self.integrated_lufs <= _ABSOLUTE_GATE_LUFS


@dataclass(frozen=True, slots=True)
class Mastered:
    """A programme at its target, and what it took."""

    samples: Samples
    before: Loudness
    gain_db: float
    limited: bool
    """Whether any peak had to be held down."""


def measure(samples: Samples, sample_rate: int) -> Loudness:
    """Loudness of a programme; one shorter than 0.4 s is measured as if silence followed."""
    return measure_frames(frames(samples, sample_rate))


def measure_frames(sound: Iterable[AudioFrame], *, peaks: bool = True) -> Loudness:
    """Loudness of av's frames, all of one rate and one channel; without `peaks` some five times quicker.

    No frames at all are silence.
    """
    sound = iter(sound)
    first = next(sound, None)
    if first is None:
        return Loudness(_ABSOLUTE_GATE_LUFS, -math.inf, 0.0)
    graph = _meter(first.sample_rate, first.format.name, peaks=peaks)
    found: dict[str, str] = {}
    for frame in _in_whole_steps(chain([first], sound), first.sample_rate):
        graph.push(frame)
        found = _latest(graph) or found
    graph.push(None)
    found = _latest(graph) or found
    return Loudness(
        integrated_lufs=max(float(found["lavfi.r128.I"]), _ABSOLUTE_GATE_LUFS),
        true_peak_dbtp=_decibels(float(found["lavfi.r128.true_peak"])) if peaks else math.nan,
        range_lu=float(found["lavfi.r128.LRA"]),
    )


def master(samples: Samples, sample_rate: int, *, target_lufs: float = -16.0, ceiling_dbtp: float = -1.0) -> Mastered:
    """Bring a programme to `target_lufs`, its true peak below `ceiling_dbtp` by the headroom that coding needs.

    Raises EngineNonsense for a programme that is silent.
    """
    peaks = _true_peaks(samples, sample_rate)
    loudness = measure_frames(frames(samples, sample_rate), peaks=False)
    before = replace(loudness, true_peak_dbtp=_decibels(float(peaks.max(initial=0.0)) / FULL_SCALE))
    if before.is_silence:
        raise EngineNonsense(
            "the programme is silent: nothing in it is louder than -70 LUFS",
            hint="Listen to the voice on its own, and have it spoken again or choose another.",
        )
    limit_dbtp = ceiling_dbtp - CODING_HEADROOM_DB
    gain_db = min(target_lufs - before.integrated_lufs, MAX_GAIN_DB)
    if before.true_peak_dbtp + gain_db <= limit_dbtp:
        return Mastered(_amplified(samples, gain_db), before, gain_db, limited=False)

    reach = max(1, round(sample_rate * _REACH_SECONDS / _BLOCK))
    slope = _FIRST_SLOPE
    last: tuple[float, float] | None = None
    for _ in range(_MAKE_UP_ROUNDS):
        made = _amplified(samples, gain_db, _reduction(peaks, gain_db, limit_dbtp, reach))
        found = measure_frames(frames(made, sample_rate), peaks=False).integrated_lufs
        if abs(target_lufs - found) <= _CLOSE_ENOUGH_LU or gain_db >= MAX_GAIN_DB:
            break
        if last is not None:
            slope = min(max((found - last[1]) / (gain_db - last[0]), 0.1), 1.0)
        last = gain_db, found
        gain_db = min(gain_db + (target_lufs - found) / slope, MAX_GAIN_DB)
    return Mastered(made, before, gain_db, limited=True)


def _meter(sample_rate: int, sample_format: str, *, peaks: bool) -> Graph:
    from av.filter import Graph

    graph = Graph()
    source = graph.add(
        "abuffer",
        sample_rate=str(sample_rate),
        sample_fmt=sample_format,
        channel_layout="mono",
        time_base=f"1/{sample_rate}",
    )
    meter = graph.add("ebur128", f"metadata=1:peak={'true' if peaks else 'none'}")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph


def _latest(graph: Graph) -> dict[str, str]:
    """What the meter says up to now about everything it was given; empty when it has nothing new to say."""
    from av.error import BlockingIOError as NothingYet
    from av.error import EOFError as NothingMore

    found: dict[str, str] = {}
    while True:
        try:
            found = graph.pull().metadata
        except (NothingYet, NothingMore):
            return found


def _in_whole_steps(sound: Iterable[AudioFrame], sample_rate: int) -> Iterator[AudioFrame]:
    """The frames, numbered, then silence up to the meter's next whole step and at least one whole block."""
    import numpy as np

    count = 0
    for frame in sound:
        frame.pts = count
        count += frame.samples
        yield frame
    step = round(sample_rate * _STEP_SECONDS)
    wanted = max(-(-count // step) * step, round(sample_rate * _BLOCK_SECONDS))
    silence = np.zeros(wanted - count, dtype=np.int16)
    yield from frames(silence, sample_rate, first=count)


def _amplified(samples: Samples, gain_db: float, reduction: NDArray[np.float32] | None = None) -> Samples:
    """The samples with one gain, and with the limiter's factor for each block where there is one."""
    import numpy as np

    gain = np.float32(10 ** (gain_db / 20))
    ramp = (np.arange(_BLOCK, dtype=np.float32) + np.float32(0.5)) / _BLOCK
    made: Samples = np.empty(len(samples), dtype=np.int16)
    for start in range(0, len(samples), CHUNK):
        piece = samples[start : start + CHUNK].astype(np.float32) * gain
        if reduction is not None:
            # From the middle of a block to the middle of the next in a straight line.
            first = start // _BLOCK
            factors = reduction[first : first + CHUNK // _BLOCK + 1]
            smooth = factors[:-1, np.newaxis] + np.diff(factors)[:, np.newaxis] * ramp
            piece *= smooth.reshape(-1)[: len(piece)]
        made[start : start + CHUNK] = np.clip(np.rint(piece), -FULL_SCALE, FULL_SCALE - 1)
    return made


def _reduction(peaks: NDArray[np.float32], gain_db: float, limit_dbtp: float, reach: int) -> NDArray[np.float32]:
    """The factor at each boundary between blocks, one more than there are blocks, that keeps every peak below the
    limit and changes smoothly within `reach` blocks.

    The lowest factor needed within reach, averaged over a window no wider than reach, is at most what is needed
    in each block: no peak gets through, and none is met late.
    """
    import numpy as np

    limit = np.float32(FULL_SCALE * 10 ** ((limit_dbtp - gain_db) / 20))
    needed = limit / np.maximum(peaks, limit)
    half = (reach + 1) // 2
    # A boundary answers for the blocks on both its sides.
    lowest = _lowest_within(np.pad(needed, (1, 0), constant_values=1.0), 2 * half + 1)
    # Two equal averages, one after the other, weigh like a triangle: no corner in the gain, no click.
    return _average(_average(lowest, half), half).astype(np.float32)


def _true_peaks(samples: Samples, sample_rate: int) -> NDArray[np.float32]:
    """The highest magnitude of the wave within each block, between the samples too; full scale 32,768."""
    import av
    import numpy as np

    resampler = av.AudioResampler(
        format="fltp",
        layout="mono",
        rate=sample_rate * _OVERSAMPLING,
        frame_size=CHUNK,
    )
    width = _BLOCK * _OVERSAMPLING
    peaks = []
    for frame in (*frames(samples, sample_rate), None):
        for fine in resampler.resample(frame):
            wave = np.abs(fine.to_ndarray()[0])
            wave = np.pad(wave, (0, -len(wave) % width))
            peaks.append(wave.reshape(-1, width).max(axis=1))
    found = np.concatenate([*peaks, np.zeros(1, dtype=np.float32)]) * np.float32(FULL_SCALE)
    return found[: -(-len(samples) // _BLOCK)]


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


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
