"""A backup's way back: verified, staged beside what it replaces, then renamed into place; it goes on after a kill.

    1. every byte of the backup is verified; nothing has been written yet
    2. its files are written into a folder of their own inside each root, on the same file system, and hashed again
    3. a journal is written: from here on the restore goes forward only
    4. what is there moves aside, what is staged takes its place: nothing but renames
    5. the journal goes

Killed before 3, the project is as it was, and the next restore removes what was staged. Killed after it, the next
restore finishes it first. Whatever was there is moved, never deleted. Roots may be mount points: only what lies in them
is renamed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.backup.archive import OpenBackup, Tick
from pipeline.backup.making import alone
from pipeline.backup.manifest import ASIDE_PREFIX, ROOTS, SECTIONS, STAGING_PREFIX, Entry, Places, clashes, is_ours
from pipeline.errors import InputError, StoreError
from pipeline.files import disk_error, make_folder, read_json, sync_folder, write_whole

JOURNAL, LOCK = "restore.json", ".restore.lock"
_STAGING = re.compile(rf"{re.escape(STAGING_PREFIX)}[0-9a-f]{{16}}")
_FORMAT = 1
_RESERVE_BYTES = 16 << 20
# Git keeps an empty folder by it; it is nobody's data.
_NOTHING = frozenset({".gitkeep"})
# Caches that speak of the files as they were. Moved aside with those, they are made anew.
_STALE = frozenset({"seals.json"})


@dataclass(frozen=True, slots=True)
class Restored:
    files: int
    bytes: int
    aside: tuple[Path, ...] = ()
    """The folders that hold what was there before."""
    finished_earlier: bool = False
    """It was begun by an earlier restore that did not come to its end."""


@dataclass(frozen=True, slots=True)
class _Root:
    """What happens in one root."""

    path: Path
    move_aside: tuple[str, ...]
    place: tuple[str, ...]
    entries: tuple[Entry, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Journal:
    id: str
    stamp: str
    backup: str
    """The SHA-256 that the backup is known by."""
    roots: tuple[_Root, ...]
    files: int
    payload_bytes: int

    @property
    def staging(self) -> str:
        """The folder in each root where its files wait."""
        return f"{STAGING_PREFIX}{self.id}"

    @property
    def aside(self) -> str:
        """The folder in each root where what was there goes."""
        return f"{ASIDE_PREFIX}{self.stamp}"

    def to_json(self) -> bytes:
        roots = [{"path": str(root.path), "move_aside": root.move_aside, "place": root.place} for root in self.roots]
        facts = {
            "format": _FORMAT, "id": self.id, "stamp": self.stamp, "backup": self.backup,
            "files": self.files, "bytes": self.payload_bytes, "roots": roots,
        }  # fmt: skip
        return json.dumps(facts, indent=1).encode()

    @classmethod
    def load(cls, path: Path) -> _Journal | None:
        """None where there is none. Raises StoreError where it cannot be understood: a person must look then."""
        try:
            raw = read_json(path)
            if raw["format"] != _FORMAT:
                raise _unclear(path, f"format {raw['format']!r}")
            roots = tuple(
                _Root(Path(root["path"]), tuple(map(str, root["move_aside"])), tuple(map(str, root["place"])))
                for root in raw["roots"]
            )
            texts = (str(raw["id"]), str(raw["stamp"]), str(raw["backup"]))
            return cls(*texts, roots, int(raw["files"]), int(raw["bytes"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(error, path) from error
        except (ValueError, KeyError, TypeError) as error:
            raise _unclear(path, str(error)) from error


def _unclear(path: Path, why: str) -> StoreError:
    return StoreError(
        f"a restore was cut off, and its journal cannot be understood ({why})",
        where=str(path),
        hint=f"What was there lies in {ASIDE_PREFIX}… and what was to come in {STAGING_PREFIX}… of each folder; put "
        "them right by hand, then remove the journal.",
    )


def restore(
    backup: OpenBackup,
    places: Places,
    *,
    replace: bool,
    only: Sequence[str] = (),
    with_secrets: bool = False,
    now: datetime,
    progress: Callable[[str, int], Tick],
    folds_case: Callable[[Path], bool] | None = None,
) -> Restored:
    """Bring back what a backup holds, or of it `only` the given parts: `input`, `output/moon`, `data/edits`.

    An earlier restore that was cut off is finished first; if it was of this backup, that is all. Raises BadBackup,
    InputError (there is data already and not `replace`; a part there is not), StoreError, and what `progress` raises.
    Until it begins to rename, the project is as it was.
    """
    backup.verify(progress("verifying", backup.manifest.payload_bytes))
    entries = _chosen(backup.manifest.entries, only, with_secrets=with_secrets)
    _check_names(entries, places, folds_case or _disk_folds_case)
    earlier = _Journal.load(places.data / JOURNAL)
    if earlier is None:
        # Looked at before anything is written, the lock's own file included.
        roots = _plan(entries, places, backup.manifest.holds, only, replace=replace)
        _check_space(roots)
    make_folder(places.data)
    with alone(places.data / LOCK, "another restore is at work on this project"):
        finished = _finish(places)
        if finished is not None and finished[0].backup == backup.sha256:
            return finished[1]
        _remove_staged(places)
        roots = _plan(entries, places, backup.manifest.holds, only, replace=replace)
        _check_space(roots)
        journal = _Journal(
            secrets.token_hex(8), f"{now:%Y%m%dT%H%M%SZ}", backup.sha256, roots,
            len(entries), sum(entry.bytes for entry in entries),
        )  # fmt: skip
        try:
            _stage(backup, journal, progress("writing", backup.manifest.payload_bytes))
            write_whole(places.data / JOURNAL, journal.to_json())
        except BaseException:
            if not (places.data / JOURNAL).exists():
                _remove_staged(places)
            raise
        return _go_forward(journal, places.data / JOURNAL)


def finish_interrupted(places: Places) -> Restored | None:
    """Finish a restore that was cut off while it renamed; None where there is none. Raises StoreError."""
    if not (places.data / JOURNAL).exists():
        return None
    with alone(places.data / LOCK, "another restore is at work on this project"):
        finished = _finish(places)
        _remove_staged(places)
    return None if finished is None else finished[1]


def _finish(places: Places) -> tuple[_Journal, Restored] | None:
    journal = _Journal.load(places.data / JOURNAL)
    if journal is None:
        return None
    done = _go_forward(journal, places.data / JOURNAL)
    return journal, Restored(done.files, done.bytes, done.aside, finished_earlier=True)


# -- what is to happen: decided before anything is written -------------------------------------------------------


def _chosen(entries: Iterable[Entry], only: Sequence[str], *, with_secrets: bool) -> tuple[Entry, ...]:
    open_to_all = [entry for entry in entries if with_secrets or entry.root != "project"]
    if not only:
        return tuple(open_to_all)
    parts = [part.strip("/") for part in only]
    for part in parts:
        if part.count("/") > 1:
            raise InputError(
                f"{part!r} lies too deep to be restored by itself",
                hint="Name a folder (input) or what stands directly in one (output/moon, config/prompts).",
            )
        if not any(entry.path == part or entry.path.startswith(f"{part}/") for entry in open_to_all):
            raise InputError(f"the backup holds no {part!r}", hint="See what it holds: pipeline restore --list FILE")
    return tuple(
        entry for entry in open_to_all if any(entry.path == part or entry.path.startswith(f"{part}/") for part in parts)
    )


def _check_names(entries: Sequence[Entry], places: Places, folds_case: Callable[[Path], bool]) -> None:
    for root in ROOTS:
        inside = [entry.path for entry in entries if entry.root == root]
        if inside and folds_case(places.of(root)):
            for first, second, what in clashes(inside, folds_case=True):
                raise InputError(
                    f"the backup holds {first!r} and {second!r}: {what}",
                    where=str(places.of(root)),
                    hint="Restore it to a disk that tells upper from lower case.",
                )


def _disk_folds_case(folder: Path) -> bool:
    """Whether the disk takes `A` and `a` for one name; seen from a name that is there already."""
    for place in (folder, *folder.parents):
        if not place.name:
            break
        other = place.with_name(place.name.swapcase())
        if other.name != place.name and place.exists():
            with suppress(OSError):
                return other.exists() and other.samefile(place)
    return False


def _plan(
    entries: Sequence[Entry], places: Places, holds: Sequence[str], only: Sequence[str], *, replace: bool
) -> tuple[_Root, ...]:
    """Raises InputError where something is in the way, and may not or cannot be moved."""
    roots = []
    parts = {part.strip("/") for part in only}
    # The configuration comes last: until then a repeated command finds the same folders, and so the journal.
    for name in sorted(ROOTS, key=lambda name: (name == "config", ROOTS.index(name))):
        inside = tuple(entry for entry in entries if entry.root == name)
        whole = name in holds and name != "project" and (not only or name in parts)
        if not inside and not whole:
            continue
        path = places.of(name)
        place = tuple(sorted({entry.child for entry in inside}))
        there = _children(path)
        touched = (_replaced(name, there, holds) if whole else there & set(place)) - _NOTHING
        in_the_way = touched - _STALE
        if in_the_way and not replace:
            shown = ", ".join(sorted(in_the_way)[:5]) + (" and more" if len(in_the_way) > 5 else "")
            raise InputError(
                f"there is data already: {shown}",
                where=str(path),
                hint="With --replace it is moved aside, not deleted; or choose another project: --project FOLDER.",
            )
        _check_movable(path, touched)
        roots.append(_Root(path, tuple(sorted(touched)), place, inside))
    return tuple(roots)


def _replaced(root: str, there: set[str], holds: Sequence[str]) -> set[str]:
    """The children of a root that a backup of it stands for, those that it has none of included."""
    sections = SECTIONS.get(root)
    if sections is None:
        return there
    return there & ((sections - (set() if "store" in holds else {"store"})) | _STALE)


def _children(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if not is_ours(name)}  # noqa: PTH208 names, not paths
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise disk_error(error, folder) from error


def _check_movable(folder: Path, children: Iterable[str]) -> None:
    for child in children:
        found = folder / child
        if found.is_mount():
            raise StoreError(
                "another disk is mounted there, so it cannot be moved aside",
                where=str(found),
                hint="Unmount it, or restore the rest: --only.",
            )


def _check_space(roots: Sequence[_Root]) -> None:
    needed: dict[int, tuple[int, Path]] = {}
    for root in roots:
        place = next(folder for folder in (root.path, *root.path.parents) if folder.exists())
        device = place.stat().st_dev
        # Each file takes whole blocks, of 4 KiB nearly everywhere.
        size = sum(entry.bytes + 4096 for entry in root.entries)
        needed[device] = (needed.get(device, (0, place))[0] + size, place)
    for size, place in needed.values():
        free = shutil.disk_usage(place).free
        if free < size + _RESERVE_BYTES:
            raise StoreError(
                f"{size / 1e6:.0f} MB are needed, and {free / 1e6:.0f} MB are free",
                where=str(place),
                hint="Free some space. Nothing was written.",
            )


# -- staging -----------------------------------------------------------------------------------------------------


def _stage(backup: OpenBackup, journal: _Journal, tick: Tick) -> None:
    """Write the files where they only need to be renamed, every byte and name on the disk."""
    targets = {
        entry.path: root.path / journal.staging / entry.below for root in journal.roots for entry in root.entries
    }
    folders: set[Path] = set()
    for root in journal.roots:
        make_folder(root.path / journal.staging)
        folders.add(root.path / journal.staging)
    for entry, chunks in backup.contents():
        target = targets.get(entry.path)
        if target is None:
            deque(chunks, maxlen=0)
            continue
        if target.parent not in folders:
            make_folder(target.parent)
            for folder in target.parents:
                if folder in folders:
                    break
                folders.add(folder)
        _write(target, entry, chunks, tick)
    for folder in (*sorted(folders, reverse=True), *(root.path for root in journal.roots)):
        try:
            sync_folder(folder)
        except OSError as error:
            raise disk_error(error, folder) from error


def _write(target: Path, entry: Entry, chunks: Iterator[bytes], tick: Tick) -> None:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                tick(len(chunk))
            file.flush()
            os.utime(descriptor, (entry.modified, entry.modified))
            os.fchmod(descriptor, entry.mode)
            os.fsync(descriptor)
    except OSError as error:
        raise disk_error(error, target) from error


def _remove_staged(places: Places) -> None:
    """Remove what a restore staged that never came to its journal."""
    for root in ROOTS:
        folder = places.of(root)
        with suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 names, not paths
                if _STAGING.fullmatch(name):
                    shutil.rmtree(folder / name, ignore_errors=True)


# -- renaming ----------------------------------------------------------------------------------------------------


def _go_forward(journal: _Journal, path: Path) -> Restored:
    """Do what is left of a journal to do. Raises StoreError, and can then be called again."""
    try:
        for root in journal.roots:
            _settle_root(root, journal)
        for root in journal.roots:
            shutil.rmtree(root.path / journal.staging, ignore_errors=True)  # empty by now
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        failure = disk_error(error, Path(error.filename or path))
        raise StoreError(
            f"{failure.what}, in the middle of putting things in place",
            where=failure.where,
            hint="Nothing is lost. Mend that, then finish it: pipeline restore",
        ) from error
    asides = [aside for root in journal.roots for aside in sorted(root.path.glob(f"{journal.aside}*"))]
    return Restored(journal.files, journal.payload_bytes, tuple(asides))


def _settle_root(root: _Root, journal: _Journal) -> None:
    staged, aside = root.path / journal.staging, root.path / journal.aside
    waiting = set(os.listdir(staged)) if staged.is_dir() else set()  # noqa: PTH208 names, not paths
    # Everything old moves before the first new one comes; so where one has come, what lies there is new.
    if waiting.issuperset(root.place):
        for name in root.move_aside:
            _move_aside(root.path / name, aside)
    for name in root.place:
        if name not in waiting:
            continue
        final = root.path / name
        if name in _NOTHING and os.path.lexists(final):
            (staged / name).unlink()
            continue
        _move_aside(final, aside)  # made since, by a person or by a run that did not know
        (staged / name).rename(final)
    sync_folder(root.path)


def _move_aside(path: Path, aside: Path) -> None:
    if not os.path.lexists(path):
        return
    folder, number = aside, 2
    while os.path.lexists(folder / path.name):  # another folder, because a longer name may be too long
        folder, number = aside.with_name(f"{aside.name}-{number}"), number + 1
    folder.mkdir(exist_ok=True)
    path.rename(folder / path.name)
    sync_folder(folder)
