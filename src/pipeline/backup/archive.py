"""A backup's file: the files, then the manifest, then a seal; every byte of it compared or hashed when read.

    header, bytes, zeros     for each file
    header, bytes, zeros     manifest.json: path, size, mode and SHA-256 of each file
    header, bytes, zeros     seal.json: where the manifest stands, and its SHA-256; always the last three blocks but one
    two empty blocks

The manifest comes after the files, because their digests are only known once they are copied. Whoever reads begins at
the end: the seal proves the manifest, the manifest proves the files, and everything between is compared with what it
must be. Nothing in an archive is *parsed* for names or kinds of members, so nothing in it can mislead. A digest is no
signature: it finds damage, and not somebody who makes a whole archive of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from pipeline.backup.manifest import ANOTHER, LATEST_SECONDS, NOT_OURS, BadBackup, Entry, Manifest
from pipeline.backup.members import BLOCK, END, described, header, padding
from pipeline.errors import StoreError
from pipeline.files import disk_error, open_plain

__all__ = ["BadBackup", "Changed", "OpenBackup", "Tick", "Writing", "open_backup"]

FORMAT = "media-pipeline/backup/"
VERSION = 1
MANIFEST, SEAL = "manifest.json", "seal.json"

CHUNK_BYTES = 1 << 20
# Header, content and end: the seal is always this far from the end, in every version of the format.
_TAIL_BYTES = 2 * BLOCK + len(END)
# It is read into memory. A file takes some 200 bytes of it: this is enough for two million.
_LARGEST_MANIFEST_BYTES = 1 << 29

Tick = Callable[[int], None]
"""Told of every so many bytes that were dealt with; may raise to stop."""


class Changed(Exception):
    """A file was written to while it was copied."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to go back to while an archive is written."""

    position: int
    entries: int


class Writing:
    """An archive as it grows. `file`, which is at `path`, is open for writing. Every method raises
    StoreError when the disk takes no more.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._position = file.tell()
        self.entries: list[Entry] = []

    def mark(self) -> Mark:
        return Mark(self._position, len(self.entries))

    def go_back(self, mark: Mark) -> None:
        """Forget all that was added since."""
        try:
            self._file.seek(mark.position)
            self._file.truncate()
        except OSError as error:
            raise disk_error(error, self._path) from error
        self._position = mark.position
        del self.entries[mark.entries :]

    def add(self, path: str, source: BinaryIO, size: int, *, mode: int, modified: int, tick: Tick) -> Entry:
        """Copy `size` bytes of `source` in. Raises Changed where there are fewer or more, and OSError where it cannot
        be read; go back to a mark then.
        """
        modified = min(max(modified, 0), LATEST_SECONDS)
        self._write(header(Entry(path, size, mode & 0o777, modified, "")))
        digest = hashlib.sha256()
        rest = size
        while rest and (chunk := source.read(min(rest, CHUNK_BYTES))):
            digest.update(chunk)
            self._write(chunk)
            rest -= len(chunk)
            tick(len(chunk))
        if rest or source.read(1):
            raise Changed(path)
        self._write(padding(size))
        self.entries.append(Entry(path, size, mode & 0o777, modified, digest.hexdigest()))
        return self.entries[-1]

    def close(self, manifest: Manifest) -> str:
        """Write what follows the files; returns the manifest's SHA-256, which is what the backup is known by."""
        data = manifest.to_json()
        sha256 = hashlib.sha256(data).hexdigest()
        seal = _Seal(self._position, len(data), sha256, manifest.made_at)
        self._write(_member(MANIFEST, data, manifest.made_at))
        self._write(seal.member)
        self._write(END)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, self._path) from error
        return sha256

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise disk_error(error, self._path) from error
        self._position += len(data)


@dataclass(frozen=True, slots=True)
class _Seal:
    offset: int
    """Where the manifest's header begins."""
    length: int
    """Of the manifest, in bytes."""
    sha256: str
    made_at: int

    @property
    def member(self) -> bytes:
        facts = {
            "format": f"{FORMAT}{VERSION}",
            "made_at_seconds": self.made_at,
            "manifest": {"offset": self.offset, "bytes": self.length, "sha256": self.sha256},
        }
        return _member(SEAL, json.dumps(facts).encode() + b"\n", self.made_at)


def _member(name: str, data: bytes, modified: int) -> bytes:
    return header(Entry(name, len(data), 0o644, modified, "")) + data + padding(len(data))


