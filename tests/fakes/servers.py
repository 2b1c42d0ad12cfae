"""The least of an Ollama and of a Piper server, on real sockets: right answers, for whatever breaks them on the way."""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

MODEL = "gemma3:4b"
VOICE = "en_US-fake-medium"
SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Given:
    status: int
    body: bytes
    kind: str = "application/json"


Answer = Callable[[str, bytes], Given]
"""`GET /path` and the body → what is given."""


def told(value: object) -> Given:
    return Given(200, json.dumps(value).encode())


def line(text: str, *, done: bool = False, **more: object) -> bytes:
    """A part of an answer, as Ollama streams them."""
    return json.dumps({"message": {"role": "assistant", "content": text}, "done": done} | more).encode() + b"\n"


ANSWER = [line(word) for word in ("The ", "wind ", "rose ", "before ", "six.")]
END = line("", done=True, done_reason="stop", prompt_eval_count=12, eval_count=5)


def ollama(request: str, body: bytes) -> Given:
    details = {"parameter_size": "4.3B", "quantization_level": "Q4_K_M"}
    match request:
        case "GET /api/version":
            return told({"version": "0.33.0"})
        case "GET /api/tags":
            return told({"models": [{"name": MODEL, "model": MODEL, "digest": "a" * 64, "details": details}]})
        case "POST /api/chat":
            return Given(200, b"".join((*ANSWER, END)), "application/x-ndjson")
    return Given(404, b'{"error":"not found"}')


def sound(seconds: float = 1.2) -> bytes:
    """A WAV file with a tone of 200 Hz."""
    samples = (
        8_000 * math.sin(2 * math.pi * 200 * place / SAMPLE_RATE) for place in range(round(seconds * SAMPLE_RATE))
    )
    with io.BytesIO() as file:
        with wave.open(file, "wb") as opened:
            opened.setframerate(SAMPLE_RATE)
            opened.setnchannels(1)
            opened.setsampwidth(2)
            opened.writeframes(b"".join(struct.pack("<h", round(sample)) for sample in samples))
        return file.getvalue()


SOUND = sound()


def piper(request: str, body: bytes) -> Given:
    match request:
        case "GET /synthesize":
            return Given(405, b"")
        case "GET /voices":
            config = {
                "audio": {"sample_rate": SAMPLE_RATE},
                "inference": {"length_scale": 1.0},
                "language": {"code": "en_US"},
            }
            return told({VOICE: config})
        case "POST /synthesize":
            return Given(200, SOUND, "text/html")
    return Given(404, b"<h1>Not Found</h1>", "text/html")


@contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """The port it answers at."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._give("GET")

        def do_POST(self) -> None:
            self._give("POST")

        def _give(self, method: str) -> None:
            given = answer(f"{method} {self.path}", self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(given.status)
            self.send_header("Content-Type", given.kind)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that vanish are what these tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
