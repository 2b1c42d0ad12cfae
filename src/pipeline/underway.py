"""What a run at work shows of itself to other processes, and what a killed one has left of it.

Each run has three files in the data folder: a lock, which dies with its process; what it waits for, written whole at
each change; and the steps it is at, a line at each beginning and each end. A run without its lock is dead: what it
showed holds no more, and the steps that it began and did not end are what it died at.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

from pipeline.build.runner import Event, Kind
from pipeline.errors import StoreError
from pipeline.files import disk_error, drop, let_go, make_folder, read_json, read_plain, write_whole
from pipeline.net.outages import Down
from pipeline.telemetry import failure, log

_LOCK, _SHOWN, _STEPS = ".lock", ".json", ".steps"
_CALLED_OFF = b"called off\n"
# As much of a step's key as tells it from every other.
_KEY_DIGITS = 16
_ENDS = frozenset({Kind.MADE, Kind.FOUND, Kind.FAILED, Kind.CLOSED})

RESOURCES: Mapping[str, str] = {"writer": "llm", "voice": "speech", "illustrator": "image"}
"""Service → the resource of the steps that call it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A service that a run waits for."""

    service: str
    where: str
    why: str
    since: str
    """RFC 3339, UTC; so is `next_try`."""
    next_try: str
    episodes: tuple[str, ...]
    """Those at whose steps it is waited; others wait behind them."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """A run at work, as it shows itself."""

    pid: int
    """In the run's own container, where it is in one."""
    started: str
    """RFC 3339, UTC."""
    waits: tuple[Wait, ...] = ()


@dataclass(slots=True)
class _Steps:
    """The steps that are under way: by episode, key → resource."""

    of: dict[str, dict[str, str]] = field(default_factory=dict)

    def begin(self, episode: str, key: str, resource: str = "") -> None:
        self.of.setdefault(episode, {})[key] = resource

    def end(self, episode: str, key: str) -> None:
        self.of.get(episode, {}).pop(key, None)

    def at(self, resource: str) -> tuple[str, ...]:
        return tuple(sorted(episode for episode, steps in self.of.items() if resource in steps.values()))


