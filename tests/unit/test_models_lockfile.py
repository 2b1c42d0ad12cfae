"""The lock file: read with every fault named, written so that it can be read and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingsError
from pipeline.models.catalogue import Address, PackageFile, WheelMember
from pipeline.models.lockfile import FORMAT, read_lock, write_lock

ROOT = Path(__file__).parents[2]
NAME = "en_US-joe-medium"


def entry() -> dict[str, Any]:
    file = {"path": f"{NAME}.onnx", "bytes": 5, "sha256": "a" * 64, "sources": [{"url": "https://example.org/joe"}]}
    return {"kind": "voice", "licence": "CC0", "files": [file]}


def lock_of(path: Path, name: str, changed: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"format": FORMAT, "models": {name: changed}}))
    return path


def test_the_lock_file_that_is_shipped_names_the_default_voice_and_three_ways_to_it() -> None:
    (model,) = read_lock(ROOT / "config" / "models.lock").values()
    assert (model.name, model.licence, model.size) == (NAME, "CC0", 63_206_368)
    for file in model.files:
        assert [type(source) for source in file.sources] == [PackageFile, Address, WheelMember]


def test_what_is_read_is_written_the_same(tmp_path: Path) -> None:
    shipped = ROOT / "config" / "models.lock"
    write_lock(tmp_path / "models.lock", read_lock(shipped))
    assert (tmp_path / "models.lock").read_text() == shipped.read_text()


def test_without_a_lock_file_nothing_is_locked(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "models.lock") == {}


def file_with(**changed: object) -> Callable[[dict[str, Any]], None]:
    return lambda model: model["files"][0].update(changed)


def source(**about: object) -> Callable[[dict[str, Any]], None]:
    return lambda model: model["files"][0].update(sources=[about])


WHEEL = {"wheel": "https://example.org/a.whl", "bytes": 9, "sha256": "b" * 64, "member": "a"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda model: model.update(kind="engine"), "kind"),
        (lambda model: model.pop("files"), "files"),
        (lambda model: model.update(files=[]), "no files"),
        (lambda model: model.update(files=model["files"] * 2), "twice"),
        (lambda model: model.update(licence=5), "texts"),
        (lambda model: model.update(revision="../.."), "no revision"),
        (file_with(path="../evil.onnx"), "no file of"),
        (file_with(path="/etc/passwd"), "no file of"),
        (file_with(path="other.onnx"), "no file of"),
        (file_with(path=f"{NAME}.pt"), "no file of"),
        (file_with(bytes=-1), "cannot be"),
        (file_with(bytes=1 << 60), "cannot be"),
        (file_with(bytes=True), "cannot be"),
        (file_with(sha256="abc"), "no digest"),
        (file_with(sha256="A" * 64), "no digest"),
        (file_with(sources=[]), "without a source"),
        (source(url="ftp://example.org/x"), "no address"),
        (source(url="https://ann:secret@example.org/x"), "password"),
        (source(**WHEEL | {"sha256": "no"}), "no SHA-256"),
        (source(package="os.path", member="os/path"), "no name of a package"),
        (source(package="joe", member="../../etc/passwd"), "no file of joe"),
        (source(package="joe", member="jim/data"), "no file of joe"),
        (source(pigeon="post"), "a source is"),
    ],
)
def test_each_fault_is_named_and_nothing_is_taken_for_good(
    change: Callable[[dict[str, Any]], None], fault: str, tmp_path: Path
) -> None:
    model = entry()
    change(model)
    with pytest.raises(SettingsError, match=fault):
        read_lock(lock_of(tmp_path / "models.lock", NAME, model))


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("unet/diffusion_pytorch_model.safetensors", True),
        ("model_index.json", True),
        ("tokenizer/merges.txt", True),
        ("unet/model.bin", False),
        ("run.py", False),
        ("unet/../../x.json", False),
        ("./x.json", False),
        (".git/x.json", False),
        ("unet//x.json", False),
        ("unet\\x.json", False),
    ],
)
def test_a_checkpoint_has_weights_that_run_nothing_and_what_describes_them(
    path: str, good: bool, tmp_path: Path
) -> None:
    model = entry() | {"kind": "checkpoint"}
    model["files"][0]["path"] = path
    lock = lock_of(tmp_path / "models.lock", "stabilityai/sd-turbo", model)
    if good:
        assert read_lock(lock)["stabilityai/sd-turbo"].files[0].path == path
    else:
        with pytest.raises(SettingsError, match="no file of"):
            read_lock(lock)


@pytest.mark.parametrize("name", ["../evil", "a/b/c", "", "en/../x", "joe#2"])
def test_a_name_is_never_a_path_in_disguise(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no name of"):
        read_lock(lock_of(tmp_path / "models.lock", name, entry()))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"models": {}}', '{"format": "media-pipeline/models-lock/9", "models": {}}']
)
def test_what_is_no_lock_file_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "models.lock"
    path.write_text(text)
    with pytest.raises(SettingsError):
        read_lock(path)
