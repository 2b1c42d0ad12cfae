"""Whether a service is taken to be down, and who may call it: the decision alone, without threads and without a clock.

After some failures in a row the circuit opens, for a rest that grows; then one caller tries while the others go on
waiting, and an answer closes it for all. A refusal is an answer: who says no is there. Times are in seconds of any
one clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from pipeline.errors import EngineUnavailable


class Admission(Enum):
    CALL = auto()
    PROBE = auto()
    """The service is taken to be down, and this one call finds out whether it still is."""


@dataclass(frozen=True, slots=True)
class Rests:
    """When a circuit opens, and how often a service that is down is tried: with these, 13 times in ten minutes."""

    failures: int = 3
    """In a row, whoever was called for."""
    first_seconds: float = 2.0
    longest_seconds: float = 60.0
    """At most so long after a service is back, its callers go on."""
    unproven_calls: int = 8
    """How many may call at once while nothing was answered since the last failure, or ever."""

    def after(self, probes: int) -> float:
        """The rest after so many failed probes of one outage."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(probes, 60))


class Circuit:
    """One for each service. Every admission ends in `answered`, `failed` or `gave_up`. Not thread-safe."""

    def __init__(self, rests: Rests) -> None:
        self._rests = rests
        self._failures = 0
        self._since = 0.0
        self._proven = False
        self._calling = 0
        self._probing = False
        self._probes = 0
        self.reason: EngineUnavailable | None = None
        """Why the service is taken to be down; None where it is not."""
        self.next_try = 0.0
        """When it is to be tried again."""

    @property
    def since(self) -> float:
        """Since when the service is taken to be down."""
        return self._since

    def admit(self, now: float, *, next_in_line: bool = True) -> Admission | None:
        """Leave to call; None where the caller has to wait. Of those who wait, only the one who is next may probe: a
        call that is itself what the service breaks on must not be the only one that ever tries.
        """
        if self.reason is None:
            if not self._proven and self._calling >= self._rests.unproven_calls:
                return None
            self._calling += 1
            return Admission.CALL
        if self._probing or now < self.next_try or not next_in_line:
            return None
        self._probing = True
        return Admission.PROBE

    def answered(self, admission: Admission) -> None:
        """The service is there."""
        self._ended(admission)
        if admission is Admission.CALL and self.reason is not None:
            # Called before the service went away: late news. Only who asked since knows that it is back.
            return
        self._proven = True
        self._failures = 0
        self._probes = 0
        self.reason = None

    def failed(self, error: EngineUnavailable, admission: Admission, now: float) -> None:
        """The service could not be reached, or was too busy."""
        self._ended(admission)
        if admission is Admission.PROBE:
            self._probes += 1
            self._rest(error, now)
        elif self.reason is None:
            self._failures += 1
            self._proven = False
            if self._failures >= self._rests.failures:
                self._since = now
                self._rest(error, now)

    def gave_up(self, admission: Admission) -> None:
        """The call ended without a word about the service: it was interrupted, or there was a fault of ours."""
        self._ended(admission)

    def _ended(self, admission: Admission) -> None:
        if admission is Admission.PROBE:
            self._probing = False
        else:
            self._calling -= 1

    def _rest(self, error: EngineUnavailable, now: float) -> None:
        asked_for = min(self._rests.longest_seconds, error.retry_after_seconds or 0.0)
        self.reason = error
        self.next_try = now + max(self._rests.after(self._probes), asked_for)
