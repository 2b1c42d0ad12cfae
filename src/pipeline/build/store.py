"""The store keeps artifacts by key: one file each, whole or absent, verified when it is read.

An artifact's file is one line of JSON (the header), then the parts' bytes one after another. The header holds each
part's length and SHA-256, so a flipped bit is found before it is used, and one file means one write, one fsync and
one rename however many parts there are.

    <folder>/ab/abcdef…64 hex digits…     an artifact
    <folder>/ab/.part-…                   being written, or left by a killed run (`sweep` removes those)
    <folder>/locks/keys                   one byte is locked while an artifact is made; it dies with its process
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import struct
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter

from pipeline.build.recipe import Parts, Step, Written
from pipeline.errors import StoreError
from pipeline.files import (
    CHUNK_BYTES,
    chunks_of,
    disk_error,
    drop,
    let_go,
    make_folder,
    open_plain,
    part_of,
    remove_parts,
    write_chunks,
)

_FORMAT = 1
_KEY = re.compile(r"[0-9a-f]{64}")
_HEADER_LIMIT_BYTES = 1 << 20


def is_key(value: object) -> bool:
    """Whether what was read somewhere can be an artifact's key: a key becomes a path."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


class Damaged(Exception):
    """A stored artifact is not what it was when it was kept. The runner sets it aside and makes it again."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"artifact {key[:12]}: {why}")
        self.key = key


@dataclass(frozen=True)
class _Part:
    offset: int
    length: int
    digest: str


@dataclass(frozen=True)
class StoredArtifact:
    """An artifact on disk: the header is in memory, the bytes are read (and verified) when asked for."""

    path: Path
    key: str
    rule: str
    digest: str
    made_at: str
    seconds: float
    units: float
    parts: Mapping[str, _Part]

    def read(self, part: str) -> bytes:
        """Raises Damaged when the bytes are not those that were kept, KeyError for a part there never was."""
        return b"".join(self._verified(part, self.parts[part].length))

    def chunks(self, part: str) -> Iterator[bytes]:
        """As `read`, a mebibyte at a time; raises Damaged at the latest after the last one."""
        return self._verified(part, CHUNK_BYTES)

    def _verified(self, part: str, chunk_bytes: int) -> Iterator[bytes]:
        wanted = self.parts[part]
        digest, left = hashlib.sha256(), wanted.length
        try:
            with open_plain(self.path) as file:
                file.seek(wanted.offset)
                while left and (data := file.read(min(left, chunk_bytes))):
                    digest.update(data)
                    left -= len(data)
                    yield data
        except FileNotFoundError as error:
            raise Damaged(self.key, "its file is gone") from error
        except OSError as error:
            raise disk_error(error, self.path) from error
        if left:
            raise Damaged(self.key, f"part {part} is cut off")
        if digest.hexdigest() != wanted.digest:
            raise Damaged(self.key, f"part {part} has other bytes than were kept")

    def part_digest(self, part: str) -> str:
        return self.parts[part].digest

    def part_length(self, part: str) -> int:
        return self.parts[part].length

    @cached_property
    def bytes_on_disk(self) -> int:
        return sum(part.length for part in self.parts.values())


class Store:
    """Artifacts by key in one folder. Any number of processes may use it at once."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._locks = folder / "locks"
        self._clock = clock
        self._known_folders: set[Path] = set()

    def find(self, key: str) -> StoredArtifact | None:
        """The artifact, or None. A file whose header cannot be understood counts as absent."""
        path = self._path(key)
        try:
            with open_plain(path) as file:
                header = file.readline(_HEADER_LIMIT_BYTES)
                length = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(error, path) from error
        return _understood(path, key, header, length)

    def make(self, step: Step) -> StoredArtifact:
        """The artifact of `step`, made now unless it is there; made once however many ask at the same time.

        Raises what the step's `make` raises, and StoreError.
        """
        return self.make_or_find(step)[0]

    def make_or_find(self, step: Step) -> tuple[StoredArtifact, bool]:
        """As `make`, and whether it was made by this call: it was not where another process was quicker."""
        with self._lock(step.key):
            found = self.find(step.key)
            if found is not None:
                return found, False
            begun = perf_counter()
            return self._keep(step, step.make(), begun=begun), True

    def set_aside(self, key: str) -> None:
        """Take a damaged artifact out of use; its bytes are kept under `damaged/` for a person to look at."""
        folder = self.folder / "damaged"
        make_folder(folder)
        with suppress(FileNotFoundError):
            self._path(key).replace(folder / key)

    def every_key(self) -> Iterator[str]:
        """The keys of all artifacts there are."""
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                if len(entry.name) == 2 and entry.is_dir():
                    yield from (found.name for found in os.scandir(entry.path) if _KEY.fullmatch(found.name))

    def sweep(self, needed: Collection[str], *, older_than: float) -> tuple[int, int]:
        """Drop the artifacts not `needed` and last written before `older_than` (a time in seconds), and
        what killed runs left behind. Returns how many artifacts and how many bytes went.
        """
        count = freed = 0
        wanted = frozenset(needed)
        for key in list(self.every_key()):
            path = self._path(key)
            if key in wanted:
                continue
            with suppress(FileNotFoundError):
                found = path.stat()
                if found.st_mtime < older_than:
                    path.unlink()
                    count, freed = count + 1, freed + found.st_size
        self.tidy(older_than=older_than)
        return count, freed

    def tidy(self, *, older_than: float) -> int:
        """Remove the unfinished files of killed runs; returns how many."""
        return remove_parts(self._shelves(), older_than=older_than)

    def _shelves(self) -> Iterator[Path]:
        yield from (path for path in self.folder.iterdir() if path.is_dir())

    def _keep(self, step: Step, parts: Parts, *, begun: float) -> StoredArtifact:
        path = self._path(step.key)
        if path.parent not in self._known_folders:
            make_folder(path.parent)
            self._known_folders.add(path.parent)
        files: list[Path] = []
        try:
            return self._keep_all(step, {name: _whole(part, path, files) for name, part in parts.items()}, path, begun)
        finally:
            for file in files:
                drop(file)

    def _keep_all(self, step: Step, parts: Mapping[str, bytes | Path], path: Path, begun: float) -> StoredArtifact:
        described = {}
        offset = 0
        for name, data in parts.items():
            length, digest = _measured(data)
            described[name] = {"offset": offset, "length": length, "sha256": digest}
            offset += length
        header = json.dumps(
            {
                "format": _FORMAT,
                "key": step.key,
                "rule": f"{step.rule.name}/{step.rule.version}",
                "made_at": self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "seconds": round(perf_counter() - begun, 4),
                "units": step.units,
                "parts": described,
            },
            separators=(",", ":"),
        ).encode()
        write_chunks(path, _file_of(header + b"\n", parts.values()))
        kept = _understood(path, step.key, header + b"\n", len(header) + 1 + offset)
        if kept is None:  # what was just written must be readable, or the format is broken
            raise StoreError(
                "an artifact could not be read back", where=str(path), hint="See that the disk is sound; run it again."
            )
        return kept

    def _path(self, key: str) -> Path:
        return Path(f"{self.folder}/{key[:2]}/{key}")

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Hold the key's lock; others wait. The kernel lets go of it when the process dies, however it dies."""
        if self._locks not in self._known_folders:
            make_folder(self._locks)
            self._known_folders.add(self._locks)
        with held_byte(self._locks / "keys", int(key[:15], 16)) if _BYTE_LOCKS else held(self._locks / key):
            yield


