"""One backup, from the look at what there is to a file with its final name.

It is written beside its final name, under a name that says it is unfinished; whole, on the disk and, where that was
asked for, read back, it is renamed. A killed backup leaves an unfinished file that the next one removes.
"""

from __future__ import annotations

import fcntl
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline import __version__
from pipeline.backup.archive import Tick, Writing, open_backup
from pipeline.backup.manifest import Manifest, Places
from pipeline.backup.masking import Secrets
from pipeline.backup.sources import Collector, Models, Wanted, bytes_to_copy
from pipeline.errors import InputError, StoreError
from pipeline.files import PART_PREFIX, disk_error, drop, make_folder, remove_parts, settle

LOCK = ".backup.lock"
# What must stay free beside the backup: a disk that is full to the last byte stops everything else.
_RESERVE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup."""

    path: Path
    bytes: int
    sha256: str
    """Of its manifest, which names the digest of everything else."""
    manifest: Manifest
    notes: tuple[tuple[str, str], ...]
    """What is in it, and not as one might think: a path and a remark."""
    verified: bool


def make_backup(
    places: Places,
    into: Path,
    *,
    wanted: Wanted,
    secret: Secrets,
    models: Models,
    verify: bool,
    now: datetime,
    pause: Callable[[float], object],
    progress: Callable[[str, int], Tick],
) -> Made:
    """Write a backup into the folder `into`. `now` is in UTC; `progress` is told what begins and how many bytes it
    will take.

    Raises InputError where `into` lies in what is backed up, StoreError (no space, or another backup is being
    written there), and what `pause` and `progress` raise.
    """
    _keep_apart(places, into)
    make_folder(into)
    with alone(into / LOCK, f"another backup is being written into {into}"):
        remove_parts((into,), older_than=math.inf)  # a killed backup's: nobody else writes here while we hold the lock
        expected = bytes_to_copy(places, wanted)
        free = shutil.disk_usage(into).free
        if free < expected + _RESERVE_BYTES:
            raise StoreError(
                f"{_megabytes(expected)} MB are needed, and {_megabytes(free)} MB are free",
                where=str(into),
                hint="Free some space, or choose another folder: --to FOLDER.",
            )
        part = into / f"{PART_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            manifest, sha256, notes = _write(
                part, places, wanted, secret, models, now, pause, progress("copying", expected)
            )
            size = part.stat().st_size
            if verify:
                read_back(part, progress("reading back", manifest.payload_bytes))
            final = _free_name(into, now)
            settle(part, final)
        except OSError as error:
            raise disk_error(error, into) from error
        finally:
            drop(part)
    return Made(final, size, sha256, manifest, notes, verify)


def read_back(path: Path, tick: Tick) -> None:
    """Verify a backup from the disk, not from what the system still holds in memory. Raises BadBackup, StoreError."""
    with open_backup(path) as backup:
        backup.verify(tick)


@contextmanager
def alone(lock: Path, otherwise: str) -> Iterator[None]:
    """Hold a kernel lock, which dies with its process. Raises StoreError, saying `otherwise`, where it is held."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise disk_error(error, lock) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(otherwise, hint="Wait until it is finished.") from error
        except OSError as error:
            raise disk_error(error, lock) from error
        yield
    finally:
        os.close(descriptor)


def _write(
    part: Path,
    places: Places,
    wanted: Wanted,
    secret: Secrets,
    models: Models,
    now: datetime,
    pause: Callable[[float], object],
    tick: Tick,
) -> tuple[Manifest, str, tuple[tuple[str, str], ...]]:
    # It may hold what a person wrote for themselves alone, so nobody else may read it.
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        writing = Writing(file, part.parent)
        collector = Collector(writing, secret, wanted, tick, pause)
        collector.collect(places)
        manifest = Manifest(
            made_at=int(now.timestamp()),
            version=__version__,
            holds=(
                *("config", "input", "output", "data"),
                *(("store",) if wanted.store else ()),
                *(("secrets",) if wanted.secrets else ()),
            ),
            entries=tuple(writing.entries),
            left_out=tuple(collector.left_out),
            models=models.facts(places.data / "records"),
        )
        sha256 = writing.close(manifest)
        if hasattr(os, "posix_fadvise"):  # so that it is the disk that is asked when it is read back
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return manifest, sha256, tuple(collector.notes)


def _keep_apart(places: Places, into: Path) -> None:
    place = into.resolve()
    for folder in (places.config, places.input, places.output, places.data):
        if place.is_relative_to(folder.resolve()):
            raise InputError(
                f"backups cannot lie inside {folder}, which is backed up itself",
                where=str(into),
                hint="Choose another folder: --to FOLDER.",
            )


def _free_name(into: Path, now: datetime) -> Path:
    """A name that no file has; the caller holds the lock."""
    name = f"pipeline-{now:%Y%m%dT%H%M%SZ}"
    final, number = into / f"{name}.tar", 2
    while final.exists():
        final, number = into / f"{name}-{number}.tar", number + 1
    return final


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f}"
