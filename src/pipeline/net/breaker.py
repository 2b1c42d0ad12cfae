"""When a service is taken to be down: then its callers wait, instead of failing one after the other.

After some failures in a row the circuit opens, for a rest that grows; then one caller tries while the others go on
waiting, and an answer closes it for all. A refusal is an answer: who says no is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from enum import Enum, auto
from threading import Condition, Event

from pipeline.errors import EngineUnavailable, Interrupted

# How soon a waiting caller sees that the run is to stop: a condition cannot wait for an event as well.
_LOOK_SECONDS = 0.1


class Admission(Enum):
    CALL = auto()
    PROBE = auto()
    """The service is taken to be down, and this one call finds out whether it still is."""


class Breaker:
    """One for each service. Thread-safe."""

    def __init__(
        self,
        *,
        failures: int = 3,
        first_rest_seconds: float = 2.0,
        longest_rest_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = failures
        self._first_rest = first_rest_seconds
        self._longest_rest = longest_rest_seconds
        self._clock = clock
        self._changed = Condition()
        self._failures = 0
        self._probing = False
        self._rest = 0.0
        self._rests_until = 0.0
        self._reason: EngineUnavailable | None = None

    @property
    def is_open(self) -> bool:
        return self._reason is not None

    def admit(self, stop: Event, *, until: float) -> Admission:
        """Wait for leave to call; every admission ends in `answered`, `failed` or `gave_up`.

        `until` is a time of the clock. Raises the service's last EngineUnavailable when it is still down then, and
        Interrupted when `stop` is set.
        """
        with self._changed:
            while True:
                if stop.is_set():
                    raise Interrupted
                if self._reason is None:
                    return Admission.CALL
                now = self._clock()
                if not self._probing and now >= self._rests_until:
                    self._probing = True
                    return Admission.PROBE
                if now >= until:
                    raise copy(self._reason)  # each caller its own: a traceback is written into it
                waiting = until - now if self._probing else min(until, self._rests_until) - now
                self._changed.wait(min(_LOOK_SECONDS, waiting))

    def answered(self) -> None:
        """The service is there."""
        with self._changed:
            self._failures = 0
            self._probing = False
            self._reason = None
            self._changed.notify_all()

    def failed(self, error: EngineUnavailable, admission: Admission) -> None:
        """The service could not be reached, or was too busy."""
        with self._changed:
            self._failures += 1
            if admission is Admission.PROBE:
                self._probing = False
                self._open(error, rest=min(self._longest_rest, 2 * self._rest))
            elif self._failures >= self._allowed and self._reason is None:
                self._open(error, rest=self._first_rest)
            self._changed.notify_all()

    def gave_up(self, admission: Admission) -> None:
        """The call ended without a word about the service: it was interrupted, or there was a fault of ours."""
        with self._changed:
            if admission is Admission.PROBE:
                self._probing = False
                self._changed.notify_all()

    def _open(self, error: EngineUnavailable, *, rest: float) -> None:
        self._reason = error
        self._rest = rest
        self._rests_until = self._clock() + max(rest, min(self._longest_rest, error.retry_after_seconds or 0.0))
