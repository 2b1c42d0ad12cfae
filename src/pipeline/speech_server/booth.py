"""Who speaks when: sentences of all requests in turn, one on each core, and no more requests than can be served.

A request is a row of sentences. The workers take one sentence of each request in turn, so that a short text does not
wait behind a book, and a long one's first words are there after one sentence. Each worker is a thread of its own:
the synthesizer leaves the interpreter's lock while it works.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.speech_server.faults import Busy

T = TypeVar("T")
R = TypeVar("R")

# How far a request is spoken ahead of whoever listens, in sentences for each thread: enough that no core waits, little
# enough that a client that stops reading holds no memory.
_AHEAD = 4


@dataclass(slots=True)
class Order(Generic[T, R]):
    """One request's sentences on their way."""

    todo: deque[tuple[T, Future[R], Context]]
    """Not begun yet."""
    coming: deque[Future[R]]
    """In the order in which they are wanted; not taken yet."""
    gone: bool = False

    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not self.gone


class Booth(Generic[T, R]):
    """`speak(sentence, wanted)` runs on `threads` threads; at most `most` requests are in here at once.

    `wanted()` says whether anybody still waits for the sentence: what is begun for a client that went away is not
    worth finishing while others wait.
    """

    def __init__(self, speak: Callable[[T, Callable[[], bool]], R], *, threads: int, most: int) -> None:
        self._speak = speak
        self._most = most
        self._ahead = _AHEAD * threads
        self._orders: deque[Order[T, R]] = deque()
        self._inside = 0
        self._closing = False
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._workers = [
            threading.Thread(target=self._keep_speaking, name=f"booth-{number}", daemon=True)
            for number in range(threads)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def inside(self) -> int:
        """How many requests are being served or wait."""
        return self._inside

    @property
    def waiting_sentences(self) -> int:
        with self._lock:
            return sum(len(order.todo) for order in self._orders)

    def enter(self, sentences: Sequence[T]) -> Visit[T, R]:
        """Have the sentences spoken. Raises Busy when there is no room, or the server is stopping."""
        # Each sentence in a context of its own: what is logged while it is spoken is of the request that it is for.
        rows = [(sentence, Future[R](), copy_context()) for sentence in sentences]
        order: Order[T, R] = Order(deque(rows), deque(future for _, future, _ in rows))
        with self._lock:
            if self._closing:
                raise Busy("the server is stopping", retry_after_seconds=5)
            if self._inside >= self._most:
                raise Busy(
                    f"{self._inside} requests are being served already",
                    retry_after_seconds=max(1, len(self._orders) // max(1, len(self._workers))),
                )
            self._inside += 1
            self._orders.append(order)
            self._work.notify_all()
        return Visit(self, order)

    def leave(self, order: Order[T, R]) -> None:
        """The request is served, or its client went away: what was not begun is not begun."""
        with self._lock:
            if order.gone:
                return
            order.gone = True
            self._inside -= 1
            order.todo.clear()
            if order in self._orders:
                self._orders.remove(order)

    def took(self) -> None:
        """A sentence was taken by its listener: there is room for another one ahead."""
        with self._lock:
            self._work.notify()

    def close(self) -> None:
        """Take nothing more in; what is inside is served."""
        with self._lock:
            self._closing = True
            self._work.notify_all()

    def _keep_speaking(self) -> None:
        while (taken := self._next()) is not None:
            sentence, future, context, wanted = taken
            # Whoever waited may have gone and given the future up; once it is running it cannot be given up any more.
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = context.run(self._speak, sentence, wanted)
            except BaseException as error:  # noqa: BLE001  # it belongs to whoever asked
                future.set_exception(error)
            else:
                future.set_result(result)

    def _next(self) -> tuple[T, Future[R], Context, Callable[[], bool]] | None:
        with self._lock:
            while True:
                for _ in range(len(self._orders)):
                    order = self._orders[0]
                    self._orders.rotate(-1)
                    if order.todo and len(order.coming) - len(order.todo) < self._ahead:
                        sentence, future, context = order.todo.popleft()
                        if not order.todo:
                            self._orders.remove(order)
                        return sentence, future, context, order.wanted
                if self._closing and not self._orders:
                    return None
                self._work.wait()


class Visit(Generic[T, R]):
    """A request inside; leave it by `close`, or by the end of a `with`."""

    def __init__(self, booth: Booth[T, R], order: Order[T, R]) -> None:
        self._booth = booth
        self._order = order

    def futures(self) -> Iterator[Future[R]]:
        """Each sentence's result to wait for, in order; the next one is asked for when this one has been taken."""
        while self._order.coming:
            future = self._order.coming[0]
            yield future
            self._order.coming.popleft()
            self._booth.took()

    def close(self) -> None:
        self._booth.leave(self._order)

    def __enter__(self) -> Visit[T, R]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
