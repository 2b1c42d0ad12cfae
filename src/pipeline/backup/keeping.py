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
    payload_bytes: int


def keep(folder: Path, count: int, *, known_whole: Path | None = None, progress: Callable[[str, int], Tick]) -> Kept:
    """Leave the newest `count` backups in `folder` and remove the others, once one of those that stay has been read
    and found whole; where none of them is, the newest whole one among the others stays as well, and where there is none
    at all, nothing goes. `known_whole` was read a moment ago.

    Raises StoreError.
    """
    with alone(folder / LOCK, f"another backup is being written into {folder}"):
        found = sorted(_backups(folder), key=lambda one: (one.made_at, one.path.name), reverse=True)
        damaged: list[tuple[Path, str]] = []
        proven = next((one for one in found if _whole(one, known_whole, damaged, progress)), None)
        broken = {path for path, _ in damaged}
        stay = [one for place, one in enumerate(found) if place < count or one is proven or one.path in broken]
        go = [one for one in found if one not in stay] if proven is not None else []
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
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            with open_backup(path) as backup:
                found.append(_Found(path, backup.manifest.made_at, backup.manifest.payload_bytes))
        except (BadBackup, StoreError, FileNotFoundError):
            continue
    return found


def _whole(
    one: _Found, known_whole: Path | None, damaged: list[tuple[Path, str]], progress: Callable[[str, int], Tick]
) -> bool:
    if one.path == known_whole:
        return True
    try:
        with open_backup(one.path) as backup:
            backup.verify(progress(f"reading {one.path.name}", one.payload_bytes))
    except (BadBackup, StoreError) as error:
        damaged.append((one.path, error.what))
        return False
    return True
