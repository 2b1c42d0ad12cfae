"""Broken files by the thousand, many runs at once, and what is far too large."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest

from pipeline.stages.publish import verify
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE
from tests.faults.figures import MOST_KIB
from tests.faults.projects import prepare

LONGEST_SECONDS = 600


def strain(what: str, folder: Path, *more: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.strained", what, str(folder), *map(str, more)],
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_broken_topic_files_are_read_or_refused_and_nothing_outside_input_is_opened(tmp_path: Path, tell: Tell) -> None:
    told = strain("topics", tmp_path.resolve() / "project", SEED, 5_000 if WHOLE else 400)
    tell(
        seed=SEED,
        files=told["files"],
        crashes=len(told["crashes"]),
        hangs=told["hangs"],
        read_outside=len(told["outside"]),
        failures=told["refused"],
        unnamed=told["unnamed"],
    )
    assert (told["crashes"], told["hangs"], told["outside"], told["unnamed"]) == ([], 0, [], 0)
    assert told["topics"] > told["files"] / 20, "most of what is fuzzed must still be read"
    assert told["refused"] > told["files"] / 20


def test_broken_topics_become_episodes_or_have_a_named_error(tmp_path: Path, tell: Tell) -> None:
    told = strain("runs", tmp_path.resolve() / "projects", SEED, 200 if WHOLE else 12)
    assert told["hangs"] == 0
    tell(
        seed=SEED,
        files=told["files"],
        episodes=told["episodes"],
        failures=told["refused"] + told["failed"],
        crashes=len(told["bugs"]),
        hangs=told["hangs"],
        read_outside=len(told["outside"]),
        unnamed=len(told["unnamed"]) + len(told["without_state"]),
    )
    assert (told["bugs"], told["outside"], told["unnamed"], told["without_state"]) == ([], [], [], [])
    assert told["episodes"] > 0


def test_many_runs_at_once_share_the_work_and_do_nothing_twice(tmp_path: Path, tell: Tell) -> None:
    project = tmp_path / "project"
    prepare(project)
    told = strain("at-once", project, 50 if WHOLE else 6)
    tell(runs=told["runs"], made=told["made"], twice=told["twice"], failed=len(told["failed"]))
    assert told["failed"] == []
    assert told["runs"] == (50 if WHOLE else 6)
    assert told["made"] > 10
    assert told["twice"] == 0
    assert {name: verify(project / "output" / name) for name in ("kept", "changed", "new")} == {
        "kept": (),
        "changed": (),
        "new": (),
    }


@contextmanager
def endless(head: bytes, count: int) -> Iterator[str]:
    """A server that answers everything with `head` and then so many bytes without a line's end."""
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.recv(1 << 16)
                        connection.sendall(head)
                        for _ in range(count >> 20):
                            connection.sendall(b"a" * (1 << 20))

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("client", ["ollama", "piper", "a1111"])
def test_a_line_of_500_megabytes_from_a_server_takes_no_memory(client: str, tmp_path: Path, tell: Tell) -> None:
    with endless(HEAD, 500 << 20) as url:
        told = strain(client, tmp_path, url)
    tell(grown_kib=told["grown_kib"])
    assert told["ended"] == "engine-nonsense"
    assert told["grown_kib"] <= MOST_KIB


def test_a_topic_file_of_a_gigabyte_takes_no_memory(tmp_path: Path, tell: Tell) -> None:
    told = strain("large-topic", tmp_path / "project")
    tell(grown_kib=told["grown_kib"])
    assert "1024.0 MiB" in told["ended"]
    assert told["grown_kib"] <= MOST_KIB


def test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened(tmp_path: Path, tell: Tell) -> None:
    told = strain("pixel-bomb", tmp_path)
    tell(grown_kib=told["grown_kib"])
    assert told["ended"].startswith("engine-nonsense")
    assert "60000×60000" in told["ended"]
    assert told["grown_kib"] <= MOST_KIB


def test_descriptors_threads_and_unfinished_files_do_not_pile_up(tmp_path: Path, tell: Tell) -> None:
    told = strain("episodes", tmp_path / "project", 1_000 if WHOLE else 20)
    (descriptors, threads, _), (descriptors_now, threads_now, unfinished) = told["first"], told["last"]
    more, more_threads = descriptors_now - descriptors, threads_now - threads
    tell(episodes=told["episodes"], descriptors_more=more, threads_more=more_threads, unfinished=unfinished)
    assert told["episodes"] == (1_001 if WHOLE else 21)
    assert abs(more) <= 2
    assert more_threads == 0
    assert unfinished == 0
