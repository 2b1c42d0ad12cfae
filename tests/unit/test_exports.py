"""What exported files are called, and whose the file is that lies there already."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exports.names import file_name
from pipeline.exports.record import NAME, Noted, Record, Verdict, judge

SLUG = "s" * 60


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Why the sky is blue", "Why the sky is blue (it).m4b"),
        ("A maré é alta", "A maré é alta (it).m4b"),
        ("月の話", "月の話 (it).m4b"),
        ('What is "1/2": <a|b>?*\\', "What is 1 2 a b (it).m4b"),
        ("two\nlines\tand\u202eturned\x00", "two lines and turned (it).m4b"),
        ("..hidden. ", "hidden (it).m4b"),
        ("-rf", "rf (it).m4b"),
        ("???", "it.m4b"),
        ("con", "con (it).m4b"),
        ("é" * 200, "é" * 30 + " (it).m4b"),
    ],
)
def test_a_file_is_called_by_its_title_and_its_slug(title: str, name: str) -> None:
    assert file_name(title, "it", "m4b") == name


@given(st.text())
def test_every_file_system_takes_the_name(title: str) -> None:
    name = file_name(title, SLUG, "flac")
    assert len(name.encode()) <= 143
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(character)[0] != "C" for character in name)
    assert name[0] not in ".- ~"
    assert file_name(title, SLUG)[-1] not in ". "
    assert SLUG in name
    assert name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("noted", "there", "force", "verdict"),
    [
        (None, None, False, Verdict.MAKE),
        (Noted("key", "sum"), "sum", False, Verdict.UP_TO_DATE),
        (Noted("key", "sum"), "sum", True, Verdict.UP_TO_DATE),
        (Noted("old", "sum"), "sum", False, Verdict.MAKE),
        (Noted("key", "sum"), None, False, Verdict.MAKE),
        (Noted("key", "sum"), "retagged", False, Verdict.KEEP),
        (Noted("old", "sum"), "retagged", False, Verdict.KEEP),
        (Noted("key", "sum"), "retagged", True, Verdict.MAKE),
        (None, "somebody's", False, Verdict.COMPARE),
        (None, "somebody's", True, Verdict.MAKE),
    ],
)
def test_a_file_is_ours_only_as_it_was_made(
    noted: Noted | None, there: str | None, force: bool, verdict: Verdict
) -> None:
    assert judge("key", noted, there, force=force) is verdict


def test_a_record_remembers_and_forgets(tmp_path: Path) -> None:
    Record(tmp_path).note("a (a).m4b", Noted("k", "s"))
    Record(tmp_path).note("b/c", Noted("k", "s"))
    Record(tmp_path).note("a (a).m4b", None)
    assert Record(tmp_path).all() == {"b/c": Noted("k", "s")}


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"files": {}}',
        b'{"format": "media-pipeline/exports/2", "files": {"a": {"key": "k", "sha256": "s"}}}',
        b'{"format": "media-pipeline/exports/1", "files": {"a": "s"}}',
        b"[" * 100_000,
    ],
)
def test_by_a_record_that_cannot_be_understood_nothing_is_ours(told: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(told)
    assert Record(tmp_path).all() == {}
    Record(tmp_path).note("a", Noted("k", "s"))
    assert json.loads((tmp_path / NAME).read_text())["files"] == {"a": {"key": "k", "sha256": "s"}}
