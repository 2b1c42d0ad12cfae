"""What is asked again, how often and after which wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, InputError, Interrupted, PipelineError
from pipeline.net.limit import CallsPerMinute, Unlimited
from pipeline.net.retry import Policy, Retry, call

DOWN = EngineUnavailable("down", where="Piper")


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


def most(_: float, bound: float) -> float:
    """The longest wait that may be drawn."""
    return bound


class Server:
    """Fails as told, then answers."""

    def __init__(self, *failures: PipelineError) -> None:
        self._failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return "answer"


def ask(server: Callable[[], str], time: Time, **options: object) -> str:
    settings: dict[str, object] = {"policy": Policy(), "stop": threading.Event(), "on_retry": lambda _: None}
    return call(server, service="Piper", clock=time, sleep=time.sleep, draw=most, **(settings | options))  # type: ignore[arg-type]


def test_a_service_that_is_away_for_a_while_is_waited_for() -> None:
    server, time = Server(DOWN, DOWN, DOWN), Time()

    assert ask(server, time) == "answer"
    assert time.slept == [1, 2, 4]


@pytest.mark.parametrize(
    "error",
    [EngineRefused("no such voice"), InputError("nothing to say"), Interrupted(), EngineNonsense("noise")],
    ids=lambda error: error.code,
)
def test_what_asking_again_does_not_help_is_asked_once(error: PipelineError) -> None:
    server, time = Server(error), Time()

    with pytest.raises(type(error)):
        ask(server, time)

    assert (server.calls, time.slept) == (1, [])


def test_a_fault_of_ours_is_asked_once() -> None:
    def faulty() -> str:
        raise KeyError("a bug")

    time = Time()
    with pytest.raises(KeyError):
        ask(faulty, time)
    assert time.slept == []


def test_nonsense_is_asked_again_where_another_answer_is_to_be_hoped_for() -> None:
    server = Server(EngineNonsense("silence"))

    assert ask(server, Time(), after_nonsense=True) == "answer"


def test_the_attempts_are_bounded_and_the_last_error_is_the_one_that_is_raised() -> None:
    errors = [EngineUnavailable(f"failure {number}") for number in range(1, 9)]
    server = Server(*errors)

    with pytest.raises(EngineUnavailable, match="failure 3"):
        ask(server, Time(), policy=Policy(attempts=3))
    assert server.calls == 3


def test_the_time_is_bounded_and_no_wait_begins_that_would_end_after_it() -> None:
    server, time = Server(*[DOWN] * 100), Time()

    with pytest.raises(EngineUnavailable):
        ask(server, time, policy=Policy(attempts=100, total_seconds=60))

    assert time.slept == [1, 2, 4, 8, 16]
    assert time.now < 60


def test_a_server_that_says_when_to_come_back_is_not_asked_before() -> None:
    server, time = Server(EngineUnavailable("busy", retry_after_seconds=42)), Time()

    assert ask(server, time) == "answer"
    assert time.slept == [42]


def test_a_server_that_wants_more_patience_than_there_is_ends_it_at_once() -> None:
    server, time = Server(EngineUnavailable("busy", retry_after_seconds=86_400)), Time()

    with pytest.raises(EngineUnavailable):
        ask(server, time)
    assert time.slept == []


@given(
    first=st.floats(0.01, 10),
    longest=st.floats(0.01, 60),
    attempts=st.integers(1, 80),
    drawn=st.floats(0, 1),
    total=st.floats(0.1, 1000),
)
def test_waits_are_drawn_below_a_bound_that_doubles_up_to_the_longest(
    first: float, longest: float, attempts: int, drawn: float, total: float
) -> None:
    server, time = Server(*[DOWN] * 100), Time()
    policy = Policy(attempts, first, longest, total)

    with pytest.raises(EngineUnavailable):
        call(
            server,
            service="Piper",
            policy=policy,
            stop=threading.Event(),
            clock=time,
            sleep=time.sleep,
            draw=lambda low, high: low + drawn * (high - low),
            on_retry=lambda _: None,
        )

    assert server.calls <= attempts
    assert time.now <= total
    assert all(0 <= wait <= min(longest, first * 2**number) for number, wait in enumerate(time.slept))


def test_each_retry_is_told_before_its_wait() -> None:
    told: list[Retry] = []
    ask(Server(DOWN, DOWN), Time(), on_retry=told.append)

    assert [(retry.service, retry.attempt, retry.wait_seconds) for retry in told] == [("Piper", 1, 1), ("Piper", 2, 2)]
    assert told[0].error is DOWN


def test_stopping_ends_a_wait_at_once() -> None:
    stop, waiting = threading.Event(), threading.Event()

    def told(_: Retry) -> None:
        waiting.set()

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(
            call,
            Server(*[DOWN] * 9),
            service="Piper",
            policy=Policy(first_wait_seconds=3600, longest_wait_seconds=3600, total_seconds=1e6),
            stop=stop,
            on_retry=told,
            draw=most,
        )
        assert waiting.wait(10)
        stop.set()
        assert isinstance(asking.exception(10), Interrupted)


def test_a_run_that_is_stopping_asks_nobody() -> None:
    stop, server = threading.Event(), Server()
    stop.set()

    with pytest.raises(Interrupted):
        ask(server, Time(), stop=stop)
    assert server.calls == 0


# -- the limit ---------------------------------------------------------------------------------------------------


def test_no_more_calls_are_made_in_a_window_than_are_allowed() -> None:
    stop, limit = threading.Event(), CallsPerMinute(3, minute_seconds=3600)
    for _ in range(3):
        limit.wait(stop)
    with ThreadPoolExecutor(1) as threads:
        fourth = threads.submit(limit.wait, stop)
        assert not fourth.done()
        stop.set()
        assert isinstance(fourth.exception(10), Interrupted)


def test_a_new_window_lets_calls_through_again() -> None:
    stop, limit = threading.Event(), CallsPerMinute(1, minute_seconds=0.01)
    for _ in range(3):
        limit.wait(stop)


def test_without_a_limit_only_stopping_holds_a_call_up() -> None:
    stop = threading.Event()
    Unlimited().wait(stop)
    stop.set()
    with pytest.raises(Interrupted):
        Unlimited().wait(stop)
