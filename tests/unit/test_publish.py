"""An episode's folder: whole or untouched, never a person's script overwritten, every wrong byte found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.build.recipe import Rule, Step
from pipeline.build.store import Damaged, Store
from pipeline.errors import InputError
from pipeline.stages.publish import MANIFEST, Edition, Piece, digest_on_disk, publish, stale, verify, withdrawn

RULE = Rule("test", 1, "cpu")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "output" / "moon"


def edition(store: Store, **files: bytes) -> Edition:
    pieces = {}
    for name, data in files.items():
        step = Step(RULE, name, {"data": data.hex()}, lambda data=data: {"it": data})  # type: ignore[misc]
        pieces[name.replace("_", ".")] = Piece(store.make(step), "it")
    return Edition("moon", pieces, about=lambda: {"title": "Moon"})


def ours(*editions: Edition) -> set[str]:
    return {str(e.entries["script.md"]["sha256"]) for e in editions}


def test_every_file_and_the_manifest_appear(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    names = publish(first, folder, ours=ours(first)).files

    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert (folder / "audio.mp3").read_bytes() == b"sound"
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["files"]["audio.mp3"]["bytes"] == 5
    assert manifest["files"]["audio.mp3"]["sha256"] == digest_on_disk(folder / "audio.mp3")
    assert verify(folder) == ()


def test_publishing_again_touches_nothing(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    publish(first, folder, ours=ours(first))
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert stale(first, folder) == ()
    publish(first, folder, ours=ours(first))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_only_what_changed_is_written(store: Store, folder: Path) -> None:
    first, second = (edition(store, script_md=b"# Moon", audio_mp3=sound) for sound in (b"old", b"new"))
    publish(first, folder, ours=ours(first))
    script = (folder / "script.md").stat().st_ino
    assert stale(second, folder) == ("audio.mp3", MANIFEST)
    assert publish(second, folder, ours=ours(first)).written == ("audio.mp3", MANIFEST)
    assert (folder / "audio.mp3").read_bytes() == b"new"
    assert (folder / "script.md").stat().st_ino == script


def test_a_script_that_is_not_ours_is_never_overwritten(store: Store, folder: Path) -> None:
    first, second = edition(store, script_md=b"one"), edition(store, script_md=b"two")
    publish(first, folder, ours=ours(first))
    (folder / "script.md").write_text("mine")
    with pytest.raises(InputError, match="edited while"):
        publish(second, folder, ours=ours(first, second))
    assert (folder / "script.md").read_text() == "mine"


def test_a_deleted_folder_is_published_again(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon")
    publish(first, folder, ours=ours(first))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    publish(first, folder, ours=ours(first))
    assert verify(folder) == ()


def test_what_is_no_longer_part_of_the_episode_goes_unless_someone_changed_it(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon", audio_flac=b"flac", notes_txt=b"notes")
    publish(first, folder, ours=ours(first))
    (folder / "notes.txt").write_text("my own notes now")
    (folder / "cover.png").write_text("a file of mine")
    publish(edition(store, script_md=b"# Moon"), folder, ours=ours(first))
    assert sorted(path.name for path in folder.iterdir()) == ["cover.png", MANIFEST, "notes.txt", "script.md"]


def test_what_publishing_would_remove_is_known_before(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon", audio_mp3=b"sound", video_mp4=b"film", audio_flac=b"more")
    publish(first, folder, ours=ours(first))
    (folder / "audio.flac").write_bytes(b"somebody's")
    fewer = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    assert withdrawn(fewer, folder) == ("video.mp4",)
    assert withdrawn(first, folder) == ()
    before = set(folder.iterdir())
    publish(fewer, folder, ours=ours(first))
    assert before - set(folder.iterdir()) == {folder / "video.mp4"}


@pytest.mark.parametrize("name", ["audio.mp3", MANIFEST])
def test_a_link_in_the_place_of_a_file_gives_way_and_what_it_leads_to_stays(
    store: Store, folder: Path, name: str, tmp_path: Path
) -> None:
    first = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    publish(first, folder, ours=ours(first))
    (folder / name).rename(tmp_path / "away")
    (folder / name).symlink_to(tmp_path / "away")
    assert publish(first, folder, ours=ours(first)).written == (name,)
    assert not (folder / name).is_symlink()
    assert (tmp_path / "away").read_bytes() == (folder / name).read_bytes()


def test_a_damaged_artifact_is_not_published(store: Store, folder: Path) -> None:
    first = edition(store, audio_mp3=b"sound")
    key = first.pieces["audio.mp3"].artifact.key
    stored = store.folder / key[:2] / key
    stored.write_bytes(stored.read_bytes()[:-1] + b"X")
    with pytest.raises(Damaged):
        publish(first, folder, ours=())
    assert not (folder / "audio.mp3").exists()
    assert not (folder / MANIFEST).exists()


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (lambda f: (f / "audio.mp3").unlink(), "audio.mp3 is missing"),
        (lambda f: (f / "audio.mp3").write_bytes(b"sounD"), "audio.mp3 is not what the manifest says"),
        (
            lambda f: (f / "audio.mp3").unlink() or (f / "audio.mp3").mkdir(),
            "audio.mp3 cannot be read: it is no plain file",
        ),
        (
            lambda f: (f / "audio.mp3").rename(f / ".away") and (f / "audio.mp3").symlink_to(".away"),
            "audio.mp3 is a link, and not the file itself",
        ),
        (
            lambda f: f.rename(f.with_name("away")) and f.symlink_to("away"),
            "its folder is a link, which is not followed; put the folder itself there",
        ),
        (
            lambda f: (f / MANIFEST).rename(f / ".away") and (f / MANIFEST).symlink_to(".away"),
            "manifest.json is a link, and not the file itself",
        ),
        (lambda f: (f / MANIFEST).unlink(), "manifest.json is missing"),
        (lambda f: (f / MANIFEST).write_text("{"), "manifest.json cannot be read: it is damaged"),
        (lambda f: (f / MANIFEST).write_text("[" * 100_000), "manifest.json cannot be read: it is damaged"),
        (lambda f: (f / MANIFEST).write_bytes(b"\xff\xfe{}"), "manifest.json cannot be read: it is damaged"),
        (
            lambda f: (f / MANIFEST).write_text("{}"),
            "manifest.json cannot be read: it is damaged, or of another version",
        ),
        (
            lambda f: (f / MANIFEST).unlink() or (f / MANIFEST).mkdir(),
            "manifest.json cannot be read: it is no plain file",
        ),
    ],
)
def test_verifying_finds_what_is_wrong(store: Store, folder: Path, harm, fault: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    publish(edition(store, audio_mp3=b"sound"), folder, ours=())
    harm(folder)
    assert verify(folder) == (fault,)


def test_every_flipped_bit_is_found(store: Store, folder: Path) -> None:
    publish(edition(store, audio_mp3=b"sound and nothing else"), folder, ours=())
    audio = folder / "audio.mp3"
    whole = audio.read_bytes()
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        audio.write_bytes(flipped)
        assert verify(folder) == ("audio.mp3 is not what the manifest says",)


def test_a_manifest_that_names_files_elsewhere_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (folder / MANIFEST).write_text(
        json.dumps({"format": "media-pipeline/manifest/1", "files": {"../../secret": {"sha256": "0"}}})
    )
    assert verify(folder) == ("manifest.json names '../../secret', which is no name of a file here",)


def test_what_a_killed_run_left_unfinished_goes_with_the_next_publishing(store: Store, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".part-1-abcd").write_bytes(b"half")
    names = publish(edition(store, script_md=b"# Moon"), folder, ours=()).files
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
