"""The store: whole or absent, verified when read, made once."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

import pytest

from pipeline.build.recipe import Step, Written
from pipeline.build.store import Damaged, Store, held, held_byte
from pipeline.errors import StoreError
from tests.unit.build_steps import RULE, Kitchen


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def file_of(store: Store, step: Step) -> Path:
    return store.folder / step.key[:2] / step.key


def test_what_was_made_is_found_again_and_not_made_twice(store: Store) -> None:
    kitchen = Kitchen()
    made = store.make(kitchen.step("soup"))
    again = store.make(kitchen.step("soup"))

    assert kitchen.made["soup"] == 1
    assert again.digest == made.digest
    assert again.read("bytes") == b"soup made"


def test_an_artifact_keeps_its_parts_apart(store: Store) -> None:
    step = Step(RULE, "x", {}, lambda: {"a": b"one\n", "empty": b"", "b": b"\x00\xff"})
    store.make(step)
    found = store.find(step.key)

    assert found is not None
    assert [found.read(name) for name in ("a", "empty", "b")] == [b"one\n", b"", b"\x00\xff"]
    assert [found.part_length(name) for name in ("a", "empty", "b")] == [4, 0, 2]


def test_the_digest_follows_the_content_alone(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "elsewhere")
    step = Step(RULE, "x", {}, lambda: {"a": b"1", "b": b"2"})
    turned = Step(RULE, "y", {}, lambda: {"b": b"2", "a": b"1"}, units=7)
    assert store.make(step).digest == other.make(turned).digest


@pytest.mark.parametrize("position", [0, 9, 60, -1, -5])
def test_a_changed_byte_is_found_before_it_is_used(store: Store, position: int) -> None:
    step = Kitchen().step("soup")
    store.make(step)
    data = bytearray(file_of(store, step).read_bytes())
    data[position] ^= 1
    file_of(store, step).write_bytes(data)

    found = store.find(step.key)
    if found is not None:
        with pytest.raises(Damaged):
            found.read("bytes")


def test_every_cut_is_found(store: Store) -> None:
    step = Kitchen().step("soup")
    store.make(step)
    whole = file_of(store, step).read_bytes()
    for length in range(len(whole)):
        file_of(store, step).write_bytes(whole[:length])
        assert store.find(step.key) is None, length


def test_a_damaged_artifact_is_set_aside_and_made_again(store: Store) -> None:
    kitchen = Kitchen()
    step = kitchen.step("soup")
    store.make(step)
    store.set_aside(step.key)

    assert store.find(step.key) is None
    assert (store.folder / "damaged" / step.key).is_file()
    assert store.make(step).read("bytes") == b"soup made"
    assert kitchen.made["soup"] == 2


def test_many_threads_that_want_one_artifact_make_it_once(store: Store) -> None:
    kitchen = Kitchen()
    gate = threading.Barrier(8)

    def want(_: int) -> str:
        gate.wait()
        return store.make(kitchen.step("soup")).digest

    with ThreadPoolExecutor(8) as threads:
        digests = set(threads.map(want, range(8)))
    assert len(digests) == 1
    assert kitchen.made["soup"] == 1


def test_no_lock_files_pile_up(store: Store) -> None:
    kitchen = Kitchen()
    for number in range(20):
        store.make(kitchen.step(str(number)))
    assert len(list((store.folder / "locks").iterdir())) <= 1


def hold_file(path: Path) -> AbstractContextManager[None]:
    return held(path)


def hold_byte(path: Path) -> AbstractContextManager[None]:
    return held_byte(path, 2**60 - 1)


Hold = Callable[[Path], AbstractContextManager[None]]


def _hold_until_killed(hold: Hold, path: str, held_now: ProcessEvent) -> None:
    with hold(Path(path)):
        held_now.set()
        threading.Event().wait()


@pytest.mark.parametrize("hold", [hold_file, hold_byte])
def test_a_lock_dies_with_the_process_that_held_it(tmp_path: Path, hold: Hold) -> None:
    context = get_context("spawn")
    held_now = context.Event()
    holder = context.Process(target=_hold_until_killed, args=(hold, str(tmp_path / "lock"), held_now))
    holder.start()
    assert held_now.wait(30)
    got = threading.Event()

    def wait_for_it() -> None:
        with hold(tmp_path / "lock"):
            got.set()

    waiter = threading.Thread(target=wait_for_it)
    waiter.start()
    assert not got.is_set()
    holder.kill()
    holder.join()
    assert got.wait(30)
    waiter.join()


def test_a_failed_making_leaves_nothing(store: Store) -> None:
    kitchen = Kitchen()

    def burn(name: str) -> None:
        raise RuntimeError(name)

    kitchen.before = burn
    step = kitchen.step("soup")
    with pytest.raises(RuntimeError):
        store.make(step)
    assert store.find(step.key) is None
    assert list(store.every_key()) == []
    assert [path for path in store.folder.rglob("*") if path.is_file() and path.parent.name != "locks"] == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StoreError) as raised:
        Store(tmp_path / "store").make(Kitchen().step("soup"))
    assert raised.value.errno in {errno.EEXIST, errno.ENOTDIR}
    assert "a file stands where a folder is needed" in str(raised.value)


def test_a_full_disk_is_named_and_leaves_no_half_file(store: Store) -> None:
    step = Step(RULE, "big", {}, lambda: {"bytes": b"x" * 4096})
    with no_file_beyond(2048), pytest.raises(StoreError) as raised:
        store.make(step)
    assert raised.value.errno == errno.EFBIG
    assert store.find(step.key) is None
    assert [path.name for path in store.folder.rglob(".part-*")] == []


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """While it lasts no file may grow beyond `size` bytes: a write then fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_sweeping_keeps_what_is_needed_and_what_is_new(store: Store) -> None:
    kitchen = Kitchen()
    needed, unneeded, fresh = (kitchen.step(name) for name in ("needed", "unneeded", "fresh"))
    for step in (needed, unneeded, fresh):
        store.make(step)
    for step in (needed, unneeded):
        os.utime(file_of(store, step), (1000, 1000))

    count, freed = store.sweep({needed.key}, older_than=2000)

    assert count == 1
    assert freed > 0
    assert set(store.every_key()) == {needed.key, fresh.key}


