"""Seals: unbroken only while the input file, everything that matters and every published file are as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.build.seals import Seals, states_of

SOURCE = "input/moon.md"
STATE = (10, 20, 30)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output" / "moon"
    folder.mkdir(parents=True)
    for name in ("audio.mp3", "manifest.json"):
        (folder / name).write_text(name)
    return folder.parent


@pytest.fixture
def seals(tmp_path: Path, output: Path) -> Seals:
    sealed = Seals(tmp_path / "seals.json")
    sealed.seal("moon", "all as it was", states_of(output / "moon", ["audio.mp3", "manifest.json"]))
    sealed.sources[SOURCE] = (STATE, ["moon"])
    sealed.taken["moon"] = SOURCE
    sealed.save()
    return Seals.load(tmp_path / "seals.json")


def test_nothing_changed(seals: Seals, output: Path) -> None:
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) == ["moon"]
    assert seals.taken == {"moon": SOURCE}


def test_another_state_of_the_input_file(seals: Seals, output: Path) -> None:
    assert seals.unbroken(SOURCE, (10, 21, 30), "all as it was", output) is None


def test_an_input_file_never_seen(seals: Seals, output: Path) -> None:
    assert seals.unbroken("input/sun.md", STATE, "all as it was", output) is None


def test_another_setting(seals: Seals, output: Path) -> None:
    assert seals.unbroken(SOURCE, STATE, "another voice", output) is None


@pytest.mark.parametrize("name", ["audio.mp3", "manifest.json"])
def test_a_published_file_that_is_gone_or_other(seals: Seals, output: Path, name: str) -> None:
    path = output / "moon" / name
    found = path.stat()
    path.write_text("X" * found.st_size)
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None
    path.unlink()
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


def test_a_published_file_replaced_by_a_link(seals: Seals, output: Path, tmp_path: Path) -> None:
    path = output / "moon" / "audio.mp3"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


def test_a_copy_with_the_same_length_and_time_is_seen(seals: Seals, output: Path) -> None:
    path = output / "moon" / "audio.mp3"
    found = path.stat()
    other = path.with_name("other")
    other.write_text("X" * found.st_size)
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


def test_a_rewrite_in_place_with_the_old_time_is_seen(seals: Seals, output: Path) -> None:
    path = output / "moon" / "audio.mp3"
    found = path.stat()
    path.write_text("X" * found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


def test_one_broken_seal_of_several_in_a_file(seals: Seals, output: Path) -> None:
    seals.sources[SOURCE] = (STATE, ["moon", "sun"])
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


def test_forgetting(seals: Seals, output: Path) -> None:
    seals.forget(["moon", "never there"])
    assert seals.unbroken(SOURCE, STATE, "all as it was", output) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "sources": 3}'])
def test_seals_that_cannot_be_read_are_no_seals(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seals.json"
    path.write_text(text)
    assert Seals.load(path).jobs == {}
