"""kill -9 of the service at any moment under load: every topic it acknowledged becomes an episode, exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import requests

from pipeline.files import PART_PREFIX
from pipeline.stages.publish import MANIFEST, verify
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE

KILLS = 50 if WHOLE else 5
CALLERS = 2
# After the first answer, while topics come in; every other time after the first episode was begun.
LATEST_SECONDS = 0.6
# All answers are there at once, but for a machine that does much else.
PATIENCE_SECONDS = 300
MOST_TOPICS = 6  # of a caller, between two kills


class Again:
    """The service, started anew as often as it is asked for."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        self.pid: int | None = None

    def start(self) -> tuple[int, str]:
        """Its process and its address."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write("again\n")
        self._running.stdin.flush()
        # The address may come first: two processes write.
        lines = sorted((self._running.stdout.readline().strip() for _ in range(2)), key=lambda line: "://" in line)
        self.pid = int(lines[0])
        return self.pid, lines[1]


@contextmanager
def again(project: Path) -> Iterator[Again]:
    command = [sys.executable, "-m", "tests.faults.served_again", str(project)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        service = Again(running)
        try:
            yield service
        finally:
            running.kill()
            if service.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(service.pid, signal.SIGKILL)


class Client:
    """Asks for one topic after the other; asks again, with the same key, for what it has no answer to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acknowledged: dict[str, str] = {}
        """Title → its topic file."""
        self._numbers = count()
        self._unanswered = f"{name} {next(self._numbers)}"
        self.asked_again = 0

    def ask(self, address: str, over: threading.Event, most: int) -> None:
        """Until it is over, nobody answers, or so many topics were taken in."""
        for _ in range(most):
            if over.is_set():
                return
            title = self._unanswered
            topic = {"title": title, "mode": "read", "notes": f"{title} was written down before six."}
            try:
                answer = requests.post(
                    f"{address}/api/v1/topics", json=topic, headers={"Idempotency-Key": title}, timeout=PATIENCE_SECONDS
                )
            except requests.RequestException:
                self.asked_again += 1
                return
            assert answer.status_code == 201, answer.text
            self.acknowledged[title] = answer.json()["name"]
            self._unanswered = f"{self.name} {next(self._numbers)}"


def stamps(project: Path) -> dict[str, int]:
    """When each published manifest was last written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (project / "output").glob(f"*/{MANIFEST}")}


def heard(address: str, told: bytes) -> None:
    """Wait until that has been told."""
    with requests.get(
        f"{address}/api/v1/events", headers={"Last-Event-ID": "0"}, stream=True, timeout=PATIENCE_SECONDS
    ) as events:
        assert any(line == told for line in events.iter_lines())


def all_finished(address: str) -> None:
    """Wait until nothing is to be made any more, by what the service tells."""
    with requests.get(f"{address}/api/v1/events", stream=True, timeout=PATIENCE_SECONDS) as events:
        lines = events.iter_lines()
        while requests.get(f"{address}/api/v1/maker", timeout=PATIENCE_SECONDS).json()["waiting"]:
            for line in lines:  # what is told meanwhile
                if line.startswith((b"event: done", b"event: round_done")):
                    break


def test_every_acknowledged_topic_becomes_an_episode_exactly_once(tmp_path: Path, tell: Tell) -> None:
    rng = random.Random(SEED)
    clients = [Client(f"Log {letter}") for letter in "ab"[:CALLERS]]
    finished: dict[str, int] = {}
    with again(tmp_path) as service:
        for number in range(KILLS):
            pid, address = service.start()
            over = threading.Event()
            asking = [threading.Thread(target=client.ask, args=(address, over, MOST_TOPICS)) for client in clients]
            for thread in asking:
                thread.start()
            if number % 2:
                heard(address, b"event: opened")
            over.wait(rng.uniform(0, LATEST_SECONDS))  # the moment is what is tried
            os.kill(pid, signal.SIGKILL)
            over.set()
            for thread in asking:
                thread.join()
            for episode, stamp in stamps(tmp_path).items():
                assert finished.setdefault(episode, stamp) == stamp, f"{episode} was made twice"
        _, address = service.start()
        for client in clients:
            client.ask(address, threading.Event(), 1)  # what it had no answer to
        acknowledged = {title: name for client in clients for title, name in client.acknowledged.items()}
        all_finished(address)

    # What was being written at a kill is nobody's topic, and goes with a later start.
    files = sorted(path.name for path in (tmp_path / "input").iterdir() if not path.name.startswith(PART_PREFIX))
    assert files == sorted(acknowledged.values())
    episodes = stamps(tmp_path)
    assert sorted(f"{name}.md" for name in episodes) == files
    assert {name: stamp for name, stamp in episodes.items() if name in finished} == finished
    for name in episodes:
        assert verify(tmp_path / "output" / name) == ()
    tell(
        kills=KILLS, seed=SEED, acknowledged=len(acknowledged), lost=len(acknowledged) - len(episodes), made_twice=0,
        asked_again=sum(client.asked_again for client in clients), finished_between_kills=len(finished),
    )  # fmt: skip
