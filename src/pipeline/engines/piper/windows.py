"""A voice's network in two parts, so that its sound is made window by window.

A Piper voice first decides what is said and how long (a sequence of frames, a third of the work), and then turns
frames into samples, each from the few frames around it (HiFi-GAN, convolutions alone). So the second part can be run
on a window of frames at a time, with as many frames on both sides as it looks at. The samples are those of one run
over everything, but for the last digit of a float, a hundredth of a step of 16 bits. What is won: the first sound comes
before the sentence is finished, and the memory, most of which the second part takes, no longer grows with the sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import TYPE_CHECKING

from pipeline.engines.piper.decoder import Decoder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnxruntime

WHOLE = 192
"""Frames, 2.2 s of sound. With 128 it takes a fortieth more time, because more is made twice at the windows' sides;
with 384 a fiftieth less, and twice the memory."""
EARLY = (24, 48, 96)
"""The windows of a sentence that somebody waits for: 0.3 s of sound first, and each window made while the ones before
are heard."""


class Windows:
    """Turns frames into sound. Thread-safe, as a session is."""

    def __init__(self, decoder: Decoder, session: onnxruntime.InferenceSession) -> None:
        self._decoder = decoder
        self._session = session

    def waves(self, found: Mapping[str, npt.NDArray[np.float32]], *, early: bool) -> Iterator[npt.NDArray[np.float32]]:
        """The sound, one piece after the other, of what the first part gave, by its outputs' names."""
        import numpy as np

        decoder = self._decoder
        frames = found[decoder.frames]
        speaker = {name: found[name] for name in decoder.speaker}
        for start, end in windows(frames.shape[2], EARLY if early else ()):
            left, right = min(start, decoder.reach), min(frames.shape[2] - end, decoder.reach)
            given = {decoder.frames: np.ascontiguousarray(frames[:, :, start - left : end + right]), **speaker}
            for cut in decoder.cuts:
                kept_left, kept_right = min(left, cut.looks), min(right, cut.looks)
                given[cut.start] = np.array([(left - kept_left) * cut.places])
                given[cut.end] = np.array([(left + end - start + kept_right) * cut.places])
                left, right = kept_left, kept_right
            wave = self._session.run(None, given)[0].reshape(-1)
            yield wave[left * decoder.samples : (left + end - start) * decoder.samples]


def windows(frames: int, sizes: Iterable[int] = ()) -> Iterator[tuple[int, int]]:
    """Where each window begins and ends, of these sizes and then of WHOLE; no last one of a few frames alone."""
    start = 0
    for size in chain(sizes, repeat(WHOLE)):
        if start >= frames:
            return
        end = frames if frames - start <= size + size // 4 else start + size
        yield start, end
        start = end
