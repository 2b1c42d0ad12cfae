"""A service that goes away in the middle of a run and comes back: the run waits, says so, and goes on by itself."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection
from threading import Event

import pytest

from pipeline import report, telemetry, underway
from pipeline.build.runner import Event as Happening
from pipeline.build.runner import Kind
from pipeline.engines.retrying import RetryingVoice, RetryingWriter
from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Back, Breaker, Outage
from pipeline.net.circuit import Rests
from pipeline.net.outages import Down, News, Outages, Up
from pipeline.net.retry import Policy, call
from pipeline.ports import Answer, Question, Speech, SpeechRequest, WriterIdentity
from pipeline.studio import Studio
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import SMALL, FakeWriter

READ = "---\ntitle: {name}\nmode: read\n---\n\nThe {name} rose.\n"
WRITE = "---\ntitle: {name}\nwords: 100\n---\n\n- A bell is cast in bronze.\n- The {name} strikes the rim.\n"
QUICK = Rests(first_seconds=0.1, longest_seconds=1.0)
POLICY = Policy(first_wait_seconds=0.001, longest_wait_seconds=0.01)
AWAY = EngineUnavailable("nobody answers", where="Piper at http://piper:5000", hint="Start it.")


class Away(FakeVoice):
    """A voice that is there until its first sentence, and then only when it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.is_there = Event()
        self.asked = Event()

    def check(self) -> None:
        if not self.is_there.is_set():
            raise AWAY

    def speak(self, request: SpeechRequest) -> Speech:
        self.asked.set()
        if not self.is_there.is_set():
            raise AWAY
        return super().speak(request)


class Scene:
    """A project whose services tell when they are away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outages = Outages()
        self.stop = Event()
        self.news: list[News] = []
        (folder / "input").mkdir(parents=True)

    def topics(self, text: str, count: int) -> None:
        for number in range(count):
            (self.folder / "input" / f"t{number:02}.md").write_text(text.format(name=f"t{number:02}"))

    def breaker(self, service: str) -> Breaker:
        """Its clock runs a hundred times as fast as others."""
        return Breaker(
            service, rests=QUICK, on_change=self.outages.take, look_seconds=0.01, clock=lambda: 100 * time.monotonic()
        )

    def voice(self, voice: FakeVoice, *, wait_seconds: float = 1800.0) -> RetryingVoice:
        policy = Policy(5, 0.001, 0.01, wait_seconds=wait_seconds)
        return RetryingVoice(voice, policy=policy, stop=self.stop, breaker=self.breaker("voice"))

    def studio(self, voice: FakeVoice | RetryingVoice, writer: FakeWriter | RetryingWriter) -> Studio:
        return make_studio(self.folder, voice=voice, writer=writer, stop=self.stop, outages=self.outages)

    def run(
        self, studio: Studio, notify: Callable[[Happening], None] = lambda _: None
    ) -> dict[str, BaseException | None]:
        with self.outages.told_to(self.news.append):
            return {outcome.name: outcome.error for outcome in studio.run(studio.survey(), notify)}


@pytest.fixture(autouse=True)
def no_log() -> None:
    telemetry.configure(form="text", level="critical")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_writing_goes_on_to_the_last_topic_while_the_voice_is_away_and_all_is_made_when_it_is_back(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many more topics than a run has open at once; the voice comes back when the last script is written."""
    scene.topics(WRITE, 10)
    away = Away()
    shown: list[tuple[underway.AtWork, ...]] = []
    studio = scene.studio(scene.voice(away), FakeWriter(lambda _: "No.", identity=SMALL))
    written: set[str] = set()
    told: list[dict[str, str]] = []

    def notify(event: Happening) -> None:
        if event.kind is Kind.MADE and event.step is not None and event.step.place == "script":
            written.add(event.flow)
            if len(written) == 10:
                assert away.asked.wait(10)
                shown.append(underway.at_work(scene.folder / "data"))
                capsys.readouterr()
                report.show_status(studio, as_json=True)
                told.append(json.loads(capsys.readouterr().out)["runs"][0]["waits"][0])
                away.is_there.set()

    assert scene.run(studio, notify) == {f"t{number:02}": None for number in range(10)}
    assert len(written) == 10
    assert [type(news) for news in (scene.news[0], scene.news[-1])] == [Down, Up]
    (wait,) = shown[0][0].waits
    assert (wait.service, wait.where, wait.why) == ("voice", AWAY.where, AWAY.what)
    assert wait.episodes
    assert (told[0]["service"], told[0]["since"] <= told[0]["next_try"]) == ("voice", True)
    assert underway.at_work(scene.folder / "data") == ()


class NotYet(FakeWriter):
    """A writer that does not even say who it is until it is there."""

    def __init__(self) -> None:
        super().__init__(lambda _: "No.", identity=SMALL)
        self.is_there = Event()

    def describe(self) -> WriterIdentity:
        if not self.is_there.is_set():
            raise AWAY
        return super().describe()

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        if not self.is_there.is_set():
            raise AWAY
        return super().answer(question, on_text)


