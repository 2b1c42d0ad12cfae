"""How sound is held and moved: 16-bit mono samples in numpy, and the frames that FFmpeg's libraries take.

Sixteen bits, because an hour of speech is then 159 MB at 22,050 Hz and would be twice that in floats. numpy and
av are imported where they are used: the command line must start without them.
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

FULL_SCALE = 32768.0

# Samples worked on at once: large enough that Python's part does not count, small enough that the floats of a
# chunk fit in a processor's cache of second level.
CHUNK = 1 << 16


def frames(samples: Samples, sample_rate: int, *, scale: float = 1.0, first: int = 0) -> Iterator[AudioFrame]:
    """The samples as av's frames of floats, full scale 1, each times `scale`, the first one numbered `first`.

    Floats, so that a scale above 1 never clips on the way to an encoder.
    """
    import av
    import numpy as np

    factor = np.float32(scale / FULL_SCALE)
    for start in range(0, len(samples), CHUNK):
        piece = samples[start : start + CHUNK].astype(np.float32) * factor
        frame = av.AudioFrame.from_ndarray(piece[np.newaxis, :], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = first + start
        yield frame


def resampled(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """The same sound at another rate, in place to the sample: what is heard at t seconds still is."""
    import av
    import numpy as np

    if from_rate == to_rate:
        return samples
    resampler = av.AudioResampler(format="s16", layout="mono", rate=to_rate)
    made = [
        piece.to_ndarray()[0] for frame in (*frames(samples, from_rate), None) for piece in resampler.resample(frame)
    ]
    wanted = round(len(samples) * to_rate / from_rate)
    sound: Samples = np.zeros(wanted, dtype=np.int16)
    found = np.concatenate(made)[:wanted] if made else sound[:0]
    sound[: len(found)] = found
    return sound
