"""What kind of file system a folder lies on, as the kernel tells it, and what that means for what is kept there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# By the kernel's names, and those of the programs behind FUSE.
_OVER_A_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs", "sshfs", "rclone", "s3fs"}
)
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
# proc_pid_mountinfo(5): blanks, tabs, line ends and backslashes in paths are written as three octal digits.
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    point: Path
    kind: str
    """`ext4`, `nfs4`, `fuse.sshfs`."""

    @property
    def is_over_a_network(self) -> bool:
        return self.kind.removeprefix("fuse.") in _OVER_A_NETWORK

    @property
    def is_in_memory(self) -> bool:
        return self.kind in _IN_MEMORY

    @property
    def goes_with_its_container(self) -> bool:
        """A container's own layer, which nothing is left of once it is removed."""
        return self.kind == "overlay" and self.point == Path("/")


def mount_of(folder: Path, root: Path = Path("/")) -> Mount | None:
    """Where a folder's file system is mounted; None where the system does not say (it is no Linux)."""
    try:
        lines = (root / "proc/self/mountinfo").read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = folder.resolve()
    found: Mount | None = None
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        # What is mounted later on the same point hides what was there.
        if place.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            found = Mount(point, kinds[0])
    return found


def takes_both_cases_for_one(folder: Path) -> bool:
    """Whether `Episode` and `episode` are one name beside this folder, as on the disks of macOS and Windows."""
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    try:
        return other.name != folder.name and other.samefile(folder)
    except OSError:
        return False
