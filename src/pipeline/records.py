"""What is remembered of each episode between runs: from what it was made, how it ended, and how long things take.

Each is a small file that can be lost without harm: the next plan then knows fewer reasons and worse estimates, and
`verify` has nothing but a manifest's own digest to know it by until the episode is published again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.build.plan import Trail
from pipeline.errors import EngineNonsense, PipelineError, StoreError
from pipeline.files import disk_error, make_folder, read_json, write_whole

# Measurements fade: the newest few hundred units of work weigh as much as everything before them.
_FADE = 0.8


@dataclass(frozen=True, slots=True)
class Record:
    """What one episode was made from the last time."""

    trail: Trail = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
    """SHA-256 of the script.md that the pipeline was about to publish last, and of the one it then replaced; none
    where a person's stands. No older ones: who brings an old script back means it."""
    identity: str = ""
    """What asked for the episode: its folder is not given to another topic."""
    engines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`writer` and `voice` → the identity of the engine that made the episode, as plain data."""
    origin: Mapping[str, Any] | None = None
    """How a model came to write the script, as the manifest says it; empty where none did, None where nobody knows."""
    manifests: tuple[str, ...] = ()
    """SHA-256 of the manifest that was published last; while it is being published, also of the one that it replaces.
    Kept apart from the episode, because a digest that lies beside what it proves can be formed anew with it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an episode's last try ended, for `status`."""

    code: str
    what: str
    where: str
    hint: str
    at: str
    """RFC 3339, UTC."""
    answer: str = ""
    """The file that keeps an engine's unusable answer, where there was one."""
    tries: int = 0
    """How often in a row it has failed as it is now; what other programs or the disk are to blame for is not counted.
    """
    state: str = ""
    """What it was tried with: a digest over the topic and everything else that decides what the episode is."""
    steps: tuple[str, ...] = ()
    """Where its process died: the keys of the steps that were under way."""


