"""When a project that is watched is made: once what lies in it is new, and lies still.

Events of file systems do not cross every mount (network shares, Docker Desktop), so the folders are looked at again
and again; a look at ten thousand files takes some tens of milliseconds. Each round is written down, so that a health
check can tell a watch that turns its rounds from one that hangs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Literal

from pipeline.errors import PipelineError, SettingsError, StoreError
from pipeline.files import make_folder, read_json, write_whole

# What was made by hand or by another command is found by this at the latest (a deleted output folder, say).
_RESCAN_SECONDS = 300.0
# After a failure that may pass (an engine that was away): a minute, then twice as long each time.
_FIRST_RETRY_SECONDS = 60.0
_LONGEST_RETRY_SECONDS = 3600.0
_BEAT_SECONDS = 5.0
# A round that long ago is a watch that hangs, or has gone. The machine may be very busy.
ALIVE_SECONDS = 60.0

State = Literal["starting", "waiting", "idle", "making", "paused", "stopped"]


@dataclass(frozen=True, slots=True)
class Beat:
    """What a watch says of itself, every few seconds."""

    at: str
    state: State
    ready: bool
    """Every engine has produced something since the watch began."""
    about: str = ""

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the rounds so far have shown; times are in seconds of one clock."""

    seen: str = ""
    """The folders' state at the last round."""
    made: str = ""
    """Their state when the last making began."""
    made_at: float = float("-inf")
    failed_at: float | None = None
    """When something failed that may pass; None where nothing did."""
    failures_in_a_row: int = 0


def due(rounds: Rounds, now_seen: str, now: float, *, asked: bool = False) -> str:
    """Why to make what there is to make now; empty where there is no reason. `asked` is what somebody asked for that
    shows in no folder.

    A folder whose state differs from the last round's is still being written to: it is left until it lies still.
    """
    if now_seen != rounds.seen:
        return ""
    if asked:
        return "asked"
    if now_seen != rounds.made:
        return "changed"
    if rounds.failed_at is not None and now - rounds.failed_at >= retry_after(rounds.failures_in_a_row):
        return "retry"
    return "rescan" if now - rounds.made_at >= _RESCAN_SECONDS else ""


def retry_after(failures_in_a_row: int) -> float:
    """Seconds to leave after that many failures."""
    return min(_FIRST_RETRY_SECONDS * 2.0 ** max(0, failures_in_a_row - 1), _LONGEST_RETRY_SECONDS)


