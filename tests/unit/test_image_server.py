"""The image server's decisions: settings, requests, names, folders, files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import SettingsError
from pipeline.image_server import folder, pictures, samplers, wire
from pipeline.image_server.faults import Fault, NoModel, Undoable, Unknown
from pipeline.image_server.painter import Order
from pipeline.image_server.settings import ImageSettings, load
from tests.fakes.painter import FACTS, noise

SETTINGS = ImageSettings(max_pictures=3, max_steps=50)


def orders(**request: object) -> tuple[Order, ...]:
    return wire.orders(wire.TextToImage.model_validate(request), SETTINGS)


# -- settings ----------------------------------------------------------------------------------------------------


def test_settings_come_from_the_environment_and_empty_ones_are_not_set() -> None:
    settings = load({"IMAGES_PORT": "9000", "IMAGES_FETCH": "true", "IMAGES_MODEL": " ", "PATH": "/bin", "HOME": "/"})

    assert (settings.port, settings.fetch, settings.model) == (9000, True, "stabilityai/sd-turbo")
    assert (settings.host, settings.steps, settings.guidance) == ("127.0.0.1", 4, 0.0)


def test_every_fault_in_the_settings_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        load({"IMAGES_PRT": "1", "IMAGES_DEVICE": "gpu", "IMAGES_MAX_WAITING": "-1", "IMAGES_DTYPE": "int8"})

    told = "\n".join(error.value.problems)
    assert "IMAGES_PRT: no such setting; did you mean IMAGES_PORT?" in told
    assert {line.partition(":")[0] for line in error.value.problems} == {
        "IMAGES_PRT", "IMAGES_DEVICE", "IMAGES_MAX_WAITING", "IMAGES_DTYPE",
    }  # fmt: skip


def test_steps_beyond_the_most_are_a_fault_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="IMAGES_STEPS: 9 is more than IMAGES_MAX_STEPS"):
        load({"IMAGES_STEPS": "9", "IMAGES_MAX_STEPS": "8"})


def test_steps_beyond_the_most_are_told_beside_a_misspelt_name() -> None:
    with pytest.raises(SettingsError) as error:
        load({"IMAGES_STEPS": "9", "IMAGES_MAX_STEPS": "8", "IMAGES_PRT": "1"})

    assert error.value.problems == (
        "IMAGES_PRT: no such setting; did you mean IMAGES_PORT?",
        "IMAGES_STEPS: 9 is more than IMAGES_MAX_STEPS (8)",
    )


def test_every_setting_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/image-server.md").read_text("utf-8")
    for name, field in ImageSettings.model_fields.items():
        default = field.default if field.default not in (None, "") else "empty"
        assert f"| `IMAGES_{name.upper()}` | {default} | {field.description} |" in page


# -- requests ----------------------------------------------------------------------------------------------------


def test_an_empty_request_is_drawn_as_the_settings_say() -> None:
    (order,) = orders(prompt="a cat")

    assert (order.width, order.height, order.steps, order.guidance) == (512, 512, 4, 0.0)
    assert (order.sampler, order.scheduler, order.negative) == ("Default", "Automatic", "")
    assert 0 <= order.seed < 2**32


def test_what_a_request_spells_out_is_kept() -> None:
    (order,) = orders(
        prompt="a", negative_prompt="b", seed=7, steps=9, cfg_scale=5, width=64, height=128,
        sampler_name="DPM++ 2M Karras", send_images=True, unknown_field={"a": 1}, alwayson_scripts={}, styles=[],
    )  # fmt: skip

    assert order == Order("a", "b", 7, 9, 5.0, 64, 128, "DPM++ 2M", "Karras")


def test_several_pictures_have_seeds_that_follow_each_other_around_the_end() -> None:
    assert [order.seed for order in orders(seed=2**32 - 1, batch_size=3)] == [2**32 - 1, 0, 1]
    assert len(orders(n_iter=2)) == 2


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"batch_size": 2, "n_iter": 2}, "4 pictures in one request; the most is 3"),
        ({"steps": 51}, "51 steps; the most is 50"),
        ({"width": 2048, "height": 2048}, "more than 2,097,152 pixels"),
        ({"enable_hr": True}, "enable_hr"),
        ({"restore_faces": True}, "restore_faces"),
        ({"script_name": "x/y/z plot"}, "script_name"),
        ({"alwayson_scripts": {"controlnet": {}}}, "alwayson_scripts"),
        ({"styles": ["oil"]}, "styles"),
        ({"save_images": True}, "save_images"),
        ({"subseed_strength": 0.5}, "subseed_strength"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(request_: dict[str, object], why: str) -> None:
    with pytest.raises(Undoable, match=why):
        orders(**request_)


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "seed", "steps", "cfg_scale", "width", "sampler_name", "batch_size", "styles", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=2)),
    )
)
def test_whatever_is_sent_is_drawn_within_bounds_or_refused(request_: dict[str, object]) -> None:
    try:
        made = orders(**request_)
    except (ValueError, Fault):
        return
    assert 1 <= len(made) <= 3
    assert all(order.width * order.height <= 2_097_152 and order.steps <= 50 for order in made)


@pytest.mark.parametrize("known", ["stabilityai/sd-turbo", "tiny", "tiny [ababababab]", "ab" * 32, None])
def test_the_checkpoint_that_is_here_may_be_named_in_every_way(known: str | None) -> None:
    wire.refuse_another(wire.checkpoint_wanted({"sd_model_checkpoint": known}), FACTS, SETTINGS)


def test_another_checkpoint_or_option_is_refused() -> None:
    with pytest.raises(Unknown, match="'v1-5' is not here"):
        wire.refuse_another("v1-5", FACTS, SETTINGS)
    with pytest.raises(Undoable, match="sd_vae"):
        wire.checkpoint_wanted({"sd_vae": "x"})
    assert wire.checkpoint_wanted({"samples_format": "png"}) is None


# -- samplers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "scheduler", "expected"),
    [
        (None, None, ("Default", "Automatic")),
        ("", "", ("Default", "Automatic")),
        ("euler a", None, ("Euler a", "Automatic")),
        ("Euler", "karras", ("Euler", "Karras")),
        ("DPM++ 2M Karras", None, ("DPM++ 2M", "Karras")),
        ("dpm++ 2m exponential", "", ("DPM++ 2M", "Exponential")),
    ],
)
def test_samplers_are_known_by_their_names(
    sampler: str | None, scheduler: str | None, expected: tuple[str, str]
) -> None:
    assert samplers.named(sampler, scheduler) == expected


@pytest.mark.parametrize(
    ("sampler", "scheduler", "why"),
    [
        ("Nope", None, "Sampler not found"),
        ("Karras", None, "Sampler not found"),
        ("Euler", "Nope", "Scheduler not found"),
        ("DDIM", "Karras", "the sampler DDIM has no scheduler Karras"),
    ],
)
def test_a_sampler_that_is_not_here_is_refused(sampler: str, scheduler: str | None, why: str) -> None:
    with pytest.raises(Unknown) as error:
        samplers.named(sampler, scheduler)
    assert error.value.what == why
    assert error.value.status == 400


# -- pictures ----------------------------------------------------------------------------------------------------


def test_a_picture_says_what_it_was_made_with() -> None:
    order = Order("café ☃", "blur", 7, 4, 1.5, 64, 72, "Euler", "Karras")
    text = pictures.infotext(order, model="tiny", sha256="ab" * 32, version="v")
    file = Image.open(io.BytesIO(pictures.png(noise(order), text)))

    assert file.size == (64, 72)
    prompt, negative, facts = file.info["parameters"].splitlines()
    assert (prompt, negative) == ("café ☃", "Negative prompt: blur")
    assert dict(fact.split(": ") for fact in facts.split(", ")) == {
        "Steps": "4",
        "Sampler": "Euler",
        "Schedule type": "Karras",
        "CFG scale": "1.5",
        "Seed": "7",
        "Size": "64x72",
        "Model hash": "ababababab",
        "Model": "tiny",
        "Version": "v",
    }


def test_a_dim_picture_with_something_on_it_is_one() -> None:
    order = Order("night", "", 1, 1, 0, 64, 64, "Default", "Automatic")
    pixels = np.zeros((64, 64, 3), np.float32)
    pixels[30:34, 30:34] = 0.5  # a window in the dark

    pictures.check(pixels, order)


# -- folders -----------------------------------------------------------------------------------------------------


def make_folder(path: Path) -> Path:
    """What a model's folder looks like; the weights are a few bytes."""
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (path / part).mkdir(parents=True)
        (path / part / "config.json").write_text("{}", "utf-8")
    for part in ("unet", "vae"):
        (path / part / "diffusion_pytorch_model.safetensors").write_bytes(b"w" + part.encode())
    (path / "text_encoder" / "model.safetensors").write_bytes(b"t")
    write_index(path)
    return path


