"""What of a project goes into a backup, each file and each episode as it stood at one moment.

A run may be at work meanwhile. Whatever it writes appears whole under its name, so a file needs only to be read without
changing underneath; an episode is several files, and is read while its publishing lock is held, or, where that cannot
be, until it is the same before and after and its manifest fits to the files.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

from pipeline.backup.archive import Changed, Tick, Writing
from pipeline.backup.manifest import Places, fault_of_name, is_ours
from pipeline.backup.masking import Secrets
from pipeline.build.store import Store, held
from pipeline.errors import StoreError
from pipeline.files import PART_PREFIX, disk_error, read_json
from pipeline.stages.publish import MANIFEST, SCRIPT

TRIES = 4
PAUSE_SECONDS = 0.25
"""How often a file in motion is read again, and how long is waited between; then it is left out and named."""

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)
_DATA = ("edits", "records", "failures", "measured.json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup is to hold beside input, config, episodes, edits and records."""

    store: bool = False
    """The artifacts too: they can be made again, which takes time."""
    secrets: bool = False
    """`.env`, and settings files with their secrets in them."""


@dataclass(frozen=True, slots=True)
class Models:
    """What is told of models, none of which is backed up."""

    voices: Path
    """The folder of fetched voices."""
    writer: str
    """The model that the settings ask for."""
    digest: Callable[[Path], str]

    def facts(self, records: Path) -> dict[str, Any]:
        """Names and digests: of the voices' files, and of the engines that made the episodes so far, by what is
        remembered. Asks no server. Raises StoreError.
        """
        voices = []
        if self.voices.is_dir():
            for model in sorted(self.voices.rglob("*.onnx")):
                for file in (model, model.with_name(f"{model.name}.json")):
                    if file.is_file():
                        name = file.relative_to(self.voices).as_posix()
                        voices.append({"file": name, "bytes": file.stat().st_size, "sha256": self.digest(file)})
        return {"writer_wanted": self.writer, "engines": _engines_in(records), "voices": voices}


def _engines_in(records: Path) -> list[dict[str, str]]:
    found: set[tuple[str, str, str, str]] = set()
    if records.is_dir():
        for path in records.glob("*.json"):
            try:
                for role, engine in read_json(path)["engines"].items():
                    program, model, digest = (str(engine.get(what, "")) for what in ("engine", "name", "digest"))
                    found.add((str(role), program, model, digest))
            except (OSError, StoreError, ValueError, KeyError, TypeError, AttributeError):
                continue  # a record may be lost without harm, and this is a list of what they tell
    return [dict(zip(("role", "engine", "name", "digest"), one, strict=True)) for one in sorted(found)]


