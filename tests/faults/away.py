"""A project at work whose services are real clients and real sockets, and whose time passes only by waiting.

One thread does everything, so whoever waits is the only one who can: the clock goes on by what he waits. An outage of
half an hour takes a moment, and ends the same each time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Event

from pipeline.engines.ollama import Ollama
from pipeline.engines.piper_server import PiperServer
from pipeline.engines.retrying import RetryingIllustrator, RetryingVoice, RetryingWriter
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.net.breaker import Breaker, Change, Outage
from pipeline.net.outages import Outages
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice, Writer
from tests.fakes import a1111, servers
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter
from tests.faults.projects import AtOnce

READ = "---\ntitle: {name}\nmode: read\n---\n\nThe {name} rose before six.\n\nNobody slept on board.\n"
WRITE = "---\ntitle: {name}\nwords: 100\n---\n\n- A bell is cast in bronze.\n- The {name} strikes the rim.\n"
CONNECT_SECONDS, READ_SECONDS = 60.0, 120.0
"""Of the real clock: however busy the machine is, only what is away here is taken to be away."""
TOPICS = ("bell", "lamp", "sail", "tide")


class Time:
    """Its instances are clocks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, _: Condition, seconds: float) -> None:
        """As `Condition.wait` where nobody notifies."""
        self.now += seconds


class NeverStopped(Event):
    """A stop flag that nobody sets; waiting for it takes time of the clock alone."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        self._time.now += timeout or 0.0
        return False


@dataclass
class Comings:
    """When a service is there. Each call takes some time; from one call on it is away for so many seconds."""

    time: Time
    away_from_call: int
    away_seconds: float
    status: int = 503
    """What is answered meanwhile, by whoever stands before the service; 0 for a connection that is closed."""
    takes_seconds: float = 2.0
    calls: int = 0
    called_in_vain: int = 0
    back_at: float | None = None
    answered_at: float | None = None
    """When the first call after the outage was."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_there(self) -> bool:
        """Called for each call that reaches its socket."""
        with self._lock:
            self.calls += 1
            if self.back_at is None and self.calls > self.away_from_call:
                self.back_at = self.time.now + self.away_seconds
            if self.back_at is not None and self.time.now < self.back_at:
                self.called_in_vain += 1
                return False
            if self.back_at is not None and self.answered_at is None:
                self.answered_at = self.time.now
            self.time.now += self.takes_seconds
            return True


class Painter(a1111.FakeA1111):
    def __init__(self, comings: Comings) -> None:
        super().__init__()
        self._comings = comings

    def answer(self, method: str, path: str, body: bytes) -> a1111.Reply:
        if self._comings.is_there():
            return super().answer(method, path, body)
        if self._comings.status:
            return a1111.Reply(self._comings.status, b"")
        return a1111.Reply(200, b"", cut_after=0)


def small_ollama(request: str, body: bytes) -> servers.Given:
    """One with a model so small that it is asked in steps; it says no to each, and the notes are read as they are."""
    match request:
        case "GET /api/tags":
            details = {"parameter_size": "135M", "quantization_level": "Q8_0"}
            return servers.told({"models": [{"name": servers.MODEL, "model": servers.MODEL, "digest": "a" * 64,
                                             "details": details}]})  # fmt: skip
        case "POST /api/chat":
            no = servers.line("No.") + servers.END
            return servers.Given(200, no, "application/x-ndjson")
    return servers.ollama(request, body)


def only_when_there(comings: Comings, answer: servers.Answer) -> servers.Answer:
    def given(request: str, body: bytes) -> servers.Given:
        if comings.is_there():
            return answer(request, body)
        if comings.status:
            return servers.Given(comings.status, b"")
        raise ConnectionAbortedError

    return given


@dataclass(frozen=True)
class Ended:
    errors: Mapping[str, BaseException | None]
    told: tuple[Change, ...]
    still_down: tuple[str, ...]

    @property
    def last_rest_seconds(self) -> float:
        """The last wait before the service was first found to be back; 0 where it was never taken to be down."""
        rest = 0.0
        for change in self.told:
            if not isinstance(change, Outage):
                break
            rest = change.next_try_seconds
        return rest


@contextmanager
def serving(service: str, comings: Comings) -> Iterator[str]:
    """The address of a service that is there when `comings` says so."""
    if service == "illustrator":
        with a1111.serving(Painter(comings)) as url:
            yield url
    else:
        answer = small_ollama if service == "writer" else servers.piper
        with servers.serving(only_when_there(comings, answer)) as port:
            yield f"http://127.0.0.1:{port}"


def run(project: Path, service: str, comings: Comings) -> Ended:
    """Run a new project of a few topics while one of its services comes and goes; the others are always there."""
    (project / "input").mkdir(parents=True)
    text = WRITE if service == "writer" else READ
    for name in TOPICS:
        (project / "input" / f"{name}.md").write_text(text.format(name=name))
    time = comings.time
    stop = NeverStopped(time)
    told: list[Change] = []
    outages = Outages()

    def take(change: Change) -> None:
        told.append(change)
        outages.take(change)

    breaker = Breaker(service, on_change=take, clock=time, pause=time.pause)
    voice: Voice = FakeVoice()
    writer: Writer = FakeWriter([])
    illustrator: Illustrator | None = None
    with serving(service, comings) as url:
        match service:
            case "writer":
                writer = RetryingWriter(ollama(url, stop), policy=Policy(), stop=stop, breaker=breaker)
            case "voice":
                piper = PiperServer(
                    url, tls=Tls(), stop=stop, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
                )
                voice = RetryingVoice(piper, policy=Policy(), stop=stop, breaker=breaker)
            case "illustrator":
                painter = StableDiffusion(
                    url, tls=Tls(), stop=stop, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
                )
                illustrator = RetryingIllustrator(painter, policy=Policy(), stop=stop, breaker=breaker)
        studio = make_studio(
            project,
            voice=voice,
            writer=writer,
            illustrator=illustrator,
            stop=stop,
            outages=outages,
            executors=lambda: dict.fromkeys(("llm", "speech", "cpu", "image"), AtOnce()),
        )
        errors = run_all(studio)
    return Ended(errors, tuple(told), tuple(outages.down))


def ollama(url: str, stop: Event) -> Ollama:
    return Ollama(
        url,
        servers.MODEL,
        num_ctx=2048,
        keep_alive="5m",
        api_key=None,
        connect_seconds=CONNECT_SECONDS,
        read_seconds=READ_SECONDS,
        first_token_seconds=READ_SECONDS,
        verify=True,
        stop=stop,
    )
