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
from pipeline.net.breaker import Back, Breaker, Change, Outage
from pipeline.net.circuit import Admission, Rests
from pipeline.net.limit import CallsPerMinute, Unlimited
from pipeline.net.retry import Policy, Retry, call
from pipeline.net.tallies import Tallies
from tests.fakes.shared_time import SharedTime

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


def test_no_wait_is_longer_than_the_longest() -> None:
    time = Time()
    ask(Server(*[DOWN] * 7), time, policy=Policy(attempts=8, total_seconds=1e6))
    assert time.slept == [1, 2, 4, 8, 16, 30, 30]


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


def test_whoever_waits_and_is_told_to_stop_does_not_go_on() -> None:
    server = Server(DOWN, DOWN)
    with pytest.raises(Interrupted):
        call(server, service="Piper", policy=Policy(), stop=threading.Event(), sleep=lambda _: True)
    assert server.calls == 1


def test_a_run_that_is_stopping_asks_nobody() -> None:
    stop, server = threading.Event(), Server()
    stop.set()

    with pytest.raises(Interrupted):
        ask(server, Time(), stop=stop)
    assert server.calls == 0


# -- a call that fails alone -------------------------------------------------------------------------------------


@dataclass
class Alone:
    """The only caller of a service that answers nothing it is asked, and does other work as long as it `works`."""

    works: PipelineError | None = None
    rests: Rests = field(default_factory=Rests)
    time: SharedTime = field(default_factory=SharedTime)
    told: list[Change] = field(default_factory=list)
    tallies: Tallies = field(default_factory=Tallies)
    calls: int = 0
    checks: int = 0

    def __post_init__(self) -> None:
        self.breaker = Breaker(
            "voice",
            rests=self.rests,
            on_change=self.told.append,
            clock=self.time,
            pause=self.time.pause,
            look_seconds=float("inf"),
            tallies=self.tallies,
        )

    def speak(self) -> str:
        self.calls += 1
        raise DOWN

    def check(self) -> None:
        self.checks += 1
        if self.works is not None:
            raise self.works

    def ask(self, act: Callable[[], str] | None = None, policy: Policy = Policy(attempts=5)) -> PipelineError:  # noqa: B008  # frozen
        ended: list[PipelineError] = []

        def run() -> None:
            with pytest.raises(PipelineError) as raised:
                call(
                    act or self.speak,
                    service="voice",
                    policy=policy,
                    stop=threading.Event(),
                    breaker=self.breaker,
                    works=self.check,
                    sleep=self.time.sleep,
                    clock=self.time,
                    draw=most,
                    on_retry=lambda _: None,
                    tallies=self.tallies,
                )
            ended.append(raised.value)

        self.time.run([run])
        return ended[0]


def test_a_call_that_fails_where_other_work_is_done_is_given_up_after_its_attempts() -> None:
    alone = Alone()
    assert str(alone.ask()) == str(DOWN)
    assert (alone.calls, alone.checks) == (5, 1)
    assert alone.time.now < 60
    assert not alone.breaker.is_open, "the service is there for everybody else"
    assert [type(change) for change in alone.told] == [Outage, Back]


def test_a_call_whose_service_came_back_while_that_was_found_out_is_answered() -> None:
    """Between the failed probe and the question whether other work is done."""
    alone = Alone()

    def speak() -> str:
        alone.calls += 1
        if not alone.checks:
            raise DOWN
        raise EngineRefused("it answers again")

    assert str(alone.ask(speak)) == "it answers again"
    assert (alone.calls, alone.checks) == (5, 1)


@pytest.mark.parametrize(
    "works", [DOWN, EngineRefused("no such voice"), EngineNonsense("silence")], ids=lambda it: it.code
)
def test_a_service_that_does_no_other_work_either_is_waited_for_as_long_as_any_that_is_down(
    works: PipelineError,
) -> None:
    alone = Alone(works)
    assert "for 30 min now" in str(alone.ask())
    assert alone.time.now >= Policy().wait_seconds
    assert alone.calls > 5
    assert alone.checks == alone.calls - 3, "not before all but one of its attempts are spent"


def test_the_call_of_a_service_that_is_back_is_answered_however_often_it_failed() -> None:
    alone = Alone(DOWN)

    def speak() -> str:
        alone.calls += 1
        if alone.time.now < 600:
            raise DOWN
        raise EngineRefused("it answers again")

    assert str(alone.ask(speak)) == "it answers again"
    assert 600 <= alone.time.now <= 665


