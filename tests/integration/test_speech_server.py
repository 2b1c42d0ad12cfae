"""The speech server as its clients meet it: a real process with the real synthesizer, over a real socket."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
import openai
import pytest
import requests

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.piper import Piper
from pipeline.engines.piper.folders import bundled_folders
from pipeline.engines.piper_server import Contract, PiperServer
from pipeline.net.tls import Tls
from pipeline.ports import SpeechRequest

pytestmark = pytest.mark.engines

VOICE = "en_US-joe-medium"
TEXT = "Sunlight looks white. It holds every colour of the rainbow, from violet to red."


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    voices: Path
    drain: threading.Thread

    def stop(self) -> int:
        """Tell it to, and wait until it has; its exit status."""
        self.process.terminate()
        status = self.process.wait(30)
        self.drain.join(30)
        return status

    def post(self, path: str, body: object = None, **more: Any) -> requests.Response:
        if body is not None:
            more["data"] = body if isinstance(body, bytes) else json.dumps(body)
        return requests.post(self.url + path, timeout=60, **more)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)


def start(voices: Path, **settings: str) -> Server:
    """A server of its own; returns when it listens."""
    named = {f"SPEECH_{key.upper()}": value for key, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.speech_server"],
        env={**os.environ, "SPEECH_PORT": "0", "SPEECH_VOICES_DIR": str(voices), **named},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        told = json.loads(line)
        if told["event"] == "listening":
            break
    else:
        raise AssertionError("it did not start")
    # Nobody reads the rest; a full pipe would stop the server.
    drain = threading.Thread(target=_drain, args=(process.stderr,), daemon=True)
    drain.start()
    return Server(f"http://127.0.0.1:{told['port']}", process, voices, drain)


def _drain(stream: IO[str]) -> None:
    for _ in stream:
        pass
    stream.close()


def until_ready(server: Server) -> None:
    for _ in range(200):
        if server.get("/ready").status_code == 200:
            return
        # The server answers at once; what is waited for is a voice being loaded.
        server.process.poll()
        threading.Event().wait(0.05)
    raise AssertionError(server.get("/ready").text)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = start(tmp_path_factory.mktemp("voices"))
    until_ready(made)
    yield made
    made.stop()


def decoded(data: bytes) -> tuple[str, float, float]:
    """Container, seconds and loudness (root mean square of 1) of a sound."""
    with av.open(io.BytesIO(data), "r") as container:
        samples = [frame.to_ndarray().astype(np.float64).reshape(-1) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
        joined = np.concatenate(samples)
        scale = 1.0 if np.abs(joined).max() <= 2 else 32768.0
        return container.format.name, len(joined) / rate, float(np.sqrt(np.mean((joined / scale) ** 2)))


# -- OpenAI's client --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "container"), [("mp3", "mp3"), ("wav", "wav"), ("opus", "ogg"), ("flac", "flac"), ("aac", "aac")]
)
def test_the_official_client_gets_speech_in_each_format(server: Server, form: Any, container: str) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="anything")
    plain = client.audio.speech.create(model="piper", voice=VOICE, input=TEXT, response_format="pcm").read()
    expected = len(plain) / 2 / 24_000
    got = client.audio.speech.create(model="piper", voice=VOICE, input=TEXT, response_format=form).read()
    kind, seconds, loudness = decoded(got)
    assert kind == container
    assert abs(seconds - expected) < 0.1  # an encoder's delay and its last, filled-up frame
    assert loudness > 0.01


def test_speed_and_streaming_and_the_default_format(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="anything")
    with client.audio.speech.with_streaming_response.create(model="piper", voice=VOICE, input=TEXT, speed=2.0) as fast:
        quick = decoded(b"".join(fast.iter_bytes()))
        assert fast.headers["content-type"] == "audio/mpeg"
    slow = decoded(client.audio.speech.create(model="piper", voice=VOICE, input=TEXT).read())
    assert quick[0] == slow[0] == "mp3"
    assert quick[1] < 0.65 * slow[1]


def test_a_long_text_is_heard_before_it_is_spoken_to_its_end(server: Server) -> None:
    """The first bytes come while the server still has sentences that it has not begun."""
    text = " ".join(f"This is sentence number {number} of a longer text." for number in range(80))
    body = {"model": "piper", "input": text, "voice": VOICE, "response_format": "pcm"}
    with requests.post(f"{server.url}/v1/audio/speech", json=body, stream=True, timeout=60) as answer:
        pieces = answer.iter_content(None)  # kept: the connection is closed when it goes
        first = next(pieces)
        waiting = re.search(r"^speech_sentences_waiting (\d+)", server.get("/metrics").text, re.MULTILINE)
        assert first
        assert waiting is not None
        assert int(waiting[1]) > 10
    # The client went away: the rest is not spoken.
    for _ in range(200):
        if "speech_requests_in_progress 0.0" in server.get("/metrics").text:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the sentences of a client that has gone are still being spoken")


def test_events_for_clients_that_ask_for_them(server: Server) -> None:
    body = {"model": "piper", "input": "Hello.", "voice": {"id": VOICE}, "stream_format": "sse"}
    lines = [line for line in server.post("/v1/audio/speech", body).text.splitlines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert events[0]["type"] == "speech.audio.delta"
    assert events[-1]["type"] == "speech.audio.done"


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_what_fails_before_the_first_sound_has_a_status_of_its_own(server: Server, stream_format: str) -> None:
    """And not a stream that is broken off."""
    body = {"model": "piper", "input": "ʰ", "voice": VOICE, "stream_format": stream_format}
    answer = server.post("/v1/audio/speech", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "nothing_to_say")


def test_what_clients_look_up_before_they_ask(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="anything")
    assert [model.id for model in client.models.list()] == ["piper"]
    assert [voice["id"] for voice in server.get("/v1/audio/voices").json()["voices"]] == [VOICE]


# -- Piper's clients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/synthesize", "/"])
def test_an_unmodified_piper_client_is_served(server: Server, path: str) -> None:
    """As upstream's documentation calls it: JSON without a content type, a WAV file back."""
    answer = server.post(path, b'{"text": "This is a test.", "length_scale": 1.0, "noise_scale": 0.667}')
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 22_050)
        assert sound.getnframes() > 11_025


