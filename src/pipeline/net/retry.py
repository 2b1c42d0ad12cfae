"""Which failures are worth asking again, how often, and after which wait.

The one retry layer: the clients below it ask once. The waits are drawn at random from nothing up to a bound that
doubles ("full jitter"), so that callers that failed together do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import structlog
import tenacity

from pipeline.errors import EngineError, EngineNonsense, EngineUnavailable, Interrupted
from pipeline.net.breaker import Admission, Breaker
from pipeline.net.limit import Limit, Unlimited

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds in number and in time; whichever comes first ends the asking."""

    attempts: int = 5
    """Calls made while the service is not taken to be down; finding out whether it is back counts for none."""
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    total_seconds: float = 300.0
    """From the first call; no new wait begins that would end later."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What is told to `on_retry` before each wait."""

    service: str
    error: EngineError
    attempt: int
    wait_seconds: float


def say(retry: Retry) -> None:
    """The default `on_retry`: a line in the log."""
    structlog.get_logger().warning(
        "asked again", service=retry.service, error=str(retry.error), attempt=retry.attempt, wait=retry.wait_seconds
    )


def call(
    act: Callable[[], T],
    *,
    service: str,
    policy: Policy,
    stop: Event,
    after_nonsense: bool = False,
    breaker: Breaker | None = None,
    limit: Limit | None = None,
    on_retry: Callable[[Retry], None] = say,
    sleep: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
    draw: Callable[[float, float], float] = random.uniform,
) -> T:
    """The result of `act`, asked again while its error says that it may help.

    EngineNonsense is asked again only with `after_nonsense`: where another try gives another answer. `sleep` waits
    for some seconds and returns whether it was stopped; by default it waits for `stop`.

    Raises what `act` raised last, or Interrupted as soon as `stop` is set.
    """
    pause = sleep if sleep is not None else stop.wait
    until = clock() + policy.total_seconds
    admissions = _Admissions(breaker, limit or Unlimited(), stop, until)

    def worth_it(error: BaseException) -> bool:
        return (
            isinstance(error, EngineError) and error.retry and (after_nonsense or not isinstance(error, EngineNonsense))
        )

    def spent(state: tenacity.RetryCallState) -> bool:
        return admissions.calls >= policy.attempts or clock() + state.upcoming_sleep >= until

    def wait_before(state: tenacity.RetryCallState) -> float:
        bound = min(policy.longest_wait_seconds, policy.first_wait_seconds * 2.0 ** min(state.attempt_number - 1, 60))
        asked_for = getattr(_error_of(state), "retry_after_seconds", None) or 0.0
        return max(draw(0.0, bound), asked_for)

    def tell(state: tenacity.RetryCallState) -> None:
        error = _error_of(state)
        if isinstance(error, EngineError):
            on_retry(Retry(service, error, state.attempt_number, round(state.upcoming_sleep, 3)))

    def rest(seconds: float) -> None:
        if pause(seconds):
            raise Interrupted

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_it),
        stop=spent,
        wait=wait_before,
        before_sleep=tell,
        sleep=rest,
        reraise=True,
    )
    return again(lambda: admissions.through(act))


class _Admissions:
    """One caller's way past the breaker and the limit."""

    def __init__(self, breaker: Breaker | None, limit: Limit, stop: Event, until: float) -> None:
        self._breaker = breaker
        self._limit = limit
        self._stop = stop
        self._until = until
        self.calls = 0

    def through(self, act: Callable[[], T]) -> T:
        self._limit.wait(self._stop)
        if self._breaker is None:
            self.calls += 1
            return act()
        admission = self._breaker.admit(self._stop, until=self._until)
        self.calls += admission is Admission.CALL
        try:
            result = act()
        except EngineUnavailable as error:
            self._breaker.failed(error, admission)
            raise
        except EngineError:
            self._breaker.answered()
            raise
        except BaseException:
            self._breaker.gave_up(admission)
            raise
        self._breaker.answered()
        return result


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
