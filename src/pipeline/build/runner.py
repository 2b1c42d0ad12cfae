"""Carries flows out: one thread decides, executors do the work, one executor for each resource.

The runner knows `concurrent.futures.Executor` and nothing else of where work is done. Several flows are open at
once, so that one episode is spoken while the next is written. A failure is its own flow's; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Event as Flag
from time import perf_counter
from typing import Generic, TypeVar

from pipeline.build.plan import Trail, note, why
from pipeline.build.recipe import Artifact, Flow, Step
from pipeline.build.store import Damaged, Store, StoredArtifact
from pipeline.errors import Interrupted
from pipeline.files import named

T = TypeVar("T")
R = TypeVar("R")

# A damaged artifact is made again and its flow begun afresh; a disk that damages more than this is failing.
_FRESH_STARTS = 5
_STOP_POLL_SECONDS = 0.5


class Kind(StrEnum):
    OPENED = "opened"
    STARTED = "started"
    MADE = "made"
    FOUND = "found"
    FAILED = "failed"
    DAMAGED = "damaged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a flow; sent from whichever thread it happened on."""

    kind: Kind
    flow: str
    step: Step | None = None
    seconds: float = 0.0
    why: str = ""
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Job(Generic[T, R]):
    """A flow to carry out."""

    name: str
    flow: Callable[[], Flow[T]]
    """Begins the flow, afresh each time it is called."""
    finish: Callable[[T, Trail], R]
    """What to do with what the flow returns, on the `cpu` executor: publish it."""
    earlier: Trail | None = None
    """The last time's trail, for telling why something is made."""
    wait_for: Callable[[BaseException], tuple[str, Callable[[], object]] | None] = lambda _: None
    """What is to be waited for, and on which resource, where a flow cannot even say what its next steps are; then it
    is begun afresh. None where it has failed.
    """


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    name: str
    result: R | None
    error: BaseException | None
    made: int
    """How many artifacts were made for it in this run."""
    seconds: float


@dataclass(slots=True)
class _Open(Generic[T, R]):
    """A flow under way."""

    job: Job[T, R]
    flow: Flow[T]
    begun: float
    trail: Trail = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    fresh_starts: int = 0
    batch: Sequence[Step] = ()
    arrived: dict[str, StoredArtifact] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    waiting_for: set[str] = field(default_factory=set)
    finishing: bool = False
    held_up_at: str = ""
    """The resource on which it waits before it can go on at all."""

    def is_stalled(self, resources: Collection[str]) -> bool:
        """Whether it waits for nothing but those."""
        if self.held_up_at:
            return self.held_up_at in resources
        at = {step.rule.resource for step in self.batch if step.key in self.waiting_for}
        return bool(at) and at <= set(resources)


