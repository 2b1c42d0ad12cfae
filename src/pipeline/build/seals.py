"""How a run sees at a glance that nothing is to be done, for ten thousand finished jobs in a second.

A seal says: this input file, in this state, gave these jobs; under this fingerprint of everything else that
matters (settings, prompts, models, rules) each job was finished and its published files looked like this. Whatever
no longer looks the same is looked at properly. Seals are a cache: losing them costs time, never correctness.

A state is size, modification time, change time and inode, as the kernel gives them in nanoseconds: a program that
writes other bytes of the same length within the same clock tick and keeps the inode would go unseen, no editor can.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.files import make_folder, read_json, write_whole

_FORMAT = 1

Signature = tuple[int, ...]


@dataclass(slots=True)
class Seals:
    """Read once at the start of a run, written at its end (and now and then in between)."""

    path: Path
    sources: dict[str, tuple[Signature, list[str]]] = field(default_factory=dict)
    """Input file → its state, and the names of the jobs that it gave."""
    jobs: dict[str, tuple[str, dict[str, Signature]]] = field(default_factory=dict)
    """Job → fingerprint, and the state of each published file."""
    taken: dict[str, str] = field(default_factory=dict)
    """Job → the identity of what asked for it, so that a name once given stays with its owner."""

    @classmethod
    def load(cls, path: Path) -> Seals:
        """What was written last; empty where there is nothing or it cannot be read."""
        try:
            raw = read_json(path)
            if raw["format"] != _FORMAT:
                return cls(path)
            return cls(
                path,
                {name: (tuple(state), names) for name, (state, names) in raw["sources"].items()},
                {
                    name: (mark, {file: tuple(state) for file, state in files.items()})
                    for name, (mark, files) in raw["jobs"].items()
                },
                dict(raw["taken"]),
            )
        except (OSError, StoreError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path)

    def save(self) -> None:
        """Raises StoreError."""
        make_folder(self.path.parent)
        write_whole(
            self.path,
            json.dumps(
                {"format": _FORMAT, "sources": self.sources, "jobs": self.jobs, "taken": self.taken},
                separators=(",", ":"),
            ).encode(),
        )

    def unbroken(self, source: str, state: Signature, fingerprint: str, output: Path) -> list[str] | None:
        """The jobs of an input file, if it and all that was published from it are as they were; else None."""
        known = self.sources.get(source)
        if known is None or known[0] != state:
            return None
        for name in known[1]:
            sealed = self.jobs.get(name)
            if sealed is None or sealed[0] != fingerprint or not _as_they_were(output / name, sealed[1]):
                return None
        return known[1]

    def seal(self, name: str, fingerprint: str, states: Mapping[str, Signature]) -> None:
        """Remember a finished job by the states of the files it published."""
        self.jobs[name] = (fingerprint, dict(states))

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.jobs.pop(name, None)


def state_of(found: os.stat_result) -> Signature:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def states_of(folder: Path, files: Iterable[str]) -> dict[str, Signature]:
    """The states of published files. Raises OSError."""
    return {file: state_of((folder / file).stat(follow_symlinks=False)) for file in files}


def _as_they_were(folder: Path, files: Mapping[str, Signature]) -> bool:
    prefix = f"{folder}{os.sep}"
    stat = os.stat
    try:
        for file, state in files.items():
            found = stat(prefix + file, follow_symlinks=False)
            if (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) != state:
                return False
    except OSError:
        return False
    return True
