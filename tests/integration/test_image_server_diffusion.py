"""The image server with a real model: diffusers, PyTorch, files on the disk; a few thousand random weights."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.image_server import diffusion, samplers
from pipeline.image_server.faults import Interrupted, NoModel, OutOfMemoryError
from pipeline.image_server.painter import Order
from pipeline.image_server.settings import ImageSettings
from pipeline.net.tls import Tls
from pipeline.ports import PictureRequest
from tests.integration.tiny_diffusion import make_model

torch: Any = pytest.importorskip(
    "torch", reason="PyTorch is not part of the development set-up: it is larger than all the rest together"
)

pytestmark = [
    pytest.mark.engines,
    # diffusers' own, about NumPy 2; the server passes it over as well.
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
]

ORDER = Order("a cat on a mat", "dogs", 7, 3, 0.0, 64, 96, samplers.OWN, samplers.AUTOMATIC)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def painter(model: Path) -> diffusion.Diffusion:
    return diffusion.load(ImageSettings(model=str(model), device="cpu", threads=1))


def draw(painter: diffusion.Diffusion, order: Order) -> np.ndarray[Any, Any]:
    return painter.paint(order, lambda _: None).pixels


def test_the_same_order_gives_the_same_pixels_also_after_another_and_after_loading_again(
    model: Path, painter: diffusion.Diffusion
) -> None:
    first = draw(painter, ORDER)
    other = draw(painter, replace(ORDER, seed=8))
    again = diffusion.load(ImageSettings(model=str(model), device="cpu", threads=1))

    assert first.shape == (96, 64, 3)
    assert first.dtype == np.float32
    assert np.array_equal(first, draw(painter, ORDER))
    assert np.array_equal(first, draw(again, ORDER))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_every_sampler_draws_with_every_spacing_it_has(painter: diffusion.Diffusion, sampler: str) -> None:
    spacings = samplers.SCHEDULERS if samplers.SAMPLERS[sampler].spacings else [samplers.AUTOMATIC]
    for spacing in spacings:
        steps: list[int] = []
        painted = painter.paint(replace(ORDER, sampler=sampler, scheduler=spacing, height=64), steps.append)

        assert np.isfinite(painted.pixels).all()
        assert steps == sorted(steps)
        assert steps[-1] == ORDER.steps


def test_a_negative_prompt_is_looked_at_only_where_the_prompt_is_followed(painter: diffusion.Diffusion) -> None:
    def drawn(negative: str, guidance: float) -> np.ndarray[Any, Any]:
        return draw(painter, replace(ORDER, negative=negative, guidance=guidance))

    assert np.array_equal(drawn("dogs", 0.0), drawn("birds", 0.0))
    assert not np.array_equal(drawn("dogs", 5.0), drawn("birds", 5.0))


def test_what_a_step_raises_ends_the_drawing_at_that_step(painter: diffusion.Diffusion) -> None:
    seen: list[int] = []

    def stop(step: int) -> None:
        seen.append(step)
        if step == 2:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        painter.paint(replace(ORDER, steps=50), stop)
    after = draw(painter, ORDER)

    assert seen == [1, 2]
    assert np.isfinite(after).all()


def test_a_prompt_that_is_cut_is_told(painter: diffusion.Diffusion) -> None:
    short = painter.paint(ORDER, lambda _: None).notes
    (note,) = painter.paint(replace(ORDER, prompt="a cat " * 30), lambda _: None).notes

    assert short == ()
    assert "the model reads the first 77" in note


def test_too_little_memory_is_named_and_the_next_picture_is_drawn(painter: diffusion.Diffusion) -> None:
    def greedy(_: int) -> None:
        torch.empty(1 << 46)  # 256 TiB of numbers: more than any address space has

    with pytest.raises(OutOfMemoryError, match="not enough memory"):
        painter.paint(ORDER, greedy)

    assert np.isfinite(draw(painter, ORDER)).all()


def test_a_model_of_the_other_kind_is_loaded_as_that(tmp_path: Path) -> None:
    painter = diffusion.load(ImageSettings(model=str(make_model(tmp_path, xl=True)), device="cpu", threads=1))

    assert painter.facts.kind == "StableDiffusionXLPipeline"
    assert np.isfinite(draw(painter, ORDER)).all()


def test_weights_that_are_cut_off_are_named(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(NoModel, match=r"cannot be loaded.*fetch it again"):
        diffusion.load(ImageSettings(model=str(copy), device="cpu", threads=1))


def test_weights_of_another_model_are_named(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    shutil.copy(copy / "vae" / "config.json", copy / "unet" / "config.json")
    with pytest.raises(NoModel, match="cannot be loaded"):
        diffusion.load(ImageSettings(model=str(copy), device="cpu", threads=1))


def test_a_repository_that_is_not_here_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match=r"stabilityai/sd-turbo is not here.*pipeline models fetch"):
        diffusion.load(ImageSettings(models_dir=tmp_path, device="cpu", threads=1))


def test_a_gpu_that_is_not_there_is_not_replaced_in_silence(model: Path) -> None:
    number = torch.cuda.device_count()
    with pytest.raises(NoModel, match=f"cuda:{number} was asked for.*sees {number} GPUs"):
        diffusion.load(ImageSettings(model=str(model), device=f"cuda:{number}"))


# -- the program -------------------------------------------------------------------------------------------------


@contextmanager
def program(model: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as a process of its own, ready; and its address."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IMAGES_")}
    environment |= {"IMAGES_MODEL": str(model), "IMAGES_PORT": str(port), "IMAGES_DEVICE": "cpu", "IMAGES_THREADS": "1"}
    command = [sys.executable, "-m", "pipeline.image_server"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert list(events(process, until="model_loaded")) == ["listening", "model_loaded"]
            subprocess.run([*command, "--check-ready"], env=environment, check=True, capture_output=True)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def events(process: subprocess.Popen[str], *, until: str = "") -> Iterator[str]:
    """What the log says, as it says it."""
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)["event"]
        yield event
        if event == until:
            return


def test_the_client_draws_with_it_and_a_stop_lets_the_picture_be_finished(model: Path) -> None:
    with program(model) as (process, url):
        client = StableDiffusion(url, tls=Tls(), stop=threading.Event(), read_seconds=60)
        client.check()
        one, same = (client.draw(PictureRequest("a cat", width=128, height=64, seed=3)).png for _ in range(2))
        answers: list[requests.Response] = []
        body = {"prompt": "a", "width": 256, "height": 256, "steps": 20}
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(f"{url}/sdapi/v1/txt2img", json=body, timeout=60))
        )
        asking.start()
        while not requests.get(f"{url}/sdapi/v1/progress", timeout=20).json()["state"]["sampling_step"]:
            assert asking.is_alive()
        process.send_signal(signal.SIGTERM)
        asking.join(60)
        said = list(events(process))
        status = process.wait(60)

    assert Image.open(io.BytesIO(one)).size == (128, 64)
    assert one == same
    assert answers[0].status_code == 200
    assert status == 0
    assert [event for event in said if event != "request"] == ["stopped"]
