"""`make rehearsal`: a night in a half an hour. A hundred topics through the stack, while its services fall.

For so many minutes services are killed, paused, starved and cut off at random, one after another, by a seed; half of
the topics are there at the beginning, the others come one by one, so that there is work all the time, however quick the
machine is. Then they are left alone. Every topic must have ended as an episode, every episode must be what its manifest
says, and the report, rehearsal.json, says what was done to whom when, and what the episodes' own log tells of it.

    python -m tests.compose.rehearsal --topics 100 --minutes 20 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.compose.conftest import Stack, copy_of_the_project, why_no_engine
from tests.compose.files import ROOT

REPORT = ROOT / "rehearsal.json"
SERVICES = ("manager", "piper", "ollama")
_FACTS = ROOT / "tests" / "data" / "small_wonders.txt"
# How long a service is away, in seconds; and how long it is left alone between two strokes.
_AWAY, _PEACE = (5.0, 45.0), (3.0, 20.0)
_STARVED_CORES = "0.05"
_FACTS_A_TOPIC = 5
_EVERY_NTH_IS_READ = 3
_LOOK_SECONDS = 5.0

Stroke = Callable[[Stack, str, Random], str]


@dataclass(frozen=True, slots=True)
class Told:
    """One stroke: what was done to whom, when, and for how long."""

    at: float
    """Seconds since the topics were there."""
    service: str
    stroke: str
    about: str


def write_topics(folder: Path, numbers: Iterable[int]) -> None:
    """A topic file for each number, no two alike: two of three are written by the model, the third is read as it
    stands.
    """
    facts = [line[2:] for line in _FACTS.read_text().splitlines() if line.startswith("- ")]
    for index in numbers:
        chosen = [facts[(index * 7 + step) % len(facts)] for step in range(_FACTS_A_TOPIC)]
        title = f"Rehearsed {index:03d}"
        read = index % _EVERY_NTH_IS_READ == 0
        head = f"title: {title}\n" + ("mode: read" if read else "words: 60")
        body = " ".join(chosen) if read else "\n".join(f"- {fact}" for fact in chosen)
        (folder / f"rehearsed-{index:03d}.md").write_text(f"---\n{head}\n---\n\n{body} This is number {index}.\n")


# -- what is done to a service --------------------------------------------------------------------------------------


def _container(stack: Stack, service: str) -> str:
    return stack.compose("ps", "--all", "--quiet", service).stdout.strip()


def kill(stack: Stack, service: str, _: Random) -> str:
    """From inside, as a crash would be: an engine does not restart what was killed through it."""
    stack.compose("exec", "-T", service, "sh", "-c", "kill -9 -1", check=False)
    return "kill -9 of all its processes"


def pause(stack: Stack, service: str, random: Random) -> str:
    seconds = random.uniform(*_AWAY)
    stack.compose("pause", service)
    time.sleep(seconds)
    stack.compose("unpause", service)
    return f"{seconds:.0f} s frozen"


def starve(stack: Stack, service: str, random: Random) -> str:
    seconds = random.uniform(*_AWAY)
    container = _container(stack, service)
    stack.run("docker", "update", "--cpus", _STARVED_CORES, container)
    time.sleep(seconds)
    stack.run("docker", "update", "--cpus", str(os.cpu_count() or 1), container)
    return f"{seconds:.0f} s with {_STARVED_CORES} of a core"


def cut_off(stack: Stack, service: str, random: Random) -> str:
    seconds = random.uniform(*_AWAY)
    container, network = _container(stack, service), f"{stack.environ['STACK_NAME']}_inside"
    stack.run("docker", "network", "disconnect", "--force", network, container)
    time.sleep(seconds)
    stack.run("docker", "network", "connect", "--alias", service, network, container)
    return f"{seconds:.0f} s without the network"


def stop(stack: Stack, service: str, random: Random) -> str:
    seconds = random.uniform(*_AWAY)
    stack.compose("stop", "--timeout", "10", service)
    time.sleep(seconds)
    stack.compose("start", service)
    return f"stopped, {seconds:.0f} s later started"


STROKES: Mapping[str, Stroke] = {"kill": kill, "pause": pause, "starve": starve, "cut off": cut_off, "stop": stop}


@contextmanager
def arriving(folder: Path, number: int, seconds: float) -> Iterator[None]:
    """Half of the topics at once, the others evenly over the time."""
    at_once = number // 2
    write_topics(folder, range(at_once))
    apart = seconds / max(number - at_once, 1)
    over = threading.Event()

    def come() -> None:
        for index in range(at_once, number):
            over.wait(apart)
            write_topics(folder, [index])

    coming = threading.Thread(target=come)
    coming.start()
    try:
        yield
    finally:
        over.set()  # what has not come yet comes now
        coming.join()


def strike(stack: Stack, random: Random, seconds: float, left: Callable[[], int]) -> Iterator[Told]:
    """Stroke after stroke, until the time is up."""
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds:
        service, name = random.choice(SERVICES), random.choice(sorted(STROKES))
        told = Told(round(now, 1), service, name, STROKES[name](stack, service, random))
        sys.stdout.write(f"{told.at:7.1f} s  {service:8} {told.stroke:8} {told.about:40} {left()} left\n")
        sys.stdout.flush()
        yield told
        time.sleep(random.uniform(*_PEACE))


# -- what came of it ------------------------------------------------------------------------------------------------


def finished(folder: Path) -> set[str]:
    return {path.parent.name for path in (folder / "output").glob("rehearsed-*/manifest.json")}


def log_lines(stack: Stack) -> list[dict[str, Any]]:
    """What the manager said, over all its restarts."""
    said = stack.compose("logs", "--no-log-prefix", "--no-color", "manager")
    lines = []
    for line in (said.stdout + said.stderr).splitlines():  # a program's log is on its standard error
        try:
            told = json.loads(line[line.index("{") :])  # Compose clears each line of a terminal, there or not
        except ValueError:
            continue
        if isinstance(told, dict) and "event" in told:
            lines.append(told)
    return lines


def report(stack: Stack, wanted: int, strokes: list[Told], seconds: float, seed: int) -> dict[str, Any]:
    lines = log_lines(stack)
    episodes = finished(stack.folder)
    telling = {"listening", "stopped", "asked_again", "episode_failed", "episode_set_aside", "service_down",
               "service_back"}  # fmt: skip
    verified = stack.pipeline("verify", check=False)
    again = stack.pipeline("plan", check=False).stdout.strip().splitlines()
    return {
        "topics": wanted,
        "episodes": len(episodes),
        "seed": seed,
        "seconds": round(seconds),
        "strokes": Counter(told.stroke for told in strokes),
        "struck": Counter(told.service for told in strokes),
        "starts_of_the_manager": sum(line["event"] == "listening" for line in lines),
        "log": Counter(str(line["event"]) for line in lines),
        "what_it_told": [
            {
                key: line[key]
                for key in ("time", "event", "episode", "stage", "engine", "service", "code", "what", "where")
                if key in line
            }
            for line in lines
            if line["event"] in telling
        ],
        "verify": {"status": verified.returncode, "says": verified.stdout.strip().splitlines()[-1:]},
        "plan_afterwards": again[-1:],
        "done": {line["episode"]: line["time"] for line in lines if line["event"] == "episode_done"},
        "what_was_done": [asdict(told) for told in strokes],
    }


@contextmanager
def a_stack(name: str) -> Iterator[Stack]:
    """Of a copy of the project; whatever is left of it is taken away at the end."""
    with tempfile.TemporaryDirectory() as folder:
        copy_of_the_project(Path(folder))
        for sample in (Path(folder) / "input").iterdir():
            if not sample.name.startswith("."):
                sample.unlink()
        kept = {key: value for key, value in os.environ.items() if key not in {"MODE", "SD_ENABLED", "GPU"}}
        # No films: what is rehearsed is how the services are called, and a film calls none.
        own = {"STACK_NAME": name, "STACK_VERSION": "rehearsal", "SERVICE_PORT": "0"}
        settings = {"VIDEO": "off", "WATCH_SECONDS": "1", "LOG_FORMAT": "json"}
        (Path(folder) / ".env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        stack = Stack(Path(folder), {**kept, **own})
        try:
            yield stack
        finally:
            stack.compose("unpause", check=False)
            stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long services fall")
    parser.add_argument("--patience", type=float, default=60.0, help="minutes until all must be finished")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    topics = int(wanted.topics)
    if why := why_no_engine():
        sys.stderr.write(f"the rehearsal needs a container engine: {why}\n")
        return 2
    with a_stack(f"rehearsal-{os.getpid()}") as stack:
        sys.stdout.write("building and starting the stack\n")
        stack.run("make", "up")
        begun = time.monotonic()

        def left() -> int:
            return topics - len(finished(stack.folder))

        with arriving(stack.folder / "input", topics, wanted.minutes * 60):
            strokes = list(strike(stack, Random(wanted.seed), wanted.minutes * 60, left))
        sys.stdout.write(f"{len(strokes)} strokes; now they are left alone, with {left()} to go\n")
        while left() and time.monotonic() - begun < wanted.patience * 60:
            time.sleep(_LOOK_SECONDS)
        told = report(stack, topics, strokes, time.monotonic() - begun, wanted.seed)
        REPORT.write_text(json.dumps(told, indent=2) + "\n")
        well = bool(told["episodes"] == topics and told["verify"]["status"] == 0)
    sys.stdout.write(f"{told['episodes']} of {topics} episodes in {told['seconds']} s; see {REPORT.name}\n")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
