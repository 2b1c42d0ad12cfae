"""What the service counts, for Prometheus: what is made, what is asked of engines, what is asked of it.

`pipeline.metrics.families` says what there is. What costs something to find out (disks, backups) is looked at now and
then, so that an answer takes milliseconds however much is going on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from pipeline.build.runner import Event, Kind
from pipeline.metrics.engines import EngineCollector
from pipeline.metrics.families import CODES, ENGINES, EPISODE_OUTCOMES, MAKER_STATES, MANAGER, METHODS
from pipeline.metrics.machine import Sometimes, disk, newest_backup
from pipeline.metrics.making import Making
from pipeline.metrics.meters import Meters
from pipeline.telemetry.work import ROLES

__all__ = ["CODES", "METHODS", "OUTCOMES", "ROLES", "Metrics"]

OUTCOMES = EPISODE_OUTCOMES
_BACKUP = "pipeline_backup_last_timestamp_seconds"
_ROLE_OF = {"llm": "writer", "speech": "voice", "image": "illustrator"}
# A backup is made once a day, a disk fills in minutes; Prometheus asks four times a minute, and not alone.
_BACKUPS_HOLD_SECONDS = 60.0
_DISKS_HOLD_SECONDS = 5.0


class Metrics:
    """Of one service; a registry of its own, so that several can live in one process."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        *,
        backups: Path | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folders` by the name of their label; `backups` is where backups are written. `now` is in seconds since
        1970.
        """
        self._folders = folders
        self._backups = backups
        self._newest_backup: float | None = None
        self._clock = clock
        self.registry = registry = CollectorRegistry()
        of_their_own = {family.name for family in ENGINES} | {_BACKUP}
        meters = Meters((one for one in MANAGER if one.name not in of_their_own), registry)
        registry.register(EngineCollector())
        backup = next(one for one in MANAGER if one.name == _BACKUP)
        registry.register(Sometimes(backup, lambda: self._newest_backup))
        ProcessCollector(registry=registry)
        self._making = Making(meters, shows_progress=True, now=now)
        self._queue = meters.gauge("pipeline_queue_topics")
        self._oldest = meters.gauge("pipeline_queue_oldest_timestamp_seconds")
        self._state = meters.gauge("pipeline_maker_state")
        self._rounds = meters.counter("pipeline_maker_rounds_total")
        self._ready = meters.gauge("pipeline_engine_ready")
        self._looked = meters.gauge("pipeline_engine_check_timestamp_seconds")
        self._free = meters.gauge("pipeline_disk_free_bytes")
        self._size = meters.gauge("pipeline_disk_size_bytes")
        self._expires = meters.gauge("pipeline_certificate_not_after_timestamp_seconds")
        self.requests = meters.counter("pipeline_http_requests_total")
        self.request_seconds = meters.histogram("pipeline_http_request_duration_seconds")
        self.inside = meters.gauge("pipeline_http_requests_in_progress")
        self._listeners = meters.gauge("pipeline_event_listeners")
        self._dropped = meters.counter("pipeline_event_listeners_dropped_total")
        self._dropped_before = 0
        self._disks_at = self._backups_at = float("-inf")
        for method in METHODS:
            self.request_seconds.labels(method)
        self.maker("starting")

    # -- the round --------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> str | None:
        """Count an event of the runner; returns the engine that it shows to be at work."""
        self._making.take(event)
        made = event.step is not None and event.kind is Kind.MADE
        return _ROLE_OF.get(event.step.rule.resource) if made and event.step is not None else None

    def episode(self, outcome: str) -> None:
        """`outcome` is one of OUTCOMES."""
        self._making.episode(outcome)

    def round_ends(self, *, refused: int) -> None:
        self._rounds.inc()
        self._making.refused.set(refused)
        self._making.ends()

    def maker(self, state: str) -> None:
        for one in MAKER_STATES:
            self._state.labels(one).set(one == state)

    def engine(self, role: str, *, ready: bool, at: float) -> None:
        self._ready.labels(role).set(ready)
        self._looked.labels(role).set(at)

    def certificate(self, role: str, not_after: float | None) -> None:
        """When the certificate of an engine's address expires, in seconds since 1970; None where that is not known."""
        if not_after is None:
            self._expires.remove_by_labels({"engine": role})
        else:
            self._expires.labels(role).set(not_after)

    # -- told -------------------------------------------------------------------------------------------------------

    def text(self, *, queue: tuple[int, float | None], listeners: int, dropped: int, set_aside: int = 0) -> bytes:
        """The exposition. `queue` is how many wait, and since when the oldest."""
        self._queue.set(queue[0])
        self._oldest.set(queue[1] or 0)
        self._making.set_aside.set(set_aside)
        self._listeners.set(listeners)
        self._dropped.inc(dropped - self._dropped_before)
        self._dropped_before = dropped
        self._look_around()
        return generate_latest(self.registry)

    def _look_around(self) -> None:
        now = self._clock()
        if now - self._disks_at >= _DISKS_HOLD_SECONDS:
            self._disks_at = now
            for name, folder in self._folders.items():
                free, size = disk(folder)
                self._free.labels(name).set(free)
                self._size.labels(name).set(size)
        if self._backups is not None and now - self._backups_at >= _BACKUPS_HOLD_SECONDS:
            self._backups_at = now
            self._newest_backup = newest_backup(self._backups)
