"""What the build system itself costs: a topic of four artifacts, against the bare writes with fsync.

Both write the same bytes in the same number of files on the same disk; ours as the pipeline does it on two cores, with
a dozen topics open at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import perf_counter

from benchmarks.figure import Figure
from pipeline.build.recipe import Canonical, Flow, Rule, Step
from pipeline.build.runner import Job, Runner
from pipeline.build.store import Store

TOPICS = 300
PLACES = ("script", "speech", "mix", "captions")
SIZE_BYTES = 2000
RULE = Rule("bench", 1, "cpu")


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        rounds = [(_bare(Path(folder) / f"bare{n}"), _built(Path(folder) / f"built{n}")) for n in range(3)]
    over = sorted((built - bare) / TOPICS * 1000 for bare, built in rounds)[1]
    bare, built = (sum(pair[side] for pair in rounds) / len(rounds) / TOPICS * 1000 for side in (0, 1))
    yield Figure(
        "build system, over the bare writes",
        over,
        "ms a topic",
        "≤ 2",
        over <= 2,
        f"bare writes with fsync {bare:.1f} ms, with keys, locks, plan and runner {built:.1f} ms; median of 3",
    )


def _bare(folder: Path) -> float:
    begun = perf_counter()
    for number in range(TOPICS * len(PLACES)):
        where = folder / f"{number % 256:02x}"
        where.mkdir(parents=True, exist_ok=True)
        part = where / f".{number}"
        with part.open("wb") as file:
            file.write(b"x" * SIZE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        part.replace(where / str(number))
        descriptor = os.open(where, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return perf_counter() - begun


def _built(folder: Path) -> float:
    executors: dict[str, Executor] = {"cpu": ThreadPoolExecutor(2)}
    runner: Runner[None, None] = Runner(Store(folder), executors, open_at_once=12, notify=lambda _: None, stop=Event())
    begun = perf_counter()
    for outcome in runner.run(Job(str(n), lambda n=n: _topic(n), lambda *_: None) for n in range(TOPICS)):  # type: ignore[misc]
        assert outcome.error is None, outcome.error
    spent = perf_counter() - begun
    executors["cpu"].shutdown()
    return spent


def _topic(number: int) -> Flow[None]:
    digest: Canonical = ""
    for place in PLACES:
        (artifact,) = yield [
            Step(RULE, place, {"topic": number, "place": place, "from": digest}, lambda: {"bytes": b"x" * SIZE_BYTES})
        ]
        digest = artifact.digest
