"""Which services are down at this moment, for everybody who wants to say so: the screen, `status`, the runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from pipeline.net.breaker import Back, Change, Outage, log_change


@dataclass(frozen=True, slots=True)
class Down:
    """A service that is waited for."""

    service: str
    """`writer`, `voice` or `illustrator`."""
    where: str
    """Who it is: "Ollama at http://127.0.0.1:11434"."""
    why: str
    hint: str
    since: datetime
    next_try: datetime


@dataclass(frozen=True, slots=True)
class Up:
    """A service that answers again."""

    service: str
    where: str
    after_seconds: float


News = Down | Up


class Outages:
    """What the breakers of one process tell. Thread-safe; listeners are called in whichever thread had the news."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._down: dict[str, Down] = {}
        self._listeners: list[Callable[[News], None]] = []

    @property
    def down(self) -> Mapping[str, Down]:
        """The services that are down, by name."""
        with self._lock:
            return dict(self._down)

    def take(self, change: Change) -> None:
        """What a breaker tells."""
        log_change(change)
        with self._lock:
            news = self._back(change) if isinstance(change, Back) else self._away(change)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(news)

    @contextmanager
    def told_to(self, listener: Callable[[News], None]) -> Iterator[None]:
        """While it lasts, `listener` hears of every service that goes, is tried in vain, and is back; first of those
        that are down already.
        """
        with self._lock:
            self._listeners.append(listener)
            already = tuple(self._down.values())
        try:
            for down in already:
                listener(down)
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def _away(self, outage: Outage) -> Down:
        now, error = self._clock(), outage.error
        next_try = now + timedelta(seconds=outage.next_try_seconds)
        before = self._down.get(outage.service)
        if before is None:
            since = now - timedelta(seconds=outage.for_seconds)
            down = Down(outage.service, error.where, error.what, error.hint, since, next_try)
        else:
            down = replace(before, where=error.where, why=error.what, hint=error.hint, next_try=next_try)
        self._down[outage.service] = down
        return down

    def _back(self, back: Back) -> Up:
        before = self._down.pop(back.service, None)
        return Up(back.service, before.where if before is not None else "", back.after_seconds)