# Linux's locks that belong to an open file, not to a process, and cover single bytes of it: one file serves every
# key, and nothing is created or removed for each artifact. `struct flock` is laid out so on every 64-bit Linux.
_BYTE_LOCKS = sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLKW") and sys.maxsize > 2**32
_FLOCK = struct.Struct("hhxxxxqqixxxx")


@contextmanager
def held_byte(path: Path, position: int) -> Iterator[None]:
    """Hold an exclusive kernel lock on one byte of `path`; waits for whoever holds it. Raises StoreError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        with _lock_errors(path):
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, position, 1, 0))
        yield
    finally:
        let_go(descriptor)


@contextmanager
def _lock_errors(path: Path) -> Iterator[None]:
    """Raises StoreError. A file system without locks says so in several ways."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
            error.errno = errno.ENOLCK
        raise disk_error(error, path) from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold an exclusive kernel lock on `path` for the duration; waits for whoever holds it.

    The file is removed while the lock is still held, and whoever waited for it checks that the file they got the
    lock on is still the one under that name; so no lock files pile up and no two hold "the" lock. (`filelock`
    leaves its files in place, one for each artifact ever made.)
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk_error(error, path) from error
        try:
            with _lock_errors(path):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _still_named(descriptor, path):
                    break
        except BaseException:
            let_go(descriptor)
            raise
        let_go(descriptor)
    try:
        yield
    finally:
        # On a disk that has become read-only it stays: what was done under the lock is done, and the lock itself goes.
        with suppress(OSError):
            path.unlink()
        let_go(descriptor)


def _whole(part: bytes | Written, path: Path, files: list[Path]) -> bytes | Path:
    """A part's bytes, or the file that they were written to, which is noted in `files`. Raises StoreError."""
    if not isinstance(part, Written):
        return part
    file = part_of(path)
    files.append(file)
    try:
        part.write(file)
    except OSError as error:
        raise disk_error(error, path) from error
    return file


def _measured(data: bytes | Path) -> tuple[int, str]:
    """Length and SHA-256."""
    if isinstance(data, bytes):
        return len(data), hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _file_of(header: bytes, parts: Iterable[bytes | Path]) -> Iterator[bytes]:
    """What an artifact's file holds."""
    yield header
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from chunks_of(part)


def _still_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _understood(path: Path, key: str, line: bytes, length: int) -> StoredArtifact | None:
    """The artifact that a header describes, or None where the file is not what it should be."""
    try:
        header = json.loads(line)
        if header["format"] != _FORMAT or header["key"] != key:
            return None
        parts = {
            str(name): _Part(len(line) + int(part["offset"]), int(part["length"]), str(part["sha256"]))
            for name, part in header["parts"].items()
        }
        if length != len(line) + sum(part.length for part in parts.values()):
            return None
        content = "\n".join(f"{name} {part.length} {part.digest}" for name, part in sorted(parts.items()))
        return StoredArtifact(
            path=path,
            key=key,
            rule=str(header["rule"]),
            digest=hashlib.sha256(content.encode()).hexdigest(),
            made_at=str(header["made_at"]),
            seconds=float(header["seconds"]),
            units=float(header["units"]),
            parts=parts,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
