"""What is too much, in a process of its own: `python -m tests.faults.strained WHAT FOLDER …`; answers in JSON.

A process of its own, because memory that was once taken, an audit hook and an alarm cannot be given back.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline import inbox
from pipeline.build.runner import Event, Kind, Outcome
from pipeline.engines.stable_diffusion import check_pixels
from pipeline.errors import PipelineError
from pipeline.studio import Studio, Survey
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter
from tests.faults.answers import channel
from tests.faults.mutating import mutated
from tests.faults.projects import studio_of

DEFAULTS = inbox.TopicDefaults(language="en", style="explainer", words=150)
HANG_SECONDS = 10.0
"""For one file; reading one takes a millisecond."""

_HEAD = b"---\ntitle: Moon\nmode: read\n---\n\n"
TOPICS = {
    "moon.md": _HEAD + b"# One\n\nThe wind rose. *Nobody* slept.\n\n- a\n- b\n\n> quoted\n\n# Two\n\nIt rained.\n",
    "asked.md": b"---\ntitle: Tides\nlanguage: en\nwords: 200\nstyle: explainer\n---\n\n- what\n- why\n",
    "plain.txt": b"Title: The sea\nMode: read\n\nThe wind rose before six.\n\nNobody slept.\n",
    "rows.csv": b'title,mode,notes\nSea,read,The wind rose.\n"Air, thin",read,"Nobody ""slept""."\n',
    "rows.jsonl": b'{"title": "Sea", "mode": "read", "notes": "The wind rose."}\n{"title": "Air"}\n',
    "rows.yaml": (
        b"- title: Sea\n  mode: read\n  notes: |\n    The wind rose.\n    Nobody slept.\n- title: Air\n  notes: b\n"
    ),
}


class Hang(BaseException):
    """Something took longer than it may."""


@contextmanager
def alarmed(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Opened:
    """The files that this process opens while `reading`."""

    def __init__(self) -> None:
        self.reading = False
        self.paths: set[str] = set()
        sys.addaudithook(self._listen)

    def _listen(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.reading and event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((sys.prefix, sys.base_prefix)):
                self.paths.add(path)

    def outside(self, folder: Path) -> set[str]:
        return {path for path in self.paths if not path.startswith(f"{folder}/")}


def is_named(error: BaseException) -> bool:
    return isinstance(error, PipelineError) and all((error.code, error.what, error.where, error.hint))


def fuzz_topics(folder: Path, seed: int, count: int) -> dict[str, object]:
    """Read `count` broken topic files; whatever is opened that is not in `input` counts as a read outside."""
    (folder / "input").mkdir(parents=True)
    (folder / "secret.md").write_text("nobody reads this")
    opened = Opened()
    rng = random.Random(seed)
    crashes, hangs, topics, refused, unnamed = [], 0, 0, 0, 0
    for number in range(count):
        name = rng.choice(sorted(TOPICS))
        path = folder / "input" / name
        path.write_bytes(mutated(TOPICS[name], rng))
        try:
            with alarmed(HANG_SECONDS):
                opened.reading = True
                for found in inbox.scan(folder / "input", folder).files:
                    result = inbox.read(found, defaults=DEFAULTS)
                    topics += len(result.topics)
                    refused += len(result.refused)
                    unnamed += sum(not is_named(error) for error in result.refused)
        except Hang:
            hangs += 1
        except Exception as error:  # noqa: BLE001  # that is what is being counted
            crashes.append(f"{number}: {error!r}")
        finally:
            opened.reading = False
        path.unlink()
    return {
        "files": count,
        "crashes": crashes,
        "hangs": hangs,
        "outside": sorted(opened.outside(folder / "input")),
        "topics": topics,
        "refused": refused,
        "unnamed": unnamed,
    }


def fuzz_whole_runs(folder: Path, seed: int, count: int) -> dict[str, object]:
    """`count` broken files in one project, which is run: every topic becomes an episode or has its named error.

    What a run of whole files does not open, and is not in the project, counts as a read outside.
    """
    opened = Opened()

    def run(project: Path) -> tuple[Studio, Survey, list[Outcome[Any]]]:
        studio = make_studio(project, voice=FakeVoice(), writer=FakeWriter(lambda _: "No."))
        survey = studio.survey()
        return studio, survey, list(studio.run(survey, lambda _: None))

    whole, broken = folder / "whole", folder / "broken"
    for project in (whole, broken):
        (project / "input").mkdir(parents=True)
    for name, text in TOPICS.items():
        (whole / "input" / name).write_bytes(text)
    rng = random.Random(seed)
    for number in range(count):
        name = rng.choice(("moon.md", "rows.csv", "rows.jsonl", "rows.yaml"))
        stem, _, ending = name.partition(".")
        (broken / "input" / f"{stem}-{number}.{ending}").write_bytes(mutated(TOPICS[name], rng, most=1))

    opened.reading = True
    run(whole)
    known = opened.outside(whole)
    try:
        with alarmed(HANG_SECONDS * count):
            studio, survey, outcomes = run(broken)
    except Hang:
        return {"files": count, "hangs": 1}
    opened.reading = False
    errors = {outcome.name: outcome.error for outcome in outcomes if outcome.error is not None}
    return {
        "files": count,
        "hangs": 0,
        "refused": len(survey.refused),
        "episodes": len(outcomes) - len(errors),
        "failed": len(errors),
        "bugs": [repr(error) for error in errors.values() if not isinstance(error, PipelineError)],
        "unnamed": [repr(error) for error in (*survey.refused, *errors.values()) if not is_named(error)],
        "without_state": [name for name in errors if studio.failures.of(name) is None],
        "outside": sorted(path for path in opened.outside(broken) - known if not path.startswith(f"{whole}/")),
    }


def peak_kib() -> int:
    """The most memory this program has had; `ru_maxrss` would be that of the process it came from, too."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def grown(act: Callable[[], str]) -> dict[str, object]:
    """How much more memory an act took at its peak, in KiB, and how it ended."""
    before = peak_kib()
    ended = act()
    return {"grown_kib": peak_kib() - before, "ended": ended}


