"""A run's account: every topic is counted once, and in the same words everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import telemetry
from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind, Outcome
from pipeline.domain.topic import Source, Topic
from pipeline.engines.choice import Choice
from pipeline.errors import InputError, Interrupted
from pipeline.net.outages import Down, News, Up
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice
from pipeline.report import screen_for
from pipeline.stages.publish import Published
from pipeline.studio import Survey, Work
from pipeline.wiring import Workshop
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter


@pytest.fixture(autouse=True)
def no_log() -> None:
    telemetry.configure(form="text", level="critical")


WHY = "Ollama at http://127.0.0.1:9: nobody answers (Connection refused). Start it for a better writer: ollama serve."


def shop(folder: Path) -> Workshop:
    voice, writer = FakeVoice(), FakeWriter([])
    studio = make_studio(folder, voice=voice, writer=writer)
    drawn: Choice[Illustrator] = Choice(FakeIllustrator(), "cards", "Stable Diffusion is off")
    spoken: Choice[Voice] = Choice(voice, "embedded", "named in the settings")
    return Workshop(studio, Choice(writer, "embedded", WHY), spoken, drawn, Tls())


def survey(names: str, *, finished: str = "", refused: int = 0) -> Survey:
    works = tuple(Work(Topic(title=name, source=Source(f"input/{name}.md", 1)), name) for name in names.split())
    return Survey(tuple(finished.split()), works, (InputError("bad", where="input/x.md:1"),) * refused, {}, {})


def outcomes(folder: Path) -> list[Outcome[Published]]:
    def published(*written: str) -> Published:
        return Published(folder, ("audio.mp3",), written)

    style = "there is no style 'nosuch'"
    return [
        Outcome("a", published("audio.mp3"), None, 3, 1.0),
        Outcome("b", published("audio.mp3"), None, 0, 0.1),
        Outcome("c", published(), None, 0, 0.1),
        Outcome("d", None, InputError(style), 0, 0.1),
        Outcome("e", None, InputError(style), 0, 0.1),
        Outcome("f", None, Interrupted(), 0, 0.1),
    ]


def test_for_programs_the_counts_add_up_to_the_topics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_for(survey("a b c d e f g", finished="x y", refused=2), as_json=True)
    screen.begin(shop(tmp_path))
    for outcome in outcomes(tmp_path):
        screen.outcome(outcome, None)
    screen.end()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    begin, end = told[0], told[-1]
    assert (begin["topics"], begin["refused"]) == (9, 2)
    counted = {name: end[name] for name in ("up_to_date", "built", "published_again", "failed", "interrupted")}
    assert counted == {"up_to_date": 3, "built": 1, "published_again": 1, "failed": 2, "interrupted": 2}
    assert sum(counted.values()) == begin["topics"]
    assert end["refused"] == begin["refused"]


def test_for_people_failures_and_refusals_are_counted_apart_and_a_reason_is_given_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = screen_for(survey("a b c d e f g", refused=1), as_json=False)
    screen.begin(shop(tmp_path))
    for outcome in outcomes(tmp_path):
        screen.outcome(outcome, None)
    screen.end()
    said = capsys.readouterr().out
    assert "1 episode made, 1 episode published again, 1 up to date, 2 failed, 1 refused, 2 not finished; 3 art" in said
    assert said.count("there is no style") == 1
    assert "e: FAILED: for the same reason as d" in said


def test_an_engine_is_named_when_it_is_first_needed_and_briefly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = screen_for(survey("a"), as_json=False)
    screen.begin(shop(tmp_path))
    assert capsys.readouterr().out == ""
    for _ in range(2):
        step = Step(Rule("passage", 1, "llm"), "passage", {}, dict)
        screen.event(Event(Kind.STARTED, "a", step))
    assert capsys.readouterr().out == "writer: embedded (Ollama at http://127.0.0.1:9: nobody answers)\n"


SINCE = datetime(2026, 1, 1, tzinfo=UTC)
DOWN = Down("voice", "Piper at http://piper:5000", "nobody answers", "Start it.", SINCE, SINCE + timedelta(seconds=2))
OUTAGE: list[News] = [
    DOWN,
    replace(DOWN, next_try=SINCE + timedelta(seconds=6)),
    Up("voice", DOWN.where, 75.0),
    Up("voice", DOWN.where, 75.0),
    DOWN,
]


def test_a_service_that_goes_and_comes_back_is_said_once_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_for(survey("a"), as_json=False)
    for news in OUTAGE:
        screen.news(news)
    waiting = "waiting for the voice, Piper at http://piper:5000: nobody answers. Start it. All else goes on."
    back = "the voice is back after 1 min 15 s: Piper at http://piper:5000"
    assert capsys.readouterr().out.splitlines() == [waiting, back, waiting]


def test_programs_hear_of_a_service_that_goes_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_for(survey("a"), as_json=True)
    for news in OUTAGE[:4]:
        screen.news(news)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "event": "waiting",
            "service": "voice",
            "where": "Piper at http://piper:5000",
            "what": "nobody answers",
            "hint": "Start it.",
            "since": "2026-01-01T00:00:00+00:00",
            "next_try": "2026-01-01T00:00:02+00:00",
        },
        {"event": "back", "service": "voice", "where": "Piper at http://piper:5000", "seconds": 75.0},
    ]