@dataclass(frozen=True, slots=True)
class Records:
    folder: Path

    def load(self, slug: str) -> Record:
        raw = _read(self._path(slug))
        try:
            trail = {str(place): [dict(step) for step in steps] for place, steps in raw["trail"].items()}
            engines = {str(name): dict(identity) for name, identity in raw.get("engines", {}).items()}
            origin = dict(raw["origin"]) if raw.get("origin") is not None else None
            return Record(
                trail,
                tuple(map(str, raw["scripts"])),
                str(raw.get("identity", "")),
                engines,
                origin,
                tuple(map(str, raw.get("manifests", ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return Record()

    def save(self, slug: str, record: Record) -> None:
        """Raises StoreError."""
        make_folder(self.folder)
        _write(
            self._path(slug),
            {
                "trail": record.trail,
                "scripts": record.scripts,
                "identity": record.identity,
                "engines": record.engines,
                "origin": record.origin,
                "manifests": record.manifests,
            },
        )

    def slugs(self) -> frozenset[str]:
        """The episodes of which something is remembered."""
        with suppress(FileNotFoundError):
            return frozenset(path.stem for path in self.folder.glob("*.json"))
        return frozenset()

    def _path(self, slug: str) -> Path:
        return self.folder / f"{slug}.json"


@dataclass(frozen=True, slots=True)
class Failures:
    folder: Path

    def keep(
        self,
        slug: str,
        error: PipelineError,
        *,
        at: str,
        state: str = "",
        counts: bool = True,
        steps: Collection[str] = (),
    ) -> Failure:
        """Remember how a try ended, and how many there were with this `state` that count: they were the topic's doing.

        A process that dies at other `steps` than the last time got further, and is counted anew. Raises StoreError.
        """
        make_folder(self.folder)
        before = self.of(slug)
        earlier = before.tries if before is not None and before.state == state else 0
        if before is not None and steps and before.steps and not set(steps) & set(before.steps):
            earlier = 0
        answer = ""
        if isinstance(error, EngineNonsense) and error.answer:
            kept = self.folder / f"{slug}.answer.txt"
            write_whole(kept, error.answer.encode("utf-8", "replace"))
            answer = str(kept)
        tries = earlier + counts
        failure = Failure(error.code, error.what, error.where, error.hint, at, answer, tries, state, tuple(steps))
        _write(self.folder / f"{slug}.json", {name: getattr(failure, name) for name in Failure.__dataclass_fields__})
        return failure

    def of(self, slug: str) -> Failure | None:
        raw = _read(self.folder / f"{slug}.json")
        try:
            steps = tuple(map(str, raw.pop("steps", ())))
            return Failure(**{**raw, "tries": int(raw.get("tries", 0))}, steps=steps)
        except (TypeError, ValueError):
            return None

    def slugs(self) -> frozenset[str]:
        """The episodes that have failed."""
        return frozenset(path.stem for path in self.folder.glob("*.json"))

    def clear(self, slug: str) -> None:
        for name in (f"{slug}.json", f"{slug}.answer.txt"):
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)


@dataclass(slots=True)
class Measured:
    """Seconds for a unit of work, by rule and engine: what estimates come from."""

    path: Path
    sums: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Rule → units done and seconds they took, faded."""

    @classmethod
    def load(cls, path: Path) -> Measured:
        sums = {}
        for name, pair in _read(path).items():
            with suppress(TypeError, ValueError):
                units, seconds = pair
                sums[name] = (float(units), float(seconds))
        return cls(path, sums)

    def add(self, done: Mapping[str, tuple[float, float]]) -> None:
        """Take in one run's work: rule → units and seconds."""
        for name, (units, seconds) in done.items():
            before = self.sums.get(name, (0.0, 0.0))
            self.sums[name] = (before[0] * _FADE + units, before[1] * _FADE + seconds)

    def save(self) -> None:
        """Raises StoreError."""
        make_folder(self.path.parent)
        _write(self.path, {name: [round(units, 3), round(seconds, 4)] for name, (units, seconds) in self.sums.items()})

    def seconds(self, rule: str, units: float) -> float | None:
        """How long so much work of a rule takes on one executor thread; None where it was never measured."""
        known = self.sums.get(rule)
        if known is None or known[0] <= 0:
            return None
        return units * known[1] / known[0]


@dataclass(frozen=True, slots=True)
class Home:
    """Where episodes were published the last time. An empty folder there is a new beginning, but not where it lies on
    another device: then a volume is not mounted, and what is made would fill the disk below it.
    """

    path: Path

    def check(self, output: Path) -> None:
        """Raises StoreError where the folder in which episodes were published is gone with its device."""
        known = _read(self.path)
        if known.get("folder") != str(output) or known.get("device") == device_of(output) or _holds_anything(output):
            return
        raise StoreError(
            "episodes were published there, and now it is missing or empty, and on another device",
            where=str(output),
            hint=f"If it lies on a volume, mount that and run it again. If it is meant to begin anew: rm {self.path}",
        )

    def note(self, output: Path) -> None:
        """Remember where episodes are. Raises StoreError."""
        now = {"folder": str(output), "device": device_of(output)}
        if _read(self.path) != now:
            make_folder(self.path.parent)
            _write(self.path, now)


def device_of(folder: Path) -> int:
    """The device that a folder is on; of one that is not there, the one that it would be made on. Raises StoreError."""
    for place in (folder, *folder.parents):
        try:
            return place.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError as error:
            raise disk_error(error, place) from error
    raise StoreError("there is no such place", where=str(folder), hint="Name a folder of this machine.")


def _holds_anything(folder: Path) -> bool:
    """Whether anything lies there but what is hidden, and what file systems put into themselves."""
    try:
        with os.scandir(folder) as entries:
            return any(not entry.name.startswith(".") and entry.name != "lost+found" for entry in entries)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(error, folder) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = read_json(path)
    except (OSError, StoreError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _write(path: Path, value: Mapping[str, object]) -> None:
    write_whole(path, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
