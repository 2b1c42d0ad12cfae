"""Which old backups may go: all but the newest few, and never the last one that is known to be whole.

A file is only ever counted or removed when it is one of our backups by its content: a plain file whose seal proves a
manifest. Anything else in the folder is somebody else's, whatever its name.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.backup.archive import BadBackup, Tick, open_backup
from pipeline.backup.making import LOCK, alone
from pipeline.errors import StoreError
from pipeline.files import disk_error, sync_folder


@dataclass(frozen=True, slots=True)
class Kept:
    kept: tuple[Path, ...]
    """Newest first."""
    removed: tuple[Path, ...]
    damaged: tuple[tuple[Path, str], ...]
    """Backups that were read and are not whole, with what is wrong; never removed by us."""


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    made_at: int
    """Seconds, by its manifest."""
    written_at: int
    """Nanoseconds, by the file system: which of two backups of one second came later."""
    payload_bytes: int


def keep(
    folder: Path,
    count: int,
    *,
    just_made: Path | None = None,
    known_whole: bool = False,
    progress: Callable[[str, int], Tick],
) -> Kept:
    """Leave the newest `count` backups in `folder` and remove the others, once one of those that stay has been read
    and found whole; where none of them is, the newest whole one among the others stays as well, and where there is none
    at all, nothing goes. `just_made` counts as the newest, whatever the clock says, and is not read again if it is
    `known_whole`.

    Raises StoreError.
    """
    with alone(folder / LOCK, f"another backup is being written into {folder}"):
        found = sorted(
            _backups(folder), key=lambda one: (one.path == just_made, one.made_at, one.written_at), reverse=True
        )
        damaged: list[tuple[Path, str]] = []
        whole = just_made if known_whole else None
        proven = next((one for one in found if one.path == whole or _whole(one, damaged, progress)), None)
        broken = {path for path, _ in damaged}
        stay = [one for place, one in enumerate(found) if place < count or one is proven or one.path in broken]
        # Where none was whole, each was read and is among the broken: then nothing goes.
        go = [one for one in found if one not in stay]
        for one in go:
            try:
                one.path.unlink()
            except OSError as error:
                raise disk_error(error, one.path) from error
        if go:
            try:
                sync_folder(folder)
            except OSError as error:
                raise disk_error(error, folder) from error
    return Kept(tuple(one.path for one in found if one not in go), tuple(one.path for one in go), tuple(damaged))


def _backups(folder: Path) -> list[_Found]:
    found = []
    for path in sorted(folder.glob("*.tar")):
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            with open_backup(path) as backup:
                manifest = backup.manifest
                found.append(_Found(path, manifest.made_at, status.st_mtime_ns, manifest.payload_bytes))
        except (BadBackup, StoreError, FileNotFoundError):
            continue
    return found


def _whole(one: _Found, damaged: list[tuple[Path, str]], progress: Callable[[str, int], Tick]) -> bool:
    try:
        with open_backup(one.path) as backup:
            backup.verify(progress(f"reading {one.path.name}", one.payload_bytes))
    except (BadBackup, StoreError) as error:
        damaged.append((one.path, error.what))
        return False
    return True
