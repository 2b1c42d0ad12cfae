"""Whether the project's folders can be used: read by reading, written by writing, with room for a day's work."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.doctor.finding import Finding
from pipeline.doctor.machine import try_to_write
from pipeline.doctor.mounts import mount_of, takes_both_cases_for_one

# A day's episodes and the store beside them fit in this; below it a run is likely to meet a full disk.
_LOW_DISK_BYTES = 2 * 10**9


def readable(check: str, folder: Path) -> Finding:
    """A folder that is only read."""
    try:
        facts = _facts(folder)
        with os.scandir(folder) as entries:
            count = sum(1 for _ in entries)
    except FileNotFoundError:
        return Finding(check, "bad", f"{folder} does not exist", f"Make it: mkdir -p {folder}")
    except OSError as error:
        return _refused(check, folder, error, "read")
    return Finding(check, "ok", f"{facts}, {count} {'entry' if count == 1 else 'entries'}")


def writable(check: str, folder: Path) -> Finding:
    """A folder that is written, or is made when it is needed."""
    place = _there(folder)
    try:
        facts = _facts(place)
        try_to_write(place)
    except OSError as error:
        return _refused(check, place, error, "write")
    if place != folder:
        return Finding(check, "ok", f"{folder} is made when it is needed, in {facts}")
    return _owned(check, place, f"{facts}, writable")


def room(folders: Iterable[Path], root: Path = Path("/")) -> Iterator[Finding]:
    """What is free, and on what kind of file system, once for each that the folders lie on."""
    disks: dict[int, Path] = {}
    for folder in folders:
        place = _there(folder)
        disks.setdefault(place.stat().st_dev, place)
    for place in disks.values():
        yield _room("disk", place, root)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _owned(check: str, folder: Path, facts: str) -> Finding:
    """Root may write everywhere; what it makes is then not the owner's to change."""
    owner = folder.stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return Finding(check, "ok", facts)
    return Finding(
        check,
        "note",
        f"{facts}; but this runs as root, so what is made there will be root's",
        f"Run it as that user: sudo -u {_for_sudo(owner)} pipeline doctor",
    )


def _room(check: str, folder: Path, root: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    file_system = os.statvfs(folder)
    if file_system.f_files and not file_system.f_favail:
        return Finding(check, "bad", "no more files can be made there (no free inodes)", "Delete some small files.")
    mount = mount_of(folder, root)
    facts = f"{free / 1e9:.1f} GB free for {folder}{f', on {mount.kind}' if mount else ''}"
    if takes_both_cases_for_one(folder):
        facts += ", which takes A and a for one letter in names"
    todo = []
    if free < _LOW_DISK_BYTES:
        todo.append("Free some space before a long run; `pipeline clean` drops what no topic needs.")
    if mount and mount.is_over_a_network:
        facts += ", over a network"
        todo.append("Its locks are only as good as its server's: let one machine at a time make episodes here.")
    if mount and mount.is_in_memory:
        facts += ", in memory"
        todo.append("What is made there is gone when the machine starts anew: keep it on a disk.")
    if mount and mount.goes_with_its_container:
        facts += ", the container's own"
        todo.append("What is made there is gone with the container: mount a folder or a volume there.")
    return Finding(check, "note" if todo else "ok", facts, " ".join(todo))


def _facts(folder: Path) -> str:
    found = folder.stat()
    return f"{folder}, owner {_owner(found.st_uid)}, mode {stat.filemode(found.st_mode)}"


def _refused(check: str, folder: Path, error: OSError, act: str) -> Finding:
    try:
        facts = _facts(folder)
    except OSError:
        facts = str(folder)
    me = _owner(os.geteuid())
    todo = (
        f"sudo chown -R {me} {folder}" if isinstance(error, PermissionError) else "See the disk, and how it is mounted."
    )
    return Finding(check, "bad", f"{facts}: {me} cannot {act} there ({error.strerror})", todo)


def _for_sudo(uid: int) -> str:
    """A user without a name here, as a container's, is given to sudo by number, which a shell takes for a comment."""
    name = _owner(uid)
    return f"'#{uid}'" if name == str(uid) else name


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
