"""The one place where files appear: whole or not at all.

The order matters and is what makes "the file exists" mean "the file is whole", also after a power cut: write under
another name in the same folder, flush, fsync the file, rename, fsync the folder.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from pipeline.errors import OutOfMemory, StoreError

CHUNK_BYTES = 1 << 20

MOST_BYTES = 64 << 20
"""What no text, list or record has that a person or the pipeline writes: ten hours' manifest has 2 MB."""

PART_PREFIX = ".part-"
"""Every unfinished file begins with this, so that a later run can know and remove what a killed one left."""


def write_whole(path: Path, *chunks: bytes) -> None:
    """Readers see the old file or the new one, never half of either.

    Raises StoreError, named by cause, when the disk is full, read-only or not ours; the old file is then untouched.
    """
    write_chunks(path, chunks)


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """As `write_whole`, of what need not be in memory all at once."""
    part = stage_chunks(path, chunks)
    try:
        settle(part, path)
    except OSError as error:
        drop(part)
        raise disk_error(error, path) from error


def stage(path: Path, *chunks: bytes) -> Path:
    """Write a file beside its final name, whole and on the disk, for `settle` to give it that name. Raises
    StoreError, and then leaves nothing.
    """
    return stage_chunks(path, chunks)


def part_of(path: Path) -> Path:
    """A new name beside a file's final one, for what is not finished yet."""
    return path.with_name(f"{PART_PREFIX}{os.getpid()}-{secrets.token_hex(4)}")


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, a mebibyte at a time. Raises OSError."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def stage_chunks(path: Path, chunks: Iterable[bytes]) -> Path:
    """As `stage`, of what need not be in memory all at once. Also passes on what `chunks` raises, and then leaves
    nothing.
    """
    part = part_of(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            for chunk in chunks:
                _write_all(descriptor, chunk)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException as error:
        drop(part)
        if isinstance(error, OSError):
            raise disk_error(error, path) from error
        raise
    return part


def drop(part: Path) -> None:
    """Remove a staged file that is not wanted after all."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def open_plain(path: Path) -> BufferedReader:
    """Open a file to read it; never waits, whatever lies there. Raises FileNotFoundError, and StoreError for what
    is no plain file (a pipe, a device, a folder) or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk_error(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError("it is no plain file", where=str(path), hint="Move it away.")
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a file; never waits, whatever lies there, and never takes more memory than it may. Raises
    FileNotFoundError, and StoreError for what is no plain file, has more bytes than `most_bytes` or cannot be read.
    """
    with open_plain(path) as file:
        try:
            data = file.read(most_bytes + 1)
        except OSError as error:
            raise disk_error(error, path) from error
    if len(data) > most_bytes:
        raise StoreError(
            f"it has more than {most_bytes / (1 << 20):g} MiB, more than any that is meant",
            where=str(path),
            hint="Move it away.",
        )
    return data


def read_json(path: Path, *, most_bytes: int = MOST_BYTES) -> Any:  # noqa: ANN401  # JSON: the caller parses it once
    """What a JSON file says. Raises as `read_plain`, and ValueError for what is no JSON, or is nested too deeply."""
    data = read_plain(path, most_bytes=most_bytes)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a write may take less than it was given
        rest = rest[os.write(descriptor, rest) :]


def settle(part: Path, final: Path) -> None:
    """Give a finished, fsynced file its final name, and make the name itself durable. Raises OSError."""
    part.replace(final)
    sync_folder(final.parent)


# What a file system says that has no second names for a file: FAT, exFAT, some network mounts.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


def settle_new(part: Path, final: Path, *, link: Callable[[Path, Path], None] = os.link) -> None:
    """As `settle`, where nothing lies under the final name, not even a link that leads nowhere. Raises FileExistsError,
    and then `part` is still there; OSError.
    """
    try:
        link(part, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from error
        settle(part, final)
        return
    part.unlink()
    sync_folder(final.parent)


def let_go(descriptor: int) -> None:
    """Close a file whose bytes are safe, or of no account. Closed it is, whatever the system says of it."""
    with suppress(OSError):
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (certain FUSE and network mounts) cannot sync a folder and say so with EINVAL.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, folder) from error


def remove_parts(folders: Iterable[Path], *, older_than: float) -> int:
    """Remove what killed runs left unfinished; returns how many files. `older_than` is a time in seconds.

    What cannot be looked through is left for another time: it is nobody's reason to fail, and who needs what lies there
    is told by name.
    """
    removed = 0
    with suppress(OSError):
        for folder in folders:
            with suppress(OSError):
                for part in folder.glob(f"{PART_PREFIX}*"):
                    with suppress(OSError):
                        if part.stat().st_mtime < older_than:
                            part.unlink()
                            removed += 1
    return removed


_CAUSES = {
    errno.ENOSPC: ("the disk is full", "Free some space and run it again; nothing finished is lost."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run it again; nothing finished is lost."),
    errno.EFBIG: ("the file would be larger than this system allows", "Raise the limit (ulimit -f) and run it again."),
    errno.EROFS: ("the file system is read-only", "Mount it writable, or choose another folder in the settings."),
    errno.EACCES: ("this user may not write there", "Change the folder's owner or mode, or choose another folder."),
    errno.EPERM: ("this user may not write there", "Change the folder's owner or mode, or choose another folder."),
    errno.EIO: ("the disk reported an input/output error", "Check the disk; nothing finished is lost."),
    errno.EMFILE: ("too many files are open", "Raise the limit (ulimit -n) and run it again."),
    errno.ENFILE: ("too many files are open on this machine", "End other programs and run it again."),
    errno.ESTALE: ("the network share has changed or gone", "Mount it again; nothing finished is lost."),
    errno.ENOTCONN: ("what was mounted there does not answer any more", "Mount it again; nothing finished is lost."),
    errno.ENODEV: ("its device is gone", "Connect or mount it again; nothing finished is lost."),
    errno.ENXIO: ("its device is gone", "Connect or mount it again; nothing finished is lost."),
    errno.EXDEV: ("it lies on two file systems", "Have a folder and what is in it on one, without mounts below it."),
    errno.ELOOP: ("its links lead in a circle, or are not followed here", "Put the folder or file itself there."),
    errno.ENOLCK: ("the file system there gives no locks", "Have the data folder on a disk of this machine."),
    errno.ENOMEM: ("the system has no memory for it", "End other programs and run it again."),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "Shorten the topic's title."),
    errno.ENOTDIR: ("a file stands where a folder is needed", "Move that file away."),
    errno.EEXIST: ("a file stands where a folder is needed", "Move that file away."),
    errno.EISDIR: ("a folder stands where a file is needed", "Move that folder away."),
}


def disk_error(error: OSError, path: Path) -> StoreError:
    """The named form of what the operating system said about `path`."""
    what, hint = _CAUSES.get(error.errno or 0, (error.strerror or str(error), "See what the system says of this path."))
    in_the_way = path
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        # The system names what it was asked for; a person must know which of the names above it is the file.
        in_the_way = next((above for above in (path, *path.parents) if above.exists() and not above.is_dir()), path)
    failure = StoreError(what, where=str(in_the_way), hint=hint)
    failure.errno = error.errno
    return failure


_UNNAMED = Path("(a file that the system did not name)")


def named(error: BaseException) -> BaseException:
    """A failure of the operating system's that nobody nearer has named, by name; any other as it is."""
    if isinstance(error, MemoryError):
        short = OutOfMemory()
        short.__cause__ = error
        return short
    if not isinstance(error, OSError) or error.errno not in _CAUSES:
        return error
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else _UNNAMED
    failure = disk_error(error, path)
    failure.__cause__ = error
    return failure


@contextmanager
def naming() -> Iterator[None]:
    """While it lasts, failures leave it as `named` has them."""
    try:
        yield
    except OSError as error:
        failure = named(error)
        if failure is error:
            raise
        raise failure from error