def test_sweeping_removes_what_killed_runs_left(store: Store) -> None:
    step = Kitchen().step("soup")
    store.make(step)
    left = file_of(store, step).with_name(".part-123-abcd")
    left.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    store.sweep({step.key}, older_than=2000)
    assert not left.exists()


def test_a_part_that_there_never_was_is_a_key_error(store: Store) -> None:
    made = store.make(Step(RULE, "x", {}, lambda: {"a": b"1"}))
    with pytest.raises(KeyError):
        made.read("b")


def test_a_part_may_be_written_to_a_file_beside_others(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"film" * 1_000_000)

    step = Step(RULE, "film", {"name": "film"}, lambda: {"index": b"one", "film": Written(write), "end": b"two"})
    made = Store(tmp_path).make(step)

    assert b"".join(made.chunks("film")) == made.read("film") == b"film" * 1_000_000
    assert (made.read("index"), made.read("end")) == (b"one", b"two")
    assert made.part_length("film") == 4_000_000
    assert not list(tmp_path.glob("??/.part-*"))


def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "no space")

    step = Step(RULE, "film", {"name": "film"}, lambda: {"film": Written(write)})
    store = Store(tmp_path)

    with pytest.raises(StoreError, match="the disk is full"):
        store.make(step)
    assert not list(tmp_path.glob("??/*"))
    assert store.find(step.key) is None


def test_a_flipped_bit_is_found_by_whoever_reads_in_chunks(tmp_path: Path) -> None:
    step = Step(RULE, "film", {"name": "film"}, lambda: {"film": bytes(3_000_000)})
    made = Store(tmp_path).make(step)
    data = bytearray(made.path.read_bytes())
    data[-1] ^= 1
    made.path.write_bytes(data)

    with pytest.raises(Damaged):
        list(made.chunks("film"))
