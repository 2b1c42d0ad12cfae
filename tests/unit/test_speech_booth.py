"""Sentences of all requests are spoken in turn, no more than there is room for, and none for a client that has gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from pipeline.speech_server.booth import Booth
from pipeline.speech_server.faults import Busy


class Gate:
    """A speaker that says each sentence only when it is let."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.let: SimpleQueue[None] = SimpleQueue()
        self.wanted: list[bool] = []

    def speak(self, sentence: str, wanted: Callable[[], bool]) -> str:
        self.begun.put(sentence)
        self.let.get(timeout=10)
        self.wanted.append(wanted())
        return sentence.upper()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def booth(gate: Gate) -> Iterator[Booth[str, str]]:
    made = Booth(gate.speak, threads=1, most=2)
    yield made
    made.close()
    for _ in range(50):
        gate.let.put(None)


def test_sentences_come_back_in_their_order(booth: Booth[str, str], gate: Gate) -> None:
    for _ in range(3):
        gate.let.put(None)
    with booth.enter(["a", "b", "c"]) as visit:
        assert [future.result(10) for future in visit.futures()] == ["A", "B", "C"]
    assert booth.inside == 0


def test_a_short_text_does_not_wait_behind_a_long_one(booth: Booth[str, str], gate: Gate) -> None:
    long = booth.enter(["a1", "a2", "a3", "a4"])
    assert gate.begun.get(timeout=10) == "a1"
    short = booth.enter(["b1"])
    order = []
    for _ in range(4):
        gate.let.put(None)
        order.append(gate.begun.get(timeout=10))
    assert order == ["b1", "a2", "a3", "a4"] or order == ["a2", "b1", "a3", "a4"]
    gate.let.put(None)
    assert [future.result(10) for future in short.futures()] == ["B1"]
    long.close()
    short.close()


def test_a_full_booth_says_when_to_come_back(booth: Booth[str, str], gate: Gate) -> None:
    first, second = booth.enter(["a"]), booth.enter(["b"])
    with pytest.raises(Busy) as caught:
        booth.enter(["c"])
    assert caught.value.retry_after_seconds is not None
    assert caught.value.retry_after_seconds >= 1
    first.close()
    third = booth.enter(["c"])
    second.close()
    third.close()


def test_what_is_not_begun_is_not_spoken_for_a_client_that_has_gone(booth: Booth[str, str], gate: Gate) -> None:
    visit = booth.enter(["a", "b", "c"])
    assert gate.begun.get(timeout=10) == "a"
    visit.close()
    visit.close()
    gate.let.put(None)
    with booth.enter(["d"]) as after:
        gate.let.put(None)
        assert next(after.futures()).result(10) == "D"
    assert gate.begun.get(timeout=10) == "d"
    assert booth.inside == 0


def test_a_sentence_given_up_while_it_waits_stops_nobody(booth: Booth[str, str], gate: Gate) -> None:
    visit = booth.enter(["a", "b"])
    assert gate.begun.get(timeout=10) == "a"
    _, second = list(visit._order.coming)
    assert second.cancel()
    gate.let.put(None)
    with booth.enter(["c"]) as after:
        gate.let.put(None)
        assert next(after.futures()).result(10) == "C"
    visit.close()


def test_a_listener_that_does_not_listen_holds_no_more_than_a_few_sentences(booth: Booth[str, str], gate: Gate) -> None:
    visit = booth.enter([f"s{number}" for number in range(40)])
    for _ in range(40):
        gate.let.put(None)
    with booth.enter(["last"]) as other:
        assert next(other.futures()).result(10) == "LAST"
    begun = 0
    while not gate.begun.empty():
        gate.begun.get()
        begun += 1
    assert begun <= 10
    visit.close()


def test_a_speaker_can_tell_that_its_client_has_gone(booth: Booth[str, str], gate: Gate) -> None:
    leaving, staying = booth.enter(["a"]), booth.enter(["b"])
    assert gate.begun.get(timeout=10) == "a"
    leaving.close()
    gate.let.put(None)
    gate.let.put(None)
    assert next(staying.futures()).result(10) == "B"
    assert gate.wanted == [False, True]
    staying.close()


def test_a_failure_is_its_own_sentence_s(gate: Gate) -> None:
    def speak(sentence: str, _: Callable[[], bool]) -> str:
        if sentence == "bad":
            raise ValueError(sentence)
        return sentence

    booth = Booth(speak, threads=2, most=4)
    with booth.enter(["good", "bad"]) as visit:
        futures = visit.futures()
        assert next(futures).result(10) == "good"
        with pytest.raises(ValueError, match="bad"):
            next(futures).result(10)
    booth.close()


def test_closing_lets_what_is_inside_be_finished(booth: Booth[str, str], gate: Gate) -> None:
    visit = booth.enter(["a", "b"])
    booth.close()
    with pytest.raises(Busy):
        booth.enter(["c"])
    gate.let.put(None)
    gate.let.put(None)
    assert [future.result(10) for future in visit.futures()] == ["A", "B"]
    visit.close()


def test_all_workers_work_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def speak(sentence: str, _: Callable[[], bool]) -> str:
        together.wait()
        return sentence

    booth = Booth(speak, threads=3, most=1)
    with booth.enter(["a", "b", "c"]) as visit:
        assert [future.result(10) for future in visit.futures()] == ["a", "b", "c"]
    booth.close()
