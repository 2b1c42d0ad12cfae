"""How many calls a minute a service is asked for."""

from __future__ import annotations

from threading import Event
from typing import Protocol

from ratelimit import RateLimitException, limits

from pipeline.errors import Interrupted


class Limit(Protocol):
    def wait(self, stop: Event) -> None:
        """Return when the next call may be made. Raises Interrupted when `stop` is set meanwhile."""
        ...


class CallsPerMinute:
    """At most `calls` in each minute that begins with a call; thread-safe, for this process.

    `ratelimit` counts in fixed windows, so that up to twice as many fall into a minute that straddles two of them.
    """

    def __init__(self, calls: int, *, minute_seconds: float = 60.0) -> None:
        self._take = limits(calls=calls, period=minute_seconds)(lambda: None)

    def wait(self, stop: Event) -> None:
        while True:
            try:
                self._take()
            except RateLimitException as full:
                if stop.wait(max(0.0, full.period_remaining)):
                    raise Interrupted from None
            else:
                return


class Unlimited:
    def wait(self, stop: Event) -> None:
        if stop.is_set():
            raise Interrupted
