"""The command `pipeline-images`: the image server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from pipeline.engine_server import Program, answer, command
from pipeline.image_server import settings as image_settings
from pipeline.image_server.settings import ImageSettings

_PROGRAM = Program(
    "pipeline-images",
    "Draw pictures for whoever asks over HTTP.",
    extra="image-server",
    # PyTorch is installed apart, from the index of the hardware at hand.
    modules=("fastapi", "uvicorn", "torch", "diffusers", "transformers", "safetensors"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop. Exit status 0, 1 for a check that fails, 2 for unusable settings."""
    command(_PROGRAM, image_settings.load, serve, arguments)


def serve(settings: ImageSettings) -> None:
    """Until SIGTERM or SIGINT: then nothing more is taken in, what waits is sent away, and the picture being drawn
    has `grace_seconds` to be finished.
    """
    if not settings.fetch:
        # Read by huggingface_hub as it is imported: no look-up, no telemetry, no waiting for a network.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Said while they are imported, about what this program does not use, and in no form that a log can read.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

    from pipeline.image_server.app import create_app
    from pipeline.image_server.diffusion import load
    from pipeline.image_server.easel import Easel

    easel = Easel(
        partial(load, settings),
        max_waiting=settings.max_waiting,
        idle_unload_seconds=settings.idle_unload_seconds,
    )
    answer(create_app(easel, settings), settings, close=easel.close, model=settings.model)


if __name__ == "__main__":
    main()