def large_topic(folder: Path) -> dict[str, object]:
    (folder / "input").mkdir(parents=True)
    (folder / "input" / "small.md").write_bytes(TOPICS["moon.md"])
    with (folder / "input" / "large.md").open("wb") as file:
        file.truncate(1 << 30)

    def act() -> str:
        (refused,) = [
            error
            for found in inbox.scan(folder / "input", folder).files
            for error in inbox.read(found, defaults=DEFAULTS).refused
        ]
        return str(refused)

    return grown(act)


def pixel_bomb(_: Path) -> dict[str, object]:
    """A kilobyte that claims 60,000 × 60,000 pixels: ten gigabytes, if anybody unpacked it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def picture(side: int) -> bytes:
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        rows = zlib.compress(bytes(1 << 20))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    def act() -> str:
        try:
            check_pixels(picture(60_000), 64, 64, where="Stable Diffusion")
        except PipelineError as error:
            return f"{error.code}: {error.what}"
        return "fine"

    with suppress(PipelineError):
        check_pixels(picture(64), 64, 64, where="Stable Diffusion")  # what is imported late is imported now
    return grown(act)


def asked(client: str, url: str, folder: Path) -> dict[str, object]:
    from tests.faults import test_network

    ask = {"ollama": test_network.ask_ollama, "piper": test_network.ask_piper, "a1111": test_network.ask_a1111}[client]
    with suppress(PipelineError):
        ask("http://127.0.0.1:9", folder)  # nobody there: what is imported late is imported now

    def act() -> str:
        try:
            ask(url, folder)
        except PipelineError as error:
            return error.code
        return "fine"

    return grown(act)


def many_episodes(folder: Path, count: int) -> dict[str, object]:
    """Descriptors, threads and unfinished files before and after so many small episodes, in ten runs."""
    (folder / "input").mkdir(parents=True)

    def state() -> tuple[int, int, int]:
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # as cheap as it can be
        return descriptors, threading.active_count(), len(list(folder.rglob(".part-*")))

    states = []
    for batch in range(11):
        for number in range(1 if batch == 0 else count // 10):
            text = f"---\ntitle: Log {batch} {number}\nmode: read\n---\n\nThe wind rose.\n"
            (folder / "input" / f"log-{batch}-{number}.md").write_text(text)
        assert set(run_all(make_studio(folder, voice=FakeVoice(), writer=FakeWriter([]))).values()) == {None}
        states.append(state())
    return {"episodes": len(list((folder / "output").glob("*/manifest.json"))), "first": states[0], "last": states[-1]}


def one_of_many(folder: Path) -> dict[str, object]:
    made: list[str] = []

    def listen(event: Event) -> None:
        if event.kind is Kind.MADE and event.step is not None:
            made.append(event.step.key[:16])

    studio = studio_of(folder)
    failed = [repr(outcome.error) for outcome in studio.run(studio.survey(), listen) if outcome.error is not None]
    return {"made": made, "failed": failed}


def at_once(folder: Path, count: int) -> dict[str, object]:
    """`count` processes run one project at the same time: how many artifacts each made, and every error."""
    readable, writable = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            try:
                answer = one_of_many(folder)
            except BaseException as error:  # noqa: BLE001  # told to the parent, who fails by it
                answer = {"made": [], "failed": [repr(error)]}
            os.write(writable, json.dumps(answer).encode() + b"\n")
            os._exit(0)
        children.append(child)
    os.close(writable)
    with os.fdopen(readable) as told:
        answers = [json.loads(line) for line in told]
    for child in children:
        os.waitpid(child, 0)
    made = [key for answer in answers for key in answer["made"]]
    return {
        "runs": len(answers),
        "made": len(made),
        "twice": len(made) - len(set(made)),
        "failed": [failure for answer in answers for failure in answer["failed"]],
    }


def main(what: str, folder: Path, *numbers: str) -> dict[str, object]:
    match what:
        case "topics":
            return fuzz_topics(folder, *map(int, numbers))
        case "runs":
            return fuzz_whole_runs(folder, *map(int, numbers))
        case "large-topic":
            return large_topic(folder)
        case "episodes":
            return many_episodes(folder, *map(int, numbers))
        case "pixel-bomb":
            return pixel_bomb(folder)
        case "at-once":
            return at_once(folder, *map(int, numbers))
        case _:
            return asked(what, numbers[0], folder)


if __name__ == "__main__":
    answers = channel()
    with os.fdopen(answers, "w") as told:
        told.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])))
