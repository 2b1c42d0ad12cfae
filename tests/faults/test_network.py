"""Every fault on the way, for every service, in each direction: the state it must end in, inside its deadline."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.ollama import Ollama
from pipeline.engines.piper_server import PiperServer
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.net.border import Timeouts
from pipeline.net.download import fetch
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import PictureRequest, Question, SpeechRequest
from tests.fakes import a1111, file_server, servers
from tests.fakes.fault_proxy import Break, Direction, Fault, FaultProxy
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, some

CONNECT_SECONDS = 0.5
READ_SECONDS = 0.6
DEADLINE_SECONDS = 8.0
"""For a call of any service here, with all that it does after a failure; a hundred times less than it is in the
field. What hangs would take for ever."""

FILE = random.Random(SEED).randbytes(20_000)

Client = Callable[[str, Path], object]
"""Asks the service at an address, with a folder to write to; what it gives is compared with the undisturbed answer."""


def ask_ollama(url: str, _: Path) -> object:
    writer = _ollama(url)
    return writer.answer(Question("", "Say hello.", seed=1, max_tokens=20)).text


def who_is_ollama(url: str, _: Path) -> object:
    return _ollama(url).describe()


def _ollama(url: str) -> Ollama:
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
        stop=Event(),
    )


def ask_piper(url: str, _: Path) -> object:
    voice = PiperServer(url, tls=Tls(), stop=Event(), connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
    words = Sentence((Word("The", "The"), Word("wind", "wind"), Word("rose.", "rose.")))
    return voice.speak(SpeechRequest(words, servers.VOICE)).pcm


def ask_a1111(url: str, _: Path) -> object:
    illustrator = StableDiffusion(
        url,
        tls=Tls(),
        stop=Event(),
        connect_seconds=CONNECT_SECONDS,
        read_seconds=READ_SECONDS,
        settle_seconds=0.5,
    )
    return illustrator.draw(PictureRequest("a lighthouse", width=64, height=64, seed=3)).png


def download(url: str, folder: Path) -> object:
    target = folder / "model.bin"
    fetch(
        f"{url}/file",
        target,
        tls=Tls(),
        stop=Event(),
        size=len(FILE),
        digest=f"sha256:{hashlib.sha256(FILE).hexdigest()}",
        policy=Policy(attempts=2, first_wait_seconds=0.01, longest_wait_seconds=0.01, total_seconds=3.0),
        timeouts=Timeouts(connect=CONNECT_SECONDS, read=READ_SECONDS),
    )
    return target.read_bytes()


@contextmanager
def serving_pictures() -> Iterator[int]:
    with a1111.serving(a1111.FakeA1111()) as url:
        yield int(url.rpartition(":")[2])


@contextmanager
def serving_files() -> Iterator[int]:
    with file_server.serving(file_server.Site({"/file": FILE})) as site:
        yield site.port


@dataclass(frozen=True)
class Served:
    ask: Client
    serving: Callable[[], AbstractContextManager[int]]
    answer_bytes: int
    """Where to break an answer so that headers and a part of the body have come."""


SERVICES = {
    "Ollama, a text": Served(ask_ollama, lambda: servers.serving(servers.ollama), 250),
    "Ollama, who": Served(who_is_ollama, lambda: servers.serving(servers.ollama), 150),
    "Piper": Served(ask_piper, lambda: servers.serving(servers.piper), 400),
    "Stable Diffusion": Served(ask_a1111, serving_pictures, 400),
    "download": Served(download, serving_files, 5_000),
}

FINE = "fine"
GONE = EngineUnavailable.code
NONSENSE = EngineNonsense.code
REFUSED = EngineRefused.code

PART_OF_A_QUESTION = 60


@dataclass(frozen=True)
class Row:
    """A fault, and the state that each service must end in, in the order of SERVICES; one for all where all agree."""

    question: str | tuple[str, ...]
    answer: str | tuple[str, ...]


# A download that was cut off goes on where it was, and so ends well as long as each try brings something.
TABLE = {
    "latency": Row(FINE, FINE),
    "jitter": Row(FINE, FINE),
    "down": Row(GONE, GONE),
    "reset at once": Row(GONE, GONE),
    "reset part-way": Row(GONE, (NONSENSE, GONE, GONE, GONE, FINE)),
    "black hole": Row(GONE, GONE),
    "black hole part-way": Row(GONE, (GONE, GONE, GONE, GONE, FINE)),
    "slow close": Row(FINE, FINE),
    "bandwidth": Row((GONE, GONE, GONE, GONE, FINE), (GONE, GONE, GONE, GONE, FINE)),
    "cut at once": Row(GONE, GONE),
    "cut part-way": Row(GONE, (NONSENSE, GONE, GONE, GONE, FINE)),
    "garbage": Row(GONE, GONE),
    "garbage part-way": Row(GONE, (NONSENSE, NONSENSE, REFUSED, REFUSED, NONSENSE)),
}


def break_of(name: str, direction: Direction, partway: int) -> Break:
    fault = Fault(name.removesuffix(" part-way").removesuffix(" at once"))
    far = partway if name.endswith("part-way") or fault is Fault.BANDWIDTH else 0
    return Break(fault, direction, seconds=0.05, after_bytes=far, bytes_a_second=15, seed=SEED)


def cells() -> Iterator[tuple[str, Direction, str, str]]:
    for name, row in TABLE.items():
        for direction, states in ((Direction.QUESTION, row.question), (Direction.ANSWER, row.answer)):
            for place, service in enumerate(SERVICES):
                yield name, direction, service, states if isinstance(states, str) else states[place]


def state_after(ask: Client, url: str, folder: Path, undisturbed: object) -> str:
    """How a call ended; every failure has its name, its sentence, its place and its cure."""
    try:
        answer = ask(url, folder)
    except EngineError as error:
        return error.code if all((error.what, error.where, error.hint)) else f"unnamed: {error!r}"
    assert answer == undisturbed, "an answer that was broken on the way was taken for a whole one"
    return FINE


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, int]]:
    """Every service's port."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(served.serving()) for name, served in SERVICES.items()}