def write_index(path: Path, **changes: object) -> None:
    index: dict[str, object] = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "safety_checker": [None, None],
        "requires_safety_checker": False,
    }
    (path / "model_index.json").write_text(json.dumps(index | changes), "utf-8")


def found(path: Path, *, half: bool = False) -> folder.ModelFolder:
    return folder.find(ImageSettings(model=path.name, models_dir=path.parent), half=half)


def test_a_folder_with_safetensors_may_be_loaded(tmp_path: Path) -> None:
    model = found(make_folder(tmp_path / "m"))

    assert (model.name, model.kind, model.variant) == ("m", "StableDiffusionPipeline", None)
    assert len(model.files) == 1 + 5 + 3


def test_half_precision_files_are_taken_where_they_serve(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "m")
    for part in ("unet", "vae"):
        (path / part / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"h")
    (path / "text_encoder" / "model.fp16.safetensors").write_bytes(b"h")
    plain, half = found(path), found(path, half=True)
    for plain_file in path.glob("*/*[!6].safetensors"):
        plain_file.unlink()

    assert (plain.variant, half.variant, found(path).variant) == (None, "fp16", "fp16")
    assert not {file for file in plain.files if "fp16" in file.name}
    assert {file.name for file in half.files if file.suffix == ".safetensors"} == {
        "diffusion_pytorch_model.fp16.safetensors",
        "model.fp16.safetensors",
    }


