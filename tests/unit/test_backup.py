"""The form of a backup: its names, its archive's bytes, and how secrets stay out of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backup import BadBackup, Entry, Manifest, Secrets
from pipeline.backup.archive import Changed, Writing
from pipeline.backup.manifest import LATEST_SECONDS, clashes, fault_of_name
from pipeline.backup.masking import INSTEAD
from pipeline.backup.members import BLOCK, END, described, header, padding

DIGEST = hashlib.sha256(b"").hexdigest()


# -- names -------------------------------------------------------------------------------------------------------

FAULTS = {
    "": "not a plain path",
    "input": "does not lie in",
    "moon.md": "does not lie in",
    "etc/passwd": "does not lie in",
    "/etc/passwd": "absolute",
    "/input/moon.md": "absolute",
    "input/../../etc/passwd": "leads out",
    "input/..": "leads out",
    "../input/moon.md": "leads out",
    "input//moon.md": "not a plain path",
    "input/./moon.md": "not a plain path",
    "input/moon.md/": "not a plain path",
    "input/": "not a plain path",
    "input/a\nb": "control character",
    "input/a\0b": "control character",
    "input/a\x1b[31m": "control character",
    "input/\udcff": "not UTF-8",
    "input/" + "n" * 256: "longer than",
    "input/" + "é" * 128: "longer than",
    "input/" + "a/" * 2100 + "b": "longer than",
    "input/.restore-0123456789abcdef/x": "keeps for its unfinished work",
    "input/.before-restore-20260101T000000Z/x": "keeps for its unfinished work",
    "input/a/.part-1-abc": "keeps for its unfinished work",
    "data/voices/evil.onnx": "belongs in a backup",
    "data/restore.json": "belongs in a backup",
    "project/pipeline": "belongs in a backup",
    "project/src/x.py": "belongs in a backup",
}


@pytest.mark.parametrize(("name", "why"), FAULTS.items(), ids=repr)
def test_a_name_that_may_not_stand_in_a_backup_is_told_why(name: str, why: str) -> None:
    assert why in fault_of_name(name)


@pytest.mark.parametrize(
    "name", ["input/moon.md", "input/two words/..moon", "data/edits/a.md", "project/.env", "input/" + "n" * 255]
)
def test_a_good_name_has_no_fault(name: str) -> None:
    assert fault_of_name(name) == ""


@pytest.mark.parametrize(
    ("paths", "folds_case", "found"),
    [
        (["input/a", "input/b"], False, []),
        (["input/a", "input/a"], False, ["one name, twice"]),
        (["input/a", "input/a/b"], False, ["a file where a folder must be"]),
        (["input/a/b/c", "input/a"], False, ["a file where a folder must be"]),
        (["input/A", "input/a"], False, []),
        (["input/A", "input/a"], True, ["this disk takes both for one file"]),
        (["input/caf\u00e9", "input/cafe\u0301"], True, ["this disk takes both for one file"]),
        (["input/A/x", "input/a"], True, ["a file where a folder must be"]),
    ],
)
def test_names_that_cannot_both_be_files(paths: list[str], folds_case: bool, found: list[str]) -> None:
    assert [what for _, _, what in clashes(paths, folds_case=folds_case)] == found


# -- the manifest ------------------------------------------------------------------------------------------------


def manifest(*entries: Entry) -> Manifest:
    return Manifest(1_767_323_045, "1.0", ("input",), entries, (("input/pipe", "a named pipe"),), {"voices": []})


ENTRY = Entry("input/moon 🌙.md", 3, 0o640, 1_700_000_000, DIGEST)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.from_json(manifest(ENTRY).to_json(), where="x") == manifest(ENTRY)


def test_a_manifest_of_nothing_is_one_too() -> None:
    assert Manifest.from_json(manifest().to_json(), where="x") == manifest()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"path": "../x"}, "leads out"),
        ({"path": 3}, "a path is 3"),
        ({"mode": "4755"}, "three octal digits"),
        ({"mode": 493}, "three octal digits"),
        ({"bytes": -1}, "whole number"),
        ({"bytes": 2**63}, "whole number"),
        ({"bytes": True}, "whole number"),
        ({"modified": 2**40}, "whole number"),
        ({"sha256": "abc"}, "the digest"),
        ({"sha256": None}, "the digest"),
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_true_is_refused(change: dict[str, object], why: str) -> None:
    raw = json.loads(manifest(ENTRY).to_json())
    raw["files"][0] |= change
    with pytest.raises(BadBackup, match=why):
        Manifest.from_json(json.dumps(raw).encode(), where="x")


NO_MANIFESTS = [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"files": 3}']


@pytest.mark.parametrize("data", NO_MANIFESTS, ids=lambda data: data[:9])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BadBackup, match="cannot be understood"):
        Manifest.from_json(data, where="x")


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadBackup, match="one name, twice"):
        Manifest.from_json(manifest(ENTRY, ENTRY).to_json(), where="x")


# -- the archive's bytes -----------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=200)


@given(
    name=NAMES.filter(lambda name: name not in {".", ".."}),
    size=st.sampled_from([0, 1, 511, 512, 513, 5000]),
    mode=st.integers(0, 0o777),
    modified=st.integers(0, LATEST_SECONDS),
)
def test_any_tar_reads_what_we_write(name: str, size: int, mode: int, modified: int) -> None:
    entry = Entry(f"input/{name}", size, mode, modified, DIGEST)
    data = b"x" * size
    archive = header(entry) + data + padding(size) + END
    with tarfile.open(fileobj=io.BytesIO(archive), errorlevel=2) as read:
        (member,) = read.getmembers()
        file = read.extractfile(member)
        assert file is not None
        assert file.read() == data
    assert (member.name, member.mode, member.mtime, member.type) == (entry.path, mode, modified, tarfile.REGTYPE)


def test_a_file_larger_than_a_plain_header_can_say() -> None:
    entry = Entry("input/large.wav", 9 * 2**30, 0o644, 0, DIGEST)
    found = tarfile.TarFile(fileobj=io.BytesIO(header(entry) + END)).next()
    assert found is not None
    assert (found.name, found.size) == ("input/large.wav", 9 * 2**30)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link named 'x'"),
        (tarfile.LNKTYPE, "a hard link named 'x'"),
        (tarfile.CHRTYPE, "a character device named 'x'"),
        (tarfile.FIFOTYPE, "a named pipe named 'x'"),
        (tarfile.DIRTYPE, "a folder named 'x"),
        (tarfile.REGTYPE, "a file named 'x'"),
    ],
)
def test_what_stands_in_another_archive_is_described(kind: bytes, what: str) -> None:
    info = tarfile.TarInfo("x")
    info.type = kind
    assert described(info.tobuf(tarfile.USTAR_FORMAT)).startswith(what)


def test_blocks_that_are_no_headers_are_described() -> None:
    assert described(bytes(BLOCK)) == "an empty block"
    assert described(b"") == "the end of the file"
    assert described(b"\xff" * BLOCK) == "damaged bytes"
    info = tarfile.TarInfo("x")
    info.mode = 0o4755
    assert "setuid" in described(info.tobuf(tarfile.USTAR_FORMAT))


def uncounted(count: int) -> None:
    return None


@pytest.mark.parametrize("told", [2, 4])
def test_a_file_that_is_longer_or_shorter_than_it_was_is_taken_back(tmp_path: Path, told: int) -> None:
    with (tmp_path / "archive").open("w+b") as file:
        writing = Writing(file, tmp_path / "archive")
        writing.add("input/a", io.BytesIO(b"abc"), 3, mode=0o644, modified=0, tick=uncounted)
        mark = writing.mark()
        with pytest.raises(Changed):
            writing.add("input/b", io.BytesIO(b"abc"), told, mode=0o644, modified=0, tick=uncounted)
        writing.go_back(mark)
        file.flush()
        assert file.seek(0, os.SEEK_END) == 2 * BLOCK
    assert [entry.path for entry in writing.entries] == ["input/a"]


# -- secrets -----------------------------------------------------------------------------------------------------

SECRETS = Secrets(["api_key"], ["open-sesame"])
OUT = INSTEAD.format(name="api_key")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('a = 1\n# api_key = "x"\n', 'a = 1\n# api_key = "x"\n'),
        ('api_key = "open-sesame"\na = 1\n', f"{OUT}\na = 1\n"),
        ("  'api_key'='open-sesame' # mine\r\na = 1\r\n", f"{OUT}\r\na = 1\r\n"),
        ('a = 1\napi_key = """\nopen-sesame\n"""\n', None),
        ('api_key = "open-sesame"\n# it was open-sesame before\n', None),
        ('api_key = "other"\n# api_key was other\n', None),
        ("# open-sesame\n", None),
        ('a = [\n"\napi_key = 3\n', None),
        ("broken = = 1\n", "broken = = 1\n"),
        ("a." * 20_000 + "b = 1", "a." * 20_000 + "b = 1"),
        ("long = " + "1" * 5_000, "long = " + "1" * 5_000),
        ("deep = " + "[" * 20_000, "deep = " + "[" * 20_000),
        ("api_key = " + "[" * 20_000, None),
        ("\ufeffapi_key = 'open-sesame'\n", None),
        ('[table]\napi_key = "harmless"\n', '[table]\napi_key = "harmless"\n'),
    ],
)
def test_a_settings_file_without_its_secrets(before: str, after: str | None) -> None:
    assert SECRETS.without(before.encode()) == (None if after is None else after.encode())


@given(st.text(max_size=40), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=20))
def test_no_secret_ever_gets_through(before: str, secret: str) -> None:
    text = f"a = {json.dumps(before)}\napi_key = {json.dumps(secret)}\n# {before}\n"
    masked = Secrets(["api_key"], [secret]).without(text.encode(errors="replace"))
    assert masked is None or secret.encode() not in masked


def test_secrets_do_not_show_themselves() -> None:
    assert "sesame" not in repr(SECRETS)
