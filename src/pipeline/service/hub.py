"""Tells listeners what happens; one that does not listen is dropped, and nobody waits for it.

Events come from any thread and cost it a queue and at most one wake of the loop. On the loop they are handed to each
listener's own bounded queue. The newest are kept, so that who comes back can be told what was missed.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

from pipeline.service.problems import Busy

MOST_LISTENERS = 256
MOST_WAITING = 256
"""Events that a listener may be behind; a long episode has fewer a minute."""
_KEPT = 512
# As many as that are not waited with: a listener that reads along must not fall behind by them.
_MANY = 64
GATHER_SECONDS = 0.25
"""What happens within that time goes out together: a hundred listeners then cost a build next to nothing."""
_STILL_HERE_SECONDS = 15.0
"""Proxies end a connection over which nothing comes for a minute."""


@dataclass(slots=True, eq=False)
class Listener:
    waiting: asyncio.Queue[tuple[int, bytes] | None]
    dropped: bool = False


@dataclass(slots=True)
class Hub:
    """One for each service."""

    most_listeners: int = MOST_LISTENERS
    most_waiting: int = MOST_WAITING
    gather_seconds: float = GATHER_SECONDS
    dropped: int = 0
    """Listeners that were dropped so far."""
    _lock: Lock = field(default_factory=Lock)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _unsent: deque[tuple[int, str, Mapping[str, object]]] = field(default_factory=deque)
    _kept: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _listeners: set[Listener] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _woken: bool = False
    _sent_at: float = float("-inf")
    _closed: bool = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Events are told on this loop from now on."""
        with self._lock:
            self._loop = loop
        self._send()

    def close(self) -> None:
        """End every listener's stream. On the loop."""
        self._send()
        self._closed = True
        for listener in list(self._listeners):
            self._drop(listener, counted=False)

    def publish(self, kind: str, facts: Mapping[str, object]) -> None:
        """Tell everybody. From any thread; never waits."""
        with self._lock:
            self._unsent.append((next(self._numbers), kind, facts))
            if len(self._unsent) > _KEPT:  # nobody is there to be told
                self._unsent.popleft()
            loop, first, many = self._loop, not self._woken, len(self._unsent) == _MANY
            self._woken = loop is not None
        if loop is not None and not loop.is_closed():
            if many:
                loop.call_soon_threadsafe(self._send)
            elif first:
                loop.call_soon_threadsafe(self._send_soon, loop)

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """At once, unless something was sent a moment ago."""
        wait = self._sent_at + self.gather_seconds - loop.time()
        if wait > 0:
            loop.call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        with self._lock:
            events = list(self._unsent)
            self._unsent.clear()
            self._woken = False
            if events and self._loop is not None:
                self._sent_at = self._loop.time()
        for number, kind, facts in events:
            told = number, encoded(number, kind, facts)
            self._kept.append(told)
            for listener in list(self._listeners):
                try:
                    listener.waiting.put_nowait(told)
                except asyncio.QueueFull:
                    self._drop(listener, counted=True)

    def _drop(self, listener: Listener, *, counted: bool) -> None:
        self._listeners.discard(listener)
        self.dropped += counted
        listener.dropped = counted
        if listener.waiting.full():
            listener.waiting.get_nowait()
        listener.waiting.put_nowait(None)

    def listen(self, after: int | None = None) -> AsyncIterator[bytes]:
        """Server-sent events from now on; with `after`, also those kept that are newer than that number.

        Raises Busy where too many listen, or the service is stopping. On the loop.
        """
        if self._closed or len(self._listeners) >= self.most_listeners:
            raise Busy("no more can listen now", hint="Come back later; GET /api/v1/maker says how things stand.")
        self._send()
        missed = [told for told in self._kept if after is not None and told[0] > after]
        listener = Listener(asyncio.Queue(self.most_waiting))
        self._listeners.add(listener)
        return self._stream(listener, missed)

    async def _stream(self, listener: Listener, missed: list[tuple[int, bytes]]) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 2000\n\n"
            for _, told in missed:
                yield told
            while True:
                try:
                    async with asyncio.timeout(_STILL_HERE_SECONDS):  # `wait_for` would begin a task each time
                        told_now = await listener.waiting.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                more = [told_now]
                while not listener.waiting.empty():
                    more.append(listener.waiting.get_nowait())
                if parts := [one[1] for one in more if one is not None]:
                    yield b"".join(parts)
                if more[-1] is None:  # nothing comes after it
                    if listener.dropped:
                        yield b"event: dropped\ndata: {}\n\n"
                    return
        finally:
            self._listeners.discard(listener)


def encoded(number: int, kind: str, facts: Mapping[str, object]) -> bytes:
    """One server-sent event; JSON has no line ends, so its data is one line."""
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(facts, ensure_ascii=True)}\n\n".encode()
