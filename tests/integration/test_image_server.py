"""The image server over real sockets: its routes with a painter that needs no PyTorch."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import uvicorn
from PIL import Image

from pipeline.engines.retrying import RetryingIllustrator
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.errors import EngineRefused, EngineUnavailable
from pipeline.image_server.__main__ import main
from pipeline.image_server.app import create_app
from pipeline.image_server.easel import Easel
from pipeline.image_server.faults import NoModel, OutOfMemoryError
from pipeline.image_server.painter import Order, Painter, Pixels
from pipeline.image_server.settings import ImageSettings
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import PictureRequest
from tests.fakes.painter import FACTS, FakePainter

SECONDS = 20


class Running:
    """A server with a fake painter; `broken` is what loading the model raises while it is set."""

    def __init__(self, **settings: object) -> None:
        self.settings = ImageSettings(**settings)  # type: ignore[arg-type]
        self.painter = FakePainter()
        self.broken: Exception | None = None
        self.easel = Easel(self._load, max_waiting=self.settings.max_waiting)
        self.url = ""
        self.port = 0

    def _load(self) -> Painter:
        if self.broken is not None:
            raise self.broken
        return self.painter

    def draw(self, **request: object) -> requests.Response:
        body = {"prompt": "a cat", "width": 72, "height": 64, "seed": 5, "steps": 2} | request
        return requests.post(f"{self.url}/sdapi/v1/txt2img", json=body, timeout=SECONDS)

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=SECONDS).json()

    def post(self, path: str, body: object = None) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=SECONDS)

    def client(self, **options: object) -> StableDiffusion:
        chosen: dict[str, object] = {"stop": threading.Event(), "read_seconds": SECONDS} | options
        return StableDiffusion(self.url, tls=Tls(), **chosen)  # type: ignore[arg-type]


@contextmanager
def running(server: Running) -> Iterator[Running]:
    config = uvicorn.Config(create_app(server.easel, server.settings), log_config=None, timeout_graceful_shutdown=5)
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    server.url = f"http://127.0.0.1:{server.port}"
    inner = uvicorn.Server(config)
    thread = threading.Thread(target=inner.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield server
    finally:
        server.painter.go()
        inner.should_exit = True
        thread.join(SECONDS)
        listening.close()


@pytest.fixture
def server() -> Iterator[Running]:
    with running(Running(max_waiting=1)) as made:
        made.easel.load().result(SECONDS)
        yield made


def picture(answer: requests.Response, number: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(answer.json()["images"][number], validate=True)))


# -- drawing -----------------------------------------------------------------------------------------------------


def test_a_picture_comes_as_automatic1111_sends_it(server: Running) -> None:
    server.painter.notes = ("The prompt has 90 tokens; the model reads the first 77.",)
    answer = server.draw(prompt="café ☃", batch_size=2, nobody_knows={"this": 1})
    info = json.loads(answer.json()["info"])

    assert answer.status_code == 200
    assert [picture(answer, number).size for number in (0, 1)] == [(72, 64)] * 2
    assert picture(answer).info["parameters"] == info["infotexts"][0]
    assert info["infotexts"][0].startswith("café ☃\nSteps: 2, Sampler: Default")
    assert (info["seed"], info["all_seeds"], info["sd_model_name"]) == (5, [5, 6], "tiny")
    assert info["comments"] == ["The prompt has 90 tokens; the model reads the first 77."]
    assert answer.json()["parameters"]["prompt"] == "café ☃"


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(server: Running) -> None:
    one, same, other = (server.draw(seed=seed).json()["images"][0] for seed in (7, 7, 8))

    assert one == same != other


def test_pictures_are_left_out_where_nobody_wants_them(server: Running) -> None:
    assert server.draw(send_images=False).json()["images"] == []


@pytest.mark.parametrize(
    ("request_", "status", "error", "detail"),
    [
        ({"sampler_name": "Nope"}, 400, "Unknown", "Sampler not found"),
        ({"enable_hr": True}, 422, "Undoable", "this server does not do enable_hr"),
        ({"override_settings": {"sd_model_checkpoint": "v1-5"}}, 400, "Unknown", "the checkpoint 'v1-5' is not here"),
        ({"prompt": "x" * 300_000}, 413, "TooLong", "the request is longer than 262,144 bytes"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(
    server: Running, request_: dict[str, object], status: int, error: str, detail: str
) -> None:
    answer = server.draw(**request_)

    assert (answer.status_code, answer.json()["error"], answer.json()["detail"]) == (status, error, detail)
    assert server.painter.painted == []


@pytest.mark.parametrize(("field", "value"), [("width", 65), ("height", 0), ("steps", "many"), ("seed", 2**32)])
def test_a_field_of_the_wrong_kind_is_named(server: Running, field: str, value: object) -> None:
    answer = server.draw(**{field: value})

    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["body", field]]


def test_what_is_no_json_is_refused(server: Running) -> None:
    answer = requests.post(f"{server.url}/sdapi/v1/txt2img", data=b"{", timeout=SECONDS)

    assert answer.status_code == 422


def test_out_of_memory_is_called_what_clients_look_for(server: Running) -> None:
    def full(_: Order) -> Pixels:
        raise OutOfMemoryError("there is not enough memory: CUDA out of memory")

    server.painter.draw = full
    answer = server.draw()

    assert (answer.status_code, answer.json()["error"]) == (500, "OutOfMemoryError")
    with pytest.raises(EngineRefused, match="not enough memory to draw 72×64"):
        server.client().draw(PictureRequest("a", width=72, height=64))


def test_a_bug_is_an_error_of_the_same_shape(server: Running) -> None:
    def broken(_: Order) -> Pixels:
        raise RuntimeError("mat1 and mat2 must have the same dtype")

    server.painter.draw = broken
    answer = server.draw()

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "RuntimeError", "detail": "", "body": "", "errors": "mat1 and mat2 must have the same dtype",
    }  # fmt: skip


# -- one at a time -----------------------------------------------------------------------------------------------


def begin(server: Running, **request: object) -> tuple[threading.Thread, list[requests.Response]]:
    """A request on its way; its answer comes into the list."""
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(server.draw(**request)))
    thread.start()
    return thread, answers


def test_a_full_queue_says_when_to_come_back_and_the_client_does(server: Running) -> None:
    server.painter.hold = True
    first, first_answers = begin(server, seed=1)
    assert server.painter.at_work.wait(SECONDS)
    waiting = server.easel.draw([Order("b", "", 2, 2, 0, 72, 64, "Default", "Automatic")])
    refused = server.draw(seed=3)
    server.painter.go()
    first.join(SECONDS)
    waiting.done.result(SECONDS)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"] == "Busy"
    assert first_answers[0].status_code == 200


def test_an_interrupt_ends_it_between_two_steps(server: Running) -> None:
    server.painter.hold = True
    thread, answers = begin(server, steps=50)
    assert server.painter.at_work.wait(SECONDS)
    progress = server.get("/sdapi/v1/progress?skip_current_image=true")
    assert server.post("/sdapi/v1/interrupt").status_code == 200
    server.painter.go()
    thread.join(SECONDS)

    assert (progress["state"]["job_count"], progress["state"]["sampling_steps"]) == (1, 50)
    assert (answers[0].status_code, answers[0].json()["error"]) == (409, "Interrupted")
    assert server.painter.steps_taken == 1
    assert server.get("/sdapi/v1/progress")["progress"] == 0


def test_a_client_that_goes_away_stops_the_work(server: Running) -> None:
    server.painter.hold = True
    body = json.dumps({"prompt": "a", "width": 72, "height": 64, "steps": 50}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert server.painter.at_work.wait(SECONDS)
    # The server has seen it when it counts the request as ended; until then every look is a round trip.
    while (
        'images_requests_total{outcome="interrupted"} 1.0'
        not in requests.get(f"{server.url}/metrics", timeout=SECONDS).text
    ):
        assert server.painter.steps_taken == 0
    server.painter.go()
    server.painter.hold = False
    after = server.draw(seed=9)

    assert after.status_code == 200
    assert server.painter.steps_taken == 1 + 2


def test_a_page_of_another_site_cannot_have_anything_done(server: Running) -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    for path in ("txt2img", "unload-checkpoint", "interrupt", "options"):
        answer = requests.post(f"{server.url}/sdapi/v1/{path}", data="{}", headers=foreign, timeout=SECONDS)
        assert answer.status_code == 403
    own = requests.post(f"{server.url}/sdapi/v1/interrupt", headers={"Origin": server.url}, timeout=SECONDS)

    assert own.status_code == 200
    assert server.painter.painted == []


# -- how it is ---------------------------------------------------------------------------------------------------


def status_of_the_check() -> str | int | None:
    with pytest.raises(SystemExit) as left:
        main(["--check-ready"])
    return left.value.code


def test_ready_means_that_a_picture_can_be_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Running()
    made.broken = NoModel("the model stabilityai/sd-turbo is not here", hint="Fetch it.")
    with running(made) as server:
        with pytest.raises(NoModel):
            server.easel.load().result(SECONDS)
        before = requests.get(f"{server.url}/ready", timeout=SECONDS)
        health = requests.get(f"{server.url}/health", timeout=SECONDS)
        monkeypatch.setenv("IMAGES_PORT", str(server.port))
        checked = [status_of_the_check()]
        with pytest.raises(EngineUnavailable, match="sd-turbo is not here"):
            server.client().describe()
        refused = server.draw()
        server.broken = None
        server.easel.load().result(SECONDS)
        after = requests.get(f"{server.url}/ready", timeout=SECONDS)
        checked.append(status_of_the_check())
    checked.append(status_of_the_check())
    told = capsys.readouterr()

    assert (before.status_code, before.json()["ready"]) == (503, False)
    assert "sd-turbo is not here" in before.json()["why"]
    assert (refused.status_code, refused.json()["error"]) == (503, "NoModel")
    assert health.json()["service"] == "media-pipeline images"
    assert (after.status_code, after.json()["model"], after.json()["device"]) == (200, "tiny", "cpu")
    assert checked == [1, 0, 1]
    assert "not ready: the model stabilityai/sd-turbo is not here" in told.err
    assert "no answer" in told.err
    assert "ready: tiny" in told.out


def test_the_checkpoint_can_be_unloaded_and_comes_back(server: Running) -> None:
    assert server.client().unload()
    unloaded = server.get("/ready")
    drawn = server.draw()
    assert server.post("/sdapi/v1/unload-checkpoint").status_code == 200
    assert server.post("/sdapi/v1/reload-checkpoint").status_code == 200

    assert (unloaded["ready"], unloaded["loaded"]) == (True, False)
    assert drawn.status_code == 200
    assert server.get("/ready")["loaded"]


def test_what_there_is_is_told(server: Running) -> None:
    (model,) = server.get("/sdapi/v1/sd-models")
    options = server.get("/sdapi/v1/options")

    assert (model["model_name"], model["sha256"], model["hash"]) == ("tiny", FACTS.sha256, FACTS.sha256[:10])
    assert options["sd_model_checkpoint"] == model["title"] == "tiny [ababababab]"
    assert options["media_pipeline"] == {"steps": 4, "cfg_scale": 0.0, "device": "cpu", "dtype": "float32"}
    assert "Euler a" in {sampler["name"] for sampler in server.get("/sdapi/v1/samplers")}
    assert {"name": "karras", "label": "Karras"}.items() <= server.get("/sdapi/v1/schedulers")[1].items()
    assert server.get("/sdapi/v1/memory")["ram"]["total"] > 1 << 28


def test_options_can_only_be_set_to_what_is_there(server: Running) -> None:
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "tiny [ababababab]"}).status_code == 200
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "v1-5"}).status_code == 400
    assert server.post("/sdapi/v1/options", {"sd_vae": "x"}).status_code == 422
    assert server.post("/sdapi/v1/options", [1]).status_code == 422


def test_what_happened_is_counted(server: Running) -> None:
    server.draw(batch_size=2)
    server.draw(sampler_name="Nope")
    text = requests.get(f"{server.url}/metrics", timeout=SECONDS).text

    for line in (
        'images_requests_total{outcome="drawn"} 1.0',
        'images_requests_total{outcome="refused"} 1.0',
        'images_requests_total{outcome="out_of_memory"} 0.0',
        "images_pictures_total 2.0",
        "images_request_duration_seconds_count 2.0",
        "images_ready 1.0",
        "images_model_loaded 1.0",
    ):
        assert line in text


# -- the pipeline's own client -----------------------------------------------------------------------------------


def test_the_client_knows_this_server_and_draws_as_it_is_set_up(server: Running) -> None:
    client = RetryingIllustrator(server.client(), policy=Policy(attempts=2), stop=threading.Event())
    client.check()
    identity = client.describe()
    drawn = client.draw(PictureRequest("a cat", width=80, height=64, seed=2**32 - 1))

    assert (identity.name, identity.details["contract"], identity.details["checkpoint_sha256"]) == (
        "tiny", "Media Pipeline", FACTS.sha256,
    )  # fmt: skip
    assert (identity.details["steps"], identity.details["guidance"]) == ("4", "0")
    assert Image.open(io.BytesIO(drawn.png)).size == (80, 64)
    assert server.painter.painted[-1].sampler == "Default"
    assert server.painter.painted[-1].seed == drawn.seed == 2**32 - 1


# -- the command -------------------------------------------------------------------------------------------------


def test_unusable_settings_are_told_and_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGES_PROT", "1")
    with pytest.raises(SystemExit) as left:
        main([])

    assert left.value.code == 2
    assert "IMAGES_PROT: no such setting; did you mean IMAGES_PORT?" in capsys.readouterr().err
