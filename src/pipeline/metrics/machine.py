"""What the machine says of disks and backups, for those who count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.metrics.families import Family


def disk(folder: Path) -> tuple[int, int]:
    """Free and whole size in bytes, of the nearest folder above that is there."""
    for place in (folder, *folder.parents):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return 0, 0


def newest_backup(folder: Path) -> float | None:
    """When the newest backup in a folder was written, in seconds since 1970; 0 where it holds none, None where there
    is no such folder.

    By name and time alone: whether a backup is whole is for `pipeline backup --verify` to say.
    """
    newest = 0.0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("pipeline-") and entry.name.endswith(".tar") and entry.is_file():
                    newest = max(newest, entry.stat().st_mtime)
    except OSError:
        return None
    return newest


class Sometimes(Collector):
    """A gauge that is not there at all where its value is not known: 0 would be one."""

    def __init__(self, family: Family, value: Callable[[], float | None]) -> None:
        self._family = family
        self._value = value

    def collect(self) -> Iterator[Metric]:
        value = self._value()
        if value is not None:
            yield GaugeMetricFamily(self._family.name, self._family.about, value=value)
