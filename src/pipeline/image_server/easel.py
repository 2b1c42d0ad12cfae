"""One model, one hand, one picture at a time: what waits, what is drawn, what is stopped, when memory is given back.

Everything that touches the model runs on the hand's one thread, in the order it was asked for: PyTorch is fastest so,
and pictures are the same again. What is asked about it is answered from values, without waiting for that thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from threading import Event

from pipeline import __version__
from pipeline.errors import PipelineError
from pipeline.image_server import pictures, samplers
from pipeline.image_server.faults import Busy, Interrupted
from pipeline.image_server.painter import ModelFacts, Order, Painter
from pipeline.image_server.wire import Drawn
from pipeline.telemetry import log

VERSION = f"media-pipeline {__version__}"

# The smallest picture that every Stable Diffusion model draws; a step of it is a fraction of a real one.
_TRIAL = Order("a red square", "", 0, 1, 0.0, 64, 64, samplers.OWN, samplers.AUTOMATIC)
# Before the first picture is done nobody knows how long one takes.
_FIRST_GUESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with the model."""

    ready: bool
    """It has been loaded, a step has run, and the last attempt to load it did not fail."""
    loaded: bool
    why: str
    """Why it is not ready, or how it is that it is."""
    facts: ModelFacts | None
    """As last loaded."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the request that is being drawn; all 0 when there is none."""

    pictures: int = 0
    picture: int = 0
    """Counted from 0."""
    steps: int = 0
    step: int = 0
    seconds: float = 0.0
    """Since the request was begun."""
    stopping: bool = False
    waiting: int = 0
    busy: bool = False

    @property
    def share(self) -> float:
        """0 to 1."""
        if not self.pictures or not self.steps:
            return 0.0
        return min(1.0, (self.picture + self.step / self.steps) / self.pictures)

    @property
    def seconds_left(self) -> float:
        return self.seconds / self.share - self.seconds if self.share else 0.0


@dataclass(eq=False, slots=True)
class Job:
    """One request on its way. Its future holds the pictures, or why there are none."""

    orders: Sequence[Order]
    done: Future[tuple[tuple[Drawn, ...], ModelFacts]]
    abandoned: Event = field(default_factory=Event)
    """Nobody waits for it any more."""
    interrupted: Event = field(default_factory=Event)
    skipped: Event = field(default_factory=Event)
    picture: int = 0
    step: int = 0
    begun: float = 0.0

    def watch(self, step: int) -> None:
        """Called between steps. Raises Interrupted when this picture is not wanted any more."""
        self.step = step
        if self.abandoned.is_set():
            raise Interrupted("the client went away")
        if self.interrupted.is_set() or self.skipped.is_set():
            raise Interrupted("the picture was interrupted before it was finished", hint="Ask for it again.")


