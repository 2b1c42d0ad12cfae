"""Locks that die with their holder: who holds one keeps out everybody else, and nothing of it stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import pytest

from pipeline.build.store import held, held_byte
from pipeline.errors import Interrupted, StoreError
from pipeline.net.download import alone

Hold = Callable[[Path], AbstractContextManager[None]]


def by_a_file(path: Path) -> AbstractContextManager[None]:
    return held(path)


def by_a_byte(path: Path) -> AbstractContextManager[None]:
    return held_byte(path, 7)


def by_a_part(path: Path) -> AbstractContextManager[None]:
    return alone(path, threading.Event())


EACH = pytest.mark.parametrize("hold", [by_a_file, by_a_byte, by_a_part])


def open_in(folder: Path) -> int:
    """How many of this process's descriptors lead into a folder, to files that are gone too. 0 without /proc."""
    count = 0
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(FileNotFoundError):  # of whatever another thread has just closed
            count += str(descriptor.readlink()).startswith(str(folder))
    return count


@EACH
def test_one_at_a_time_holds_a_lock(tmp_path: Path, hold: Hold) -> None:
    inside: list[int] = []
    most = [0]

    def work() -> None:
        for number in range(5):
            with hold(tmp_path / "lock"):
                inside.append(number)
                most[0] = max(most[0], len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@EACH
def test_who_waits_gets_it_when_the_holder_is_done_and_not_before(tmp_path: Path, hold: Hold) -> None:
    got = threading.Event()

    def wait() -> None:
        with hold(tmp_path / "lock"):
            got.set()

    waiting = threading.Thread(target=wait)
    with hold(tmp_path / "lock"):
        waiting.start()
        assert not got.wait(0.05)
    waiting.join()
    assert got.is_set()


@EACH
def test_nothing_stays_open_and_a_failure_lets_go(tmp_path: Path, hold: Hold) -> None:
    for _ in range(3):
        with pytest.raises(KeyError), hold(tmp_path / "lock"):
            raise KeyError("a failure")
    with hold(tmp_path / "lock"):
        assert (tmp_path / "lock").stat().st_mode & 0o111 == 0
        assert open_in(tmp_path) <= 1
    assert open_in(tmp_path) == 0


@EACH
def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path, hold: Hold) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="a file stands where a folder is needed"), hold(tmp_path / "file" / "lock"):
        pass
    assert open_in(tmp_path) == 0


@pytest.mark.parametrize("other", [6, 8, 0, 2**60])
def test_each_byte_is_a_lock_of_its_own(tmp_path: Path, other: int) -> None:
    with ExitStack() as stack:
        stack.enter_context(held_byte(tmp_path / "lock", 7))
        got = threading.Event()

        def hold_other() -> None:
            with held_byte(tmp_path / "lock", other):
                got.set()

        threading.Thread(target=hold_other, daemon=True).start()
        assert got.wait(10)


def test_whoever_finds_another_file_under_the_name_locks_that(tmp_path: Path) -> None:
    """The holder before took the file away with it: what was locked is no longer what others will find."""
    lock = tmp_path / "lock"
    first = held(lock)
    first.__enter__()
    got = threading.Event()

    def wait() -> None:
        with held(lock):
            got.set()
            assert lock.exists()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.05)
    first.__exit__(None, None, None)
    waiting.join(10)
    assert got.is_set()
    assert not lock.exists()
    assert open_in(tmp_path) == 0


def test_a_lock_whose_file_somebody_replaced_keeps_out_nobody_who_finds_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held(lock):
        lock.unlink()
        with held(lock):
            assert lock.exists()
    assert not lock.exists()


def test_a_part_is_kept_where_there_is_something_in_it(tmp_path: Path) -> None:
    with by_a_part(tmp_path / "part"):
        pass
    assert not (tmp_path / "part").exists()
    with by_a_part(tmp_path / "part"):
        (tmp_path / "part").write_bytes(b"x")
    assert (tmp_path / "part").read_bytes() == b"x"


def test_a_part_that_got_its_final_name_is_not_taken_for_the_part(tmp_path: Path) -> None:
    part, got = tmp_path / "part", threading.Event()

    def wait() -> None:
        with by_a_part(part):
            got.set()
            assert part.exists()

    waiting = threading.Thread(target=wait)
    with by_a_part(part):
        part.write_bytes(b"whole")
        waiting.start()
        assert not got.wait(0.05)
        part.rename(tmp_path / "whole")
    waiting.join(10)
    assert got.is_set()
    assert (tmp_path / "whole").read_bytes() == b"whole"
    assert not part.exists()


def test_stopping_ends_the_wait_for_a_part(tmp_path: Path) -> None:
    stop, ended = threading.Event(), list[BaseException]()

    def wait() -> None:
        with pytest.raises(Interrupted) as raised, alone(tmp_path / "part", stop):
            pass
        ended.append(raised.value)

    with by_a_part(tmp_path / "part"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        stop.set()
        waiting.join(10)
        assert len(ended) == 1
    assert open_in(tmp_path) == 0
