"""How many cores and how much memory this process may have: what the machine has, less what its cgroups leave.

A container sees the whole machine's cores and memory in /proc; its bounds stand in the cgroup files alone (the
kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Version 1 writes "no bound" as the largest number of whole pages, which no machine has.
_NO_BOUND_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Of all the groups that this process is in, the tightest; None where nothing bounds it."""

    cores: float | None
    memory_bytes: int | None


def limits_of(root: Path = Path("/")) -> Limits:
    """The bounds of the cgroups, of version 2 and 1. Without any, or where they cannot be read, there are none."""
    cores: list[float] = []
    memory: list[int] = []
    for controllers, path in _groups(root):
        if not controllers:
            for folder in _upwards(root / "sys/fs/cgroup", path):
                quota, _, period = _text(folder / "cpu.max").partition(" ")
                cores += _share(quota, period)
                memory += _bytes(folder / "memory.max")
        if "cpu" in controllers:
            for folder in _upwards(root / "sys/fs/cgroup/cpu", path):
                cores += _share(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))
        if "memory" in controllers:
            for folder in _upwards(root / "sys/fs/cgroup/memory", path):
                memory += _bytes(folder / "memory.limit_in_bytes")
    return Limits(min(cores, default=None), min(memory, default=None))


def memory_of(root: Path = Path("/")) -> tuple[int, int] | None:
    """The machine's memory and what of it is to be had now, in bytes; None where the system does not say."""
    lines = dict(line.split(":", 1) for line in _text(root / "proc/meminfo").splitlines() if ":" in line)
    try:
        total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (KeyError, ValueError, IndexError):
        return None
    return total, free


def _groups(root: Path) -> Iterator[tuple[frozenset[str], str]]:
    """`hierarchy:controllers:path` lines; version 2's has no controllers (proc_pid_cgroup(5))."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield frozenset(filter(None, parts[1].split(","))), parts[2]


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it. A container may see its own group as the mount itself, under any path."""
    folder = mount / path.strip("/")
    yield mount
    while folder != mount and folder.is_relative_to(mount) and ".." not in folder.parts:
        yield folder
        folder = folder.parent


def _share(quota: str, period: str) -> list[float]:
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return []
    return [share] if share > 0 else []


def _bytes(path: Path) -> list[int]:
    text = _text(path)
    return [int(text)] if text.isdecimal() and int(text) < _NO_BOUND_BYTES else []


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace").strip()
    except OSError:
        return ""