@dataclass(frozen=True, slots=True)
class OpenBackup:
    """A backup whose seal and manifest are proven; `verify` proves the rest."""

    path: Path
    manifest: Manifest
    sha256: str
    """Of the manifest: two backups that share it are the same backup."""
    size: int
    _file: BufferedReader
    _sealed: _Seal

    def verify(self, tick: Tick) -> None:
        """Read every byte. Raises BadBackup, which names the first that is not as it must be, and StoreError."""
        for _, chunks in self.contents():
            for chunk in chunks:
                tick(len(chunk))
        rest = self._read(self.size - self._sealed.offset)
        begin = len(header(Entry(MANIFEST, self._sealed.length, 0o644, 0, "")))
        data = rest[begin : begin + self._sealed.length]
        whole = _member(MANIFEST, data, self._sealed.made_at) + self._sealed.member + END
        if rest != whole or hashlib.sha256(data).hexdigest() != self._sealed.sha256:
            raise self._bad("its manifest, or what stands around it, is damaged")

    def contents(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each file and its bytes, to be taken to their end; the last chunk comes once the digest is right. Raises
        BadBackup and StoreError.
        """
        self._file.seek(0)
        for entry in self.manifest.entries:
            self._compare(header(entry), entry.path)
            yield entry, self._content(entry)

    def read(self, path: str, *, limit_bytes: int) -> bytes | None:
        """One file's bytes, proven; None where there is none, or a larger one. Raises BadBackup and StoreError."""
        if not any(entry.path == path and entry.bytes <= limit_bytes for entry in self.manifest.entries):
            return None
        for entry, chunks in self.contents():
            data = b"".join(chunks) if entry.path == path else None
            if data is not None:
                return data
            deque(chunks, maxlen=0)
        return None

    def _content(self, entry: Entry) -> Iterator[bytes]:
        digest = hashlib.sha256()
        rest = entry.bytes
        while rest:
            chunk = self._read(min(rest, CHUNK_BYTES))
            digest.update(chunk)
            rest -= len(chunk)
            if rest:
                yield chunk
                continue
            self._prove(entry, digest.hexdigest())
            yield chunk
        if not entry.bytes:
            self._prove(entry, digest.hexdigest())

    def _prove(self, entry: Entry, sha256: str) -> None:
        if sha256 != entry.sha256:
            raise self._bad(f"{entry.path} is not what its manifest says: its bytes are damaged")
        if any(self._read(len(padding(entry.bytes)))):
            raise self._bad(f"the bytes after {entry.path} are damaged")

    def _compare(self, expected: bytes, name: str) -> None:
        begun = self._file.tell()
        if self._read(len(expected)) != expected:
            self._file.seek(begun)
            raise self._bad(f"where {name} should begin stands {described(self._file.read(BLOCK))}", hint=NOT_OURS)

    def _read(self, length: int) -> bytes:
        try:
            data = self._file.read(length)
        except OSError as error:
            raise disk_error(error, self.path) from error
        if len(data) != length:
            raise self._bad("it is cut off")
        return data

    def _bad(self, what: str, *, hint: str = ANOTHER) -> BadBackup:
        return BadBackup(what, where=str(self.path), hint=hint)


@contextmanager
def open_backup(path: Path) -> Iterator[OpenBackup]:
    """Open a backup and prove its seal and manifest, so that it can be listed; `verify` proves its files.

    Raises BadBackup, and StoreError where the file cannot be read.
    """
    try:
        opened = open_plain(path)
    except FileNotFoundError:
        raise StoreError("there is no such file", where=str(path), hint="Name one: pipeline restore FILE.") from None
    with opened as file:
        try:
            size = os.fstat(file.fileno()).st_size
            seal = _seal_of(file, size, str(path))
            file.seek(seal.offset)
            head = header(Entry(MANIFEST, seal.length, 0o644, seal.made_at, ""))
            found, data = file.read(len(head)), file.read(seal.length)
        except OSError as error:
            raise disk_error(error, path) from error
        if found != head or hashlib.sha256(data).hexdigest() != seal.sha256:
            raise BadBackup("its manifest is damaged", where=str(path), hint=ANOTHER)
        manifest = Manifest.from_json(data, where=str(path))
        length = sum(len(header(entry)) + entry.bytes + len(padding(entry.bytes)) for entry in manifest.entries)
        if length != seal.offset:
            raise BadBackup(
                f"its manifest names {length} bytes of files, and {seal.offset} are there",
                where=str(path),
                hint=NOT_OURS,
            )
        yield OpenBackup(path, manifest, seal.sha256, size, file, seal)


def _seal_of(file: BufferedReader, size: int, where: str) -> _Seal:
    """Raises BadBackup, OSError."""
    none = BadBackup(
        "it is no backup, or one that is cut off: there is no seal at its end",
        where=where,
        hint="Take another file, or another backup.",
    )
    if size < _TAIL_BYTES or size % BLOCK:
        raise none
    file.seek(size - _TAIL_BYTES)
    tail = file.read(_TAIL_BYTES)
    try:
        facts = json.loads(tail[BLOCK : 2 * BLOCK].rstrip(b"\0"))
        name, about = str(facts["format"]), facts["manifest"]
        number = int(name.removeprefix(FORMAT)) if name.startswith(FORMAT) else 0
        if number > VERSION:
            raise BadBackup(
                f"it was made by a newer version of the pipeline (format {number}; this one knows {VERSION})",
                where=where,
                hint="Update the pipeline, and restore it then.",
            )
        seal = _Seal(int(about["offset"]), int(about["bytes"]), str(about["sha256"]), int(facts["made_at_seconds"]))
        bounds = ((seal.offset, size), (seal.length, _LARGEST_MANIFEST_BYTES), (seal.made_at, LATEST_SECONDS))
        if any(not 0 <= value <= most for value, most in bounds):
            raise none
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise none from None
    length = len(header(Entry(MANIFEST, seal.length, 0o644, 0, ""))) + seal.length + len(padding(seal.length))
    if tail != seal.member + END or seal.offset + length + _TAIL_BYTES != size:
        raise BadBackup("its seal is damaged", where=where, hint=ANOTHER)
    return seal