class Easel:
    """Thread-safe."""

    def __init__(
        self,
        load: Callable[[], Painter],
        *,
        max_waiting: int,
        idle_unload_seconds: float = 0.0,
        load_again_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Does nothing yet. `load` raises NoModel or OutOfMemoryError; `idle_unload_seconds` 0 is never."""
        self._load = load
        self._max_waiting = max_waiting
        self._idle_unload_seconds = idle_unload_seconds
        self._load_again_seconds = load_again_seconds
        self._clock = clock
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="easel")
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._painter: Painter | None = None
        self._standing = Standing(ready=False, loaded=False, why="the model has not been loaded yet", facts=None)
        self._last_seconds = _FIRST_GUESS_SECONDS
        self._last_used = clock()
        self._tending: Future[None] | None = None
        self._closed = False

    # -- asked of it ---------------------------------------------------------------------------------------------

    def draw(self, orders: Sequence[Order]) -> Job:
        """Take a request in. Raises Busy where too many wait already, or the server is stopping."""
        with self._lock:
            if self._closed:
                raise _stopping()
            if len(self._waiting) >= self._max_waiting + (self._current is None):
                raise Busy(
                    f"{len(self._waiting)} requests wait already",
                    hint="Come back later.",
                    retry_after_seconds=max(1, ceil(self._last_seconds * (len(self._waiting) + 1))),
                )
            job = Job(orders, Future())
            # Whoever waits for it gives up by `give_up`; a future that is cancelled could not be given its end.
            job.done.set_running_or_notify_cancel()
            self._waiting.append(job)
            self._hand.submit(self._draw, job).add_done_callback(lambda ran: _settle(job, ran))
            return job

    def give_up(self, job: Job) -> None:
        """Nobody waits for the job any more: it is taken out of the queue, or stopped after its step."""
        job.abandoned.set()
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)

    def interrupt(self) -> bool:
        """Stop the current request after its step; False where there is none."""
        job = self._current
        if job is not None:
            job.interrupted.set()
        return job is not None

    def skip(self) -> bool:
        """Stop the current picture after its step and go on with the request's next one; False where there is none."""
        job = self._current
        if job is not None:
            job.skipped.set()
        return job is not None

    def load(self) -> Future[None]:
        """Load the model unless it is, when its turn comes. The future raises what `load` does."""
        return self._submit(self._loaded)

    def unload(self) -> Future[None]:
        """Give the model's memory back, when its turn comes; the next request loads it again."""
        return self._submit(lambda: self._put_away("it was unloaded and is loaded again when it is needed"))

    def standing(self) -> Standing:
        return self._standing

    def progress(self) -> Progress:
        job, waiting = self._current, len(self._waiting)
        if job is None:
            return Progress(waiting=waiting)
        return Progress(
            pictures=len(job.orders),
            picture=job.picture,
            steps=job.orders[job.picture].steps,
            step=job.step,
            seconds=self._clock() - job.begun,
            stopping=job.interrupted.is_set() or job.abandoned.is_set(),
            waiting=waiting,
            busy=True,
        )

    def tend(self) -> None:
        """What is due without being asked for: a model that could not be loaded is tried again (its volume may have
        been filled since), one that nobody uses is put away. To be called every second or so.
        """
        with self._lock:
            at_work = (
                self._closed or self._current or self._waiting or not (self._tending is None or self._tending.done())
            )
            idle = self._clock() - self._last_used
        if at_work:
            return
        if not self._standing.ready and idle >= self._load_again_seconds:
            self._tending = self.load()
        elif self._standing.loaded and 0 < self._idle_unload_seconds <= idle:
            why = f"nobody used it for {self._idle_unload_seconds:g} s; it is loaded again when it is needed"
            self._tending = self._submit(lambda: self._put_away(why))

    def close(self, *, at_once: bool = False) -> None:
        """Take nothing more in and send away what waits; the current request is finished, or stopped `at_once`."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        for job in waiting:
            self.give_up(job)
        if at_once:
            self.interrupt()
        self._hand.shutdown(wait=False)

    def _submit(self, act: Callable[[], None]) -> Future[None]:
        with self._lock:
            if self._closed:
                raise _stopping()
            return self._hand.submit(act)

    # -- done by the hand, on its own thread ---------------------------------------------------------------------

    def _draw(self, job: Job) -> tuple[tuple[Drawn, ...], ModelFacts]:
        with self._lock:
            if job not in self._waiting:
                if self._closed:
                    raise _stopping()
                raise Interrupted("the client went away")
            self._waiting.remove(job)
            self._current = job
        job.begun = self._clock()
        try:
            painter = self._loaded_painter()
            drawn = tuple(self._each(painter, job))
            self._last_seconds = self._clock() - job.begun
            return drawn, painter.facts
        finally:
            with self._lock:
                self._current = None
                self._last_used = self._clock()

    def _each(self, painter: Painter, job: Job) -> list[Drawn]:
        drawn: list[Drawn] = []
        for number, order in enumerate(job.orders):
            job.picture, job.step = number, 0
            job.skipped.clear()
            try:
                job.watch(0)
                painted = painter.paint(order, job.watch)
            except Interrupted:
                last = number + 1 == len(job.orders) or not job.skipped.is_set() or job.interrupted.is_set()
                if job.abandoned.is_set() or (last and not drawn):
                    raise
                if last:
                    break
                continue
            pictures.check(painted.pixels, order)
            facts = painter.facts
            text = pictures.infotext(order, model=facts.name, sha256=facts.sha256, version=VERSION)
            drawn.append(Drawn(order, pictures.png(painted.pixels, text), text, painted.notes))
        return drawn

    def _loaded(self) -> None:
        self._loaded_painter()

    def _loaded_painter(self) -> Painter:
        if self._painter is not None:
            return self._painter
        known = self._standing
        self._standing = Standing(known.ready, loaded=False, why="the model is being loaded", facts=known.facts)
        begun = self._clock()
        try:
            painter = self._load()
            painter.paint(_TRIAL, lambda _: None)
        except BaseException as error:
            why = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
            self._standing = Standing(ready=False, loaded=False, why=why, facts=known.facts)
            log().error("model_not_loaded", what=why, exc_info=not isinstance(error, PipelineError))
            raise
        finally:
            self._last_used = self._clock()
        self._painter = painter
        facts = painter.facts
        self._standing = Standing(
            ready=True, loaded=True, why=f"{facts.name} is loaded on {facts.device} ({facts.dtype})", facts=facts
        )
        log().info(
            "model_loaded",
            model=facts.name,
            device=facts.device,
            dtype=facts.dtype,
            sha256=facts.sha256,
            seconds=round(self._clock() - begun, 2),
        )
        return painter

    def _put_away(self, why: str) -> None:
        painter, self._painter = self._painter, None
        if painter is not None:
            painter.close()
            self._standing = Standing(self._standing.ready, loaded=False, why=why, facts=self._standing.facts)
            log().info("model_unloaded", why=why)


def _stopping() -> Busy:
    return Busy("the server is stopping", hint="Come back when it is up again.", retry_after_seconds=10)


def _settle(job: Job, ran: Future[tuple[tuple[Drawn, ...], ModelFacts]]) -> None:
    error = ran.exception()
    if error is not None:
        job.done.set_exception(error)
    else:
        job.done.set_result(ran.result())
