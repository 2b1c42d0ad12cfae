"""A cover small enough to travel inside a sound file."""

from __future__ import annotations

import io

# What players show is smaller; a JPEG of this size has some 40 kB, where the cover itself has up to 400.
PIXELS = 600
_QUALITY = 85


def jpeg(picture: bytes) -> bytes:
    """The picture as a JPEG of at most 600 pixels a side. Raises OSError for what is no picture."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        image.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        # Colours in full: type on flat colour is what blurred ones spoil first.
        image.convert("RGB").save(file, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return file.getvalue()
