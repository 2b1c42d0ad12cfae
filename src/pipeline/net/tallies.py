"""What this process has asked of its services so far, in numbers that only grow, and how each of them stands now.

The numbers are for metrics: whoever reads them works out rates. Nothing here decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

from pipeline.errors import PipelineError

ANSWERED = "answered"
BROKEN = "bug"
"""The outcome of a call that ended with anything but a PipelineError."""


class State(StrEnum):
    """How a service's circuit stands."""

    CLOSED = "closed"
    """It is called as need be."""
    OPEN = "open"
    """It is taken to be down, and waited for."""
    HALF_OPEN = "half-open"
    """One call finds out whether it still is."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One service, at the moment of the snapshot."""

    state: State
    since: datetime
    """Since when it is in this state; for a circuit that never opened, since it was made. UTC; so is `next_try`."""
    next_try: datetime | None
    """When a service that is taken to be down is to be tried again; None in every other state."""
    calls: Mapping[str, int]
    """Outcome → calls: `answered`, the `code` of the error (`engine-unavailable`, `interrupted`, …), or `bug`."""
    retries: int
    """Calls that were made again because the one before had failed."""
    waited_seconds: float
    """Between two tries and for a service that is down, of all callers together; not for `calls_per_minute`."""


@dataclass(slots=True)
class _Count:
    state: State
    since: datetime
    next_try: datetime | None = None
    calls: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    waited_seconds: float = 0.0


class Tallies:
    """Counts by service. Thread-safe."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[str, _Count] = {}

    @contextmanager
    def call(self, service: str) -> Iterator[None]:
        """What is done inside is one call; how it ends is counted."""
        outcome = BROKEN
        try:
            yield
            outcome = ANSWERED
        except PipelineError as error:
            outcome = error.code
            raise
        finally:
            with self._lock:
                self._of(service).calls[outcome] += 1

    def retried(self, service: str) -> None:
        with self._lock:
            self._of(service).retries += 1

    def waited(self, service: str, seconds: float) -> None:
        with self._lock:
            self._of(service).waited_seconds += seconds

    def stands(self, service: str, state: State, *, next_try_seconds: float | None = None) -> None:
        """The service's circuit is in this state from now on."""
        with self._lock:
            now, count = self._clock(), self._of(service)
            if count.state is not state:
                count.state, count.since = state, now
            count.next_try = None if next_try_seconds is None else now + timedelta(seconds=next_try_seconds)

    def snapshot(self) -> Mapping[str, Tally]:
        """Service → its tally now: `writer`, `voice`, `illustrator`, `download`, as far as they were used."""
        with self._lock:
            return MappingProxyType(
                {
                    service: Tally(
                        count.state,
                        count.since,
                        count.next_try,
                        MappingProxyType(dict(count.calls)),
                        count.retries,
                        count.waited_seconds,
                    )
                    for service, count in sorted(self._counts.items())
                }
            )

    def _of(self, service: str) -> _Count:
        count = self._counts.get(service)
        if count is None:
            count = self._counts[service] = _Count(State.CLOSED, self._clock())
        return count


TALLIES = Tallies()
"""This process's own: every call counts here unless it is given another."""
