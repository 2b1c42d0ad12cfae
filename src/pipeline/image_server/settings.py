"""Every setting of the image server: environment variables `IMAGES_*`, all faults in one report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.environment import FromEnvironment, read

PREFIX = "IMAGES_"


class ImageSettings(FromEnvironment):
    """Frozen. Made by `load`."""

    host: str = Field(
        default="127.0.0.1", description="The address to listen on; 0.0.0.0 in a container.", min_length=1
    )
    port: int = Field(default=7860, description="The port to listen on.", ge=0, le=65_535)
    model: str = Field(
        default="stabilityai/sd-turbo",
        description="The model: a folder in diffusers' layout (absolute, or inside the models folder), or a repository"
        " of the Hugging Face Hub.",
        min_length=1,
    )
    revision: str = Field(
        default="",
        description="The repository's commit or tag; empty for the newest one that is here. A folder has none.",
    )
    models_dir: Path | None = Field(
        default=None, description="Where models lie, and the Hub's cache. Empty: the Hub's own place (HF_HOME)."
    )
    fetch: bool = Field(default=False, description="Whether a model that is not here is fetched from the Hub at start.")
    device: str = Field(
        default="auto",
        description="auto (a GPU where there is one), cpu, cuda, cuda:1.",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="auto", description="The precision: auto is float16 on a GPU and float32 on a CPU."
    )
    threads: int = Field(default=0, description="How many processor cores to use; 0 is all.", ge=0, le=1024)
    steps: int = Field(
        default=4, description="The steps of a request that names none; sd-turbo is made for 1 to 4.", ge=1
    )
    guidance: float = Field(
        default=0.0, description="The cfg_scale of a request that names none; distilled models want 0.", ge=0, le=50
    )
    max_steps: int = Field(default=150, description="The most steps of one picture.", ge=1, le=1000)
    max_pixels: int = Field(default=2_097_152, description="The most pixels of one picture: width × height.", ge=4096)
    max_pictures: int = Field(default=4, description="The most pictures of one request.", ge=1, le=64)
    max_waiting: int = Field(
        default=8, description="How many requests wait while one is drawn; more get 503.", ge=0, le=1000
    )
    idle_unload_seconds: float = Field(
        default=0.0, description="After how long without work the model's memory is given back; 0 is never.", ge=0
    )
    grace_seconds: float = Field(
        default=25.0, description="How long a picture may still take when the server is told to stop.", ge=0, le=3600
    )
    log_format: Literal["text", "json"] = Field(default="json", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )

    @model_validator(mode="after")
    def _steps_within_the_most(self) -> Self:
        if self.steps > self.max_steps:
            raise ValueError(f"{PREFIX}STEPS: {self.steps} is more than {PREFIX}MAX_STEPS ({self.max_steps})")
        return self


def load(environment: Mapping[str, str] = os.environ) -> ImageSettings:
    """The settings; an empty variable is one that is not set. Raises SettingsError with every fault."""
    return read(ImageSettings, PREFIX, environment)
