"""Values in every answer of every service replaced by what they must never be: a result or a named failure, never
anything else.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Event
from typing import Any, TypeVar

import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.ollama import Ollama
from pipeline.engines.piper_server import PiperServer
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.errors import EngineError
from pipeline.net.tls import Tls
from pipeline.ports import PictureRequest, Question, SpeechRequest
from tests.fakes import servers
from tests.fakes.a1111 import FakeA1111
from tests.fakes.servers import Given
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE

T = TypeVar("T")

SECONDS = 5.0
AT_MOST = 120 if WHOLE else 24
"""Of the cases of a route; drawn by the seed."""
ODD: tuple[object, ...] = (
    *(None, True, -1, 0, 0.5, 10**400, float("inf"), float("nan")),
    *("", "abc", "-5", "1e999", "9" * 400 + "B", "\ud800", "\0"),
    *([], {}, [[]], [None], {"message": "overloaded"}),
)
SENTENCE = Sentence((Word("The", "The"), Word("wind", "wind"), Word("rose.", "rose.")))
VOICE = {"audio": {"sample_rate": servers.SAMPLE_RATE}, "language": {"code": "en_US"}, "num_speakers": 1,
         "inference": {"length_scale": 1.0, "noise_scale": 0.667}, "speaker_id_map": {}}  # fmt: skip
SPEAKERS = VOICE | {"num_speakers": 2, "speaker_id_map": {"ann": 0, "bob": 1}}
LENGTH_SECONDS = (len(servers.SOUND) - 44) / 2 / servers.SAMPLE_RATE


def lines_of(values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values) if isinstance(values, list) else b""


@dataclass(frozen=True)
class Answered:
    """What a service answers at one of its routes."""

    route: str
    value: Any
    body_of: Callable[[object], bytes] = lambda value: json.dumps(value).encode()


@dataclass(frozen=True)
class Scene:
    """A service that works, and all that is asked of it."""

    answer: servers.Answer
    ask: Callable[[str], None]
    answers: tuple[Answered, ...]


# -- the services ---------------------------------------------------------------------------------------------------


def ask_ollama(url: str) -> None:
    writer = Ollama(
        url, servers.MODEL, num_ctx=2048, keep_alive="5m", api_key=None, connect_seconds=SECONDS,
        read_seconds=SECONDS, first_token_seconds=SECONDS, verify=True, stop=Event(),
    )  # fmt: skip
    json.dumps(writer.describe().details, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert writer.answer(Question("", "Say hello.", seed=1, max_tokens=20)).text.strip()


def ask_piper(url: str, voice: str = servers.VOICE) -> None:
    piper = PiperServer(url, tls=Tls(), stop=Event(), connect_seconds=SECONDS, read_seconds=SECONDS)
    piper.installed()
    said = piper.speak(SpeechRequest(SENTENCE, voice))
    assert len(said.pcm) / 2 / said.sample_rate == pytest.approx(LENGTH_SECONDS)
    assert len(said.spans) == len(SENTENCE.words)
    assert all(0 <= span.start <= span.end <= LENGTH_SECONDS + 0.001 for span in said.spans)


def ask_stable_diffusion(url: str) -> None:
    engine = StableDiffusion(url, tls=Tls(), stop=Event(), read_seconds=SECONDS, connect_seconds=SECONDS)
    engine.describe()
    assert engine.draw(PictureRequest("a lighthouse", width=64, height=64, seed=41)).png


def ollama() -> Scene:
    def said(route: str) -> Any:
        return json.loads(servers.ollama(route, b"").body)

    chat = [json.loads(line) for line in (servers.ANSWER[0], servers.END)]
    return Scene(
        servers.ollama,
        ask_ollama,
        (
            Answered("GET /api/version", said("GET /api/version")),
            Answered("GET /api/tags", said("GET /api/tags")),
            Answered("POST /api/chat", chat, lines_of),
            Answered("POST /api/chat", [{"error": "no"}], lines_of),
        ),
    )


def piper() -> Scene:
    """Upstream's, which tells lengths afterwards."""
    info = {
        "last": {
            "text": SENTENCE.spoken,
            "alignments": [{"phoneme": letter, "seconds": LENGTH_SECONDS / 2} for letter in "ab"],
        }
    }

    def answer(request: str, body: bytes) -> Given:
        match request:
            case "GET /voices":
                return servers.told({servers.VOICE: SPEAKERS})
            case "GET /info":
                return servers.told(info)
        return servers.piper(request, body)

    return Scene(
        answer,
        partial(ask_piper, voice=f"{servers.VOICE}#bob"),
        (Answered("GET /voices", {servers.VOICE: SPEAKERS}), Answered("GET /info", info)),
    )


