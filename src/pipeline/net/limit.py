"""How many calls a minute a service is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Protocol

from ratelimit import RateLimitException, limits

from pipeline.errors import Interrupted

_MINUTE_SECONDS = 60.0


class Limit(Protocol):
    def wait(self, stop: Event) -> None:
        """Return when the next call may be made. Raises Interrupted when `stop` is set meanwhile."""
        ...


class CallsPerMinute:
    """At most `calls` in a minute by `clock`; thread-safe, for this process.

    The first minute begins now, each other one with the first call after the one before it is over. `ratelimit` counts
    in such fixed windows, so that up to twice as many fall into a minute that straddles two of them.
    """

    def __init__(self, calls: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = limits(calls=calls, period=_MINUTE_SECONDS, clock=clock)(lambda: None)

    def wait(self, stop: Event) -> None:
        while True:
            try:
                self._take()
            except RateLimitException as full:
                if stop.wait(full.period_remaining):  # it is refused only while the window lasts
                    raise Interrupted from None
            else:
                return


class Unlimited:
    def wait(self, stop: Event) -> None:
        if stop.is_set():
            raise Interrupted
