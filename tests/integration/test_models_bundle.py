"""Bundles: the same models come out as went in, and nothing comes out of an archive that is not ours to the byte."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, Interrupted, StoreError
from pipeline.models.bundle import FORMAT, export, import_
from pipeline.models.fetching import Wanted, fetch
from pipeline.models.installation import Installation
from pipeline.models.keeping import holdings
from tests.fakes.file_server import Site, serving
from tests.fakes.installations import (
    CHECKPOINT,
    COMMIT,
    FILES,
    JOE,
    TURBO,
    Watched,
    installation,
    locked_voice,
    put_repository,
    put_voices,
    seen,
    sha256,
)

EVERYTHING = {f"voices/{name}": content for name, content in FILES.items()} | {
    f"checkpoints/{TURBO}/{path}": content for path, content in CHECKPOINT.items()
}


def quiet(*_: object) -> None:
    """Told, and says nothing."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A voice and a checkpoint, installed."""
    with serving(Site()) as site:
        put_voices(site, {JOE: FILES})
        put_repository(site, TURBO, CHECKPOINT)
        here = installation(tmp_path_factory.mktemp("full"), site)
        assert fetch(here, [Wanted(JOE, "voice"), Wanted(TURBO, "checkpoint", COMMIT)], Watched())
    return here


