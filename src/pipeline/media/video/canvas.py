"""A picture as the planes that frames are cut from: once for a stretch, so that a frame costs little.

The planes are luma and the two chromas at half the size, in BT.709's limited range, a little larger than a frame, with
a margin around them, so that no edge of a view ever lies outside. A picture of another shape is cut to the frame's
where that loses little; else it stands whole before itself, enlarged, blurred and darkened, because a card has text up
to its margins.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.media.video import camera

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Plane = NDArray[np.uint8]

# Pixels around the picture, repeated from its edge: what filters reach beyond a view.
_MARGIN = 4

# How much of a picture's width or height may be cut off to make it fit the frame.
_MOST_CUT = 0.12

_BACKDROP_LIGHT = 0.45
_BACKDROP_BLUR = 24

# Rec. ITU-R BT.709-6, items 3.2 to 3.5: how much red and blue make luma, and how it is quantised in 8 bits.
_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_LUMA_RANGE, _LUMA_BLACK = 219, 16
_CHROMA_RANGE, _CHROMA_ZERO = 224, 128


@dataclass(frozen=True)
class Canvas:
    """A picture ready to be looked at through a view."""

    width: int
    """Of a frame, in pixels; even, as is the height."""
    height: int
    planes: tuple[Image, Image, Image]
    inner: tuple[float, float]
    """The picture's width and height in pixels of luma, without the margin."""

    def seen(self, view: camera.View) -> NDArray[np.uint8]:
        """A frame: luma and both chromas one after another, as yuv420p has them."""
        import numpy as np
        from PIL import Image

        wide, high = self.inner
        left, top = view.left * wide + _MARGIN, view.top * high + _MARGIN
        right, bottom = view.right * wide + _MARGIN, view.bottom * high + _MARGIN
        # H.264's chroma stands at the left of its two pixels, half a pixel of luma from where it was averaged.
        shift = (right - left) / self.width / 4
        chroma = (left / 2 - shift, top / 2, right / 2 - shift, bottom / 2)
        half = (self.width // 2, self.height // 2)
        luma, blue, red = self.planes
        return np.concatenate(
            [
                np.asarray(
                    luma.resize((self.width, self.height), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
                ).ravel(),
                *(
                    np.asarray(plane.resize(half, Image.Resampling.BILINEAR, box=chroma)).ravel()
                    for plane in (blue, red)
                ),
            ]
        )


def canvas(png: bytes, width: int, height: int, *, moving: bool) -> Canvas:
    """The canvas for frames of `width` × `height`, both even.

    Raises OSError (Pillow's, also UnidentifiedImageError) for what is no picture.
    """
    import numpy as np
    from PIL import Image

    scale = camera.NEAR if moving else 1.0
    wide, high = (_even(size * scale) for size in (width, height))
    with Image.open(io.BytesIO(png)) as opened:
        picture = fitted(opened.convert("RGB"), wide, high)
    colours = np.pad(np.asarray(picture), ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
    planes = tuple(Image.fromarray(plane) for plane in planes_of(colours))
    return Canvas(width, height, planes, (float(wide), float(high)))  # type: ignore[arg-type]  # three planes


def fitted(picture: Image, width: int, height: int) -> Image:
    """The picture at a size of another shape: cut a little, or whole before a blurred backdrop of itself."""
    from PIL import Image, ImageEnhance, ImageFilter, ImageOps

    shape, wanted = picture.width / picture.height, width / height
    if min(shape, wanted) / max(shape, wanted) >= 1 - _MOST_CUT:
        return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    # The blur is made small and enlarged: it is the same to the eye, and a hundred times as quick.
    small = ImageOps.fit(picture, (max(2, width // 8), max(2, height // 8)), Image.Resampling.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(_BACKDROP_BLUR / 8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    backdrop = ImageEnhance.Brightness(blurred).enhance(_BACKDROP_LIGHT)
    whole = ImageOps.contain(picture, (width, height), Image.Resampling.LANCZOS)
    backdrop.paste(whole, ((width - whole.width) // 2, (height - whole.height) // 2))
    return backdrop


def planes_of(colours: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Luma, and both chromas at half the size, of red, green and blue; width and height are even."""
    import numpy as np

    red, green, blue = (colours[..., part].astype(np.float32) / np.float32(255) for part in range(3))
    luma = red * np.float32(_RED) + green * np.float32(_GREEN) + blue * np.float32(_BLUE)

    def quantised(values: NDArray[np.float32], span: int, zero: int) -> Plane:
        plane: Plane = np.rint(values * np.float32(span) + np.float32(zero)).astype(np.uint8)
        return plane

    def chroma(colour: NDArray[np.float32], weight: float) -> Plane:
        difference = (colour - luma) / np.float32(2 * (1 - weight))
        halved = (difference[0::2, 0::2] + difference[1::2, 0::2] + difference[0::2, 1::2] + difference[1::2, 1::2]) / 4
        return quantised(halved, _CHROMA_RANGE, _CHROMA_ZERO)

    return quantised(luma, _LUMA_RANGE, _LUMA_BLACK), chroma(blue, _BLUE), chroma(red, _RED)


def _even(pixels: float) -> int:
    return round(pixels / 2) * 2
