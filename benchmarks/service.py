"""The service with ten thousand topics in its queue, and with a hundred listeners of which half stop reading."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import requests

from benchmarks.figure import Figure

TOPICS = 10_000
REQUESTS = 40
CALLS = (
    "/health",
    "/ready",
    "/metrics",
    "/api/v1/maker",
    "/api/v1/topics?limit=50",
    "/api/v1/topics?limit=50&after=topic-5000.md",
    "/api/v1/topics/topic-5000.md",
    "/api/v1/episodes?limit=50",
    "/api/v1/plan?limit=20",
    "/",
)


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield from _queue(Path(folder))


def _queue(project: Path) -> Iterator[Figure]:
    (project / "input").mkdir()
    for number in range(TOPICS):
        text = f"---\ntitle: Topic {number}\nmode: read\n---\n\nThe {number}th wind rose before six.\n"
        (project / "input" / f"topic-{number}.md").write_text(text)
    with _service(project) as (address, process):
        session = requests.Session()
        until = perf_counter() + 120
        while session.get(f"{address}/api/v1/topics?limit=1", timeout=60).json()["items"][0]["state"] == "new":
            if perf_counter() > until:
                raise TimeoutError("the topics were not surveyed in two minutes")
            threading.Event().wait(0.5)
        session.post(f"{address}/api/v1/maker/pause", timeout=60)
        for call in CALLS:
            if session.get(address + call, timeout=60).status_code == 404:
                continue
            seconds, cpu = [], process.cpu_seconds()
            for _ in range(REQUESTS):
                begun = perf_counter()
                answer = session.get(address + call, timeout=60)
                seconds.append(perf_counter() - begun)
                assert answer.status_code == 200, (call, answer.text)
            p95 = quantiles(seconds, n=20)[-1] * 1000
            yield Figure(
                f"{TOPICS:,} topics in the queue: GET {call}, p95", p95, "ms", "≤ 200", p95 <= 200,
                f"median {median(seconds) * 1000:.0f} ms, at most {max(seconds) * 1000:.0f} ms; "
                f"{(process.cpu_seconds() - cpu) / REQUESTS * 1000:.1f} ms of CPU a call",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int

    def cpu_seconds(self) -> float:
        """What it has used so far, as Linux tells it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _service(project: Path) -> Iterator[tuple[str, _Process]]:
    """One with fake engines, in a process of its own: its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.served", str(project)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), _Process(process.pid)
        finally:
            process.kill()
