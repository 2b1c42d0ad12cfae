"""The board: how far each episode is, from the runner's events."""

from __future__ import annotations

from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
from pipeline.progress import Board


def step(place: str, label: str = "") -> Step:
    return Step(Rule("test", 1, "cpu"), place, {"label": label}, dict, label)


def test_an_episode_on_its_way() -> None:
    board = Board(1)
    first, second = step("speech", "sentence 1 of 2"), step("speech", "sentence 2 of 2")
    board.take(Event(Kind.OPENED, "moon"))
    board.take(Event(Kind.FOUND, "moon", step("script")))
    for each in (first, second):
        board.take(Event(Kind.STARTED, "moon", each))
    board.take(Event(Kind.MADE, "moon", first, seconds=0.5))

    line = board.lines["moon"]
    assert line.stages["script"].complete
    assert (line.stages["speech"].done, line.stages["speech"].wanted) == (1, 2)
    assert line.now == "sentence 2 of 2"
    assert (line.made, line.found) == (1, 1)

    board.take(Event(Kind.MADE, "moon", second, seconds=0.5))
    assert line.stages["speech"].complete
    assert line.stages["speech"].seconds == 1.0
    board.take(Event(Kind.CLOSED, "moon", seconds=2.0))
    assert board.closed == 1


def test_what_is_worth_a_line_is_told() -> None:
    board = Board(1)
    script = step("script", "script")
    board.take(Event(Kind.STARTED, "moon", script))
    assert board.take(Event(Kind.MADE, "moon", script, seconds=1.25)) == ["moon: script written"]
    assert board.take(Event(Kind.MADE, "moon", step("mix"))) == ["moon: mixed"]
    assert board.take(Event(Kind.MADE, "moon", step("speech", "sentence 1 of 9"))) == []
    assert board.take(Event(Kind.MADE, "moon", step("mix"))) == ["moon: 1 sentence spoken, and mixed"]
    assert board.take(Event(Kind.MADE, "moon", step("film-stretch"))) == []
    assert board.take(Event(Kind.MADE, "moon", step("film"))) == ["moon: filmed"]


def test_a_sentence_that_is_spoken_at_several_paces_is_one_sentence() -> None:
    board = Board(1)
    for labels in (["sentence 1 of 2", "sentence 2 of 2"], *[[f"sentence {number} of 3" for number in (1, 2, 3)]] * 2):
        for label in labels:
            board.take(Event(Kind.MADE, "moon", step("speech", label)))
    assert board.take(Event(Kind.MADE, "moon", step("mix"))) == ["moon: 3 sentences spoken, and mixed"]


def test_passages_count_to_the_script() -> None:
    board = Board(1)
    board.take(Event(Kind.STARTED, "moon", step("passage", "passage 1")))
    assert board.lines["moon"].stages["script"].running == {"passage 1"}


def test_a_failed_step_no_longer_runs() -> None:
    board = Board(1)
    failing = step("mix", "mix")
    board.take(Event(Kind.STARTED, "moon", failing))
    board.take(Event(Kind.FAILED, "moon", failing, error=ValueError()))
    assert board.lines["moon"].now == ""
    assert not board.lines["moon"].stages["mix"].complete
