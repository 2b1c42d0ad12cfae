"""The service with ten thousand topics in its queue, and with a hundred listeners of which half stop reading."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import requests

from benchmarks.figure import Figure
from benchmarks.project import reading

TOPICS = 10_000
REQUESTS = 40
LISTENERS = 100
EPISODES = 4
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
        yield from _queue(Path(folder) / "queue")
        yield from _listeners(Path(folder) / "listeners")


def _queue(project: Path) -> Iterator[Figure]:
    (project / "input").mkdir(parents=True)
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


def _listeners(root: Path) -> Iterator[Figure]:
    """The same build with nobody listening, and with a hundred who do, of whom half stop reading; in turn, so that
    whatever else the machine does slows both. Told by the service's own processor time as well.
    """
    pairs = [(_build(root / f"{number}-alone", 0), _build(root / f"{number}-heard", LISTENERS)) for number in range(3)]
    cpu = median(heard[1] / alone[1] for alone, heard in pairs)
    wall = median(heard[0] / alone[0] for alone, heard in pairs)
    detail = "; ".join(
        f"{alone[0]:.1f} s and {heard[0]:.1f} s, {alone[1]:.1f} s and {heard[1]:.1f} s of CPU" for alone, heard in pairs
    )
    name = f"a build with {LISTENERS} listeners, half of them stalled, of one with none"
    yield Figure(name, wall, "", "≤ 1.05", wall <= 1.05, detail)
    yield Figure("… by the processor's time", cpu, "", "≤ 1.05", cpu <= 1.05)


def _build(project: Path, listeners: int) -> tuple[float, float]:
    """Seconds and processor seconds that the service takes for its episodes."""
    (project / "input").mkdir(parents=True)
    for number in range(EPISODES):
        (project / "input" / f"log-{number}.md").write_text(reading(300, seed=number))
    kept = project / "data" / "service"
    kept.mkdir(parents=True)
    (kept / "paused").touch()
    with _service(project) as (address, process), ExitStack() as open_:
        host, port = address.removeprefix("http://").split(":")
        for number in range(listeners):
            connection = open_.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            if number % 2:
                threading.Thread(target=_drained, args=(connection,), daemon=True).start()
        begun, cpu = perf_counter(), process.cpu_seconds()
        requests.post(f"{address}/api/v1/maker/resume", timeout=60).raise_for_status()
        while len(list((project / "output").glob("*/manifest.json"))) < EPISODES:
            threading.Event().wait(0.05)
        return perf_counter() - begun, process.cpu_seconds() - cpu


def _drained(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65_536):
            pass
