"""An episode's folder: whole or untouched, never a person's script overwritten, every wrong byte found."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.recipe import Rule, Step
from pipeline.build.store import Damaged, Store
from pipeline.errors import InputError, StoreError
from pipeline.stages.publish import (
    MANIFEST,
    Edition,
    Look,
    Piece,
    digest_on_disk,
    is_one_bit_off,
    look_at,
    publish,
    read_manifest,
    stale,
    strangers,
    verify,
    withdrawn,
)

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


# -- what an edition says of itself ------------------------------------------------------------------------------


def test_an_edition_lists_each_file_with_its_length_its_digest_and_what_it_came_from(store: Store) -> None:
    one = replace(edition(store, audio_mp3=b"sound"), fixed={"script.md": b"mine"})
    made = one.pieces["audio.mp3"].artifact
    assert list(one.entries) == ["audio.mp3", "script.md"]
    assert one.entries["script.md"] == {"bytes": 4, "sha256": hashlib.sha256(b"mine").hexdigest()}
    assert one.entries["audio.mp3"] == {
        "bytes": 5,
        "sha256": hashlib.sha256(b"sound").hexdigest(),
        "key": made.key,
        "made_at": made.made_at,
    }
    assert json.loads(one.manifest)["made_at"] == made.made_at
    assert [b"".join(one.read(name)) for name in one.entries] == [b"sound", b"mine"]


def test_an_edition_is_as_old_as_the_youngest_thing_in_it(store: Store) -> None:
    one = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    pieces = {
        name: replace(piece, artifact=replace(piece.artifact, made_at=made_at))  # type: ignore[type-var]  # a dataclass
        for (name, piece), made_at in zip(
            one.pieces.items(), ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), strict=True
        )
    }
    assert json.loads(replace(one, pieces=pieces).manifest)["made_at"] == "2026-01-02T00:00:00Z"


# -- what is left alone ------------------------------------------------------------------------------------------


def of(identity: str | None, one: Edition) -> Edition:
    facts: Mapping[str, object] = {"title": "Moon"} if identity is None else {"title": "Moon", "identity": identity}
    return replace(one, about=lambda: facts)


@pytest.mark.parametrize(
    ("before", "now", "fits"),
    [("moon", "moon", True), (None, "moon", True), ("moon", "sun", False), ("moon", None, False)],
)
def test_the_folder_of_another_episode_is_left_as_it_is(
    store: Store, folder: Path, before: str | None, now: str | None, fits: bool
) -> None:
    first, second = edition(store, audio_mp3=b"one"), edition(store, audio_mp3=b"two")
    publish(of(before, first), folder, ours=())
    if fits:
        assert publish(of(now, second), folder, ours=()).folder == folder
    else:
        with pytest.raises(InputError, match="the folder moon belongs to the episode of moon"):
            publish(of(now, second), folder, ours=())
    assert (folder / "audio.mp3").read_bytes() == (b"two" if fits else b"one")


def test_an_edit_that_is_saved_while_the_files_are_being_written_is_kept(store: Store, folder: Path) -> None:
    first, second = edition(store, script_md=b"one"), edition(store, script_md=b"two")
    publish(first, folder, ours=ours(first))

    def about() -> Mapping[str, object]:
        if any(path.name.startswith(".part") for path in folder.iterdir()):
            (folder / "script.md").write_text("mine")
        return {"title": "Moon"}

    with pytest.raises(InputError, match="edited while"):
        publish(replace(second, about=about), folder, ours=ours(first, second))
    assert (folder / "script.md").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "script.md"], "nothing half-written is left"


def test_what_gets_in_the_way_meanwhile_is_named_and_the_manifest_stays_as_it_was(store: Store, folder: Path) -> None:
    first, second = edition(store, script_md=b"one"), edition(store, script_md=b"one", audio_mp3=b"sound")
    publish(first, folder, ours=ours(first))
    before = (folder / MANIFEST).read_bytes()

    def about() -> Mapping[str, object]:
        if any(path.name.startswith(".part") for path in folder.iterdir()):
            (folder / "audio.mp3").mkdir(exist_ok=True)
        return {"title": "Moon"}

    with pytest.raises(StoreError, match=r"audio\.mp3"):
        publish(replace(second, about=about), folder, ours=ours(first))
    assert (folder / MANIFEST).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["audio.mp3", MANIFEST, "script.md"]


def test_an_edited_script_stays_where_its_episode_has_none_of_ours_any_more(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon", audio_mp3=b"sound")
    publish(first, folder, ours=ours(first))
    without = edition(store, audio_mp3=b"sound")
    assert withdrawn(without, folder) == ()
    publish(without, folder, ours=())
    assert (folder / "script.md").read_bytes() == b"# Moon"


def test_a_script_that_is_a_link_to_what_it_should_be_is_left_a_link(store: Store, folder: Path) -> None:
    first = edition(store, script_md=b"# Moon")
    publish(first, folder, ours=ours(first))
    (folder / "script.md").rename(folder.parent / "kept.md")
    (folder / "script.md").symlink_to("../kept.md")
    assert stale(first, folder) == ()
    assert verify(folder) == ()


def _as_published_before(change: Callable[[dict[str, object]], object], folder: Path) -> None:
    """Change a manifest as one of an earlier version, which had no digest."""
    facts = json.loads((folder / MANIFEST).read_text())
    del facts["manifest_sha256"]
    change(facts)
    (folder / MANIFEST).write_text(json.dumps(facts))


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["files"].update({"audio.flac": "an entry that is none"}),
        lambda facts: (
            facts["files"].update({"../away": facts["files"]["audio.flac"]}) or facts["files"].pop("audio.flac")
        ),
        lambda facts: facts.update({"files": ["audio.flac"]}),
        lambda facts: facts.pop("files"),
        lambda facts: facts.update({"unheard_of": 1}),
    ],
    ids=["no entry", "elsewhere", "no table", "none", "changed since"],
)
def test_what_a_manifest_does_not_prove_to_be_ours_is_not_removed(
    store: Store, folder: Path, change: Callable[[dict[str, object]], object]
) -> None:
    publish(edition(store, audio_mp3=b"sound", audio_flac=b"flac"), folder, ours=())
    (folder.parent / "away").write_bytes(b"flac")
    _as_published_before(change, folder)
    fewer = edition(store, audio_mp3=b"sound")
    assert withdrawn(fewer, folder) == ()
    publish(fewer, folder, ours=())
    assert (folder / "audio.flac").read_bytes() == (folder.parent / "away").read_bytes() == b"flac"


def test_a_manifest_from_before_there_was_a_digest_still_says_what_goes(store: Store, folder: Path) -> None:
    publish(edition(store, audio_mp3=b"sound", audio_flac=b"flac"), folder, ours=())
    _as_published_before(lambda _: None, folder)
    publish(edition(store, audio_mp3=b"sound"), folder, ours=())
    assert sorted(path.name for path in folder.iterdir()) == ["audio.mp3", MANIFEST]


# -- the order ---------------------------------------------------------------------------------------------------


def test_the_script_comes_first_and_the_manifest_after_all_that_changes(tmp_path: Path) -> None:
    """As the interpreter's own audit tells it, in a process that ends with it."""
    code = """
import sys
from pathlib import Path
from pipeline.stages.publish import Edition, publish
folder, seen = Path(sys.argv[1]), []

def tell(event, arguments):
    if event in {"os.rename", "os.remove"}:
        seen.append(f"{event} {Path(arguments[1 if event == 'os.rename' else 0]).name}")

def edition(**files):
    fixed = {name.replace("_", "."): text.encode() for name, text in files.items()}
    return Edition("moon", {}, about=lambda: {"title": "Moon"}, fixed=fixed)

first = edition(script_md="one", audio_mp3="one", audio_flac="one", captions_srt="one")
publish(first, folder, ours=())
sys.addaudithook(tell)
second = edition(script_md="two", audio_mp3="two", captions_srt="one")
publish(second, folder, ours={first.entries["script.md"]["sha256"]})
print(*seen, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "os.rename script.md",
        "os.rename audio.mp3",
        "os.remove audio.flac",
        f"os.rename {MANIFEST}",
    ]


# -- what is seen in a folder ------------------------------------------------------------------------------------


def test_files_of_the_names_that_an_episode_has_are_strangers_in_a_folder_of_nobody_s(folder: Path) -> None:
    assert strangers(folder) == ()
    folder.mkdir(parents=True)
    for name in ("video-tall.mp4", "audio.mp3", "cover.png", "script.md", "notes.txt", "my.mp4"):
        (folder / name).touch()
    assert strangers(folder) == ("audio.mp3", "cover.png", "video-tall.mp4")


def test_what_a_manifest_says_is_read_where_it_can_be(store: Store, folder: Path) -> None:
    assert read_manifest(folder) == {}
    publish(edition(store, audio_mp3=b"sound"), folder, ours=())
    assert read_manifest(folder)["title"] == "Moon"
    (folder / MANIFEST).write_text("{")
    assert read_manifest(folder) == {}


def test_a_look_tells_how_many_files_there_are_and_what_is_nobody_s(store: Store, folder: Path) -> None:
    publish(edition(store, audio_mp3=b"sound", captions_srt=b"words"), folder, ours=())
    assert look_at(folder) == Look(2, ())
    (folder / "notes.txt").touch()
    (folder / "abc.txt").touch()
    (folder / ".DS_Store").touch()
    strange = ("abc.txt is none of the episode's files", "notes.txt is none of the episode's files")
    assert look_at(folder) == Look(2, (), strange)
    (folder / "audio.mp3").unlink()
    assert look_at(folder).faults == ("audio.mp3 is missing",)
    assert look_at(folder, but=("audio.mp3",)).faults == ()


OTHER_VERSION = "manifest.json cannot be read: it is damaged, or of another version"


@pytest.mark.parametrize(
    ("format_", "files"),
    [
        ("media-pipeline/manifest/2", {"audio.mp3": {}}),
        (None, {"audio.mp3": {}}),
        ("media-pipeline/manifest/1", {}),
        ("media-pipeline/manifest/1", ["audio.mp3"]),
        ("media-pipeline/manifest/1", None),
    ],
)
def test_a_manifest_without_its_format_or_its_files_says_nothing(
    folder: Path, format_: str | None, files: object
) -> None:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"format": format_, "files": files}))
    assert look_at(folder) == Look(0, (OTHER_VERSION,))


@pytest.mark.parametrize("name", [MANIFEST, "."])
def test_of_what_is_behind_a_link_nothing_is_counted(store: Store, folder: Path, name: str) -> None:
    publish(edition(store, audio_mp3=b"sound"), folder, ours=())
    link = folder / name if name == MANIFEST else folder
    link.rename(folder.parent / "away")
    link.symlink_to(folder.parent / "away")
    assert look_at(folder).files == 0
    assert len(look_at(folder).faults) == 1


NOT_THE_LAST = "manifest.json is not the one that was published last"
NO_DIGEST = "manifest.json has no digest of its own (an earlier version wrote it): what it says is not proven"


@pytest.mark.parametrize(
    ("change", "known", "faults", "remarks"),
    [
        ("none", "nothing", (), ()),
        ("none", "it", (), ()),
        ("none", "another", (f"{NOT_THE_LAST}, although its own digest fits",), ()),
        ("no digest", "nothing", (), (NO_DIGEST,)),
        ("no digest", "it", (), ()),
        ("no digest", "another", (NOT_THE_LAST,), ()),
        ("changed", "nothing", ("manifest.json was changed after it was published: its own digest does not fit",), ()),
        ("changed", "another", ("manifest.json was changed after it was published: its own digest does not fit",), ()),
    ],
)
def test_a_manifest_is_held_against_its_digest_and_against_what_was_published(
    store: Store, folder: Path, change: str, known: str, faults: tuple[str, ...], remarks: tuple[str, ...]
) -> None:
    publish(edition(store, audio_mp3=b"sound"), folder, ours=())
    if change == "no digest":
        _as_published_before(lambda _: None, folder)
    elif change == "changed":
        (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace("Moon", "Mood"))
    found = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    published = {"nothing": set[str](), "it": {found, "0" * 64}, "another": {"0" * 64}}[known]
    assert look_at(folder, published=published) == Look(1, faults, remarks)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_elsewhere_is_a_fault(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    facts = {"format": "media-pipeline/manifest/1", "files": {name: {}}}
    (folder / MANIFEST).write_text(json.dumps(facts))
    assert verify(folder) == (f"manifest.json names {name!r}, which is no name of a file here",)


@pytest.mark.parametrize(
    ("found", "kept", "is_off"),
    [(b"moon", b"moon", False), (b"moon", b"moom", False), (b"moon", b"moof", True), (b"moon", b"mooo", True),
     (b"moon", b"moons", False), (b"", b"", False), (b"\x00", b"\x80", True), (b"\x00", b"\x81", False)],
)  # fmt: skip
def test_one_bit_is_told_from_an_edit(found: bytes, kept: bytes, is_off: bool) -> None:
    assert is_one_bit_off(found, kept) is is_off