def test_a_call_that_takes_its_service_down_each_time_others_found_it_back_is_made_twice_its_attempts() -> None:
    alone = Alone(rests=Rests(failures=1))

    def sleep(_: float) -> bool:
        alone.time.now += 100
        alone.breaker.answered(alone.breaker.admit(threading.Event(), wait_seconds=0))  # somebody else's call
        return False

    with pytest.raises(EngineUnavailable):
        call(
            alone.speak, service="voice", policy=Policy(attempts=3), stop=threading.Event(), breaker=alone.breaker,
            sleep=sleep, clock=alone.time, draw=most, on_retry=lambda _: None,
        )  # fmt: skip
    assert alone.calls == 6


def test_what_breaks_in_finding_out_leaves_the_service_to_the_next_caller() -> None:
    alone = Alone()

    def faulty() -> None:
        raise KeyError("a bug")

    ended = []

    def run() -> None:
        with pytest.raises(KeyError) as raised:
            call(
                alone.speak, service="voice", policy=Policy(), stop=threading.Event(), breaker=alone.breaker,
                works=faulty, sleep=alone.time.sleep, clock=alone.time, draw=most, on_retry=lambda _: None,
            )  # fmt: skip
        ended.append(raised.value)

    alone.time.run([run])
    assert ended
    alone.time.now += 3600
    assert alone.breaker.admit(threading.Event(), wait_seconds=1e9) is Admission.PROBE


@pytest.mark.parametrize(
    ("silent_seconds", "rests"),
    [(0.0, Rests()), (120.0, Rests(first_seconds=1.0, longest_seconds=1.0))],
    ids=["in waiting for it", "in finding out whether it is back"],
)
def test_the_time_that_a_service_was_down_is_not_the_call_s_own(silent_seconds: float, rests: Rests) -> None:
    """Somebody else finds it back after half an hour; it is busy once more, and then answers."""
    alone = Alone(DOWN, rests=rests)
    ended: list[str] = []

    def speak() -> str:
        alone.calls += 1
        if not alone.breaker.is_open and alone.time.now > 0:
            ended.append("busy")
        if len(ended) == 2:
            return "answer"
        if alone.breaker.is_open:
            alone.time.sleep(silent_seconds)
        raise DOWN

    def one() -> None:
        ended.append(
            call(
                speak, service="voice", policy=Policy(total_seconds=30, wait_seconds=1e9), stop=threading.Event(),
                breaker=alone.breaker, sleep=alone.time.sleep, clock=alone.time, draw=lambda low, _: low,
                on_retry=lambda _: None,
            )
        )  # fmt: skip

    def other() -> None:
        alone.time.sleep(1800.0)
        admission = alone.breaker.admit(threading.Event(), wait_seconds=1e9)
        alone.breaker.answered(admission)

    alone.time.run([one, other])
    assert ended == ["busy", "busy", "answer"]


def test_the_time_that_calls_take_is_the_call_s_own() -> None:
    alone = Alone()

    def speak() -> str:
        alone.calls += 1
        alone.time.sleep(20.0)
        raise DOWN

    assert alone.ask(speak, Policy(attempts=5, total_seconds=30.0)) is DOWN
    assert alone.calls == 2


def test_what_a_call_took_is_tallied() -> None:
    alone = Alone()
    alone.ask()
    told = alone.tallies.snapshot()["voice"]
    assert told.calls == {"engine-unavailable": 5}
    assert told.state == "closed"
    assert told.retries == 4
    assert told.waited_seconds == alone.time.now


# -- the limit ---------------------------------------------------------------------------------------------------


class Never(threading.Event):
    """An event that is not set, and whose waiting moves a clock."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        return self._time.sleep(timeout)


def test_as_many_calls_a_minute_as_are_allowed_and_the_next_waits_for_the_minute_to_end() -> None:
    time = Time()
    stop, limit = Never(time), CallsPerMinute(3, clock=time)
    made = []
    for pause in (0.0, 20.0, 30.0, 0.0, 0.0, 70.0, 0.0, 0.0, 0.0):
        time.now += pause
        limit.wait(stop)
        made.append(time.now)
    assert made == [0.0, 20.0, 50.0, 60.0, 60.0, 130.0, 130.0, 130.0, 190.0]
    assert time.slept == [10.0, 60.0]


def test_who_waits_for_the_next_minute_is_let_go_when_the_run_stops() -> None:
    stop, limit = threading.Event(), CallsPerMinute(3)
    for _ in range(3):
        limit.wait(stop)
    stop.set()
    with pytest.raises(Interrupted):
        limit.wait(stop)


def test_without_a_limit_only_stopping_holds_a_call_up() -> None:
    stop = threading.Event()
    Unlimited().wait(stop)
    stop.set()
    with pytest.raises(Interrupted):
        Unlimited().wait(stop)
