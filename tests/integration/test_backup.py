"""Backup and restore as a whole, on real files: the same bytes back, damage and malice refused, old backups let go."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.backup import (
    BadBackup,
    Entry,
    Manifest,
    Places,
    Secrets,
    Wanted,
    finish_interrupted,
    keep,
    open_backup,
)
from pipeline.backup.archive import FORMAT, Writing
from pipeline.backup.making import LOCK, alone
from pipeline.backup.members import BLOCK, END, header, padding
from pipeline.backup.restoring import JOURNAL
from pipeline.errors import InputError, StoreError
from tests.fakes.backed_up import (
    CACHES,
    EPISODE,
    NOW,
    back_up,
    bring_back,
    fill,
    places_of,
    publish,
    put,
    seen,
    uncounted,
    unmetered,
    wipe,
)

FLIPS = 100
SEED = 20261121


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return fill(tmp_path / "my project")


@pytest.fixture
def file(places: Places, tmp_path: Path) -> Path:
    return back_up(places, tmp_path / "back ups").path


# -- there and back ----------------------------------------------------------------------------------------------


def test_backup_then_wipe_then_restore_gives_the_same_bytes_and_modes(places: Places, file: Path) -> None:
    before = seen(places)
    wipe(places)
    done = bring_back(file, places)
    assert seen(places) == before
    assert done.files == len(before)
    assert done.aside == ()


def test_times_come_back_too(places: Places, tmp_path: Path) -> None:
    topic = places.input / "moon.md"
    os.utime(topic, (1_600_000_000, 1_600_000_000))
    file = back_up(places, tmp_path / "backups").path
    wipe(places)
    bring_back(file, places)
    assert topic.stat().st_mtime == 1_600_000_000


def test_a_backup_is_read_by_any_tar(places: Places, file: Path, tmp_path: Path) -> None:
    rescue = tmp_path / "rescue"
    rescue.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", rescue], check=True)
    out = {path.relative_to(rescue).as_posix(): path.read_bytes() for path in rescue.rglob("*") if path.is_file()}
    assert {name: data for name, (data, _) in seen(places).items()}.items() <= out.items()
    assert out.keys() - seen(places).keys() == {"manifest.json", "seal.json"}


def test_nobody_else_may_read_a_backup_and_nothing_unfinished_is_left(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir()} == {file.name, LOCK}


def test_caches_and_the_store_stay_behind_unless_asked_for(tmp_path: Path) -> None:
    places = fill(tmp_path / "project", store=True)
    without = back_up(places, tmp_path / "a").manifest
    assert not any(entry.path.startswith("data/store") or entry.path in CACHES for entry in without.entries)

    with_store = back_up(places, tmp_path / "b", wanted=Wanted(store=True))
    kept = [entry.path for entry in with_store.manifest.entries if entry.path.startswith("data/store")]
    assert len(kept) == 1
    before = seen(places)
    wipe(places)
    bring_back(with_store.path, places)
    assert seen(places).keys() == before.keys() - {"data/store/locks/keys"}


def test_a_backup_names_the_models_that_it_does_not_hold(places: Places, tmp_path: Path) -> None:
    put(places.data / "voices" / "en_US-joe-medium.onnx", b"weights")
    put(places.data / "voices" / "en_US-joe-medium.onnx.json", b"{}")
    models = back_up(places, tmp_path / "backups").manifest.models
    assert [voice["file"] for voice in models["voices"]] == ["en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json"]
    assert models["engines"] == [{"role": "writer", "engine": "ollama", "name": "gemma3:4b", "digest": "abc"}]
    assert models["writer_wanted"] == "gemma3:4b"


def test_two_backups_in_one_second_have_two_names(places: Places, file: Path) -> None:
    second = back_up(places, file.parent)
    assert (file.name, second.path.name) == ("pipeline-20260102T030405Z.tar", "pipeline-20260102T030405Z-2.tar")


def test_a_verified_backup_is_read_back_before_it_has_its_name(places: Places, tmp_path: Path) -> None:
    titles: list[tuple[str, set[str]]] = []

    def watch(title: str, total: int) -> Callable[[int], None]:
        titles.append((title, {path.suffix for path in (tmp_path / "backups").iterdir()}))
        return uncounted

    assert back_up(places, tmp_path / "backups", verify=True, progress=watch).verified
    assert [title for title, _ in titles] == ["copying", "reading back"]
    assert all(".tar" not in suffixes for _, suffixes in titles)


# -- what cannot be taken in -------------------------------------------------------------------------------------


def test_what_is_no_plain_file_is_left_out_by_name(places: Places, tmp_path: Path) -> None:
    (places.input / "link.md").symlink_to("/etc/passwd")
    (places.input / "folder-link").symlink_to("/etc")
    os.mkfifo(places.input / "pipe.md")
    put(places.input / "line\nbreak.md", b"x")
    put(Path(os.fsdecode(os.fsencode(places.input) + b"/latin-\xe9.md")), b"x")
    made = back_up(places, tmp_path / "backups")
    assert dict(made.manifest.left_out) == {
        "input/link.md": "a symbolic link, no plain file",
        "input/folder-link": "a symbolic link, no plain file",
        "input/pipe.md": "a named pipe, no plain file",
        "input/line\\nbreak.md": "its name has a line break or another control character",
        "input/latin-\\udce9.md": "its name is not UTF-8",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_left_out_by_name(places: Places, tmp_path: Path) -> None:
    put(places.input / "closed.md", b"x", 0)
    made = back_up(places, tmp_path / "backups")
    assert made.manifest.left_out == (("input/closed.md", "this user may not read it"),)


def test_a_file_that_is_written_all_the_while_is_left_out_and_the_rest_is_whole(places: Places, tmp_path: Path) -> None:
    growing = places.input / "growing.txt"
    put(growing, b"x" * 10)

    def write_on(title: str, total: int) -> Callable[[int], None]:
        def tick(count: int) -> None:
            with growing.open("ab") as file:
                file.write(b"y")

        return tick

    made = back_up(places, tmp_path / "backups", progress=write_on)
    assert made.manifest.left_out == (("input/growing.txt", "it was being written all the while"),)
    growing.unlink()
    before = seen(places)
    wipe(places)
    bring_back(made.path, places)
    assert seen(places) == before


def test_an_episode_that_changes_underneath_is_read_again(places: Places, tmp_path: Path) -> None:
    new = EPISODE | {"captions.vtt": b"WEBVTT\n\nnew\n", "audio.mp3": b"shorter"}
    pauses: list[float] = []

    def change_once(title: str, total: int) -> Callable[[int], None]:
        def tick(count: int) -> None:
            if count > 1_000_000 and (places.output / "moon" / "captions.vtt").read_bytes() != new["captions.vtt"]:
                publish(places.project, "moon", new)

        return tick

    made = back_up(places, tmp_path / "backups", progress=change_once, pause=pauses.append)
    assert len(pauses) == 1
    wipe(places)
    bring_back(made.path, places)
    assert {name: (places.output / "moon" / name).read_bytes() for name in new} == new
    assert made.notes == ()


def test_an_episode_that_is_not_as_its_manifest_says_is_kept_and_noted(places: Places, tmp_path: Path) -> None:
    put(places.output / "moon" / "captions.vtt", b"mine")
    put(places.output / "moon" / "script.md", b"edited: no matter\n")
    made = back_up(places, tmp_path / "backups")
    assert made.notes == (("output/moon", "its files are not as its manifest.json says, and are kept as they are"),)
    assert "output/moon/captions.vtt" in {entry.path for entry in made.manifest.entries}


def test_an_edited_script_is_taken_as_it_is_without_a_remark(places: Places, tmp_path: Path) -> None:
    put(places.output / "moon" / "script.md", b"edited, and no run since\n")
    made = back_up(places, tmp_path / "backups")
    assert made.notes == ()
    wipe(places)
    bring_back(made.path, places)
    assert (places.output / "moon" / "script.md").read_bytes() == b"edited, and no run since\n"


def test_two_backups_at_once_do_not_fight(places: Places, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    with (
        alone(tmp_path / "backups" / LOCK, "a test holds it"),
        pytest.raises(StoreError, match="another backup is being written"),
    ):
        back_up(places, tmp_path / "backups")


@pytest.mark.parametrize("root", ["input", "config", "output", "data"])
def test_backups_do_not_lie_in_what_is_backed_up(places: Places, root: str) -> None:
    with pytest.raises(InputError, match="cannot lie inside"):
        back_up(places, places.of(root) / "backups")


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(places: Places, tmp_path: Path) -> None:
    with (places.input / "sparse.txt").open("wb") as sparse:
        sparse.truncate(shutil.disk_usage(tmp_path).free + (1 << 30))
    with pytest.raises(StoreError, match="MB are needed"):
        back_up(places, tmp_path / "backups")
    assert {path.name for path in (tmp_path / "backups").iterdir()} == {LOCK}


# -- secrets -----------------------------------------------------------------------------------------------------


def test_no_secret_is_in_a_backup_unless_asked_for(places: Places, tmp_path: Path) -> None:
    put(places.config / "pipeline.toml", b'language = "en"\nollama_api_key = "open-sesame"\n')
    put(places.config / "pipeline.toml~", b'ollama_api_key = "open-sesame"\n')
    put(places.project / ".env", b"OLLAMA_API_KEY=open-sesame\n", 0o600)
    secret = Secrets(["ollama_api_key"], ["open-sesame"])

    made = back_up(places, tmp_path / "a", secret=secret)
    assert b"sesame" not in made.path.read_bytes()
    assert made.notes == (("config/pipeline.toml", "without the secrets in it"),)
    assert [path for path, _ in made.manifest.left_out] == ["config/pipeline.toml~"]

    all_of_it = back_up(places, tmp_path / "b", secret=secret, wanted=Wanted(secrets=True))
    assert all_of_it.manifest.left_out == ()
    before = seen(places)
    wipe(places)
    (places.project / ".env").unlink()
    bring_back(all_of_it.path, places)
    assert seen(places) == before
    assert not (places.project / ".env").exists()
    bring_back(all_of_it.path, places, only=("project/.env",), with_secrets=True)
    assert (places.project / ".env").read_bytes() == b"OLLAMA_API_KEY=open-sesame\n"
    assert stat.S_IMODE((places.project / ".env").stat().st_mode) == 0o600


# -- over what is there ------------------------------------------------------------------------------------------


def test_nothing_that_is_there_is_overwritten(places: Places, file: Path) -> None:
    put(places.input / "moon.md", b"newer")
    before = seen(places, caches=True)
    with pytest.raises(InputError, match="there is data already"):
        bring_back(file, places)
    assert seen(places, caches=True) == before
    assert not list(places.data.glob(".restore*"))


def test_replace_moves_what_is_there_aside_and_says_where(places: Places, file: Path) -> None:
    before = seen(places)
    put(places.input / "moon.md", b"newer")
    put(places.input / "later.md", b"later")
    put(places.data / "edits" / "later.md", b"later")
    done = bring_back(file, places, replace=True)
    assert seen(places) == before
    aside = places.input / ".before-restore-20260102T030405Z"
    assert aside in done.aside
    assert (aside / "moon.md").read_bytes() == b"newer"
    assert (aside / "later.md").read_bytes() == b"later"
    assert (places.data / aside.name / "edits" / "later.md").read_bytes() == b"later"
    # What speaks of the files as they were goes with them; what has nothing to do with them stays.
    assert (places.data / aside.name / "seals.json").exists()
    assert (places.data / "digests.json").exists()


def test_what_was_moved_aside_is_not_backed_up_again(places: Places, file: Path) -> None:
    bring_back(file, places, replace=True)
    again = back_up(places, file.parent)
    assert not any(".before-restore" in entry.path for entry in again.manifest.entries)


def test_an_empty_folder_of_a_fresh_clone_is_no_data(places: Places, file: Path) -> None:
    wipe(places)
    put(places.output / ".gitkeep", b"")
    done = bring_back(file, places)
    assert done.aside == ()
    assert (places.output / ".gitkeep").exists()


def test_one_episode_comes_back_alone(places: Places, file: Path) -> None:
    before = seen(places)
    shutil.rmtree(places.output / "moon")
    put(places.input / "moon.md", b"newer")
    done = bring_back(file, places, only=("output/moon",))
    assert done.files == len(EPISODE) + 1
    assert seen(places) == before | {"input/moon.md": (b"newer", 0o644)}
    with pytest.raises(InputError, match="there is data already: moon"):
        bring_back(file, places, only=("output/moon/",))


@pytest.mark.parametrize(("part", "why"), [("output/sun", "holds no"), ("output/moon/audio.mp3", "too deep")])
def test_a_part_that_cannot_be_restored_is_told(places: Places, file: Path, part: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        bring_back(file, places, only=(part,), replace=True)


def test_names_that_one_disk_takes_for_one_are_refused_there(places: Places, file: Path) -> None:
    wipe(places)
    with pytest.raises(InputError, match=r"'input/Case.txt' and 'input/case.txt'"):
        bring_back(file, places, folds_case=Path.is_absolute)
    assert not places.input.exists()


def test_links_in_the_way_are_moved_and_not_followed(places: Places, file: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside / "script.md", b"untouched")
    shutil.rmtree(places.output / "moon")
    (places.output / "moon").symlink_to(outside)
    bring_back(file, places, replace=True)
    assert {path.name for path in outside.iterdir()} == {"script.md"}
    assert (outside / "script.md").read_bytes() == b"untouched"
    assert not (places.output / "moon").is_symlink()


def test_without_an_interrupted_restore_there_is_nothing_to_finish(places: Places) -> None:
    assert finish_interrupted(places) is None


def test_a_journal_that_cannot_be_read_is_left_to_a_person(places: Places, file: Path) -> None:
    put(places.data / JOURNAL, b'{"format": 99}')
    with pytest.raises(StoreError, match="its journal cannot be understood"):
        bring_back(file, places, replace=True)


# -- damage ------------------------------------------------------------------------------------------------------


def refused(file: Path, places: Places) -> BadBackup:
    """Why a backup is refused; checks that nothing at all was written."""
    before = sorted(places.project.rglob("*")) if places.project.exists() else []
    with pytest.raises(BadBackup) as caught:
        bring_back(file, places, replace=True)
    assert (sorted(places.project.rglob("*")) if places.project.exists() else []) == before
    return caught.value


def test_each_of_a_hundred_flipped_bits_is_found_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    whole = file.read_bytes()
    with open_backup(file) as backup:
        first_payload = len(header(backup.manifest.entries[0]))
    # Every part of the file has its share: anywhere, headers, small files and their padding, manifest and seal, end.
    tail = len(whole) - 12 * BLOCK
    places_to_hit = [
        *(rng.randrange(len(whole)) for _ in range(40)),
        *(rng.randrange(first_payload) for _ in range(10)),
        *(rng.randrange(20 * BLOCK) for _ in range(20)),
        *(rng.randrange(tail, len(whole)) for _ in range(20)),
        *(len(whole) - 1 - rng.randrange(4 * BLOCK) for _ in range(10)),
    ]
    assert len(places_to_hit) == FLIPS
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(whole)
    with damaged.open("r+b") as opened:
        for place in places_to_hit:
            opened.seek(place)
            opened.write(bytes([whole[place] ^ 1 << rng.randrange(8)]))
            opened.flush()
            refused(damaged, places_of(tmp_path / "target"))
            opened.seek(place)
            opened.write(whole[place : place + 1])
    assert bring_back(damaged, places_of(tmp_path / "target")).files > 0


@pytest.mark.parametrize("where", [0, 1, 511, 512, 1 << 20, -1, -512, -1024, -2048, -5000])
def test_a_backup_that_is_cut_off_is_refused(file: Path, tmp_path: Path, where: int) -> None:
    cut = tmp_path / "cut.tar"
    cut.write_bytes(file.read_bytes()[:where])
    assert "cut off" in refused(cut, places_of(tmp_path / "target")).what


def test_bytes_after_the_end_are_refused(file: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.tar"
    longer.write_bytes(file.read_bytes() + bytes(BLOCK))
    refused(longer, places_of(tmp_path / "target"))


def test_the_damaged_file_is_named(file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"My own words.")] ^= 1
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(data)
    assert "data/edits/moon.md is not what its manifest says" in refused(damaged, places_of(tmp_path / "target")).what


# -- malice ------------------------------------------------------------------------------------------------------


def forged(path: Path, *entries: tuple[Entry, bytes], before: bytes | None = None) -> Path:
    """A backup that is sealed as it should be, whatever its entries are; `before` stands in place of their members."""
    members = b"".join(header(entry) + data + padding(len(data)) for entry, data in entries)
    manifest = Manifest(0, "1.0", ("input",), tuple(entry for entry, _ in entries))
    with path.open("w+b") as file:
        file.write(members if before is None else before)
        Writing(file, path).close(manifest)
    return path


def entry(path: str, data: bytes = b"evil", *, mode: int = 0o644) -> tuple[Entry, bytes]:
    return Entry(path, len(data), mode, 0, hashlib.sha256(data).hexdigest()), data


def member(kind: bytes, name: str = "input/x", link: str = "/etc/passwd", mode: int = 0o644) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info.tobuf(tarfile.PAX_FORMAT)


HOSTILE_NAMES = [
    "../evil", "input/../../evil", "/etc/evil", "input/a\nb", "input/a\0b", "input//evil", "input/.", "evil",
    "data/voices/evil.onnx", "data/restore.json", "project/Makefile", "input/.restore-0123456789abcdef/evil",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_name_that_leads_anywhere_else_is_refused(tmp_path: Path, name: str) -> None:
    error = refused(forged(tmp_path / "forged.tar", entry("input/good"), entry(name)), places_of(tmp_path / "target"))
    assert repr(name) in error.what


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["input/a", "input/a"], "one name, twice"),
        (["input/a", "input/a/b"], "a file where a folder must be"),
    ],
)
def test_names_that_clash_are_refused(tmp_path: Path, names: list[str], why: str) -> None:
    file = forged(tmp_path / "forged.tar", *map(entry, names))
    assert why in refused(file, places_of(tmp_path / "target")).what


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (member(tarfile.SYMTYPE), "a symbolic link named 'input/x'"),
        (member(tarfile.LNKTYPE), "a hard link named 'input/x'"),
        (member(tarfile.CHRTYPE), "a character device named 'input/x'"),
        (member(tarfile.BLKTYPE), "a block device named 'input/x'"),
        (member(tarfile.FIFOTYPE), "a named pipe named 'input/x'"),
        (member(tarfile.DIRTYPE), "a folder named"),
        (member(tarfile.GNUTYPE_SPARSE), "a sparse file named 'input/x'"),
        (member(tarfile.XGLTYPE), "a global header named 'input/x'"),
        (member(tarfile.GNUTYPE_LONGNAME), "a GNU long name named 'input/x'"),
        (member(tarfile.REGTYPE, mode=0o4755), "setuid"),
        (member(tarfile.REGTYPE, name="input/other"), "a file named 'input/other'"),
        (bytes(BLOCK), "an empty block"),
        (b"\xff" * BLOCK, "damaged bytes"),
    ],
)
def test_a_member_of_another_kind_than_its_manifest_says_is_refused(tmp_path: Path, block: bytes, what: str) -> None:
    true, data = entry("input/x")
    file = forged(tmp_path / "forged.tar", (true, data), before=block + data + padding(len(data)))
    assert what in refused(file, places_of(tmp_path / "target")).what


def test_a_pax_header_that_renames_a_file_is_refused(tmp_path: Path) -> None:
    true, data = entry("input/" + "x" * 200)
    lying = header(dataclasses.replace(true, path="input/" + "y" * 200))
    file = forged(tmp_path / "forged.tar", (true, data), before=lying + data + padding(len(data)))
    assert "an extended header" in refused(file, places_of(tmp_path / "target")).what


@pytest.mark.parametrize("size", [0, 3, 5, 1 << 40])
def test_a_size_that_is_a_lie_is_refused(tmp_path: Path, size: int) -> None:
    true, data = entry("input/x")
    lie = dataclasses.replace(true, bytes=size)
    file = forged(tmp_path / "forged.tar", (lie, data), before=header(true) + data + padding(len(data)))
    refused(file, places_of(tmp_path / "target"))


def test_what_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    good, evil = entry("input/good"), entry("input/evil")
    members = b"".join(header(one) + data + padding(len(data)) for one, data in (good, evil))
    assert (
        "its manifest names"
        in refused(forged(tmp_path / "forged.tar", good, before=members), places_of(tmp_path / "target")).what
    )


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", bytes(10240), b"x" * 5120, END], ids=["empty", "zip", "zeros", "text", "no members"]
)
def test_what_is_no_backup_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file.tar").write_bytes(data)
    assert "it is no backup" in refused(tmp_path / "file.tar", places_of(tmp_path / "target")).what


def test_another_tar_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar", "w") as other:
        other.add(__file__, "input/evil.md")
    assert "it is no backup" in refused(tmp_path / "other.tar", places_of(tmp_path / "target")).what


def test_a_backup_of_a_newer_version_is_refused_clearly(file: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.tar"
    newer.write_bytes(file.read_bytes().replace(f"{FORMAT}1".encode(), f"{FORMAT}2".encode()))
    error = refused(newer, places_of(tmp_path / "target"))
    assert "made by a newer version" in error.what
    assert "Update" in error.hint


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(StoreError):
            bring_back(path, places_of(tmp_path / "target"))


# -- retention ---------------------------------------------------------------------------------------------------


def several(places: Places, into: Path, count: int) -> list[Path]:
    """Oldest first."""
    return [back_up(places, into, now=NOW + timedelta(days=day)).path for day in range(count)]


def test_the_newest_few_stay(places: Places, tmp_path: Path) -> None:
    made = several(places, tmp_path / "backups", 5)
    kept = keep(tmp_path / "backups", 2, progress=unmetered)
    assert list(kept.kept) == made[:2:-1]
    assert set(kept.removed) == set(made[:3])
    assert sorted((tmp_path / "backups").glob("*.tar")) == made[3:]


def test_the_one_just_made_stays_though_the_clock_went_back(places: Places, tmp_path: Path) -> None:
    several(places, tmp_path / "backups", 2)
    made = back_up(places, tmp_path / "backups", now=NOW - timedelta(days=9)).path
    assert keep(tmp_path / "backups", 1, just_made=made, progress=unmetered).kept == (made,)


def test_of_two_in_one_second_the_later_stays(places: Places, tmp_path: Path) -> None:
    first, second = back_up(places, tmp_path / "backups").path, back_up(places, tmp_path / "backups").path
    kept = keep(tmp_path / "backups", 1, progress=unmetered)
    assert (kept.kept, kept.removed) == ((second,), (first,))


def test_a_name_says_nothing_and_the_content_all(places: Places, tmp_path: Path) -> None:
    made = several(places, tmp_path / "backups", 3)
    theirs = tmp_path / "backups" / "pipeline-20200101T000000Z.tar"
    theirs.write_bytes(b"my holiday pictures")
    link = tmp_path / "backups" / "pipeline-20200102T000000Z.tar"
    link.symlink_to(made[0])
    renamed = made[0].rename(tmp_path / "backups" / "before the move.tar")
    kept = keep(tmp_path / "backups", 1, progress=unmetered)
    assert set(kept.removed) == {renamed, made[1]}
    assert theirs.read_bytes() == b"my holiday pictures"
    assert link.is_symlink()


def damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"My own words.")] ^= 1
    file.write_bytes(data)


def test_the_last_whole_backup_stays_however_old_it_is(places: Places, tmp_path: Path) -> None:
    made = several(places, tmp_path / "backups", 4)
    for file in made[2:]:
        damage(file)
    kept = keep(tmp_path / "backups", 1, progress=unmetered)
    assert kept.removed == (made[0],)
    assert made[1] in kept.kept
    assert {path for path, _ in kept.damaged} == set(made[2:])


def test_where_none_is_whole_none_goes(places: Places, tmp_path: Path) -> None:
    made = several(places, tmp_path / "backups", 3)
    for file in made:
        damage(file)
    assert keep(tmp_path / "backups", 1, progress=unmetered).removed == ()
    assert all(file.exists() for file in made)
