"""The mix: each sentence looked at once, one gain, one limiter; against FFmpeg's two-pass loudnorm in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.figure import Figure

RATE = 22050
SECONDS = 300
SENTENCE_SECONDS = 5


def figures() -> Iterator[Figure]:
    samples = _speech_like()
    ours = _best(lambda: _mastered(samples))
    theirs = _best(lambda: _loudnorm_twice(samples))
    yield Figure(
        "mastering to −16 LUFS", SECONDS / ours, "× real time", "≥ 100", SECONDS / ours >= 100, f"of {SECONDS} s"
    )
    yield Figure(
        "… against two-pass loudnorm", theirs / ours, "×", "> 1", theirs > ours, f"loudnorm: {SECONDS / theirs:.0f} ×"
    )


def _mastered(samples: Any) -> None:  # noqa: ANN401  # numpy's array types say nothing more to a reader here
    from pipeline.media import mastering
    from pipeline.media.pcm import FRAME_SECONDS, as_wave

    length = SENTENCE_SECONDS * RATE
    waves = [as_wave(samples[at : at + length]) for at in range(0, len(samples), length)]
    rows = [mastering.row_of(wave, RATE, ceiling_dbtp=-1.0) for wave in waves]
    places = [round(number * SENTENCE_SECONDS / FRAME_SECONDS) for number in range(len(rows))]
    count = round(SECONDS / FRAME_SECONDS)
    gain_db = mastering.gain_for(list(zip(places, rows, strict=True)), count, target_lufs=-16.0)
    for wave in waves:
        mastering.mastered(wave, RATE, gain_db, ceiling_dbtp=-1.0)


def _speech_like() -> Any:  # noqa: ANN401
    random = np.random.default_rng(1)
    seconds = np.arange(SECONDS * RATE) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * seconds) + 0.3, 0, None)
    voice = np.sin(2 * np.pi * 140 * seconds) + 0.3 * random.standard_normal(len(seconds))
    return np.asarray(0.2 * syllables * voice * 32767, np.int16)


def _best(act: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = perf_counter()
        act()
        times.append(perf_counter() - begun)
    return min(times)


def _loudnorm_twice(samples: Any) -> None:  # noqa: ANN401
    for _ in range(2):
        _through("loudnorm", "I=-16:TP=-1:LRA=11", samples)


def _through(name: str, arguments: str, samples: Any) -> None:  # noqa: ANN401
    import av
    import av.filter

    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="s16", layout="mono")
    work, sink = graph.add(name, arguments), graph.add("abuffersink")
    source.link_to(work)
    work.link_to(sink)
    graph.configure()
    for at in range(0, len(samples), RATE):
        frame = av.AudioFrame.from_ndarray(samples[at : at + RATE].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = at
        graph.push(frame)
        _drain(graph)
    graph.push(None)
    _drain(graph)


def _drain(graph: Any) -> None:  # noqa: ANN401
    import av

    while True:
        try:
            graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
