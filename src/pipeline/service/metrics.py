"""What the service counts, for Prometheus. Every label is one of a fixed set: no title, path, id or text of an error.

Names follow Prometheus's practice: one prefix, base units in the plural, `_total` for counters, the time of an event
rather than its age.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from pipeline import __version__
from pipeline.build.runner import Event, Kind
from pipeline.errors import Interrupted, PipelineError
from pipeline.service.board import STAGES, stage_of

ROLES = ("writer", "voice", "illustrator")
OUTCOMES = ("made", "unchanged", "failed", "interrupted")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "other")
MAKER_STATES = ("starting", "waiting", "idle", "making", "paused", "stopped")
_ROLE_OF = {"llm": "writer", "speech": "voice", "image": "illustrator"}
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)


def _codes(kind: type[PipelineError]) -> Iterator[str]:
    """Those of the catalogue alone: what the servers and clients above it add to it are no failures of episodes."""
    if kind.__module__ == PipelineError.__module__:
        yield kind.code
        for below in kind.__subclasses__():
            yield from _codes(below)


CODES = (*sorted(set(_codes(PipelineError))), "bug")


class Metrics:
    """Of one service; a registry of its own, so that several can live in one process."""

    def __init__(self, folders: Mapping[str, Path], *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._folders = folders
        self.registry = registry = CollectorRegistry()
        build = Info("pipeline_build", "The version that runs.", registry=registry)
        build.info({"version": __version__})

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"pipeline_{name}", about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"pipeline_{name}", about, labels, registry=registry)

        self._wanted = counter("stage_items_started_total", "Steps begun, by stage.", "stage")
        self._going = gauge("stage_items_in_progress", "Steps being made now, by stage.", "stage")
        self._made = counter("stage_items_made_total", "Steps made, by stage.", "stage")
        self._failed = counter("stage_items_failed_total", "Steps that failed, by stage.", "stage")
        self._units = counter(
            "stage_units_total",
            "Units of work done: words of a script, letters spoken, pictures drawn, seconds of film.", "stage",
        )  # fmt: skip
        self._seconds = Histogram(
            "pipeline_stage_duration_seconds", "How long a step took, by stage.", ["stage"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._last = gauge("stage_last_made_timestamp_seconds", "When a stage last made something.", "stage")
        self._store = counter("store_lookups_total", "Artifacts wanted: found in the store, or not.", "result")
        self._episodes = counter("episodes_total", "Episodes that a round dealt with, by how it ended.", "outcome")
        self._failures = counter("failures_total", "Episodes that failed, by the error's code.", "code")
        self._success = gauge("last_success_timestamp_seconds", "When an episode was last finished.")
        self._refused = gauge("topics_refused", "Topics that cannot be read as they are.")
        self._queue = gauge("queue_topics", "Topics whose episodes are still to be made.")
        self._oldest = gauge(
            "queue_oldest_timestamp_seconds", "When the oldest of those was asked for; 0 where none waits."
        )
        self._state = gauge("maker_state", "1 for the state the maker is in.", "state")
        self._rounds = counter("maker_rounds_total", "Rounds in which episodes were made.")
        self._ready = gauge("engine_ready", "1 where an engine did what it was asked for.", "engine")
        self._looked = gauge("engine_check_timestamp_seconds", "When that was last seen.", "engine")
        self._free = gauge("disk_free_bytes", "What is free where a folder lies.", "folder")
        self._size = gauge("disk_size_bytes", "How large the disk is where a folder lies.", "folder")
        self.requests = counter("http_requests_total", "Requests, by method and status.", "method", "status")
        self.request_seconds = Histogram(
            "pipeline_http_request_duration_seconds", "From a request's arrival to its answer's end.", ["method"],
            buckets=_REQUEST_SECONDS, registry=registry,
        )  # fmt: skip
        self.inside = gauge("http_requests_in_progress", "Requests that are being answered.")
        self._listeners = gauge("event_listeners", "Clients that listen to events.")
        self._dropped = counter("event_listeners_dropped_total", "Clients that were dropped because they fell behind.")
        self._dropped_before = 0
        self._lock = Lock()
        self._begun: dict[str, str] = {}
        """The steps that are being made, by key, and the stage of each."""
        self._begin()

    def _begin(self) -> None:
        """Every known label is there from the start, so that a rate over it has a first value."""
        for stage in STAGES:
            for one in (self._wanted, self._going, self._made, self._failed, self._units, self._seconds):
                one.labels(stage)
        for result in ("hit", "miss"):
            self._store.labels(result)
        for outcome in OUTCOMES:
            self._episodes.labels(outcome)
        for code in CODES:
            self._failures.labels(code)
        for method in METHODS:
            self.request_seconds.labels(method)
        self.maker("starting")

    # -- the round --------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> str | None:
        """Count an event of the runner; returns the engine that it shows to be at work."""
        if event.step is None:
            if event.kind is Kind.CLOSED and event.error is not None and not isinstance(event.error, Interrupted):
                code = event.error.code if isinstance(event.error, PipelineError) else "bug"
                self._failures.labels(code if code in CODES else "error").inc()
            return None
        stage = stage_of(event.step.rule.name)
        with self._lock:
            if event.kind is Kind.STARTED:
                self._begun[event.step.key] = stage
            else:
                # Also what was begun here and then found, because another process made it in the meantime.
                self._begun.pop(event.step.key, None)
            self._going.labels(stage).set(sum(one == stage for one in self._begun.values()))
        if event.kind is Kind.STARTED:
            self._wanted.labels(stage).inc()
            self._store.labels("miss").inc()
        elif event.kind is Kind.FOUND:
            self._store.labels("hit").inc()
        elif event.kind is Kind.FAILED:
            self._failed.labels(stage).inc()
        elif event.kind is Kind.MADE:
            self._made.labels(stage).inc()
            self._units.labels(stage).inc(event.step.units)
            self._seconds.labels(stage).observe(event.seconds)
            self._last.labels(stage).set(self._now())
            return _ROLE_OF.get(event.step.rule.resource)
        return None

    def episode(self, outcome: str) -> None:
        """`outcome` is one of OUTCOMES."""
        self._episodes.labels(outcome).inc()
        if outcome == "made":
            self._success.set(self._now())

    def round_ends(self, *, refused: int) -> None:
        self._rounds.inc()
        self._refused.set(refused)
        with self._lock:
            self._begun.clear()
            for stage in STAGES:  # what was given up says nothing more
                self._going.labels(stage).set(0)

    def maker(self, state: str) -> None:
        for one in MAKER_STATES:
            self._state.labels(one).set(one == state)

    def engine(self, role: str, *, ready: bool, at: float) -> None:
        self._ready.labels(role).set(ready)
        self._looked.labels(role).set(at)

    # -- told -------------------------------------------------------------------------------------------------------

    def text(self, *, queue: tuple[int, float | None], listeners: int, dropped: int) -> bytes:
        """The exposition, with what is only looked at when somebody asks."""
        self._queue.set(queue[0])
        self._oldest.set(queue[1] or 0)
        self._listeners.set(listeners)
        self._dropped.inc(dropped - self._dropped_before)
        self._dropped_before = dropped
        for name, folder in self._folders.items():
            free, size = _disk(folder)
            self._free.labels(name).set(free)
            self._size.labels(name).set(size)
        return generate_latest(self.registry)


def _disk(folder: Path) -> tuple[int, int]:
    """Free and whole size in bytes, of the nearest folder above that is there."""
    for place in (folder, *folder.parents):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return 0, 0
