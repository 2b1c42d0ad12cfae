"""What is counted of each service: calls by their outcome, tries, waits, and how its circuit stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from pipeline.errors import EngineUnavailable, Interrupted
from pipeline.net.breaker import Breaker
from pipeline.net.circuit import Rests
from pipeline.net.tallies import State, Tallies


class Clock:
    """Ten seconds pass between two looks."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=10)
        return self.now


def test_each_call_counts_by_how_it_ended() -> None:
    tallies = Tallies()
    for _ in range(2):
        with tallies.call("voice"):
            pass
    for error in (EngineUnavailable("gone"), Interrupted(), KeyError("a bug")):
        with pytest.raises(type(error)), tallies.call("voice"):
            raise error
    assert tallies.snapshot()["voice"].calls == {"answered": 2, "engine-unavailable": 1, "interrupted": 1, "bug": 1}


def test_tries_and_waits_add_up_for_each_service_alone() -> None:
    tallies = Tallies()
    tallies.retried("voice")
    tallies.retried("voice")
    tallies.waited("voice", 1.5)
    tallies.waited("voice", 2.0)
    tallies.waited("writer", 4.0)
    told = tallies.snapshot()
    assert [(name, one.retries, one.waited_seconds) for name, one in told.items()] == [
        ("voice", 2, 3.5),
        ("writer", 0, 4.0),
    ]


def test_a_state_says_since_when_it_is_so_and_when_the_service_is_tried_again() -> None:
    clock = Clock()
    tallies = Tallies(clock=clock)
    tallies.stands("voice", State.CLOSED)
    assert tallies.snapshot()["voice"].next_try is None

    tallies.stands("voice", State.OPEN, next_try_seconds=2.0)
    opened = clock.now
    tallies.stands("voice", State.OPEN, next_try_seconds=4.0)
    told = tallies.snapshot()["voice"]
    assert (told.state, told.since, told.next_try) == ("open", opened, clock.now + timedelta(seconds=4))

    tallies.stands("voice", State.HALF_OPEN)
    told = tallies.snapshot()["voice"]
    assert (told.state, told.since, told.next_try) == ("half-open", clock.now, None)


def test_a_service_that_is_begun_with_anew_is_not_taken_to_be_down_any_more() -> None:
    tallies = Tallies()
    tallies.stands("voice", State.OPEN, next_try_seconds=2.0)
    Breaker("voice", tallies=tallies)
    told = tallies.snapshot()["voice"]
    assert (told.state, told.next_try) == ("closed", None)


def test_a_service_s_circuit_shows_in_its_tally() -> None:
    now = [0.0]
    tallies = Tallies()
    breaker = Breaker("voice", rests=Rests(failures=1), clock=lambda: now[0], on_change=lambda _: None, tallies=tallies)
    gone = EngineUnavailable("gone")

    def stands() -> tuple[str, float | None]:
        told = tallies.snapshot()["voice"]
        return told.state, None if told.next_try is None else round((told.next_try - told.since).total_seconds(), 1)

    breaker.failed(gone, breaker.admit(Event(), wait_seconds=0))
    assert stands() == ("open", 2.0)
    now[0] = 2.0
    probe = breaker.admit(Event(), wait_seconds=1e9)
    assert stands() == ("half-open", None)
    breaker.gave_up(probe)
    assert stands() == ("open", 0.0)
    breaker.failed(gone, breaker.admit(Event(), wait_seconds=1e9))
    assert stands() == ("open", 4.0)
    now[0] = 6.0
    breaker.answered(breaker.admit(Event(), wait_seconds=1e9))
    assert stands() == ("closed", None)
    breaker.gave_up(breaker.admit(Event(), wait_seconds=0))
    assert stands() == ("closed", None)


def test_a_snapshot_stays_as_it_was_taken() -> None:
    tallies = Tallies()
    with tallies.call("voice"):
        pass
    told = tallies.snapshot()
    with tallies.call("voice"), pytest.raises(ZeroDivisionError):
        _ = 1 // 0
    assert told["voice"].calls == {"answered": 1}


def test_no_count_is_lost_between_threads() -> None:
    tallies = Tallies()

    def work(_: int) -> None:
        for _ in range(200):
            with tallies.call("voice"):
                tallies.retried("voice")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    told = tallies.snapshot()["voice"]
    assert (told.calls["answered"], told.retries) == (1600, 1600)