def state_of(folders: list[Path]) -> str:
    """A digest of the names, sizes and times of everything in the folders; links are not followed."""
    digest = hashlib.sha256()
    for folder in folders:
        for place, names, files in os.walk(folder):
            names.sort()
            for name in sorted(files):
                path = os.path.join(place, name)  # noqa: PTH118  # Path objects cost four times as much
                try:
                    found = os.lstat(path)
                except OSError:
                    continue  # it went away; the next round sees that
                digest.update(os.fsencode(path))
                digest.update(f"\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_mode}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Made:
    """How one making ended."""

    made: int
    failed: int
    may_pass: bool
    """Some failure may be gone when it is tried again: a service that was away."""


class Watch:
    """Turns its rounds until `stop` is set.

    `prove` has each engine produce something (raises PipelineError), `make` makes all there is to make,
    `log(event, facts)` is told what happens. `rest` waits between two rounds, where that may end sooner than after
    `seconds`; `asked` says whether somebody asked for what shows in no folder.
    """

    def __init__(
        self,
        folders: list[Path],
        data: Path,
        *,
        prove: Callable[[], None],
        make: Callable[[], Made],
        log: Callable[[str, dict[str, object]], None],
        stop: Flag,
        seconds: float,
        clock: Callable[[], float],
        rest: Callable[[float], object] | None = None,
        asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folders = folders
        self._data = data
        self._prove = prove
        self._make = make
        self._log = log
        self._stop = stop
        self._seconds = seconds
        self._clock = clock
        self._rest = rest or stop.wait
        self._asked = asked
        self._rounds = Rounds()
        self._beat = Beat("", "starting", ready=False)

    def keep_at_it(self) -> None:
        """Until stopped. Raises StoreError where the data folder cannot be written."""
        make_folder(self._data)
        with self._beating():
            self._until_proven()
            while not self._stop.is_set():
                self.turn()
                self._rest(self._seconds)
        self._say("stopped")

    def turn(self) -> None:
        """One round."""
        seen = state_of(self._folders)
        reason = due(self._rounds, seen, self._clock(), asked=self._asked())
        self._rounds = replace(self._rounds, seen=seen)
        if not reason:
            return
        with alone(self._data) as free:
            if not free:
                self._say("paused", "another command is making episodes")
                return
            self._say("making", reason)
            self._make_now(seen)
        self._say("idle")

    def _make_now(self, seen: str) -> None:
        try:
            result = self._make()
        except SettingsError as error:
            # Nothing starts until it is mended, which shows as a change.
            self._log("settings_refused", {"problems": list(error.problems)})
            result = Made(0, 0, may_pass=False)
        except PipelineError as error:
            if self._stop.is_set():
                return
            self._log("round_failed", {"what": error.what, "where": error.where, "hint": error.hint})
            result = Made(0, 1, may_pass=True)
        now = self._clock()
        again = result.may_pass and result.failed > 0
        self._rounds = replace(
            self._rounds,
            made=seen,
            made_at=now,
            failed_at=now if again else None,
            failures_in_a_row=self._rounds.failures_in_a_row + 1 if again else 0,
        )

    def _until_proven(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                self._prove()
            except PipelineError as error:
                tries += 1
                self._say("waiting", str(error))
                if tries == 1 or (tries & (tries - 1)) == 0:  # the first, then ever more rarely
                    self._log("waiting", {"what": error.what, "where": error.where, "hint": error.hint, "tries": tries})
                self._stop.wait(min(2.0 * tries, 30.0))
            else:
                self._beat = Beat("", "idle", ready=True)
                self._say("idle")
                self._log("ready", {})
                return

    def _say(self, state: State, about: str = "") -> None:
        self._beat = Beat(_now(), state, self._beat.ready, about)
        write_whole(self._data / "watch.json", json.dumps(asdict(self._beat)).encode())

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Beats go on while something long is made."""
        over = Flag()

        def beat() -> None:
            while not over.wait(_BEAT_SECONDS):
                self._say(self._beat.state, self._beat.about)

        thread = Thread(target=beat, name="watch-beat", daemon=True)
        self._say("starting")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def last_beat(data: Path) -> Beat | None:
    """What the watch last said; None where none has been here."""
    try:
        return Beat(**read_json(data / "watch.json"))
    except (OSError, StoreError, ValueError, TypeError):
        return None


def health(data: Path, now: datetime) -> tuple[bool, str]:
    """Whether a watch is at work there, and what to say of it."""
    beat = last_beat(data)
    if beat is None:
        return False, "no watch has been here"
    age = (now - beat.time).total_seconds()
    if beat.state == "stopped" or age > ALIVE_SECONDS:
        return False, f"the watch {'was stopped' if beat.state == 'stopped' else 'was last seen'} {age:.0f} s ago"
    said = f"{beat.state}{': ' + beat.about if beat.about else ''}"
    return beat.ready, said


@contextmanager
def alone(data: Path) -> Iterator[bool]:
    """True while nobody else makes episodes here; False where somebody does. The lock dies with its process."""
    with _lock(data, fcntl.LOCK_EX) as held:
        yield held


def giving_notice(data: Path) -> AbstractContextManager[bool]:
    """While it lasts a watch begins nothing here. Several may give notice at once; none waits for anything."""
    return _lock(data, fcntl.LOCK_SH)


@contextmanager
def _lock(data: Path, kind: int) -> Iterator[bool]:
    make_folder(data)
    descriptor = os.open(data / "making.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
