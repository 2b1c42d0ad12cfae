"""FFmpeg's meter and decoder, as a second opinion: `ebur128` on a whole programme, and what a player plays."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import av
import numpy as np
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as NothingMore
from av.filter import Graph
from numpy.typing import NDArray

from pipeline.media.pcm import frames


@dataclass(frozen=True)
class Reading:
    integrated_lufs: float
    true_peak_dbtp: float
    range_lu: float


def reading(wave: NDArray[np.float32], rate: int) -> Reading:
    """What `ebur128` says at the end of a programme; it answers for each whole 100 ms."""
    graph = Graph()
    source = graph.add(
        "abuffer", sample_rate=str(rate), sample_fmt="fltp", channel_layout="mono", time_base=f"1/{rate}"
    )
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    step = rate // 10
    last: dict[str, str] = {}
    for start in range(0, len(wave) - step + 1, step):
        for frame in frames(wave[start : start + step], rate, first=start):
            graph.push(frame)
            last = _answer(graph) or last
    graph.push(None)
    last = _answer(graph) or last
    peak = float(last["lavfi.r128.true_peak"])
    return Reading(
        float(last["lavfi.r128.I"]), 20 * math.log10(peak) if peak else -math.inf, float(last["lavfi.r128.LRA"])
    )


def played(data: bytes) -> NDArray[np.float32]:
    """Every sample that a player plays of a file."""
    with av.open(io.BytesIO(data), "r") as container:
        sound: NDArray[np.float32] = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        return sound


def seconds_told(data: bytes) -> float:
    """How long a file says that it plays."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        return float(stream.duration * stream.time_base)


def _answer(graph: Graph) -> dict[str, str]:
    found: dict[str, str] = {}
    while True:
        try:
            found = dict(graph.pull().metadata) or found
        except (NothingYet, NothingMore):
            return found
