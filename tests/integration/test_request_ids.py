"""A request's id goes from the API through the maker to whatever is asked of an engine for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pipeline.ports import Speech, SpeechRequest
from pipeline.service.askers import Askers
from pipeline.telemetry import calls
from tests.fakes.served import Served, project_of, served
from tests.fakes.voice import FakeVoice

SECONDS = 30
LOG = {"title": "The log", "mode": "read", "notes": "The wind rose before six. Nobody slept on board."}


class Listening(FakeVoice):
    """Remembers what a call to a server would carry."""

    def __init__(self) -> None:
        super().__init__()
        self.carried: list[str] = []

    def speak(self, request: SpeechRequest) -> Speech:
        self.carried.append(dict(calls.headers()).get("X-Request-ID", ""))
        return super().speak(request)


@pytest.fixture
def voice() -> Listening:
    return Listening()


@pytest.fixture
def at(voice: Listening, tmp_path: Path) -> Iterator[Served]:
    with served(project_of(tmp_path, voice=voice)) as service:
        yield service


def post(at: Served, path: str, body: object, request: str) -> requests.Response:
    answer = requests.post(
        f"{at.address}/api/v1{path}", json=body, headers={"X-Request-ID": request}, timeout=SECONDS
    )  # fmt: skip
    assert answer.headers["X-Request-ID"] == request
    return answer


def finished(at: Served) -> None:
    """Until the stream of events says so."""
    with requests.get(
        f"{at.address}/api/v1/events", stream=True, timeout=SECONDS, headers={"Last-Event-ID": "0"}
    ) as it:
        for line in it.iter_lines(chunk_size=None, decode_unicode=True):
            if line == "event: done":
                return
    raise AssertionError("the stream ended before the episode was done")


def test_the_engines_hear_which_request_asked_for_an_episode(at: Served, voice: Listening) -> None:
    before = len(voice.carried)  # the service has had it say a word
    assert post(at, "/topics", LOG, "asked-by-me.1").status_code == 201
    finished(at)
    assert voice.carried[before:] == ["asked-by-me.1"] * 2


def test_what_lies_in_the_folder_has_an_id_of_the_runs_own(voice: Listening, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "log.md").write_text("---\ntitle: The log\nmode: read\n---\n\nNobody slept on board.\n")
    with served(project_of(tmp_path, voice=voice)) as at:
        finished(at)
    spoken = [one for one in voice.carried if one]
    assert len(spoken) == 1
    assert spoken[0].partition(".")[2] == "1"


def test_only_the_last_ten_thousand_are_remembered() -> None:
    askers = Askers()
    for number in range(10_001):
        with calls.answering("test", {"x-request-id": f"r-{number}"}):
            askers.note(f"input/{number}.md")
    assert (askers.of("x", "input/0.md"), askers.of("x", "input/1.md")) == ("", "r-1")


def test_who_asks_for_an_episode_goes_before_who_gave_its_file() -> None:
    askers = Askers()
    for request, thing in (("made", "input/log.md"), ("again", "the-log")):
        with calls.answering("test", {"x-request-id": request}):
            askers.note(thing)
    assert askers.of("the-log", "input/log.md") == "again"
    assert askers.of("another", "input/log.md") == "made"


def test_without_a_request_nothing_is_remembered() -> None:
    askers = Askers()
    askers.note("input/log.md")
    assert askers.of("the-log", "input/log.md") == ""