class Underway:
    """One run, from `showing`. Safe to call from any thread."""

    def __init__(self, stem: Path, steps: int, states: Mapping[str, str]) -> None:
        self._stem = stem
        self._descriptor = steps
        self._states = states
        self._lock = Lock()
        self._steps = _Steps()
        self._started = _now()
        self._failed = False

    def take(self, event: Event) -> None:
        """Note where the run is."""
        with self._lock:
            if event.kind is Kind.STARTED and event.step is not None:
                key = event.step.key[:_KEY_DIGITS]
                self._steps.begin(event.flow, key, event.step.rule.resource)
                self._write("+", key, event.flow)
            elif event.kind in _ENDS:
                at = self._steps.of.get(event.flow, {})
                ended = list(at) if event.step is None else [key for key in at if event.step.key.startswith(key)]
                for key in ended:
                    self._steps.end(event.flow, key)
                    self._write("-", key, event.flow)

    def _write(self, sign: str, key: str, episode: str) -> None:
        # No fsync: what it is for is a process that dies, and not the machine.
        with suppress(OSError):
            os.write(self._descriptor, f"{sign} {key} {self._states.get(episode, '-')} {episode}\n".encode())

    def call_off(self) -> None:
        """Note that the run is being stopped: whatever ends its process from here on is no topic's fault. Safe in a
        signal handler: takes no lock, and one write of a file opened for appending is whole.

        Opens the file anew, because the run may end at this moment in another thread, and the number of a file that
        was closed is given to the next one: a caller's socket, or an episode's file.
        """
        with suppress(OSError):
            descriptor = os.open(self._stem.with_suffix(_STEPS), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                os.write(descriptor, _CALLED_OFF)
            finally:
                let_go(descriptor)

    def end(self) -> None:
        """Nothing is written from here on, whoever still tells of something."""
        with self._lock:
            let_go(self._descriptor)
            self._descriptor = -1

    def show(self, down: Mapping[str, Down]) -> None:
        """Write down what is waited for. A disk that cannot take that is no reason to stop; it is logged once."""
        with self._lock:
            waits = tuple(
                Wait(one.service, one.where, one.why, _at(one.since), _at(one.next_try), self._waiting_for(name))
                for name, one in sorted(down.items())
            )
            shown = json.dumps(asdict(AtWork(os.getpid(), self._started, waits)), ensure_ascii=False)
            try:
                write_whole(self._stem.with_suffix(_SHOWN), shown.encode())
            except StoreError as error:
                if not self._failed:
                    log().warning("waits_not_shown", **failure(error))
                self._failed = True

    def _waiting_for(self, service: str) -> tuple[str, ...]:
        return self._steps.at(RESOURCES.get(service, service))


@contextmanager
def showing(data: Path, states: Mapping[str, str] = MappingProxyType({})) -> Iterator[Underway]:
    """A run shows itself while it lasts. `states` says with what each episode is tried; it is handed on to who comes
    after a death. Raises StoreError where the data folder cannot be written.
    """
    folder = data / "underway"
    make_folder(folder)
    stem = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
    new = stem.with_suffix(".new")
    lock = _open(new)
    try:
        # Held before it has its name: who sees a lock that nobody holds takes its run for dead.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(stem.with_suffix(_LOCK))
        except OSError as error:
            drop(new)
            raise disk_error(error, new) from error
        steps = _open(stem.with_suffix(_STEPS), os.O_APPEND)
        shown = Underway(stem, steps, states)
        try:
            shown.show({})
            yield shown
        finally:
            shown.end()
            _remove(stem)
    finally:
        let_go(lock)


def at_work(data: Path) -> tuple[AtWork, ...]:
    """The runs at work there. Changes nothing."""
    found = []
    for lock in sorted((data / "underway").glob(f"*{_LOCK}")):
        with _held(lock, fcntl.LOCK_SH) as dead:
            if not dead:
                found.append(_read(lock.with_suffix(_SHOWN)))
    return tuple(run for run in found if run is not None)


def died_at(data: Path) -> Iterator[Mapping[str, tuple[str, frozenset[str]]]]:
    """For each killed run, episode → its state, and the keys of the steps that the run died at. Then nothing is left of
    that run; of several processes that look at once, one is told.
    """
    for lock in sorted((data / "underway").glob(f"*{_LOCK}")):
        with _held(lock, fcntl.LOCK_EX) as dead:
            if dead and lock.exists():
                yield _unended(lock.with_suffix(_STEPS))
                _remove(lock.with_suffix(""))


def _unended(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    steps, states = _Steps(), {}
    try:
        lines = read_plain(path).decode("utf-8", "replace").split("\n")[:-1]  # the last one may be cut off
    except (OSError, StoreError):
        return {}
    if _CALLED_OFF.decode().strip() in lines:
        return {}
    for line in lines:
        with suppress(ValueError):
            sign, key, state, episode = line.split(" ", 3)
            states[episode] = state
            if sign == "+":
                steps.begin(episode, key)
            else:
                steps.end(episode, key)
    return {episode: (states[episode], frozenset(keys)) for episode, keys in steps.of.items() if keys}


def _read(path: Path) -> AtWork | None:
    try:
        raw: dict[str, Any] = read_json(path)
        waits = tuple(Wait(**{**wait, "episodes": tuple(wait["episodes"])}) for wait in raw["waits"])
        return AtWork(int(raw["pid"]), str(raw["started"]), waits)
    except (OSError, StoreError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def _held(lock: Path, kind: int) -> Iterator[bool]:
    """True where its run is dead; while it lasts, as `kind` says, nobody else finds that out or only looks as well."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # it has just ended well, or belongs to another user
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:  # somebody holds it, or it cannot be told
            yield False
        else:
            yield True
    finally:
        let_go(descriptor)


def _open(path: Path, flags: int = 0) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o644)
    except OSError as error:
        raise disk_error(error, path) from error


def _remove(stem: Path) -> None:
    """The lock last: what lies there without one belongs to nobody."""
    for suffix in (_SHOWN, _STEPS, _LOCK):
        with suppress(OSError):
            stem.with_suffix(suffix).unlink(missing_ok=True)


def _at(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _now() -> str:
    return _at(datetime.now(UTC))