def our_piper() -> Scene:
    """Which answers a sentence in full."""
    voices = {servers.VOICE: VOICE | {"media_pipeline": {"digest": "d" * 64, "licence": "CC0"}}}
    third = LENGTH_SECONDS / 3
    said = {
        "audio": base64.b64encode(servers.SOUND).decode(),
        "words": [{"start": place * third, "end": (place + 1) * third} for place in range(3)],
        "exact": True,
    }

    def answer(request: str, body: bytes) -> Given:
        match request:
            case "GET /voices":
                return servers.told(voices)
            case "POST /synthesize":
                return servers.told(said)
        return servers.piper(request, body)

    return Scene(answer, ask_piper, (Answered("GET /voices", voices), Answered("POST /synthesize", said)))


def stable_diffusion() -> Scene:
    fake = FakeA1111("AUTOMATIC1111")
    api = "/sdapi/v1"

    def answer(request: str, body: bytes) -> Given:
        method, _, path = request.partition(" ")
        reply = fake.answer(method, path, body)
        return Given(reply.status, reply.body)

    asked = json.dumps({"seed": 41, "width": 64, "height": 64}).encode()
    picture = json.loads(answer(f"POST {api}/txt2img", asked).body)
    routes = ("sd-models", "options", "samplers", "progress?skip_current_image=true")
    told = tuple(Answered(f"GET {api}/{name}", json.loads(answer(f"GET {api}/{name}", b"").body)) for name in routes)
    whole = picture | {"info": json.loads(picture["info"])}
    return Scene(answer, ask_stable_diffusion, (*told, Answered(f"POST {api}/txt2img", whole)))


SCENES: Mapping[str, Callable[[], Scene]] = {
    "Ollama": ollama, "Piper": piper, "our Piper": our_piper, "Stable Diffusion": stable_diffusion,
}  # fmt: skip


# -- what is made of them -------------------------------------------------------------------------------------------


def varied(value: object) -> Iterator[object]:
    """The value with each of its nodes, itself included, replaced by each odd one."""
    yield from ODD
    if isinstance(value, dict | list):
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        for place in places:
            for one in varied(value[place]):
                other = copy.deepcopy(value)
                other[place] = one
                yield other


def drawn(cases: list[T]) -> list[T]:
    return cases if len(cases) <= AT_MOST else Random(SEED).sample(cases, AT_MOST)


def ends_well(ask: Callable[[str], None], url: str) -> str:
    """What it ended in; empty for a result. Raises whatever is neither."""
    failure: EngineError | None = None
    try:
        ask(url)
    except EngineError as error:
        failure = error
    if failure is None:
        return ""
    assert failure.what
    assert failure.where
    str(failure).encode()
    return failure.code


@pytest.mark.parametrize("name", SCENES)
def test_an_odd_value_anywhere_in_an_answer_is_a_result_or_a_named_failure(name: str, tell: Tell) -> None:
    scene = SCENES[name]()
    changed: dict[str, Given] = {}

    def answer(request: str, body: bytes) -> Given:
        return changed.get(request) or scene.answer(request, body)

    ended: dict[str, int] = {}
    with servers.serving(answer) as port:
        url = f"http://127.0.0.1:{port}"
        assert ends_well(scene.ask, url) == "", "the service works as it is"
        for answered in scene.answers:
            for value in drawn(list(varied(answered.value))):
                changed[answered.route] = Given(200, answered.body_of(value), "application/json")
                try:
                    code = ends_well(scene.ask, url)
                except Exception as error:
                    raise AssertionError(f"{answered.route}: {str(value)[:200]}") from error
                ended[code] = ended.get(code, 0) + 1
            changed.clear()
    tell(service=name, cases=sum(ended.values()), results=ended.get("", 0))
    assert sum(ended.values()) > 40


@pytest.mark.parametrize("name", SCENES)
def test_an_odd_reason_for_a_failure_is_a_named_failure_too(name: str) -> None:
    scene = SCENES[name]()
    given: list[Given] = []
    bodies = [
        body
        for odd in ODD
        for body in (odd, {"error": odd}, {"detail": odd}, {"error": "OutOfMemoryError", "errors": odd})
    ]
    cases = [(status, body) for status in (307, 400, 404, 503) for body in bodies]
    with servers.serving(lambda *_: given[-1]) as port:
        for status, body in drawn(cases):
            given.append(Given(status, json.dumps(body).encode()))
            assert ends_well(scene.ask, f"http://127.0.0.1:{port}"), (status, body)
