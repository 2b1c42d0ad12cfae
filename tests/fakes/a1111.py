"""A server that speaks the AUTOMATIC1111 routes over a real socket, with every fault that those servers are known for.

It draws noise from the seed, one picture at a time, as they do: the next request waits. What it does with the next
requests is put into `script`; when that is empty it simply draws.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

SHA256 = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
ROUTES: Mapping[str, frozenset[str]] = {
    "AUTOMATIC1111": frozenset({"options", "samplers", "schedulers", "progress", "interrupt", "memory", "unload"}),
    "Forge": frozenset(
        {"options", "samplers", "schedulers", "progress", "interrupt", "memory", "unload", "sd-modules"}
    ),
    "SD.Next": frozenset({"options", "samplers", "progress", "interrupt", "memory", "version"}),
    "stable-diffusion.cpp": frozenset({"options", "samplers", "schedulers", "capabilities"}),
    "AUTOMATIC1111-compatible": frozenset(),
}
"""The optional routes of each."""


def noise(seed: int, width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(3 * width * height))


def png(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of a PNG's pieces, with the checksum that belongs to it."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_second_header(whole: bytes, width: int, height: int) -> bytes:
    """A PNG that says another size once it has said its own. Decoders do not agree on which of them counts."""
    return with_piece(whole, chunk(b"IHDR", struct.pack(">II", width, height) + whole[24:29]))


def with_piece(whole: bytes, piece: bytes) -> bytes:
    """A PNG with one more piece behind its header."""
    header_ends = 8 + 25
    return whole[:header_ends] + piece + whole[header_ends:]


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """How many bytes of the body are sent before the connection is closed; None is all."""


Wanted = Mapping[str, Any]
Act = Callable[["FakeA1111", Wanted], Reply]


def drawn(images: list[str], **info: object) -> Reply:
    return Reply(200, json.dumps({"images": images, "parameters": {}, "info": json.dumps(info)}).encode())


def as_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _size(wanted: Wanted) -> tuple[int, int]:
    return int(wanted["width"]), int(wanted["height"])


# -- what it can do with a request -------------------------------------------------------------------------------


def draws(server: FakeA1111, wanted: Wanted, **told: object) -> Reply:
    info = {"seed": wanted["seed"], "sd_model_name": server.checkpoint, "sd_model_hash": SHA256[:10]} | told
    return drawn([as_text(png(noise(wanted["seed"], *_size(wanted))))], **info)


def black(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([as_text(png(Image.new("RGB", _size(wanted))))])


def one_colour(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([as_text(png(Image.new("RGB", _size(wanted), (90, 120, 200))))])


def nearly_black(_: FakeA1111, wanted: Wanted) -> Reply:
    picture = Image.new("RGB", _size(wanted))
    picture.putpixel((0, 0), (5, 5, 5))
    return drawn([as_text(png(picture))])


def another_size(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([as_text(png(noise(1, wanted["width"] * 2, wanted["height"])))])


def a_bomb(_: FakeA1111, wanted: Wanted) -> Reply:
    """A few bytes that claim to be gigabytes."""
    whole = png(noise(1, 8, 8))
    return drawn([as_text(whole[:16] + struct.pack(">II", 60_000, 60_000) + whole[24:])])


def sends(make: Callable[[int, int], bytes]) -> Act:
    """Answers with the file that `make` gives for a width and a height."""
    return lambda _, wanted: drawn([as_text(make(*_size(wanted)))])


two_sizes = sends(lambda width, height: with_second_header(png(noise(1, width, height)), 64, 64))
a_hidden_bomb = sends(lambda width, height: with_second_header(png(noise(1, width, height)), 20_000, 20_000))
cut_profile = sends(lambda width, height: with_piece(png(noise(1, width, height)), chunk(b"iCCP", b"name\0")))
transparent = sends(lambda width, height: png(_see_through(noise(1, width, height), 0)))
translucent = sends(lambda width, height: png(_see_through(noise(1, width, height), 254)))
grey_of_16_bits = sends(
    lambda width, height: png(Image.frombytes("I;16", (width, height), random.Random(1).randbytes(2 * width * height)))
)


def _see_through(picture: Image.Image, opacity: int) -> Image.Image:
    picture.putalpha(opacity)
    return picture


def a_speck(_: FakeA1111, wanted: Wanted) -> Reply:
    """Black but for eight pixels each way, which are as bright as can be."""
    picture = Image.new("RGB", _size(wanted))
    picture.paste((255, 255, 255), (40, 24, 48, 32))
    return drawn([as_text(png(picture))])


def cut_picture(_: FakeA1111, wanted: Wanted) -> Reply:
    whole = png(noise(1, *_size(wanted)))
    return drawn([as_text(whole[: len(whole) // 2])])


def flipped_picture(_: FakeA1111, wanted: Wanted) -> Reply:
    whole = bytearray(png(noise(1, *_size(wanted))))
    whole[len(whole) // 2] ^= 0xFF
    return drawn([as_text(bytes(whole))])


def jpeg(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([as_text(png(noise(1, *_size(wanted)), "JPEG"))])


def no_picture(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([])


def no_base64(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn(["это не base64"])


def not_an_image(_: FakeA1111, wanted: Wanted) -> Reply:
    return drawn([as_text(b"hello")])


def data_address(server: FakeA1111, wanted: Wanted) -> Reply:
    return drawn(["data:image/png;base64," + as_text(png(noise(wanted["seed"], *_size(wanted))))])


def grid_first(server: FakeA1111, wanted: Wanted) -> Reply:
    grid, picture = noise(0, 16, 16), noise(wanted["seed"], *_size(wanted))
    return drawn([as_text(png(grid)), as_text(png(picture))], index_of_first_image=1)


def nested(_: FakeA1111, __: Wanted) -> Reply:
    """JSON that goes deeper than any parser follows."""
    return Reply(200, b"[" * 100_000)


def nested_info(_: FakeA1111, wanted: Wanted) -> Reply:
    picture = as_text(png(noise(wanted["seed"], *_size(wanted))))
    return Reply(200, json.dumps({"images": [picture], "info": "[" * 100_000}).encode())


def half_a_character(server: FakeA1111, wanted: Wanted) -> Reply:
    """A note with one half of a surrogate pair, which JSON can spell and no file can hold."""
    return draws(server, wanted, comments=["\ud800 smoothed"])


def html(_: FakeA1111, wanted: Wanted) -> Reply:
    return Reply(200, b"<html><body><h1>It works!</h1></body></html>", {"Content-Type": "text/html"})


def another_checkpoint(server: FakeA1111, wanted: Wanted) -> Reply:
    return draws(server, wanted, sd_model_name="somethingElse", sd_model_hash="ffffffffff")


def another_seed(server: FakeA1111, wanted: Wanted) -> Reply:
    return draws(server, wanted, seed=wanted["seed"] + 1)


def complains(status: int, error: str, errors: str = "", **headers: str) -> Act:
    body = json.dumps({"error": error, "detail": "", "body": "", "errors": errors}).encode()
    return lambda _, __: Reply(status, body, headers)


out_of_memory = complains(500, "OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB")
crashed = complains(500, "RuntimeError", "mat1 and mat2 must have the same dtype")
sampler_not_found = complains(400, "HTTPException", "Sampler not found")
interrupted_by_another = complains(409, "Interrupted", "the picture was interrupted before it was finished")
busy = complains(503, "Busy", "8 requests wait already", **{"Retry-After": "0"})


def breaks_off(server: FakeA1111, wanted: Wanted) -> Reply:
    whole = draws(server, wanted)
    return Reply(200, whole.body, cut_after=len(whole.body) // 2)


def hangs_up(_: FakeA1111, wanted: Wanted) -> Reply:
    return Reply(200, b"", cut_after=0)


def hangs(server: FakeA1111, wanted: Wanted) -> Reply:
    """Draws until it is told to stop."""
    server.interrupted.wait(30)
    return drawn([])


def hangs_for_good(server: FakeA1111, wanted: Wanted) -> Reply:
    """Stays at 100 % whatever it is told."""
    server.released.wait(30)
    return drawn([])


# -- the server --------------------------------------------------------------------------------------------------


class FakeA1111:
    """Which routes it has is set by `family`; `checkpoints` may hold several, `checkpoint` is the one loaded."""

    def __init__(self, family: str = "AUTOMATIC1111", *, user: str = "", password: str = "") -> None:
        self.family = family
        self.authorization = "Basic " + as_text(f"{user}:{password}".encode()) if user else ""
        self.script: deque[Act] = deque()
        self.asked: list[Wanted] = []
        self.calls: list[str] = []
        self.checkpoint = "dreamshaper_8"
        self.checkpoints = ["dreamshaper_8", "sub_other"]
        self.hashes_known = True
        self.most_at_once = 0
        self.interrupted = threading.Event()
        self.released = threading.Event()
        self.begun = threading.Event()
        self.sd_models: object = None
        """What /sd-models answers in place of the checkpoints, where it is set."""
        self.recommends: object = None
        """Where it is set, the server says that it is ours, and how its model is drawn with."""
        self._drawing = 0
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def has(self, route: str) -> bool:
        return route in ROUTES[self.family]

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        route = path.partition("?")[0]
        with self._lock:
            self.calls.append(f"{method} {route}")
        if (method, route) == ("POST", "/sdapi/v1/txt2img"):
            return self._text_to_image(json.loads(body))
        if route == "/health" and self.recommends is not None:
            return Reply(200, b'{"service": "media-pipeline images"}')
        feature, told = self._told().get((method, route), ("", None))
        if told is None or (feature and not self.has(feature)):
            return Reply(404, b'{"detail":"Not Found"}')
        return Reply(200, json.dumps(told()).encode())

    def _told(self) -> Mapping[tuple[str, str], tuple[str, Callable[[], object]]]:
        """What each route answers, and the feature it belongs to; "" for what all of them have."""
        api = "/sdapi/v1"
        return {
            ("GET", f"{api}/sd-models"): ("", lambda: self._models() if self.sd_models is None else self.sd_models),
            ("GET", f"{api}/options"): (
                "options",
                lambda: {"sd_model_checkpoint": self._title(self.checkpoint), "media_pipeline": self.recommends},
            ),
            ("GET", f"{api}/samplers"): ("samplers", self._samplers),
            ("GET", f"{api}/schedulers"): ("schedulers", lambda: [{"name": "karras", "label": "Karras"}]),
            ("GET", f"{api}/progress"): ("progress", self._progress),
            ("POST", f"{api}/interrupt"): ("interrupt", self.interrupted.set),
            ("POST", f"{api}/unload-checkpoint"): ("unload", dict),
            ("GET", f"{api}/memory"): ("memory", dict),
            ("GET", f"{api}/version"): ("version", dict),
            ("GET", f"{api}/sd-modules"): ("sd-modules", list),
            ("GET", "/sdcpp/v1/capabilities"): ("capabilities", dict),
        }

    def _samplers(self) -> list[dict[str, str]]:
        names = ["euler", "heun"] if self.family == "stable-diffusion.cpp" else ["Euler a", "Euler", "DPM++ 2M"]
        return [{"name": name} for name in names]

    def _progress(self) -> dict[str, object]:
        return {"progress": float(self._drawing > 0), "state": {"job_count": self._drawing}}

    def _models(self) -> list[dict[str, object]]:
        # stable-diffusion.cpp gives every model the same one.
        sha256 = "0" * 64 if self.family == "stable-diffusion.cpp" else SHA256 if self.hashes_known else None
        names = self.checkpoints[:1] if self.family == "stable-diffusion.cpp" else self.checkpoints
        return [
            {
                "title": self._title(name),
                "model_name": name,
                "hash": sha256[:10] if sha256 else None,
                "sha256": sha256,
                "filename": f"/models/{name}.safetensors",
            }
            for name in names
        ]

    def _title(self, name: str) -> str:
        return f"{name}.safetensors [{SHA256[:10]}]" if self.hashes_known else f"{name}.safetensors"

    def _text_to_image(self, wanted: Wanted) -> Reply:
        with self._lock:
            self.asked.append(wanted)
            self._drawing += 1
            self.most_at_once = max(self.most_at_once, self._drawing)
            act = self.script.popleft() if self.script else draws
        self.begun.set()
        try:
            with self._one_at_a_time:
                return act(self, wanted)
        finally:
            with self._lock:
                self._drawing -= 1


@contextmanager
def serving(fake: FakeA1111) -> Iterator[str]:
    """The address it answers at."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one piece: in two, the second waits 40 ms for the first to be acknowledged.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def _reply(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fake.authorization and self.headers.get("Authorization") != fake.authorization:
                reply = Reply(401, b'{"detail":"Incorrect username or password"}')
            else:
                reply = fake.answer(method, self.path, body)
            try:
                self._send(reply)
            except OSError:  # the client has gone, which is what some tests are about
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            if reply.cut_after == 0:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut_after])
            self.close_connection = self.close_connection or reply.cut_after is not None

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Nothing: what was asked is in `calls`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving_thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving_thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        fake.interrupted.set()
        fake.released.set()
        server.shutdown()
        server.server_close()
        serving_thread.join()
