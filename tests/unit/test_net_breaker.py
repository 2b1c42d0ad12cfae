"""When a service is taken to be down, who waits for it, for how long, and how often it is called meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from pipeline.errors import EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.breaker import Back, Breaker, Change, Outage
from pipeline.net.circuit import Admission, Circuit, Rests
from pipeline.net.retry import Policy, call
from tests.fakes.callers import DOWN, Callers, Service
from tests.fakes.shared_time import SharedTime

# -- the circuit -------------------------------------------------------------------------------------------------


def call_on(circuit: Circuit, now: float = 0.0) -> Admission:
    admission = circuit.admit(now)
    assert admission is not None
    return admission


def opened(rests: Rests | None = None, *, error: EngineUnavailable = DOWN) -> Circuit:
    circuit = Circuit(rests or Rests(failures=1))
    circuit.failed(error, call_on(circuit), 0.0)
    return circuit


def test_after_some_failures_in_a_row_a_service_is_taken_to_be_down() -> None:
    circuit = Circuit(Rests(failures=3))
    for _ in range(2):
        circuit.failed(DOWN, call_on(circuit), 1.0)
    circuit.answered(call_on(circuit))
    for now in (2.0, 3.0, 4.0):
        assert circuit.reason is None
        circuit.failed(DOWN, call_on(circuit), now)
    assert (circuit.reason, circuit.since) == (DOWN, 4.0)


def test_one_caller_probes_and_the_rest_grows_until_one_is_answered() -> None:
    circuit = opened(Rests(failures=1, first_seconds=2, longest_seconds=5))
    now = 0.0
    for rest in (2, 4, 5, 5):
        assert circuit.admit(now + rest - 0.5) is None
        now += rest
        assert circuit.admit(now, next_in_line=False) is None
        assert circuit.admit(now) is Admission.PROBE
        assert circuit.admit(now) is None
        circuit.failed(DOWN, Admission.PROBE, now)
    assert circuit.admit(now + 5) is Admission.PROBE
    circuit.answered(Admission.PROBE)
    assert circuit.admit(now + 5) is Admission.CALL
    circuit.failed(DOWN, Admission.CALL, now + 5)
    assert circuit.next_try == now + 5 + 2, "a new outage begins with the first rest"


def test_a_probe_that_ends_without_a_word_leaves_the_next_one_to_another() -> None:
    circuit = opened()
    assert circuit.admit(100.0) is Admission.PROBE
    circuit.gave_up(Admission.PROBE)
    assert circuit.admit(100.0) is Admission.PROBE


@pytest.mark.parametrize(("asked_for", "next_try"), [(50.0, 50.0), (86_400.0, 60.0), (None, 2.0)])
def test_a_service_that_says_when_it_will_be_back_rests_till_then_but_not_for_ever(
    asked_for: float | None, next_try: float
) -> None:
    circuit = opened(error=EngineUnavailable("busy", retry_after_seconds=asked_for))
    assert circuit.next_try == next_try


def test_news_from_before_the_outage_do_not_end_it() -> None:
    circuit = Circuit(Rests(failures=1))
    early, late = call_on(circuit), call_on(circuit)
    circuit.failed(DOWN, late, 1.0)
    circuit.answered(early)
    assert circuit.reason is DOWN


def test_who_has_not_answered_yet_is_not_called_by_everybody_at_once() -> None:
    circuit = Circuit(Rests(unproven_calls=2))
    first, _ = call_on(circuit), call_on(circuit)
    assert circuit.admit(0.0) is None
    circuit.answered(first)
    assert [circuit.admit(0.0) for _ in range(50)] == [Admission.CALL] * 50


@pytest.mark.parametrize("ended", ["answered", "failed", "gave up"])
def test_a_call_that_ends_makes_room_for_one_other(ended: str) -> None:
    circuit = Circuit(Rests(failures=3, unproven_calls=2))
    first, _ = call_on(circuit), call_on(circuit)
    if ended == "answered":
        circuit.answered(first)
        circuit.failed(DOWN, call_on(circuit), 0.0)  # not proven any more
    elif ended == "failed":
        circuit.failed(DOWN, first, 0.0)
    else:
        circuit.gave_up(first)
    assert circuit.admit(0.0) is Admission.CALL
    assert circuit.admit(0.0) is None


# -- waiting -----------------------------------------------------------------------------------------------------


def rested(told: list[Change], time: SharedTime) -> Breaker:
    breaker = Breaker("voice", rests=Rests(failures=1), on_change=told.append, clock=time)
    breaker.failed(DOWN, breaker.admit(Event(), wait_seconds=0))
    return breaker


def test_patience_ends_with_the_reason_for_which_the_service_is_down_and_what_to_do() -> None:
    time = SharedTime()
    breaker = rested([], time)
    time.now = 1800.0
    with pytest.raises(EngineUnavailable) as raised:
        Breaker.admit(_probing(breaker), Event(), wait_seconds=1800)
    assert raised.value is not DOWN, "an exception shared by threads would gather their tracebacks"
    assert str(raised.value) == (
        "Piper at http://127.0.0.1:5000: nobody answers, for 30 min now, which is as long as is waited. Start it. Then "
        "run it again: what is finished is kept; wait_for_services_seconds says how long to wait."
    )


def _probing(breaker: Breaker) -> Breaker:
    assert breaker.admit(Event(), wait_seconds=1e9) is Admission.PROBE
    return breaker


@pytest.mark.parametrize(("seconds", "tells"), [(0.0, True), (10.0, False)])
def test_who_does_not_want_to_wait_long_hears_the_service_s_own_words(seconds: float, tells: bool) -> None:
    time = SharedTime()
    breaker = rested([], time)
    time.now = 1.9 + seconds
    if seconds:
        _probing(breaker)
    with pytest.raises(EngineUnavailable) as raised:
        breaker.admit(Event(), wait_seconds=seconds, tells_waiting=tells)
    assert str(raised.value) == str(DOWN)


def test_all_who_wait_go_on_when_the_probe_is_answered_and_one_probe_is_made_at_a_time() -> None:
    time = SharedTime()
    breaker = rested([], time)
    time.now = 100.0
    probe = breaker.admit(Event(), wait_seconds=1e9)
    waiting = threading.Semaphore(0)

    def wait() -> Admission:
        waiting.release()
        return breaker.admit(Event(), wait_seconds=1e9)

    with ThreadPoolExecutor(4) as threads:
        callers = [threads.submit(wait) for _ in range(4)]
        for _ in callers:
            waiting.acquire()
        assert probe is Admission.PROBE
        assert not any(caller.done() for caller in callers)
        breaker.answered(probe)
        assert [caller.result(10) for caller in callers] == [Admission.CALL] * 4


def test_who_finds_no_room_with_an_untried_service_goes_on_when_somebody_was_answered() -> None:
    breaker = Breaker("voice", rests=Rests(unproven_calls=1), on_change=lambda _: None, clock=SharedTime())
    first = breaker.admit(Event(), wait_seconds=0)
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(breaker.admit, Event(), wait_seconds=0)
        breaker.answered(first)
        assert second.result(10) is Admission.CALL


def test_stopping_ends_the_wait_for_a_service_that_is_down() -> None:
    stop, breaker = Event(), rested([], SharedTime())
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(breaker.admit, stop, wait_seconds=1e9)
        stop.set()
        assert isinstance(waiting.exception(10), Interrupted)


def test_each_change_is_told_once() -> None:
    told: list[Change] = []
    time = SharedTime()
    breaker = rested(told, time)
    for now in (2.0, 6.0):
        time.now = now
        breaker.failed(DOWN, breaker.admit(Event(), wait_seconds=1e9))
    time.now = 14.0
    breaker.answered(breaker.admit(Event(), wait_seconds=1e9))
    breaker.answered(breaker.admit(Event(), wait_seconds=1e9))
    assert told == [
        Outage("voice", DOWN, 0.0, 2.0, is_new=True),
        Outage("voice", DOWN, 2.0, 4.0, is_new=False),
        Outage("voice", DOWN, 6.0, 8.0, is_new=False),
        Back("voice", 14.0),
    ]


# -- outages -----------------------------------------------------------------------------------------------------


def test_a_service_that_stays_away_is_waited_for_once_and_not_once_for_each_task() -> None:
    service = Service(SharedTime(), 0.0, float("inf"))
    callers = Callers(service, Policy(wait_seconds=1800.0))
    callers.run(tasks=200, threads=4)

    assert len(callers.ended) == 200
    assert set(callers.ended) == {"nobody answers, for 30 min now, which is as long as is waited"}
    assert service.time.now < 1800 + 60 + 5
    assert len(service.called) <= 3 + 1800 / 60 + 10


def test_without_patience_nothing_waits() -> None:
    service = Service(SharedTime(), 0.0, float("inf"))
    callers = Callers(service, Policy(wait_seconds=0.0))
    callers.run(tasks=20, threads=2)
    assert callers.ended == ["nobody answers"] * 20
    assert service.time.now < 10


def test_a_call_that_the_service_breaks_on_does_not_stop_the_others() -> None:
    """Of four threads one has a call that is never answered: it spends its attempts, and the others are answered."""
    time = SharedTime()
    service = Service(time, float("inf"), float("inf"))
    tried = [0]

    def breaks() -> str:
        tried[0] += 1
        time.sleep(5.0)
        raise DOWN

    breaker = Breaker(rests=Rests(), clock=time, pause=time.pause, look_seconds=float("inf"), on_change=lambda _: None)
    ended: list[str] = []

    def work(act: Callable[[], str], times: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(times):
                try:
                    ended.append(
                        call(act, service="voice", policy=Policy(), stop=Event(), breaker=breaker, sleep=time.sleep,
                             clock=time, draw=lambda _, high: high, on_retry=lambda _: None)
                    )  # fmt: skip
                except EngineUnavailable as error:
                    ended.append(error.what)

        return run

    time.run([work(breaks, 1), *[work(service, 100)] * 3])
    assert ended.count("answer") == 300
    assert ended.count("nobody answers") == 1
    assert tried[0] <= 2 * Policy().attempts


def test_who_says_no_is_there() -> None:
    told: list[Change] = []
    time = SharedTime()
    breaker = rested(told, time)
    time.now = 100.0

    def refuse() -> str:
        raise EngineRefused("no such voice")

    with pytest.raises(EngineRefused):
        call(refuse, service="voice", policy=Policy(), stop=Event(), breaker=breaker, clock=time)
    assert not breaker.is_open
