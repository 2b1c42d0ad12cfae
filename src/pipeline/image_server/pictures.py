"""Which pixels may be sent as a picture, and how they are written down."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.image_server.faults import UnusablePicture
from pipeline.image_server.painter import Order, Pixels

# Of 255 levels. Half-precision overflow gives not-a-number, which most programs write down as black; a model that was
# loaded wrongly gives one colour all over. The plainest real picture (mist, night sky) is well above.
_LEAST_SPREAD = 2.0


def check(pixels: Pixels, order: Order) -> None:
    """Raises UnusablePicture for what a person would not call a picture, or one of another size."""
    if pixels.shape != (order.height, order.width, 3):
        raise UnusablePicture(
            f"the model drew {pixels.shape[1]}×{pixels.shape[0]} where {order.width}×{order.height} was asked for",
            hint="Ask for a size that is a multiple of 64.",
        )
    if not np.isfinite(pixels).all():
        raise UnusablePicture(
            "the picture is not a number (NaN)",
            hint="Half precision overflowed: set IMAGES_DTYPE=float32, or take a model made for float16.",
        )
    if float(pixels.std(axis=(0, 1)).max()) * 255 < _LEAST_SPREAD:
        shade = "black" if float(pixels.mean()) * 255 < _LEAST_SPREAD else "one colour all over"
        raise UnusablePicture(f"the picture is {shade}", hint="Try another seed; if it stays so, see the model.")


def png(pixels: Pixels, parameters: str) -> bytes:
    """A PNG with AUTOMATIC1111's `parameters` text inside. The same pixels and text give the same bytes."""
    picture = Image.fromarray(np.rint(np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8), "RGB")
    said = PngInfo()
    # Latin-1 goes in tEXt, everything else in iTXt: readers of AUTOMATIC1111's pictures know both.
    said.add_text("parameters", parameters)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=said)
    return file.getvalue()


def infotext(order: Order, *, model: str, sha256: str, version: str) -> str:
    """What a picture was made with, in AUTOMATIC1111's three lines, which its tools and others read back."""
    facts = {
        "Steps": order.steps,
        "Sampler": order.sampler,
        "Schedule type": order.scheduler,
        "CFG scale": f"{order.guidance:g}",
        "Seed": order.seed,
        "Size": f"{order.width}x{order.height}",
        "Model hash": sha256[:10],
        "Model": model,
        "Version": version,
    }
    lines = [order.prompt]
    if order.negative:
        lines.append(f"Negative prompt: {order.negative}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n".join(lines)
