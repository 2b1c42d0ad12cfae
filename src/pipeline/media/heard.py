"""What is heard of a sound file, at the rate that an encoder wants: every sample at its time, none before or beyond.

It is read as it is decoded: an hour takes no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from av import AudioFrame

    Tick = Callable[[int], None]


def _unheard(count: int) -> None:
    """For those who do not ask how far it has come."""


def frames(
    file: BinaryIO, rate: int, frame_samples: int, *, form: str = "mp3", tick: Tick = _unheard
) -> Iterator[AudioFrame]:
    """The samples of a file in that form (`mp3`, `flac`), mono, in floats: so many to a frame, the last one shorter;
    each frame is numbered (`pts`) by its first sample.

    `tick` is told of the file's bytes as they are decoded; what it raises is passed on. Raises av's InvalidDataError
    for what is no sound.
    """
    import av
    import av.audio.fifo

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    waiting = av.audio.fifo.AudioFifo()
    decoded = from_rate = given = 0

    def taken(count: int) -> AudioFrame | None:
        nonlocal given
        frame = waiting.read(count, partial=True)
        if frame is not None:
            frame.pts, frame.time_base, given = given, Fraction(1, rate), given + frame.samples
        return frame

    # Never guessed from the bytes: among what FFmpeg can read are lists of other files.
    with av.open(file, "r", format=form) as container:
        for packet in container.demux(audio=0):
            for frame in packet.decode():
                decoded, from_rate = decoded + frame.samples, frame.sample_rate
                for piece in resampler.resample(frame):
                    piece.pts = None
                    waiting.write(piece)
                while waiting.samples >= frame_samples and (whole := taken(frame_samples)) is not None:
                    yield whole
            tick(packet.size)
    for piece in resampler.resample(None) if decoded else ():
        piece.pts = None
        waiting.write(piece)
    # As many as the file has, though the resampler may give some more at its end.
    left = round(decoded * rate / from_rate) - given if decoded else 0
    while left > 0 and (rest := taken(min(left, frame_samples))) is not None:
        left -= rest.samples
        yield rest
