"""The seam between the HTTP server and whatever draws: an order goes in, pixels come out.

The server is whole, and is tested, without PyTorch: `diffusion` is one Painter, the tests have another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""Height by width by 3 (red, green, blue), each from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Order:
    """One picture, with nothing left to be decided."""

    prompt: str
    negative: str
    seed: int
    """0 to 2**32 - 1."""
    steps: int
    guidance: float
    """How strongly the prompt is followed; up to 1 the negative prompt is not looked at, and a step takes half."""
    width: int
    height: int
    sampler: str
    """A name from `samplers.SAMPLERS`."""
    scheduler: str
    """A name from `samplers.SCHEDULERS`."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Which model is loaded, and where."""

    name: str
    revision: str
    """The repository's commit; empty for a plain folder."""
    sha256: str
    """Over the names and contents of every file that was loaded."""
    folder: str
    kind: str
    """diffusers' name for it: StableDiffusionPipeline."""
    device: str
    """`cuda:0`, `cpu`."""
    dtype: str
    """`float16` on a GPU, `float32` on a CPU, unless set otherwise."""

    @property
    def title(self) -> str:
        """As AUTOMATIC1111 writes it: the name, and the first ten digits of the SHA-256."""
        return f"{self.name} [{self.sha256[:10]}]"


@dataclass(frozen=True, slots=True)
class Painted:
    pixels: Pixels
    notes: tuple[str, ...] = ()
    """What a person should know of it: a prompt that was cut at the model's length."""


class Painter(Protocol):
    """A loaded model. Used by one thread at a time."""

    @property
    def facts(self) -> ModelFacts: ...

    def paint(self, order: Order, on_step: Callable[[int], None]) -> Painted:
        """Draw one picture. `on_step` is called after each step with the number of steps done; what it raises ends
        the drawing at once and comes out.

        Raises OutOfMemoryError, UnusablePicture, Unknown.
        """
        ...

    def close(self) -> None:
        """Give the memory back. Nothing is drawn afterwards."""
        ...
