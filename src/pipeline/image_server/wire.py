"""What comes in as a txt2img request, and what goes out as its answer: AUTOMATIC1111's shapes, parsed once.

A field that AUTOMATIC1111 knows and this server cannot do is refused by name, because a picture without it would be
another picture. A field that nobody knows is passed over, as AUTOMATIC1111 does.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.image_server import samplers
from pipeline.image_server.faults import Undoable, Unknown
from pipeline.image_server.painter import ModelFacts, Order
from pipeline.image_server.settings import ImageSettings

_SEEDS = 2**32

# Each with the value that changes nothing.
_NOT_DONE: Mapping[str, tuple[object, ...]] = {
    "enable_hr": (False,),
    "restore_faces": (False,),
    "tiling": (False,),
    "refiner_checkpoint": ("", "None"),
    "script_name": ("",),
    "alwayson_scripts": ({},),
    "styles": ([],),
    "save_images": (False,),
    "firstphase_width": (0,),
    "infotext": ("",),
}


class TextToImage(BaseModel):
    """A txt2img request. What is None is the server's own choice."""

    model_config = ConfigDict(extra="allow", frozen=True)

    prompt: str = Field("", max_length=20_000)
    negative_prompt: str | None = Field(None, max_length=20_000)
    seed: int | None = Field(-1, ge=-1, lt=_SEEDS)
    subseed_strength: float | None = 0
    steps: int | None = Field(None, ge=1)
    cfg_scale: float | None = Field(None, ge=0, le=50)
    width: int | None = Field(512, ge=64, le=16_384, multiple_of=8)
    height: int | None = Field(512, ge=64, le=16_384, multiple_of=8)
    sampler_name: str | None = None
    sampler_index: str | None = None
    """The old name of `sampler_name`."""
    scheduler: str | None = None
    batch_size: int | None = Field(1, ge=1)
    n_iter: int | None = Field(1, ge=1)
    send_images: bool | None = True
    override_settings: dict[str, Any] | None = None


def orders(request: TextToImage, settings: ImageSettings) -> tuple[Order, ...]:
    """One order for each picture, with seeds that follow each other, as AUTOMATIC1111 numbers them.

    Raises Undoable and Unknown, by name.
    """
    _refuse_what_is_not_done(request)
    count = (request.batch_size or 1) * (request.n_iter or 1)
    if count > settings.max_pictures:
        raise Undoable(f"{count} pictures in one request; the most is {settings.max_pictures}")
    steps = request.steps or settings.steps
    if steps > settings.max_steps:
        raise Undoable(f"{steps} steps; the most is {settings.max_steps}")
    width, height = request.width or 512, request.height or 512
    if width * height > settings.max_pixels:
        raise Undoable(f"{width}×{height} is more than {settings.max_pixels:,} pixels", hint="Ask for a smaller one.")
    sampler, scheduler = samplers.named(request.sampler_name or request.sampler_index, request.scheduler)
    first = secrets.randbelow(_SEEDS) if request.seed is None or request.seed < 0 else request.seed
    return tuple(
        Order(
            prompt=request.prompt,
            negative=request.negative_prompt or "",
            seed=(first + number) % _SEEDS,
            steps=steps,
            guidance=settings.guidance if request.cfg_scale is None else request.cfg_scale,
            width=width,
            height=height,
            sampler=sampler,
            scheduler=scheduler,
        )
        for number in range(count)
    )


def _refuse_what_is_not_done(request: TextToImage) -> None:
    asked = request.model_extra or {}
    for name, harmless in _NOT_DONE.items():
        value = asked.get(name)
        if value is not None and value not in harmless:
            raise Undoable(f"this server does not do {name}", hint="Leave it out, or use a full AUTOMATIC1111.")
    if request.subseed_strength:
        raise Undoable("this server does not do subseed_strength", hint="Leave it out.")


def checkpoint_wanted(changes: Mapping[str, Any]) -> str | None:
    """The checkpoint that options name. Raises Undoable for any other option: none can be changed."""
    for name, value in changes.items():
        if name == "sd_model_checkpoint" or (name, value) == ("samples_format", "png"):
            continue
        raise Undoable(f"the option {name!r} cannot be set here", hint="See the server's IMAGES_* settings.")
    wanted = changes.get("sd_model_checkpoint")
    return None if wanted is None else str(wanted)


def refuse_another(wanted: str | None, facts: ModelFacts | None, settings: ImageSettings) -> None:
    """Raises Unknown where a checkpoint is named that is not the one this server has."""
    here = {settings.model} | ({facts.name, facts.title, facts.sha256, facts.sha256[:10]} if facts else set())
    if wanted and wanted not in here:
        raise Unknown(f"the checkpoint {wanted!r} is not here", hint=f"This server has {settings.model} alone.")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture, checked."""

    order: Order
    png: bytes
    infotext: str
    notes: tuple[str, ...]


def answer(request: TextToImage, done: Sequence[Drawn], facts: ModelFacts, version: str) -> dict[str, Any]:
    """The answer's JSON; `info` is JSON in a string, as AUTOMATIC1111 has it."""
    first = done[0].order
    info = {
        "prompt": first.prompt,
        "all_prompts": [each.order.prompt for each in done],
        "negative_prompt": first.negative,
        "all_negative_prompts": [each.order.negative for each in done],
        "seed": first.seed,
        "all_seeds": [each.order.seed for each in done],
        "subseed": -1,
        "subseed_strength": 0,
        "width": first.width,
        "height": first.height,
        "sampler_name": first.sampler,
        "cfg_scale": first.guidance,
        "steps": first.steps,
        "batch_size": 1,
        "sd_model_name": facts.name,
        "sd_model_hash": facts.sha256[:10],
        "extra_generation_params": {"Schedule type": first.scheduler, "Device": facts.device, "Precision": facts.dtype},
        "index_of_first_image": 0,
        "infotexts": [each.infotext for each in done],
        "comments": sorted({note for each in done for note in each.notes}),
        "version": version,
    }
    images = [base64.b64encode(each.png).decode("ascii") for each in done]
    return {
        "images": images if request.send_images is not False else [],
        "parameters": request.model_dump(),
        "info": json.dumps(info, ensure_ascii=False),
    }