def test_voices_and_info_have_upstream_s_shape(server: Server) -> None:
    config = server.get("/voices").json()[VOICE]
    assert config["audio"]["sample_rate"] == 22_050
    assert server.get("/info").json()["voice"] == {"name": VOICE, "language": "en-US", "num_speakers": 1}


def test_our_own_client_gets_the_very_sound_and_times_of_the_embedded_engine(server: Server) -> None:
    stop = threading.Event()
    sentence = Sentence((Word("In", "In"), Word("1871,", "eighteen seventy-one,"), Word("light.", "light.")))
    request = SpeechRequest(sentence, VOICE, rate=1.1, seed=7)
    here = Piper([], threads=1, stop=stop).speak(request)
    client = PiperServer(server.url, tls=Tls(), stop=stop)
    assert client.installed()[VOICE].details["contract"] == Contract.OURS.value
    assert client.installed()[VOICE].digest == Piper([], threads=1, stop=stop).installed()[VOICE].digest
    there = client.speak(request)
    assert (there.spans, there.exact, there.sample_rate) == (here.spans, True, here.sample_rate)
    ours, theirs = (np.frombuffer(speech.pcm, dtype="<i2").astype(np.int32) for speech in (here, there))
    # Made in windows there and in one run here: what is rounded to 16 bits differs in its last digit.
    assert np.abs(ours - theirs).max() <= 1
    assert np.mean(ours != theirs) < 0.01
    client.check()