class Runner(Generic[T, R]):
    """One run. `stop` may be set from any thread (then call `wake`): what runs is finished or given up by its
    engine, nothing new is begun, and every flow that was not done ends as Interrupted. `stalled` names the resources
    that do nothing but wait: flows that wait for those alone do not keep others from being opened. `within` is entered
    around the making of each step, on the thread that makes it.
    """

    def __init__(
        self,
        store: Store,
        executors: Mapping[str, Executor],
        *,
        open_at_once: int,
        notify: Callable[[Event], None],
        stop: Flag,
        stalled: Callable[[], Collection[str]] = tuple,
        within: Callable[[str, Step], AbstractContextManager[object]] = lambda _, __: nullcontext(),
    ) -> None:
        self._store = store
        self._executors = executors
        self._open_at_once = open_at_once
        self._notify = notify
        self._stop = stop
        self._stalled = stalled
        self._within = within
        self._done: SimpleQueue[tuple[str, Future[object]] | None] = SimpleQueue()
        self._open: dict[str, _Open[T, R]] = {}
        self._in_flight: dict[str, tuple[Future[object], list[_Open[T, R]]]] = {}

    def wake(self) -> None:
        """Have the deciding thread look at `stop` at once. Safe in a signal handler."""
        self._done.put(None)

    def run(self, jobs: Iterable[Job[T, R]]) -> Iterator[Outcome[R]]:
        """Carry out the jobs, in order as far as there is room, and yield each one's outcome as it ends."""
        rest = iter(jobs)
        more = True
        while True:
            while more and self._has_room() and not self._stop.is_set():
                job = next(rest, None)
                if job is None:
                    more = False
                    break
                yield from self._begin(job)
            if not self._open or self._stop.is_set():
                break
            yield from self._next_arrival()
        if self._stop.is_set():
            yield from self._give_up(rest)

    def _has_room(self) -> bool:
        if len(self._open) < self._open_at_once:
            return True
        resources = self._stalled()
        stalled = sum(open_.is_stalled(resources) for open_ in self._open.values()) if resources else 0
        return len(self._open) - stalled < self._open_at_once

    # -- one flow ------------------------------------------------------------------------------------------------

    def _begin(self, job: Job[T, R]) -> Iterator[Outcome[R]]:
        self._notify(Event(Kind.OPENED, job.name))
        flow = _Open(job, job.flow(), perf_counter())
        self._open[job.name] = flow
        yield from self._advance(flow, None)

    def _advance(self, open_: _Open[T, R], answer: Sequence[Artifact] | BaseException | None) -> Iterator[Outcome[R]]:
        """Go on with a flow until it waits for something, or ends."""
        while True:
            try:
                if isinstance(answer, BaseException):
                    steps = open_.flow.throw(answer)
                else:
                    steps = next(open_.flow) if answer is None else open_.flow.send(answer)
            except StopIteration as end:
                self._finish(open_, end.value)
                return
            except Damaged as damage:
                if not self._afresh(open_, damage):
                    yield self._close(open_, error=damage)
                    return
                answer = None
                continue
            except Exception as error:  # noqa: BLE001  # a flow's failure is its own, whatever it is; reported as outcome
                wait = None if isinstance(answer, BaseException) else open_.job.wait_for(error)
                if wait is None or not self._hold_up(open_, *wait):
                    yield self._close(open_, error=named(error))
                return
            self._want(open_, steps)
            if open_.waiting_for:
                return
            answer = self._batch_answer(open_)

    def _want(self, open_: _Open[T, R], steps: Sequence[Step]) -> None:
        open_.batch, open_.arrived, open_.errors = steps, {}, []
        for step in steps:
            note(open_.trail, step)
            if step.key in open_.arrived or step.key in open_.waiting_for:
                continue
            found = self._store.find(step.key)
            if found is not None:
                open_.arrived[step.key] = found
                self._notify(Event(Kind.FOUND, open_.job.name, step))
                continue
            open_.waiting_for.add(step.key)
            under_way = self._in_flight.get(step.key)
            if under_way is not None:
                under_way[1].append(open_)
            else:
                self._submit(open_, step)

    def _submit(self, open_: _Open[T, R], step: Step) -> None:
        reason = why(step, open_.job.earlier)
        name = open_.job.name

        def work() -> tuple[StoredArtifact, bool]:
            if self._stop.is_set():
                raise Interrupted
            with self._within(name, step):
                self._notify(Event(Kind.STARTED, name, step, why=reason))
                return self._store.make_or_find(step)

        self._send(step.rule.resource, step.key, work, open_)

    def _send(self, resource: str, key: str, work: Callable[[], object], open_: _Open[T, R]) -> None:
        future: Future[object] = self._executors[resource].submit(work)
        self._in_flight[key] = (future, [open_])
        future.add_done_callback(lambda done: self._done.put((key, done)))

    def _next_arrival(self) -> Iterator[Outcome[R]]:
        try:
            arrival = self._done.get(timeout=_STOP_POLL_SECONDS)
        except Empty:
            return
        if arrival is None:
            return
        key, future = arrival
        _, waiting = self._in_flight.pop(key)
        error = _error_of(future)
        for place, open_ in enumerate(waiting):
            if open_.held_up_at:
                yield from self._free(open_, error)
            elif open_.finishing:
                yield from self._finished(open_, error, future)
            else:
                # What several flows want is made for, and counted to, the one that asked first.
                yield from self._arrived(open_, key, error, future, counted=place == 0)

    def _arrived(
        self, open_: _Open[T, R], key: str, error: BaseException | None, future: Future[object], *, counted: bool
    ) -> Iterator[Outcome[R]]:
        step = next(step for step in open_.batch if step.key == key)
        open_.waiting_for.discard(key)
        if error is None:
            artifact, made_here = _made(future)
            open_.arrived[key] = artifact
            if counted and made_here:
                open_.made.add(key)
                self._notify(Event(Kind.MADE, open_.job.name, step, seconds=artifact.seconds))
            else:
                self._notify(Event(Kind.FOUND, open_.job.name, step))
        else:
            open_.errors.append(error)
            if not isinstance(error, Damaged | Interrupted | CancelledError):
                self._notify(Event(Kind.FAILED, open_.job.name, step, error=error))
        if not open_.waiting_for:
            yield from self._advance(open_, self._batch_answer(open_))

    def _batch_answer(self, open_: _Open[T, R]) -> Sequence[Artifact] | BaseException:
        if open_.errors:
            damage = [error for error in open_.errors if isinstance(error, Damaged)]
            return (damage or open_.errors)[0]
        return [open_.arrived[step.key] for step in open_.batch]

    def _afresh(self, open_: _Open[T, R], damage: Damaged) -> bool:
        """Begin a flow again after one of its artifacts proved damaged: all the others are found at once."""
        self._notify(Event(Kind.DAMAGED, open_.job.name, error=damage))
        open_.fresh_starts += 1
        if open_.fresh_starts > _FRESH_STARTS:
            return False
        self._store.set_aside(damage.key)
        open_.trail = {}
        open_.flow = open_.job.flow()
        return True

    def _hold_up(self, open_: _Open[T, R], resource: str, wait: Callable[[], object]) -> bool:
        """Have a flow wait before it can go on; False where it has done so too often."""
        open_.fresh_starts += 1
        if open_.fresh_starts > _FRESH_STARTS:
            return False
        open_.held_up_at = resource
        self._send(resource, f"wait {open_.job.name}", wait, open_)
        return True

    def _free(self, open_: _Open[T, R], error: BaseException | None) -> Iterator[Outcome[R]]:
        open_.held_up_at = ""
        if error is not None:
            yield self._close(open_, error=error)
            return
        open_.trail = {}
        open_.flow = open_.job.flow()
        yield from self._advance(open_, None)

    def _finish(self, open_: _Open[T, R], value: T) -> None:
        open_.finishing = True
        self._send("cpu", f"finish {open_.job.name}", lambda: open_.job.finish(value, open_.trail), open_)

    def _finished(
        self, open_: _Open[T, R], error: BaseException | None, future: Future[object]
    ) -> Iterator[Outcome[R]]:
        open_.finishing = False
        if isinstance(error, Damaged) and self._afresh(open_, error):
            yield from self._advance(open_, None)
        elif error is not None:
            yield self._close(open_, error=error)
        else:
            yield self._close(open_, result=future.result())

    def _close(self, open_: _Open[T, R], *, result: object = None, error: BaseException | None = None) -> Outcome[R]:
        del self._open[open_.job.name]
        seconds = perf_counter() - open_.begun
        self._notify(Event(Kind.CLOSED, open_.job.name, seconds=seconds, error=error))
        return Outcome(open_.job.name, result, error, len(open_.made), seconds)  # type: ignore[arg-type]  # finish gave it

    # -- stopping ------------------------------------------------------------------------------------------------

    def _give_up(self, rest: Iterator[Job[T, R]]) -> Iterator[Outcome[R]]:
        for future, _ in self._in_flight.values():
            future.cancel()
        while self._in_flight:
            arrival = self._done.get()
            if arrival is None:
                continue
            key, future = arrival
            _, waiting = self._in_flight.pop(key)
            error = _error_of(future)
            for open_ in waiting:
                if open_.finishing and error is None:
                    yield self._close(open_, result=future.result())
                elif error is None and not open_.held_up_at and _made(future)[1]:
                    open_.made.add(key)
        for open_ in list(self._open.values()):
            open_.flow.close()
            yield self._close(open_, error=Interrupted())
        for job in rest:
            yield Outcome(job.name, None, Interrupted(), 0, 0.0)


def _made(future: Future[object]) -> tuple[StoredArtifact, bool]:
    """What a step's work came to: its artifact, and whether it was made just now."""
    result = future.result()
    assert isinstance(result, tuple)  # noqa: S101  # narrows the type; futures of steps and of finishing share a table
    return result


def _error_of(future: Future[object]) -> BaseException | None:
    try:
        error = future.exception()
    except CancelledError:
        return Interrupted()
    return None if error is None else named(error)
