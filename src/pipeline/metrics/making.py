"""Counts what the runner's events tell: the same for a service's rounds and for one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from pipeline.build.runner import Event, Kind
from pipeline.errors import Interrupted, PipelineError
from pipeline.metrics.families import CODES, EPISODE_OUTCOMES, LOOKUPS
from pipeline.metrics.meters import Meters
from pipeline.metrics.stages import STAGES, stage_of

# The only rule of which the units are seconds of film.
_FILM = "film-stretch"


def ended(error: BaseException | None, made: int) -> str:
    """How an episode ended, of which so many artifacts were made: one of EPISODE_OUTCOMES."""
    if error is None:
        return "made" if made else "unchanged"
    return "interrupted" if isinstance(error, Interrupted) else "failed"


class Making:
    """Thread-safe: events come from whichever thread they happened on."""

    def __init__(self, meters: Meters, *, shows_progress: bool, now: Callable[[], float] = time.time) -> None:
        """`now` is in seconds since 1970. `shows_progress` where somebody looks while it goes on."""
        self._now = now
        self._wanted = meters.counter("pipeline_stage_items_started_total")
        self._going = meters.gauge("pipeline_stage_items_in_progress") if shows_progress else None
        self._made = meters.counter("pipeline_stage_items_made_total")
        self._failed = meters.counter("pipeline_stage_items_failed_total")
        self._units = meters.counter("pipeline_stage_units_total")
        self._seconds = meters.histogram("pipeline_stage_duration_seconds")
        self._last = meters.gauge("pipeline_stage_last_made_timestamp_seconds")
        self._store = meters.counter("pipeline_store_lookups_total")
        self._episodes = meters.counter("pipeline_episodes_total")
        self._failures = meters.counter("pipeline_failures_total")
        self._success = meters.gauge("pipeline_last_success_timestamp_seconds")
        self._film = meters.counter("pipeline_film_seconds_total")
        self._film_busy = meters.counter("pipeline_film_busy_seconds_total")
        self.refused = meters.gauge("pipeline_topics_refused")
        self.set_aside = meters.gauge("pipeline_topics_set_aside")
        self._lock = Lock()
        self._begun: dict[str, str] = {}
        """The steps that are being made, by key, and the stage of each."""
        self._begin()

    def _begin(self) -> None:
        """Every known label is there from the start, so that a rate over it has a first value."""
        for stage in STAGES:
            for one in (self._wanted, self._going, self._made, self._failed, self._units, self._seconds):
                if one is not None:
                    one.labels(stage)
        for result in LOOKUPS:
            self._store.labels(result)
        for outcome in EPISODE_OUTCOMES:
            self._episodes.labels(outcome)
        for code in CODES:
            self._failures.labels(code)

    def take(self, event: Event) -> None:
        """Count an event of the runner."""
        if event.step is None:
            if event.kind is Kind.CLOSED and event.error is not None and not isinstance(event.error, Interrupted):
                code = event.error.code if isinstance(event.error, PipelineError) else "bug"
                self._failures.labels(code if code in CODES else "error").inc()
            return
        stage = stage_of(event.step.rule.name)
        self._mark(event, event.step.key, stage)
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
            if event.step.rule.name == _FILM:
                self._film.inc(event.step.units)
                self._film_busy.inc(event.seconds)

    def episode(self, outcome: str) -> None:
        """`outcome` is one of EPISODE_OUTCOMES."""
        self._episodes.labels(outcome).inc()
        if outcome == "made":
            self._success.set(self._now())

    def ends(self) -> None:
        """What was given up says nothing more."""
        with self._lock:
            self._begun.clear()
            if self._going is not None:
                for stage in STAGES:
                    self._going.labels(stage).set(0)

    def _mark(self, event: Event, key: str, stage: str) -> None:
        if self._going is None:
            return
        with self._lock:
            if event.kind is Kind.STARTED:
                self._begun[key] = stage
            else:
                # Also what was begun here and then found, because another process made it in the meantime.
                self._begun.pop(key, None)
            self._going.labels(stage).set(sum(one == stage for one in self._begun.values()))