def test_times_cover_every_word_and_phoneme_of_several_sentences(server: Server) -> None:
    told = server.post("/synthesize", {"text": TEXT, "timings": True}).json()
    assert [word["word"] for word in told["words"]] == TEXT.split()
    ends = [word["end"] for word in told["words"]]
    assert ends == sorted(ends)
    assert ends[-1] <= told["seconds"]
    assert told["exact"] is True
    assert abs(sum(heard["seconds"] for heard in told["phonemes"]) - told["seconds"]) < 0.01


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/synthesize", {"text": "Hi.", "voice": "en_US-jo-medium"}, 404, VOICE),
        ("/v1/audio/speech", {"model": "x", "input": "Hi.", "voice": "alloy"}, 404, VOICE),
        ("/synthesize", {"text": "Hi.", "speaker": "ana"}, 404, "no speaker"),
        ("/synthesize", {"text": "Hi.", "speaker_id": 9}, 404, "no speaker"),
        ("/synthesize", {"text": "… — !"}, 422, "nothing to say"),
        ("/synthesize", {"text": ""}, 422, "nothing to say"),
        ("/v1/audio/speech", {"model": "x", "input": " \u200b", "voice": VOICE}, 422, "nothing to say"),
        ("/synthesize", {"text": "a " * 20_001}, 413, "20,000"),
        ("/synthesize", {}, 400, "text"),
        ("/synthesize", {"text": 5}, 400, "text"),
        ("/synthesize", {"text": "Hi.", "length_scale": "quick"}, 400, "length_scale"),
        ("/synthesize", {"text": "Hi.", "length_scale": 0}, 400, "length_scale"),
        ("/synthesize", {"text": "Hi.", "words": []}, 400, "words"),
        ("/synthesize", {"text": "", "words": [["word", "word " * 400]]}, 413, "1,500"),
        ("/v1/audio/speech", {"model": "x", "input": "Hi.", "voice": VOICE, "speed": 9}, 400, "speed"),
        ("/v1/audio/speech", {"model": "x", "input": "Hi.", "voice": VOICE, "response_format": "exe"}, 400, "format"),
        ("/synthesize", b"", 400, "no JSON"),
        ("/synthesize", b"\xff\xfe{", 400, "no JSON"),
        ("/synthesize", b"[" * 50_000, 400, "JSON"),
        ("/synthesize", b"null", 400, "dictionary"),
        ("/synthesize", b"[]", 400, "dictionary"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    server: Server, path: str, body: object, status: int, said: str
) -> None:
    answer = server.post(path, body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert said.lower() in error["message"].lower()
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "text", ["Half a \ud800 sign.", "A \x00 byte.", "<b>bold</b> & [[ ]] words", "ok " * 300, "tra" * 150]
)
def test_odd_texts_are_spoken(server: Server, text: str) -> None:
    assert server.post("/synthesize", {"text": text}).status_code == 200


