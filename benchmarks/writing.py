"""Writing with the embedded model: what parallel slots bring."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter

from benchmarks.figure import Figure
from pipeline.wiring import available_cores

SLOTS = 8
QUESTIONS = 16


def figures() -> Iterator[Figure]:
    one, eight = tokens_a_second(1), tokens_a_second(SLOTS)
    yield Figure(
        f"writing with {SLOTS} slots, of one slot",
        eight / one,
        "×",
        "> 1",
        eight > one,
        f"{eight:.0f} and {one:.0f} tokens a second",
    )


def tokens_a_second(slots: int) -> float:
    """With nothing else running, and every slot asked as the stage asks it: short questions, short answers."""
    from pipeline.engines.llama import Llama
    from pipeline.ports import Question

    writer = Llama(slots=slots, threads=available_cores(), stop=Event())
    writer.check()

    def ask(seed: int) -> int:
        question = Question("You tell stories.", "Tell a long story about the sea.", seed=seed, max_tokens=96)
        return writer.answer(question).tokens

    begun = perf_counter()
    with ThreadPoolExecutor(slots) as threads:
        tokens = sum(threads.map(ask, range(QUESTIONS)))
    return tokens / (perf_counter() - begun)