@pytest.fixture(scope="module")
def bundle(full: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "models.tar"
    export(full, [], path, ["gemma3:4b"], quiet)
    return path


def test_what_goes_in_comes_out_and_needs_no_network_afterwards(bundle: Path, tmp_path: Path) -> None:
    there = installation(tmp_path)
    contents = import_(there, bundle, quiet)

    assert seen(tmp_path) == EVERYTHING
    assert contents.left_out == ("gemma3:4b",)
    assert [(one.model.name, one.state, one.origin) for one in holdings(there)] == [
        (JOE, "here", "the bundle models.tar"),
        (TURBO, "here", "the bundle models.tar"),
    ]
    watched = Watched()
    assert fetch(there, [Wanted(JOE, "voice"), Wanted(TURBO, "checkpoint", COMMIT)], watched)
    assert set(watched.ends.values()) == {"here already"}
    assert not list(tmp_path.rglob(".fetching/*"))


def test_any_tar_reads_it_and_finds_the_manifest_first(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
    assert names[:2] == ["manifest.json", "manifest.json.sha256"]
    assert sorted(names[2:]) == sorted(EVERYTHING)
    assert manifest["not_included"] == ["gemma3:4b"]
    assert {file["sha256"] for file in manifest["models"][JOE]["files"]} == set(map(sha256, FILES.values()))


def test_the_same_models_make_the_same_bundle(full: Installation, bundle: Path, tmp_path: Path) -> None:
    export(full, [], tmp_path / "again.tar", ["gemma3:4b"], quiet)
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()


def test_one_model_alone_can_be_carried(full: Installation, tmp_path: Path) -> None:
    export(full, [JOE], tmp_path / "joe.tar", [], quiet)
    import_(installation(tmp_path / "there"), tmp_path / "joe.tar", quiet)
    assert seen(tmp_path / "there") == {name: content for name, content in EVERYTHING.items() if "voices" in name}


def test_what_is_damaged_is_not_carried(bundle: Path, tmp_path: Path) -> None:
    here = installation(tmp_path)
    import_(here, bundle, quiet)
    (here.places.voices / f"{JOE}.onnx").write_bytes(FILES[f"{JOE}.onnx"][::-1])
    with pytest.raises(InputError, match="not as it was recorded"):
        export(here, [], tmp_path / "out" / "models.tar", [], quiet)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bundle_is_never_written_over_a_file(full: Installation, bundle: Path) -> None:
    with pytest.raises(InputError, match="already"):
        export(full, [], bundle, [], quiet)


def test_a_model_that_is_not_here_is_not_exported(full: Installation, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="klingon is not here"):
        export(full, ["klingon"], tmp_path / "models.tar", [], quiet)


def test_no_room_is_said_before_anything_is_written(full: Installation, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="are needed"):
        export(replace(full, free=lambda _: 16 << 20), [], tmp_path / "models.tar", [], quiet)
    with pytest.raises(StoreError, match="are needed"):
        import_(installation(tmp_path, free=lambda _: 16 << 20), bundle, quiet)
    assert seen(tmp_path) == {}


def test_stopping_leaves_nothing_half_done(full: Installation, bundle: Path, tmp_path: Path) -> None:
    there = installation(tmp_path)

    def stop_soon(*_: object) -> None:
        there.stop.set()

    with pytest.raises(Interrupted):
        import_(there, bundle, stop_soon)
    with pytest.raises(Interrupted):
        export(replace(full, stop=there.stop), [], tmp_path / "models.tar", [], quiet)
    assert seen(tmp_path) == {}


def test_a_model_that_the_lock_names_must_be_the_one_it_names(bundle: Path, tmp_path: Path) -> None:
    same = installation(tmp_path / "same", None, locked_voice(url="https://example.org"))
    import_(same, bundle, quiet)
    changed = FILES | {f"{JOE}.onnx": FILES[f"{JOE}.onnx"][::-1]}
    other = installation(tmp_path / "other", None, locked_voice(url="https://example.org", files=changed))
    with pytest.raises(InputError, match="another than the lock file names"):
        import_(other, bundle, quiet)
    assert seen(tmp_path / "other") == {}


def test_one_flipped_bit_anywhere_is_found_before_anything_is_in_place(bundle: Path, tmp_path: Path) -> None:
    good = bundle.read_bytes()
    drawn = random.Random(100)
    for number in range(100):
        bad = bytearray(good)
        # Every second one in the first blocks, where the manifest and its seal are.
        bad[drawn.randrange(len(good) if number % 2 else 5000)] ^= 1 << drawn.randrange(8)
        there = installation(tmp_path / str(number))
        flipped = tmp_path / f"{number}.tar"
        flipped.write_bytes(bad)
        with pytest.raises(InputError):
            import_(there, flipped, quiet)
        assert seen(tmp_path / str(number)) == {}
        flipped.unlink()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_bundle_that_is_cut_off_is_refused(share: float, bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut off|no bundle"):
        import_(installation(tmp_path / "there"), tmp_path / "cut.tar", quiet)
    assert seen(tmp_path / "there") == {}


# -- archives that somebody else made ----------------------------------------------------------------------------


def hostile(path: Path, manifest: dict[str, Any] | str, members: list[tarfile.TarInfo | tuple[str, bytes]]) -> Path:
    """A tar archive with a manifest and these members."""
    text = (manifest if isinstance(manifest, str) else json.dumps(manifest)).encode()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        seal = f"{sha256(text)}\n".encode()
        for member in [("manifest.json", text), ("manifest.json.sha256", seal), *members]:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            about = tarfile.TarInfo(member[0])
            about.size = len(member[1])
            archive.addfile(about, io.BytesIO(member[1]))
    with path.open("r+b") as file:  # tarfile fills up to its own record's length; ours ends after two blocks
        file.truncate(len(path.read_bytes().rstrip(b"\0")) // 512 * 512 + 512 + 1024)
    return path


def manifest_of(*files: tuple[str, bytes], name: str = JOE, kind: str = "voice") -> dict[str, Any]:
    entries = [{"path": path, "bytes": len(content), "sha256": sha256(content)} for path, content in files]
    return {"format": FORMAT, "not_included": [], "models": {name: {"kind": kind, "licence": "", "files": entries}}}


ONE = (f"{JOE}.onnx", b"weights")
MEMBER = (f"voices/{JOE}.onnx", b"weights")


def test_an_archive_made_by_another_program_to_the_same_form_is_taken(tmp_path: Path) -> None:
    there = installation(tmp_path / "there")
    import_(there, hostile(tmp_path / "a.tar", manifest_of(ONE), [MEMBER]), quiet)
    assert seen(tmp_path / "there") == {f"voices/{JOE}.onnx": b"weights"}


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (manifest_of(("../../evil.onnx", b"x")), "is no file of"),
        (manifest_of(("/etc/passwd", b"x")), "is no file of"),
        (manifest_of(("unet/../../x.json", b"x"), name=TURBO, kind="checkpoint"), "is no file of"),
        (manifest_of(("run.py", b"x"), name=TURBO, kind="checkpoint"), "is no file of"),
        (manifest_of(ONE, name="../evil"), "is no name of"),
        (manifest_of(ONE, name="a/../b", kind="checkpoint"), "is no name of"),
        (manifest_of(ONE, ONE), "twice"),
        (manifest_of(("a.json", b"x"), ("A.json", b"x"), name=TURBO, kind="checkpoint"), "twice"),
        (manifest_of(ONE) | {"format": "another/1"}, "its format is"),
        ({"files": []}, "not one of a bundle"),
        ("no JSON", "cannot be used"),
        ("[" * 100_000, "cannot be used"),
        ('{"format": "a", "format": "b"}', "twice"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused_by_name(
    manifest: dict[str, Any] | str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=fault):
        import_(installation(tmp_path / "there"), hostile(tmp_path / "a.tar", manifest, [MEMBER]), quiet)
    assert seen(tmp_path / "there") == {}


def of_kind(kind: bytes, **about: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(MEMBER[0])
    member.type = kind
    for name, value in about.items():
        setattr(member, name, value)
    return member


def huge(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["models"][JOE]["files"][0]["bytes"] = 1 << 35
    return manifest


@pytest.mark.parametrize(
    ("manifest", "members", "fault"),
    [
        (manifest_of(ONE), [of_kind(tarfile.SYMTYPE, linkname="/etc/passwd")], "symbolic link|cut off"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.SYMTYPE, linkname="/etc/passwd")], "a symbolic link named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.LNKTYPE, linkname="manifest.json")], "a hard link named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.CHRTYPE, devmajor=1)], "a character device named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.BLKTYPE, devmajor=8)], "a block device named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.FIFOTYPE)], "a named pipe named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.DIRTYPE)], "a folder named"),
        (manifest_of((ONE[0], b"")), [of_kind(tarfile.REGTYPE, mode=0o4755)], "a file named"),
        (manifest_of(ONE), [("voices/../../evil.onnx", b"weights")], r"a file named 'voices/\.\./\.\./evil"),
        (manifest_of(ONE), [("/etc/cron.d/evil", b"weights")], "a file named '/etc/cron.d/evil'"),
        (manifest_of(ONE), [MEMBER, ("voices/more.onnx", b"x")], "more in it than its manifest names"),
        (manifest_of(ONE), [MEMBER, MEMBER], "more in it than its manifest names"),
        (manifest_of(ONE), [(MEMBER[0], b"WEIGHTS")], "is damaged"),
        (manifest_of(ONE), [], "cut off"),
        (huge(manifest_of(ONE)), [MEMBER], "cut off"),
    ],
)
def test_a_member_that_is_not_ours_is_refused_by_name(
    manifest: dict[str, Any], members: list[tarfile.TarInfo | tuple[str, bytes]], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=fault):
        import_(installation(tmp_path / "there"), hostile(tmp_path / "a.tar", manifest, members), quiet)
    assert seen(tmp_path / "there") == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" * 5000),
        lambda path: path.write_bytes(bytes(5000)),
        lambda path: tarfile.open(path, "w").close(),
        lambda path: hostile(path, "{}", []),
    ],
    ids=["empty", "text", "zeros", "an empty tar", "an empty manifest"],
)
def test_what_is_no_bundle_is_said_to_be_none(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(InputError):
        import_(installation(tmp_path / "there"), tmp_path / "a.tar", quiet)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        import_(installation(tmp_path), tmp_path / "a.tar", quiet)
