"""Which episode and which step a line of the log, a call of an engine and a span belong to, while a run goes on.

Every episode has a request's id for as long as it is made: that of the API's request that asked for it, or one of the
run's own. It goes with every call to an engine, and stands in the engines' logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from threading import Lock

from structlog.contextvars import bound_contextvars, get_contextvars

from pipeline.build.recipe import Step
from pipeline.build.runner import Event, Kind
from pipeline.errors import Interrupted
from pipeline.metrics.stages import stage_of
from pipeline.telemetry import traces

_KEY_DIGITS = 16


class Following:
    """Of one run. Thread-safe."""

    def __init__(self, asked_by: Callable[[str], str] = lambda _: "") -> None:
        """`asked_by` says which request asked for an episode; empty where none did."""
        self._asked_by = asked_by
        # Threads that work are the executors', and begin with nothing bound.
        self._run = str(get_contextvars().get("run", ""))
        self._numbers = count(1)
        self._lock = Lock()
        self._requests: dict[str, str] = {}
        self._spans: dict[str, object] = {}

    @contextmanager
    def telling(self, event: Event) -> Iterator[None]:
        """While others are told of something that the runner tells, in the thread that decides or in one that works."""
        if event.kind is Kind.OPENED:
            self._open(event.flow)
        elif event.kind is Kind.FOUND and event.step is not None:
            traces.note(self._spans.get(event.flow), event.step.place, {**_facts(event.step), "cached": True})
        request = self._requests.get(event.flow)
        try:
            with bound_contextvars(**({"request": request} if request else {})), self._inside(event):
                yield
        finally:
            if event.kind is Kind.CLOSED:
                self._close(event.flow, event.error)

    def _inside(self, event: Event) -> AbstractContextManager[object]:
        """A step that is begun has a span of its own."""
        return nullcontext() if event.kind is Kind.STARTED else traces.inside(self._spans.get(event.flow))

    def step(self, name: str, step: Step) -> AbstractContextManager[object]:
        """While a step of an episode is made, on the thread that makes it."""
        return self._within(name, step.place, _facts(step), step=step)

    def publishing(self, name: str) -> AbstractContextManager[object]:
        """While an episode is published."""
        return self._within(name, "publish", {"stage": "publish"})

    def _open(self, name: str) -> None:
        with self._lock:
            if name in self._spans:
                return
            request = self._asked_by(name) or f"{self._run or 'run'}.{next(self._numbers)}"
            self._requests[name] = request
            self._spans[name] = traces.begin("episode", {"episode": name, "request": request})

    def _close(self, name: str, error: BaseException | None) -> None:
        span = self._spans.pop(name, None)
        self._requests.pop(name, None)
        if isinstance(error, Interrupted):
            traces.tell(span, {"interrupted": True})
            traces.close(span)
        else:
            traces.close(span, error)

    @contextmanager
    def _within(self, name: str, title: str, facts: traces.Facts, step: Step | None = None) -> Iterator[None]:
        bound = {"run": self._run, "episode": name, "request": self._requests.get(name, "")}
        if step is not None:
            bound |= {"stage": str(facts["stage"]), "artifact": step.key[:_KEY_DIGITS]}
        with (
            bound_contextvars(**{field: value for field, value in bound.items() if value}),
            traces.span(title, {**facts, "cached": False}, under=self._spans.get(name)),
        ):
            yield


def _facts(step: Step) -> traces.Facts:
    return {"stage": stage_of(step.rule.name), "rule": step.rule.name, "artifact": step.key[:_KEY_DIGITS]}
