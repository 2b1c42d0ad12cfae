"""What this process has asked of its engines so far, in numbers that only grow; nothing here decides anything."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from pipeline.errors import Interrupted

ROLES = ("writer", "voice", "illustrator")
OUTCOMES = ("answered", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Done:
    """Of one role, at the moment of the snapshot."""

    calls: Mapping[str, int]
    """Outcome → calls."""
    durations: Sequence[int]
    """How many calls took up to each of the bounds, and longer than the last one; each call counted once."""
    call_seconds: float
    """Of all calls together."""
    amount: float
    """Tokens of the writer, seconds of the voice's sound, pictures of the illustrator."""
    busy_seconds: float
    """Of the calls that were answered."""


@dataclass(slots=True)
class _Count:
    durations: list[int]
    calls: Counter[str] = field(default_factory=Counter)
    call_seconds: float = 0.0
    amount: float = 0.0
    busy_seconds: float = 0.0


class Work:
    """Counts by role. Thread-safe."""

    def __init__(self, bounds: Sequence[float], *, clock: Callable[[], float] = time.perf_counter) -> None:
        """`bounds` of the durations, in seconds, ascending."""
        self.bounds = tuple(bounds)
        self._clock = clock
        self._lock = Lock()
        self._counts = {role: _Count([0] * (len(self.bounds) + 1)) for role in ROLES}

    @contextmanager
    def call(self, role: str) -> Iterator[Callable[[float], None]]:
        """What is done inside is one call; what is yielded is told the amount that came of it."""
        amount = 0.0
        outcome = "failed"

        def came(more: float) -> None:
            nonlocal amount
            amount += more

        begun = self._clock()
        try:
            yield came
            outcome = "answered"
        except Interrupted:
            outcome = "interrupted"
            raise
        finally:
            seconds = self._clock() - begun
            with self._lock:
                count = self._counts[role]
                count.calls[outcome] += 1
                count.durations[bisect_left(self.bounds, seconds)] += 1
                count.call_seconds += seconds
                if outcome == "answered":
                    count.amount += amount
                    count.busy_seconds += seconds

    def snapshot(self) -> Mapping[str, Done]:
        with self._lock:
            return {
                role: Done(
                    {outcome: one.calls[outcome] for outcome in OUTCOMES},
                    tuple(one.durations),
                    one.call_seconds,
                    one.amount,
                    one.busy_seconds,
                )
                for role, one in self._counts.items()
            }


WORK = Work((0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800))
"""This process's own."""