CELLS = tuple(cells())


@pytest.mark.parametrize(
    ("fault", "direction", "service", "state"),
    some(CELLS, 16),
    ids=lambda value: str(value).replace(" ", "_").replace(",", ""),
)
def test_a_fault_on_the_way_ends_in_its_state_inside_the_deadline(
    running: dict[str, int], tmp_path: Path, tell: Tell, fault: str, direction: Direction, service: str, state: str
) -> None:
    served, port = SERVICES[service], running[service]
    undisturbed = served.ask(f"http://127.0.0.1:{port}", tmp_path)
    (tmp_path / "model.bin").unlink(missing_ok=True)
    far = served.answer_bytes if direction is Direction.ANSWER else PART_OF_A_QUESTION
    one = break_of(fault, direction, far)
    if service == "download" and one.fault is Fault.BANDWIDTH:
        one = replace(one, bytes_a_second=100_000)  # a download may take its time; it is bounded by silence alone
    with FaultProxy(port, one) as proxy:
        begun = time.monotonic()
        ended = state_after(served.ask, proxy.url, tmp_path, undisturbed)
        seconds = time.monotonic() - begun
    tell(
        cells=1,
        seed=SEED,
        wrong_state=int(ended != state),
        late=int(ended == state and seconds > DEADLINE_SECONDS),
        failures=int(ended != FINE),
        unnamed=int(ended.startswith("unnamed")),
    )
    assert ended == state
    assert seconds <= DEADLINE_SECONDS
    assert ended == FINE or not (tmp_path / "model.bin").exists()


def test_the_same_seed_breaks_the_same_connections(running: dict[str, int], tmp_path: Path) -> None:
    def states() -> list[str]:
        now_and_then = Break(Fault.RESET, Direction.ANSWER, probability=0.5, seed=SEED)
        with FaultProxy(running["Ollama, a text"], now_and_then) as proxy:
            return [state_after(ask_ollama, proxy.url, tmp_path, "The wind rose before six.") for _ in range(8)]

    first = states()
    assert first == states()
    assert set(first) == {FINE, GONE}


def test_headers_that_drip_meet_the_total_deadline_too(running: dict[str, int], tmp_path: Path) -> None:
    with FaultProxy(running["Piper"], Break(Fault.BANDWIDTH, Direction.ANSWER, bytes_a_second=20)) as proxy:
        begun = time.monotonic()
        assert state_after(ask_piper, proxy.url, tmp_path, None) == GONE
        assert time.monotonic() - begun <= CONNECT_SECONDS + READ_SECONDS + 4
