"""A clock for several threads that only their waiting moves: an outage of hours passes in moments, the same each time.

When every thread waits for something, and would go on waiting at this time of the clock, the clock goes on to the next
moment that one of them waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition

_PATIENCE_SECONDS = 30.0
"""Of the real clock: a test that deadlocks says so."""


@dataclass(eq=False)
class _Sleeper:
    until: float
    condition: Condition
    thread: int = field(default_factory=threading.get_ident)


class SharedTime:
    """Its instances are clocks; `pause` and `sleep` are what a breaker and a retry wait with."""

    def __init__(self) -> None:
        self.now = 0.0
        self._changed = Condition()
        self._alive = 0
        self._asleep: set[_Sleeper] = set()

    def __call__(self) -> float:
        return self.now

    def pause(self, condition: Condition, seconds: float) -> None:
        """As `Condition.wait`: until it is notified, or so many seconds are over."""
        sleeper = _Sleeper(self.now + seconds, condition)
        with self._changed:
            self._asleep.add(sleeper)
            self._changed.notify_all()
        condition.wait()
        with self._changed:
            self._asleep.remove(sleeper)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> bool:
        """As `Event.wait`, of an event that is never set."""
        until = self.now + seconds
        condition = Condition()
        with condition:
            while self.now < until:
                self.pause(condition, until - self.now)
        return False

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run each task in a thread of its own, until all have ended."""
        self._alive = len(tasks)
        for task in tasks:
            threading.Thread(target=self._run_one, args=(task,), daemon=True).start()
        while before := self._when_all_wait():
            self._wake(before)
            if (after := self._when_all_wait()) and _waits(after) == _waits(before):
                self.now = min(sleeper.until for sleeper in after)
                self._wake(after)

    def _run_one(self, task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            with self._changed:
                self._alive -= 1
                self._changed.notify_all()

    def _when_all_wait(self) -> frozenset[_Sleeper]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._asleep) == self._alive, _PATIENCE_SECONDS):
                raise AssertionError("a thread neither waits nor ends")
            return frozenset(self._asleep)

    def _wake(self, sleepers: frozenset[_Sleeper]) -> None:
        """Have each of them look again whether it still has to wait."""
        for condition in {sleeper.condition for sleeper in sleepers}:
            with condition:
                condition.notify_all()
        with self._changed:
            if not self._changed.wait_for(lambda: not sleepers & self._asleep, _PATIENCE_SECONDS):
                raise AssertionError("a thread sleeps through its call")


def _waits(sleepers: frozenset[_Sleeper]) -> set[tuple[int, float]]:
    return {(sleeper.thread, round(sleeper.until, 6)) for sleeper in sleepers}
