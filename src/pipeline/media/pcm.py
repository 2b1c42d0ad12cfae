"""How sound is held and moved: 16-bit mono samples in numpy, and the frames that FFmpeg's libraries take.

A sentence is worked on at a time, in floats; a whole programme is never held. numpy and av are imported where they are
used: the command line must start without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]
    """Mono, one number a sample, full scale 32,768."""

    Wave = NDArray[np.float32]
    """Mono, one number a sample, full scale 1."""

FULL_SCALE = 32768.0

MP3_RATE = 44100
"""Hz. Some players handle nothing below it well (MPEG-2 layer III), and Piper's voices have 16,000 or 22,050."""

FRAME_SAMPLES = 1152
"""What one frame of an MP3 holds (MPEG-1 layer III), and so the grid that sentences stand on in a programme."""

FRAME_SECONDS = FRAME_SAMPLES / MP3_RATE
"""26 ms: by half of that a pause may be longer or shorter than was asked for."""

# Samples handed over at once: large enough that Python's part does not count, small enough that the floats of a
# chunk fit in a processor's cache of second level.
CHUNK = 1 << 16


def as_wave(samples: Samples) -> Wave:
    """The same sound in floats."""
    import numpy as np

    wave: Wave = samples.astype(np.float32) / np.float32(FULL_SCALE)
    return wave


def as_samples(wave: Wave) -> Samples:
    """The same sound in 16 bits; what is beyond full scale is cut off there."""
    import numpy as np

    samples: Samples = np.clip(np.rint(wave * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples


def frames(wave: Wave, sample_rate: int, *, first: int = 0) -> Iterator[AudioFrame]:
    """The wave as av's frames, the first sample numbered `first`."""
    import av
    import numpy as np

    for start in range(0, len(wave), CHUNK):
        piece = np.ascontiguousarray(wave[np.newaxis, start : start + CHUNK])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = first + start
        yield frame


def resampled(wave: Wave, from_rate: int, to_rate: int) -> Wave:
    """The same sound at another rate, in place to the sample: what is heard at t seconds still is."""
    import av
    import numpy as np

    if from_rate == to_rate:
        return wave
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=to_rate)
    made = [piece.to_ndarray()[0] for frame in (*frames(wave, from_rate), None) for piece in resampler.resample(frame)]
    wanted = round(len(wave) * to_rate / from_rate)
    sound: Wave = np.zeros(wanted, dtype=np.float32)
    found = np.concatenate(made)[:wanted] if made else sound[:0]
    sound[: len(found)] = found
    return sound
