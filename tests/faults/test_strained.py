"""Broken files by the thousand, many runs at once, and what is far too large."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest

from pipeline.engines.stable_diffusion import check_pixels
from pipeline.errors import EngineNonsense
from pipeline.stages.publish import verify
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE
from tests.faults.projects import prepare

MOST_KIB = 32 << 10
"""How much memory may grow, whatever comes."""
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
    )
    assert (told["crashes"], told["hangs"], told["outside"], told["unnamed"]) == ([], 0, [], 0)
    assert told["topics"] > told["files"] / 20, "most of what is fuzzed must still be read"
    assert told["refused"] > told["files"] / 20


def test_broken_topics_become_episodes_or_have_a_named_error(tmp_path: Path, tell: Tell) -> None:
    told = strain("runs", tmp_path / "project", SEED, 200 if WHOLE else 12)
    tell(seed=SEED, files=told["files"], episodes=told["episodes"], refused=told["refused"], bugs=len(told["bugs"]))
    assert told["bugs"] == []
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


def test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    with pytest.raises(EngineNonsense, match="60000×60000"):
        check_pixels(bomb, 64, 64, where="test")


def test_descriptors_threads_and_unfinished_files_do_not_pile_up(tmp_path: Path, tell: Tell) -> None:
    told = strain("episodes", tmp_path / "project", 1_000 if WHOLE else 20)
    tell(episodes=told["episodes"], first=told["first"], last=told["last"])
    assert told["episodes"] == (1_001 if WHOLE else 21)
    (descriptors, threads, _), (descriptors_now, threads_now, unfinished) = told["first"], told["last"]
    assert abs(descriptors_now - descriptors) <= 2
    assert threads_now == threads
    assert unfinished == 0
