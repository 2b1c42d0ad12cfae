"""How callers wait for a service that is down, and who is told of it: the circuit with threads and a clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from threading import Condition, Event

from pipeline.errors import EngineUnavailable, Interrupted
from pipeline.net.circuit import Admission, Circuit, Rests
from pipeline.net.tallies import TALLIES, State, Tallies
from pipeline.telemetry import failure, log

# How soon a waiting caller sees that the run is to stop: a condition cannot wait for an event as well.
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that is taken to be down, as things stand at the moment of telling."""

    service: str
    error: EngineUnavailable
    for_seconds: float
    """How long it has been down."""
    next_try_seconds: float
    """In how long it is tried again."""
    is_new: bool
    """The circuit has just opened; else the service was tried again, in vain."""


@dataclass(frozen=True, slots=True)
class Back:
    """A service that answers again."""

    service: str
    after_seconds: float


Change = Outage | Back


def log_change(change: Change) -> None:
    """A line in the log when a service is taken to be down and one when it is back; none for each try."""
    if isinstance(change, Back):
        log().info("service_back", service=change.service, seconds=round(change.after_seconds, 1))
    elif change.is_new:
        log().warning(
            "service_down",
            service=change.service,
            wait_seconds=round(change.next_try_seconds, 1),
            **failure(change.error),
        )


class Breaker:
    """One for each service. Thread-safe.

    `on_change` is told, one change after the other, in whichever thread saw it. It must not call the service.
    """

    def __init__(
        self,
        service: str = "service",
        *,
        rests: Rests | None = None,
        on_change: Callable[[Change], None] = log_change,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[Condition, float], object] = Condition.wait,
        look_seconds: float = _LOOK_SECONDS,
        tallies: Tallies = TALLIES,
    ) -> None:
        """`pause` waits for a condition, at most some seconds; a caller looks again at least each `look_seconds`."""
        self._service = service
        self._circuit = Circuit(rests or Rests())
        self._on_change = on_change
        self._clock = clock
        self._pause = pause
        self._look_seconds = look_seconds
        self._tallies = tallies
        self._changed = Condition()
        self._line: deque[object] = deque()
        tallies.stands(service, State.CLOSED)

    @property
    def is_open(self) -> bool:
        """The service is taken to be down."""
        return self._circuit.reason is not None

    def admit(self, stop: Event, *, wait_seconds: float, tells_waiting: bool = True) -> Admission:
        """Wait for leave to call; every admission ends in `answered`, `failed` or `gave_up`.

        `wait_seconds` bounds how long a service may have been down, not how long this caller waits: after that, nobody
        who comes later waits anew. Raises the service's last EngineUnavailable when it is down for longer, which
        `tells_waiting`, and Interrupted when `stop` is set.
        """
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            came = self._clock()
            try:
                while True:
                    if stop.is_set():
                        raise Interrupted
                    now = self._clock()
                    admission = self._circuit.admit(now, next_in_line=self._line[0] is ticket)
                    if admission is not None:
                        if admission is Admission.PROBE:
                            self._tallies.stands(self._service, State.HALF_OPEN)
                        return admission
                    left = self._circuit.since + wait_seconds - now
                    if self._circuit.reason is not None and left <= 0:
                        raise _too_long(self._circuit.reason, wait_seconds if tells_waiting else 0.0)
                    self._pause(self._changed, min(self._look_seconds, self._until_next(now, left)))
            finally:
                self._line.remove(ticket)
                self._tallies.waited(self._service, self._clock() - came)

    def answered(self, admission: Admission) -> None:
        """The service is there."""
        with self._changed:
            was_open = self.is_open
            self._circuit.answered(admission)
            if was_open and not self.is_open:
                self._tallies.stands(self._service, State.CLOSED)
                self._on_change(Back(self._service, self._clock() - self._circuit.since))
            self._changed.notify_all()

    def failed(self, error: EngineUnavailable, admission: Admission) -> None:
        """The service could not be reached, or was too busy."""
        with self._changed:
            was_open, now = self.is_open, self._clock()
            self._circuit.failed(error, admission, now)
            if self.is_open and (admission is Admission.PROBE or not was_open):
                down_for, rest = now - self._circuit.since, self._circuit.next_try - now
                self._tallies.stands(self._service, State.OPEN, next_try_seconds=rest)
                self._on_change(Outage(self._service, error, down_for, rest, is_new=not was_open))
            self._changed.notify_all()

    def gave_up(self, admission: Admission) -> None:
        """The call ended without a word about the service: it was interrupted, or there was a fault of ours."""
        with self._changed:
            self._circuit.gave_up(admission)
            if admission is Admission.PROBE:
                self._tallies.stands(self._service, State.OPEN, next_try_seconds=0.0)
            self._changed.notify_all()

    def _until_next(self, now: float, left: float) -> float:
        """Seconds until there is something to look at."""
        if self._circuit.reason is None:
            return self._look_seconds  # others call, and each of their calls has its deadline
        return min(left, self._circuit.next_try - now) if now < self._circuit.next_try else left


def _too_long(reason: EngineUnavailable, wait_seconds: float) -> EngineUnavailable:
    """Each caller its own: a traceback is written into an exception."""
    error = copy(reason)
    if wait_seconds > 0:
        error.what = f"{reason.what.rstrip('.')}, for {_duration(wait_seconds)} now, which is as long as is waited"
        again = "Then run it again: what is finished is kept; wait_for_services_seconds says how long to wait."
        error.hint = f"{reason.hint} {again}".strip()
    return error


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