def _pickled(path: Path) -> None:
    (path / "unet" / "diffusion_pytorch_model.safetensors").rename(path / "unet" / "diffusion_pytorch_model.bin")


def _empty_unet(path: Path) -> None:
    (path / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def _no_vae(path: Path) -> None:
    for file in (path / "vae").iterdir():
        file.unlink()
    (path / "vae").rmdir()


MUST_NOT: dict[str, Callable[[Path], object]] = {
    "unet has its weights as diffusion_pytorch_model.bin alone": _pickled,
    "no weights in unet": _empty_unet,
    "folder vae is missing": _no_vae,
    "its part unet is my_unet.Mine, which is code of its own": lambda path: write_index(path, unet=["my_unet", "Mine"]),
    "a model of the kind FluxPipeline cannot be used": lambda path: write_index(path, _class_name="FluxPipeline"),
    "model_index.json cannot be read": lambda path: (path / "model_index.json").write_bytes(b"\xff{"),
    "model_index.json is no object": lambda path: (path / "model_index.json").write_text("[]"),
}


@pytest.mark.parametrize(("why", "spoil"), MUST_NOT.items())
def test_what_may_hold_code_or_is_not_whole_is_not_loaded(
    tmp_path: Path, why: str, spoil: Callable[[Path], object]
) -> None:
    path = make_folder(tmp_path / "m")
    spoil(path)
    with pytest.raises(NoModel) as error:
        found(path)

    assert why in error.value.what
    assert error.value.hint


def test_a_pickle_beside_safetensors_is_neither_loaded_nor_counted(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "m")
    before = found(path).sha256()
    (path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"code")

    assert found(path).sha256() == before


def test_the_digest_is_of_what_is_loaded_and_not_of_where_it_lies(tmp_path: Path) -> None:
    one, other = make_folder(tmp_path / "a" / "m"), make_folder(tmp_path / "b" / "m")
    same = found(one).sha256() == found(other).sha256()
    (other / "scheduler" / "config.json").write_text('{"a": 1}', "utf-8")

    assert same
    assert found(one).sha256() != found(other).sha256()
