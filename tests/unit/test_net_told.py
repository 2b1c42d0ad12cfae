"""What the log says of services that go, are tried in vain, and are back, and of calls that are made again."""

from __future__ import annotations

import io
import json
from threading import Event

import pytest

from pipeline import telemetry
from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Back, Breaker, Outage, log_change
from pipeline.net.circuit import Rests
from pipeline.net.retry import Policy, call

DOWN = EngineUnavailable("nobody answers", where="Piper at http://piper:5000", hint="Start it.")


class Log:
    """The lines of this process's log, as a program reads them."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        telemetry.configure(form="json", level="info", stream=self._stream, others=False)

    @property
    def lines(self) -> list[dict[str, object]]:
        passed_over = {"time", "run", "level"}
        said = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [{name: value for name, value in line.items() if name not in passed_over} for line in said]


@pytest.fixture
def log() -> Log:
    return Log()


DOWN_TOLD = {"code": "engine-unavailable", "what": DOWN.what, "where": DOWN.where, "hint": DOWN.hint}


def test_an_outage_is_a_line_when_it_begins_and_one_when_it_ends(log: Log) -> None:
    log_change(Outage("voice", DOWN, 0.0, 2.04, is_new=True))
    log_change(Outage("voice", DOWN, 2.0, 4.0, is_new=False))
    log_change(Back("voice", 6.16))
    assert log.lines == [
        {"event": "service_down", "service": "voice", "wait_seconds": 2.0, **DOWN_TOLD},
        {"event": "service_back", "service": "voice", "seconds": 6.2},
    ]


def test_each_call_that_is_made_again_is_a_line_until_its_service_is_taken_to_be_down(log: Log) -> None:
    now = [0.0]

    def pause(_: object, seconds: float) -> None:
        now[0] += seconds

    def sleep(seconds: float) -> bool:
        now[0] += seconds
        return False

    def act() -> str:
        if now[0] < 10:
            raise DOWN
        return "answer"

    breaker = Breaker("voice", rests=Rests(failures=2), clock=lambda: now[0], pause=pause)
    answer = call(
        act, service="voice", policy=Policy(), stop=Event(), breaker=breaker, clock=lambda: now[0], sleep=sleep,
        draw=lambda _, high: high,
    )  # fmt: skip
    assert answer == "answer"
    assert [(line["event"], line.get("attempt"), line.get("wait_seconds")) for line in log.lines] == [
        ("asked_again", 1, 1.0),
        ("service_down", None, 2.0),
        ("service_back", None, None),
    ]
    assert DOWN_TOLD.items() <= log.lines[0].items()