def test_a_body_beyond_all_bounds_is_not_read(server: Server) -> None:
    """It is told before half of it has been sent, and nothing of it is kept."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(b"POST /synthesize HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        chunk = b"x" * 65_536
        answered = b""
        raw.setblocking(False)
        for _ in range(2000):
            try:
                raw.send(chunk)
            except BlockingIOError:
                pass
            except OSError:
                break
            try:
                answered += raw.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                break
            if answered:
                break
        assert b" 413 " in answered


def test_pages_of_other_sites_cannot_have_it_speak(server: Server) -> None:
    answer = server.post("/synthesize", {"text": "Hi."}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_client_that_goes_away_before_its_request_is_here_harms_nobody(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=30) as raw:
            raw.sendall(b'POST /synthesize HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"text')
    assert server.post("/synthesize", {"text": "Hi."}).status_code == 200


def test_request_ids_come_back_and_odd_ones_are_replaced(server: Server) -> None:
    assert (
        server.post("/synthesize", {"text": "Hi."}, headers={"X-Request-ID": "abc-1"}).headers["x-request-id"]
        == "abc-1"
    )
    strange = server.post("/synthesize", {"text": "Hi."}, headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{16}", strange)


def test_metrics_count_what_happened(server: Server) -> None:
    assert server.post("/v1/audio/speech", {"model": "piper", "input": "Hello.", "voice": VOICE}).status_code == 200
    assert server.post("/synthesize", {"text": "ʰ"}).status_code == 422
    counted = (
        r'speech_requests_total\{outcome="spoken",route="openai"\} [1-9]',
        r'speech_requests_total\{outcome="refused",route="synthesize"\} [1-9]',
        r"speech_audio_seconds_total (0\.[0-9]*[1-9]|[1-9])",
        r"speech_ready 1\.0",
    )
    # A stream is counted once its last byte has left.
    for _ in range(200):
        text = server.get("/metrics").text
        missing = [one for one in counted if not re.search(one, text)]
        if not missing:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"not counted: {missing}")


# -- servers of their own ------------------------------------------------------------------------------------------


def test_voices_come_and_go_while_it_runs_and_the_least_used_leaves_memory(tmp_path: Path) -> None:
    (folder,) = bundled_folders()
    server = start(tmp_path, max_loaded="1", api_key="secret")
    try:
        until_ready(server)
        key = {"Authorization": "Bearer secret"}
        assert requests.get(f"{server.url}/voices", timeout=30).status_code == 401
        for suffix in (".onnx", ".onnx.json"):
            shutil.copy(next(folder.glob(f"*{suffix}")), tmp_path / f"en_US-other-medium{suffix}")
        voices = requests.get(f"{server.url}/voices", headers=key, timeout=30).json()
        assert set(voices) == {VOICE, "en_US-other-medium"}
        said = server.post("/synthesize", {"text": "Hi.", "voice": "en_US-other-medium"}, headers=key)
        assert said.status_code == 200
        assert server.get("/ready").json()["loaded"] == ["en_US-other-medium"]
        (tmp_path / "en_US-other-medium.onnx").unlink()
        gone = server.post("/synthesize", {"text": "Hi.", "voice": "en_US-other-medium"}, headers=key)
        assert gone.status_code == 404
        assert server.post("/synthesize", {"text": "Hi."}, headers=key).status_code == 200
    finally:
        server.stop()


def test_a_full_house_sends_away_with_the_time_to_come_back(tmp_path: Path) -> None:
    server = start(tmp_path, max_waiting="1", threads="1")
    try:
        until_ready(server)
        body = {"model": "piper", "input": "One long sentence follows another. " * 60, "voice": VOICE}
        with requests.post(f"{server.url}/v1/audio/speech", json=body, stream=True, timeout=60) as first:
            pieces = first.iter_content(None)
            assert next(pieces)
            second = server.post("/synthesize", {"text": "Hi."})
            assert second.status_code == 503
            assert int(second.headers["Retry-After"]) >= 1
    finally:
        server.stop()


def test_being_told_to_stop_it_finishes_what_is_being_spoken(tmp_path: Path) -> None:
    server = start(tmp_path)
    until_ready(server)
    body = {"model": "piper", "input": "One sentence follows another. " * 20, "voice": VOICE, "response_format": "pcm"}
    with requests.post(f"{server.url}/v1/audio/speech", json=body, stream=True, timeout=60) as answer:
        pieces = answer.iter_content(None)
        got = len(next(pieces))
        server.process.send_signal(signal.SIGTERM)
        got += sum(len(piece) for piece in pieces)
    assert got / 2 / 24_000 > 20
    assert server.stop() == 0


def test_an_interrupt_while_a_voice_is_being_loaded_ends_it_well(tmp_path: Path) -> None:
    server = start(tmp_path)
    server.process.send_signal(signal.SIGINT)

    assert server.process.wait(30) == 0
    server.drain.join(30)


def test_misspelt_settings_are_named_and_nothing_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.speech_server"], capture_output=True, text=True, check=False,
        env={**os.environ, "SPEECH_PROT": "1", "SPEECH_THREADS": "many"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "SPEECH_PROT: no such setting; did you mean SPEECH_PORT?" in done.stderr
    assert "SPEECH_THREADS" in done.stderr


def test_the_health_check_of_the_container(server: Server) -> None:
    command = [sys.executable, "-m", "pipeline.speech_server", "--check-ready"]
    port = server.url.rpartition(":")[2]
    well = subprocess.run(command, env={**os.environ, "SPEECH_PORT": port}, capture_output=True, text=True, check=False)
    assert (well.returncode, well.stdout.strip()) == (0, f"ready: {VOICE} has spoken")
    ill = subprocess.run(command, env={**os.environ, "SPEECH_PORT": "1"}, capture_output=True, text=True, check=False)
    assert ill.returncode == 1