@dataclass(slots=True)
class Collector:
    """Takes a project's files into an archive."""

    writing: Writing
    secrets: Secrets
    wanted: Wanted
    tick: Tick
    pause: Callable[[float], object]
    """Waits so many seconds; may raise to stop."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """What a person would expect in the backup and is not, with the reason."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What is in it, and not as one might think."""

    def collect(self, places: Places) -> None:
        """Raises StoreError, and what `tick` and `pause` raise."""
        self._tree(places.config, "config")
        self._tree(places.input, "input")
        # Before the episodes: what is published meanwhile is then newer than its record, and the manifest in its
        # folder knows whose the script is. The other way round would be as right.
        for name in _DATA:
            self._tree(places.data / name, f"data/{name}")
        self._episodes(places)
        if self.wanted.store:
            for path in artifacts(places.data / "store"):
                self._file(path, f"data/store/{path.parent.name}/{path.name}")
        if self.wanted.secrets:
            self._tree(places.project / ".env", "project/.env")

    def _tree(self, path: Path, name: str) -> None:
        for found, shown in walk(path, name):
            self._file(found, shown)

    def _file(self, path: Path, name: str) -> None:
        for attempt in range(TRIES):
            mark = self.writing.mark()
            try:
                self._copy(path, name)
            except Changed:
                self.writing.go_back(mark)
                if attempt + 1 < TRIES:
                    self.pause(PAUSE_SECONDS)
            else:
                return
        self.left_out.append((name, "it was being written all the while"))

    def _copy(self, path: Path, name: str) -> None:
        """One file, as it is from beginning to end. Raises Changed, StoreError."""
        fault = fault_of_name(name)
        if fault:
            self.left_out.append((_printable(name), fault))
            return
        mark = self.writing.mark()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    self.left_out.append((name, _kind_of(before.st_mode)))
                    return
                self._take(file, name, before)
                after = os.fstat(descriptor)
        except FileNotFoundError:
            return  # removed since it was listed: then it is not there
        except OSError as error:
            self.writing.go_back(mark)
            self.left_out.append((name, _why_unreadable(error, path)))
            return
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Changed(name)

    def _take(self, file: RawIOBase, name: str, found: os.stat_result) -> None:
        source, size = cast("BinaryIO", file), found.st_size
        if name.startswith("config/") and not self.wanted.secrets:
            data = source.read()
            kept = self.secrets.without(data) if name.endswith(".toml") else data
            if kept is None or self.secrets.betrayed_by(kept):
                self.left_out.append((name, "it holds a secret; --with-secrets takes it in"))
                return
            if kept != data:
                self.notes.append((name, "without the secrets in it"))
            source, size = BytesIO(kept), len(kept)
        self.writing.add(
            name, source, size, mode=stat.S_IMODE(found.st_mode), modified=int(found.st_mtime), tick=self.tick
        )

    # -- episodes ------------------------------------------------------------------------------------------------

    def _episodes(self, places: Places) -> None:
        for path, shown in self._listed(places.output):
            if path.is_dir() and not path.is_symlink():
                self._episode(path, shown, places.data / "store")
            else:
                self._tree(path, shown)

    def _listed(self, output: Path) -> list[tuple[Path, str]]:
        try:
            return _children(output, "output")
        except OSError as error:
            raise disk_error(error, output) from error

    def _episode(self, folder: Path, name: str, store: Path) -> None:
        left, noted = len(self.left_out), len(self.notes)
        for attempt in range(TRIES):
            mark = self.writing.mark()
            locked, still = self._copy_folder(folder, name, store)
            fits = still and self._fits(folder, mark.entries, name)
            # Nobody publishes while the lock is held: then it is somebody else who changed the files, some time ago.
            if fits or (still and (locked or attempt + 1 == TRIES)):
                if not fits:
                    self.notes.append((name, f"its files are not as its {MANIFEST} says, and are kept as they are"))
                return
            self.writing.go_back(mark)
            del self.left_out[left:], self.notes[noted:]
            if attempt + 1 < TRIES:
                self.pause(PAUSE_SECONDS)
        self.left_out.append((name, "it was being written all the while"))

    def _copy_folder(self, folder: Path, name: str, store: Path) -> tuple[bool, bool]:
        """Whether publishing was locked meanwhile, and whether everything stayed as it was."""
        with _publishing_lock(store, folder.name) as locked:
            before = dict(_states(folder, name))
            try:
                for path, shown in walk(folder, name):
                    self._copy(path, shown)
            except Changed:
                return locked, False
            return locked, dict(_states(folder, name)) == before

    def _fits(self, folder: Path, first: int, name: str) -> bool:
        """Whether the copied files are those that the manifest names; a script may be a person's own by now."""
        try:
            files = read_json(folder / MANIFEST)["files"]
            digests = {str(file): str(entry["sha256"]) for file, entry in files.items()}
        except (OSError, StoreError, ValueError, KeyError, TypeError, AttributeError):
            return not (folder / MANIFEST).exists()
        copied = {entry.path: entry.sha256 for entry in self.writing.entries[first:]}
        return all(
            copied.get(f"{name}/{file}") == digest or (file == SCRIPT and f"{name}/{file}" in copied)
            for file, digest in digests.items()
        )


@contextmanager
def _publishing_lock(store: Path, slug: str) -> Iterator[bool]:
    """Keeps every run from publishing this episode; False where there is no lock to hold, because no run has ever
    worked with this data folder or this user may not write there.
    """
    locks = store / "locks"
    if not locks.is_dir() or not os.access(locks, os.W_OK):
        yield False
        return
    with held(locks / f"episode-{slug}"):
        yield True


def _states(folder: Path, name: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    for path, shown in walk(folder, name):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        yield shown, (found.st_size, found.st_mtime_ns, found.st_ino)


# -- what there is -----------------------------------------------------------------------------------------------


def walk(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Everything that is no folder at `path` and below, by name; links are not followed, unfinished files and what
    a restore has put aside are passed over. A folder that cannot be read stands for itself.
    """
    if path.is_symlink() or not path.is_dir():
        if path.is_symlink() or path.exists():
            yield path, name
        return
    try:
        children = _children(path, name)
    except OSError:
        yield path, name  # whoever opens it learns, and says, why it cannot be read
        return
    for child, shown in children:
        yield from walk(child, shown)


def _children(folder: Path, name: str) -> list[tuple[Path, str]]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []
    in_a_root = "/" not in name
    return [
        (folder / child, f"{name}/{child}")
        for child in names
        if not child.startswith(PART_PREFIX) and not (in_a_root and is_ours(child))
    ]


def artifacts(store: Path) -> Iterator[Path]:
    """The files of the store's artifacts: immutable, so that they need no care."""
    return (store / key[:2] / key for key in sorted(Store(store).every_key()))


def bytes_to_copy(places: Places, wanted: Wanted) -> int:
    """About how many bytes a backup will hold: what is there now, and the archive's own blocks."""
    trees = [(places.config, "config"), (places.input, "input"), (places.output, "output")]
    trees += [(places.data / name, f"data/{name}") for name in _DATA]
    paths = [path for folder, name in trees for path, _ in walk(folder, name)]
    if wanted.store:
        paths += artifacts(places.data / "store")
    total = 0
    for path in paths:
        try:
            total += path.lstat().st_size + 2048
        except FileNotFoundError:
            continue
    return total


def _kind_of(mode: int) -> str:
    return next((f"{kind}, no plain file" for test, kind in _KINDS if test(mode)), "no plain file")


def _why_unreadable(error: OSError, path: Path) -> str:
    if error.errno == errno.ELOOP:
        return "a symbolic link, no plain file"
    return "this user may not read it" if error.errno in {errno.EACCES, errno.EPERM} else disk_error(error, path).what


def _printable(name: str) -> str:
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
