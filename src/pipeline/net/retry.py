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

import tenacity

from pipeline.errors import EngineError, EngineNonsense, EngineUnavailable, Interrupted, PipelineError
from pipeline.net.breaker import Breaker
from pipeline.net.circuit import Admission
from pipeline.net.limit import Limit, Unlimited
from pipeline.net.tallies import TALLIES, Tallies
from pipeline.telemetry import failure, log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds in number and in time; whichever comes first ends the asking."""

    attempts: int = 5
    """Calls made while the service is not taken to be down; waiting for it and finding out whether it is back use up
    none."""
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    total_seconds: float = 300.0
    """From the first call, but for the time that a service was down; no new wait begins that would end later."""
    wait_seconds: float = 1800.0
    """How long a service may be down, with a breaker, before the call is given up; 0 does not wait for it."""
    tells_waiting: bool = True
    """Whether the failure then says for how long it was waited; for a few seconds nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What is told to `on_retry` before each wait."""

    service: str
    error: EngineError
    attempt: int
    wait_seconds: float


def say(retry: Retry) -> None:
    """The default `on_retry`: a line in the log."""
    log().warning(
        "asked_again",
        service=retry.service,
        attempt=retry.attempt,
        wait_seconds=retry.wait_seconds,
        **failure(retry.error),
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
    works: Callable[[], object] | None = None,
    on_retry: Callable[[Retry], None] = say,
    sleep: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
    draw: Callable[[float, float], float] = random.uniform,
    tallies: Tallies = TALLIES,
) -> T:
    """The result of `act`, asked again while its error says that it may help.

    With a breaker, a service that is down is waited for, and what it failed with is not told to `on_retry`: the
    breaker tells it once, for all who wait. `works` asks the service for a small piece of work of the same kind, and
    raises EngineError where that is not done: a service that does it is not down, and a call that it fails on alone is
    given up after its attempts, however long a service would be waited for. EngineNonsense is asked again only with
    `after_nonsense`: where another try gives another answer. `sleep` waits for some seconds and returns whether it was
    stopped; by default it waits for `stop`.

    Raises what `act` raised last, or Interrupted as soon as `stop` is set.
    """
    pause = sleep if sleep is not None else stop.wait
    asking = _Asking(breaker, limit or Unlimited(), stop, policy, clock, works, lambda: tallies.retried(service))

    def worth_it(error: BaseException) -> bool:
        return (
            isinstance(error, EngineError) and error.retry and (after_nonsense or not isinstance(error, EngineNonsense))
        )

    def spent(state: tenacity.RetryCallState) -> bool:
        return asking.spent(state.upcoming_sleep)

    def wait_before(state: tenacity.RetryCallState) -> float:
        if asking.is_down:  # its rest is the wait
            return 0.0
        bound = min(policy.longest_wait_seconds, policy.first_wait_seconds * 2.0 ** min(state.attempt_number - 1, 60))
        asked_for = getattr(_error_of(state), "retry_after_seconds", None) or 0.0
        return max(draw(0.0, bound), asked_for)

    def tell(state: tenacity.RetryCallState) -> None:
        error = _error_of(state)
        if isinstance(error, EngineError) and not asking.is_down:
            on_retry(Retry(service, error, state.attempt_number, round(state.upcoming_sleep, 3)))

    def rest(seconds: float) -> None:
        begun = clock()
        stopped = pause(seconds)
        tallies.waited(service, clock() - begun)
        if stopped:
            raise Interrupted
        tallies.retried(service)

    def once() -> T:
        with tallies.call(service):
            return act()

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_it),
        stop=spent,
        wait=wait_before,
        before_sleep=tell,
        sleep=rest,
        reraise=True,
    )
    try:
        return again(lambda: asking.ask(once))
    except EngineUnavailable as error:
        error.service = service
        raise


class _Asking:
    """One caller's way past the breaker and the limit, and what it has spent of its policy."""

    def __init__(
        self,
        breaker: Breaker | None,
        limit: Limit,
        stop: Event,
        policy: Policy,
        clock: Callable[[], float],
        works: Callable[[], object] | None,
        again: Callable[[], None],
    ) -> None:
        self._breaker = breaker
        self._limit = limit
        self._stop = stop
        self._policy = policy
        self._clock = clock
        self._works = works
        self._again = again
        self._until = clock() + policy.total_seconds
        self._calls = 0
        self._tries = 0
        """Its calls, and those that were to find out whether the service is back."""
        self._given_up = False

    @property
    def is_down(self) -> bool:
        return self._breaker is not None and self._breaker.is_open

    def spent(self, upcoming_sleep: float) -> bool:
        """Whether no further call is to be made. While the service is down, it is the breaker that says so; but a call
        that takes the service down again and again is not made for ever.
        """
        if self._given_up:
            return True
        if self.is_down:
            return self._calls >= 2 * self._policy.attempts
        return self._calls >= self._policy.attempts or self._clock() + upcoming_sleep >= self._until

    def ask(self, act: Callable[[], T]) -> T:
        if self._breaker is None:
            self._limit.wait(self._stop)
            self._calls += 1
            return act()
        begun = self._clock()
        try:
            patience, tells = self._policy.wait_seconds, self._policy.tells_waiting
            admission = self._breaker.admit(self._stop, wait_seconds=patience, tells_waiting=tells)
        except EngineUnavailable:
            self._given_up = True
            raise
        self._until += self._clock() - begun
        self._calls += admission is Admission.CALL
        self._tries += 1
        try:
            result = self._try(act, admission)
        except EngineUnavailable as error:
            if self._given_up:
                self._breaker.answered(admission)
            else:
                self._breaker.failed(error, admission)
            raise
        except EngineError:
            self._breaker.answered(admission)
            raise
        except BaseException:
            self._breaker.gave_up(admission)
            raise
        self._breaker.answered(admission)
        return result

    def _try(self, act: Callable[[], T], admission: Admission) -> T:
        begun = self._clock()
        try:
            self._limit.wait(self._stop)
            return act()
        except EngineUnavailable:
            if admission is not Admission.PROBE:
                raise
            try:
                if self._tries < self._policy.attempts - 1 or not self._others_are_answered():
                    raise
                return self._once_more(act)
            finally:
                self._until += self._clock() - begun

    def _once_more(self, act: Callable[[], T]) -> T:
        """The service does other work, perhaps because it has just come back: this try says which it is."""
        self._again()
        self._tries += 1
        try:
            return act()
        except EngineUnavailable:
            self._given_up = True
            raise

    def _others_are_answered(self) -> bool:
        """Whether the service does other work: then it is this call that it fails on."""
        if self._works is None:
            return False
        try:
            self._works()
        except PipelineError:
            return False
        return True


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