def test_a_writer_that_was_never_there_is_waited_for_while_what_needs_none_is_made(scene: Scene) -> None:
    scene.topics(WRITE, 3)
    for name in ("log", "sea"):
        (scene.folder / "input" / f"{name}.md").write_text(READ.format(name=name))
    inner = NotYet()
    writer = RetryingWriter(inner, policy=POLICY, stop=scene.stop, breaker=scene.breaker("writer"))
    made: set[str] = set()

    def notify(event: Happening) -> None:
        if event.kind is Kind.CLOSED:
            made.add(event.flow)
            if made == {"log", "sea"}:
                inner.is_there.set()

    ended = scene.run(scene.studio(FakeVoice(), writer), notify)
    assert set(ended.values()) == {None}
    assert len(ended) == 5


class BusyAtFirst(NotYet):
    """It asks for more time than anybody has who only wants to know who it is; so one call is all it is asked then."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def describe(self) -> WriterIdentity:
        self.times += 1
        if self.times == 1:
            raise EngineUnavailable("it is busy", where=AWAY.where, retry_after_seconds=60.0)
        self.is_there.set()
        return super().describe()


def test_a_writer_that_was_not_asked_often_enough_to_be_taken_to_be_down_is_waited_for_too(scene: Scene) -> None:
    scene.topics(WRITE, 2)
    inner = BusyAtFirst()
    writer = RetryingWriter(inner, policy=POLICY, stop=scene.stop, breaker=scene.breaker("writer"))
    assert set(scene.run(scene.studio(FakeVoice(), writer)).values()) == {None}
    assert not [news for news in scene.news if isinstance(news, Down)]


def test_patience_ends_with_a_named_reason_and_its_cure_and_what_needs_no_voice_is_kept(scene: Scene) -> None:
    scene.topics(WRITE, 2)
    writer = FakeWriter(lambda _: "No.", identity=SMALL)
    ended = scene.run(scene.studio(scene.voice(Away(), wait_seconds=5.0), writer))
    assert {type(error) for error in ended.values()} == {EngineUnavailable}
    assert all("Start it. Then run it again" in str(error) for error in ended.values())

    asked = len(writer.questions)
    assert set(scene.run(scene.studio(FakeVoice(), writer)).values()) == {None}
    assert len(writer.questions) == asked, "the scripts were kept"


def test_who_comes_late_hears_what_is_down_already() -> None:
    outages, heard = Outages(), list[News]()
    outages.take(Outage("voice", AWAY, 5.0, 2.0, is_new=True))
    with outages.told_to(heard.append):
        assert heard == [outages.down["voice"]]
    outages.take(Back("voice", 6.0))
    assert len(heard) == 1


def test_stopping_ends_a_run_that_waits(scene: Scene) -> None:
    scene.topics(READ, 2)
    studio = scene.studio(scene.voice(Away()), FakeWriter([]))
    with scene.outages.told_to(lambda _: studio.interrupt()):
        ended = scene.run(studio)
    assert {getattr(error, "code", "") for error in ended.values()} == {"interrupted"}


def test_what_was_known_of_a_service_is_told_while_it_is_away(scene: Scene) -> None:
    inner = NotYet()
    writer = RetryingWriter(inner, policy=POLICY, stop=scene.stop, breaker=scene.breaker("writer"))
    inner.is_there.set()
    assert writer.describe() == SMALL
    inner.is_there.clear()
    assert [writer.describe() for _ in range(9)] == [SMALL] * 9


# -- over real sockets -------------------------------------------------------------------------------------------


class Server:
    """Answers on one port; can be taken away, and be brought back."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.001})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize("seed", range(5))
def test_a_server_that_goes_and_comes_back_is_called_by_all_who_waited(seed: int) -> None:
    server, tried_in_vain, told = Server(), threading.Semaphore(0), Outages()
    calls = random.Random(seed).randint(1, 6)

    def ask() -> str:
        try:
            with create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(100).decode().split("\r\n")[0]
        except OSError as error:
            raise EngineUnavailable(str(error), where="the server") from error

    def news(what: News) -> None:
        if isinstance(what, Down):
            tried_in_vain.release()

    rests = Rests(first_seconds=0.001, longest_seconds=0.01)
    breaker = Breaker(rests=rests, on_change=told.take, look_seconds=0.01)
    answers: list[str] = []

    def work() -> None:
        answers.append(call(ask, service="voice", policy=POLICY, stop=Event(), breaker=breaker))

    try:
        work()
        server.stop()
        with told.told_to(news):
            threads = [threading.Thread(target=work) for _ in range(calls)]
            for thread in threads:
                thread.start()
            for _ in range(3 + seed):
                assert tried_in_vain.acquire(timeout=10)
            server.start()
            for thread in threads:
                thread.join(10)
    finally:
        server.stop()
    assert answers == ["HTTP/1.0 204 No Content"] * (calls + 1)
    assert told.down == {}
