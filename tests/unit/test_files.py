"""How files come to their names, and how they are read: never over somebody's, never without an end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.build.seals import Seals
from pipeline.digests import Digests
from pipeline.edits import Edits
from pipeline.errors import PipelineError, SettingsError, StoreError
from pipeline.files import disk_error, named, naming, read_json, read_plain, settle_new, stage
from pipeline.models.lockfile import read_lock
from pipeline.net.tls import Tls
from pipeline.records import Measured
from pipeline.settings import load
from pipeline.stages.publish import look_at
from pipeline.text.style_file import load_style
from pipeline.watching import last_beat
from pipeline.wiring import read_prompts


def without_links(part: Path, final: Path) -> None:
    """What FAT and its like say to a second name."""
    del part, final
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize("link", [os.link, without_links])
def test_a_new_name_is_given_only_where_nothing_lies(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    final = tmp_path / "final"
    settle_new(stage(final, b"first"), final, link=link)
    assert final.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["final"]
    part = stage(final, b"second")
    with pytest.raises(FileExistsError):
        settle_new(part, final, link=link)
    assert (final.read_bytes(), part.read_bytes()) == (b"first", b"second")
    final.unlink()
    final.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        settle_new(part, final, link=link)
    assert final.is_symlink()


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "too much", "a device", "a link to a pipe"])
def test_what_is_no_file_of_that_kind_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    match kind:
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "too much":
            path.write_bytes(b"x" * 11)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a link to a pipe":
            os.mkfifo(tmp_path / "pipe")
            path.symlink_to("pipe")
    with pytest.raises(StoreError):
        read_plain(path, most_bytes=10)


def test_all_of_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 10)
    assert read_plain(tmp_path / "it", most_bytes=10) == b"x" * 10
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "gone")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00", ""])
def test_what_is_no_json_is_said_as_that(text: str, tmp_path: Path) -> None:
    (tmp_path / "it").write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        read_json(tmp_path / "it")


NOWHERE = Path("nowhere")


def readers(folder: Path, path: Path) -> dict[str, Callable[[], object]]:
    """Everything that reads a small file by its name, told to read `path`."""
    return {
        "settings": lambda: load(folder, {}),
        "prompts": lambda: read_prompts(folder, folder / "config" / "prompts"),
        "a prompt": lambda: load_style(folder / "config" / "prompts", "it"),
        "certificates": lambda: Tls(ca_bundle=path).context(),
        "seals": lambda: Seals.load(path),
        "measured": lambda: Measured.load(path),
        "digests": lambda: Digests(path),
        "a digest": lambda: Digests(folder / "digests.json")(path),
        "an edit": lambda: Edits(path.parent, folder).of(path.stem),
        "a manifest": lambda: look_at(path.parent),
        "the watch": lambda: last_beat(path.parent),
        "locked models": lambda: read_lock(path),
    }


PLACES = {
    "settings": "config/pipeline.toml",
    "prompts": "config/prompts/it.md",
    "a prompt": "config/prompts/it.md",
    "an edit": "edits/it.md",
    "a manifest": "output/manifest.json",
    "the watch": "data/watch.json",
}


@pytest.mark.parametrize("reader", readers(NOWHERE, NOWHERE))
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_nothing_waits_for_a_pipe_or_reads_without_an_end(reader: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / PLACES.get(reader, "it")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with suppress(PipelineError):  # what cannot be used is named, or counts as absent
        readers(tmp_path, path)[reader]()


@pytest.mark.parametrize("name", [".env", "config/pipeline.toml"])
@pytest.mark.parametrize("kind", ["pipe", "large"])
def test_a_settings_file_that_is_none_is_a_fault_in_the_settings(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(SettingsError, match=rf"{name}: cannot be read: it (is no plain file|has more than 1 MiB)"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"), (errno.EIO, "the disk reported an input/output error"),
        (errno.EMFILE, "too many files are open"), (errno.ENFILE, "too many files are open on this machine"),
        (errno.ESTALE, "the network share has changed or gone"), (errno.ENODEV, "its device is gone"),
        (errno.ENOTCONN, "what was mounted there does not answer any more"),
    ],
)  # fmt: skip
def test_what_the_system_says_has_a_name_and_a_cure(code: int, what: str, tmp_path: Path) -> None:
    named = disk_error(OSError(code, os.strerror(code)), tmp_path)
    assert (named.what, named.where, named.errno) == (what, str(tmp_path), code)
    assert named.hint not in {"", disk_error(OSError(errno.EUCLEAN, "x"), tmp_path).hint}


def test_a_failure_of_the_system_that_nobody_named_gets_its_name_and_its_file() -> None:
    error = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), "/mnt/share/keys")
    failure = named(error)
    assert isinstance(failure, StoreError)
    assert failure.where == "/mnt/share/keys"
    assert "locks" in failure.what
    assert "disk of this machine" in failure.hint
    assert failure.__cause__ is error


def test_it_has_a_place_also_where_the_system_names_no_file() -> None:
    failure = named(OSError(errno.EIO, os.strerror(errno.EIO)))
    assert isinstance(failure, StoreError)
    assert "did not name" in failure.where


@pytest.mark.parametrize("error", [ConnectionRefusedError(errno.ECONNREFUSED, "refused"), OSError("x"), ValueError()])
def test_any_other_failure_stays_what_it_is(error: Exception) -> None:
    assert named(error) is error
    with pytest.raises(type(error)) as raised, naming():
        raise error
    assert raised.value is error
