"""One model, one hand: what waits, what is stopped, when the model is loaded and put away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from pipeline.image_server.easel import Easel, Job
from pipeline.image_server.faults import (
    Busy,
    Fault,
    Interrupted,
    NoModel,
    OutOfMemoryError,
    UnusablePicture,
)
from pipeline.image_server.painter import Order, Painter, Pixels
from tests.fakes.painter import FACTS, FakePainter

SECONDS = 20


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def order(seed: int = 1, steps: int = 2, size: int = 72) -> Order:
    return Order("a cat", "", seed, steps, 0.0, size, 64, "Default", "Automatic")


class Bench:
    """An easel with a painter, and a `load` that fails for as long as `broken` holds something."""

    def __init__(self, **options: float) -> None:
        self.painter = FakePainter()
        self.clock = Clock()
        self.loads = 0
        self.broken: Exception | None = None
        self.easel = Easel(self._load, clock=self.clock, **{"max_waiting": 2, **options})  # type: ignore[arg-type]

    def _load(self) -> Painter:
        self.loads += 1
        if self.broken is not None:
            raise self.broken
        return self.painter


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.painter.go()
    made.easel.close(at_once=True)


def seeds(job: Job) -> list[int]:
    pictures, facts = job.done.result(SECONDS)
    assert facts == FACTS
    return [picture.order.seed for picture in pictures]


def fault(future: Future[Any]) -> BaseException | None:
    return future.exception(SECONDS)


def test_it_is_ready_once_a_step_has_run_and_not_before(bench: Bench) -> None:
    before = bench.easel.standing()
    bench.easel.load().result(SECONDS)
    after = bench.easel.standing()

    assert (before.ready, before.loaded, before.facts) == (False, False, None)
    assert (after.ready, after.loaded, after.facts) == (True, True, FACTS)
    assert "tiny" in after.why


def test_the_first_request_loads_the_model_and_the_next_does_not(bench: Bench) -> None:
    assert seeds(bench.easel.draw([order(1)])) == [1]
    assert seeds(bench.easel.draw([order(2)])) == [2]
    assert bench.loads == 1


def test_the_same_order_gives_the_same_bytes(bench: Bench) -> None:
    one, other = (bench.easel.draw([order(5)]).done.result(SECONDS)[0][0].png for _ in range(2))

    assert one == other


def test_more_than_may_wait_is_sent_away_with_the_time_to_come_back(bench: Bench) -> None:
    bench.easel.load().result(SECONDS)
    bench.painter.hold = True
    jobs = [bench.easel.draw([order(0)])]
    assert bench.painter.at_work.wait(SECONDS)
    jobs += [bench.easel.draw([order(seed)]) for seed in (1, 2)]
    with pytest.raises(Busy, match="2 requests wait") as busy:
        bench.easel.draw([order(3)])
    bench.painter.go()

    assert busy.value.retry_after_seconds == 30  # three times the ten seconds that are guessed before the first one
    assert [seeds(job) for job in jobs] == [[0], [1], [2]]


def test_an_interrupt_ends_the_picture_after_its_step(bench: Bench) -> None:
    bench.painter.hold = True
    job = bench.easel.draw([order(steps=50)])
    assert bench.painter.at_work.wait(SECONDS)
    assert bench.easel.interrupt()
    bench.painter.go()

    assert isinstance(fault(job.done), Interrupted)
    assert bench.painter.steps_taken == 1
    assert bench.painter.painted == []


def test_an_interrupt_of_nothing_does_nothing(bench: Bench) -> None:
    assert not bench.easel.interrupt()
    assert not bench.easel.skip()
    assert seeds(bench.easel.draw([order(1)])) == [1]


def test_a_skip_ends_one_picture_and_goes_on_with_the_next(bench: Bench) -> None:
    bench.painter.hold = True
    job = bench.easel.draw([order(1, steps=5), order(2, steps=5)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.easel.skip()
    bench.painter.go()

    assert seeds(job) == [2]
    assert bench.painter.steps_taken == 1 + 5


def test_an_interrupt_keeps_the_pictures_that_were_finished(bench: Bench) -> None:
    bench.painter.hold = True
    job = bench.easel.draw([order(1, steps=1, size=80), order(2, steps=5)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.painter.at_work.clear()
    bench.painter.go(1)
    assert bench.painter.at_work.wait(SECONDS)
    bench.easel.interrupt()
    bench.painter.go()

    assert seeds(job) == [1]


def test_a_client_that_went_away_leaves_the_queue_or_stops_the_work(bench: Bench) -> None:
    bench.painter.hold = True
    drawn, waiting = bench.easel.draw([order(1, steps=50)]), bench.easel.draw([order(2)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.easel.give_up(waiting)
    room = bench.easel.progress().waiting
    bench.easel.give_up(drawn)
    bench.painter.go()

    assert room == 0
    assert isinstance(fault(drawn.done), Interrupted)
    assert isinstance(fault(waiting.done), Interrupted)
    assert bench.painter.steps_taken == 1


def test_progress_tells_the_picture_the_step_and_the_time_left(bench: Bench) -> None:
    bench.easel.load().result(SECONDS)
    bench.painter.hold = True
    job = bench.easel.draw([order(1, steps=1, size=80), order(2, steps=4)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.painter.at_work.clear()
    bench.painter.go(1)
    assert bench.painter.at_work.wait(SECONDS)
    bench.painter.at_work.clear()
    bench.painter.go(1)
    assert bench.painter.at_work.wait(SECONDS)
    bench.clock.now = 10.0
    now = bench.easel.progress()
    bench.painter.go()
    job.done.result(SECONDS)

    assert (now.pictures, now.picture, now.steps, now.step, now.busy) == (2, 1, 4, 1, True)
    assert now.share == pytest.approx((1 + 1 / 4) / 2)
    assert now.seconds_left == pytest.approx(10 / 0.625 - 10)
    assert bench.easel.progress().share == 0


UNUSABLE: dict[str, Callable[[Order], Pixels]] = {
    "black": lambda order: np.zeros((order.height, order.width, 3), np.float32),
    "one colour": lambda order: np.full((order.height, order.width, 3), 0.4, np.float32),
    "not a number": lambda order: np.full((order.height, order.width, 3), np.nan, np.float32),
    "72×64 was asked": lambda _: np.ones((8, 8, 3), np.float32),
}


@pytest.mark.parametrize(("why", "draw"), UNUSABLE.items())
def test_what_is_no_picture_is_never_sent(bench: Bench, why: str, draw: Callable[[Order], Pixels]) -> None:
    bench.painter.draw = draw
    error = fault(bench.easel.draw([order()]).done)

    assert isinstance(error, UnusablePicture)
    assert why in error.what


def test_a_failure_is_one_request_s_and_the_next_is_drawn(bench: Bench) -> None:
    def full(_: Order) -> Pixels:
        raise OutOfMemoryError("there is not enough memory")

    plain = bench.painter.draw
    bench.painter.draw = full
    assert isinstance(fault(bench.easel.draw([order(1)]).done), OutOfMemoryError)
    bench.painter.draw = plain
    assert seeds(bench.easel.draw([order(2)])) == [2]


@pytest.mark.parametrize("error", [NoModel("the model is not here"), RuntimeError("a bug")])
def test_a_model_that_cannot_be_loaded_is_told_and_tried_again_in_time(bench: Bench, error: Exception) -> None:
    bench.broken = error
    assert fault(bench.easel.load()) is error
    standing = bench.easel.standing()
    bench.clock.now = 29.0
    bench.easel.tend()
    bench.broken = None
    tried = bench.loads
    bench.clock.now = 31.0
    bench.easel.tend()
    job = bench.easel.draw([order()])  # behind what was just begun

    assert not standing.ready
    assert str(error) in standing.why
    assert tried == 1
    assert seeds(job) == [1]
    assert bench.loads == 2
    assert bench.easel.standing().ready


def test_a_model_that_nobody_uses_is_put_away_and_comes_back_when_it_is_needed() -> None:
    bench = Bench(idle_unload_seconds=60)
    bench.easel.load().result(SECONDS)
    bench.clock.now = 59.0
    bench.easel.tend()
    kept = bench.painter.closed
    bench.clock.now = 60.0
    bench.easel.tend()
    bench.easel.tend()
    bench.easel.unload().result(SECONDS)  # behind what was just begun; there is nothing left for it to do
    standing = bench.easel.standing()
    job = bench.easel.draw([order(3)])

    assert (kept, bench.painter.closed) == (0, 1)
    assert (standing.ready, standing.loaded) == (True, False)
    assert seeds(job) == [3]
    assert bench.loads == 2
    bench.easel.close()


def test_without_that_setting_it_stays_for_ever(bench: Bench) -> None:
    bench.easel.load().result(SECONDS)
    bench.clock.now = 1e9
    bench.easel.tend()
    assert seeds(bench.easel.draw([order()])) == [1]

    assert bench.painter.closed == 0


def test_a_stop_sends_away_what_waits_and_finishes_what_was_begun(bench: Bench) -> None:
    bench.painter.hold = True
    begun, waiting = bench.easel.draw([order(1)]), bench.easel.draw([order(2)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.easel.close()
    bench.painter.go()

    assert seeds(begun) == [1]
    assert isinstance(fault(waiting.done), Fault)
    for ask in (lambda: bench.easel.draw([order(3)]), bench.easel.load, bench.easel.unload):
        with pytest.raises(Busy, match="stopping"):
            ask()


def test_a_stop_at_once_ends_the_picture_after_its_step(bench: Bench) -> None:
    bench.painter.hold = True
    job = bench.easel.draw([order(1, steps=50)])
    assert bench.painter.at_work.wait(SECONDS)
    bench.easel.close(at_once=True)
    bench.painter.go()

    assert isinstance(fault(job.done), Interrupted)
    assert bench.painter.steps_taken == 1
