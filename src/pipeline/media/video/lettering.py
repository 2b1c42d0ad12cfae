"""Captions on the picture: rows in a soft dark box that reads over anything, the spoken word in another colour.

A caption is drawn once for each word that is lit in it, about three times a second; onto a frame goes only the box.
"""

from __future__ import annotations

import io
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.media.video.canvas import planes_of
from pipeline.media.video.spoken_lines import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

    Frame = NDArray[np.uint8]

# In shares of the height: 37 pixels of 720, as broadcasters have it; on a tall film, which is held in a hand, 61
# of 1920.
_SIZE, _TALL_SIZE = 0.052, 0.032
# Where the box ends: above a player's controls; on a tall film, above what the apps for such films lay over it.
_BOTTOM, _TALL_BOTTOM = 0.93, 0.74
# A row that is wider is set smaller.
_WIDEST = 0.88

_ROW_HEIGHT = 1.3
_PADDING = 0.45
_CORNER = 0.35
_BOX_OPACITY = 176
_WHITE, _LIT, _BOX = (255, 255, 255), (255, 209, 71), (10, 12, 16)

# Drawn captions that are kept: a caption comes back for each of its words, and never after that.
_KEPT = 24


@dataclass(frozen=True)
class _Drawn:
    """What goes onto the frame, and where: colours already weighed, and how much of the frame stays."""

    top: int
    left: int
    planes: tuple[NDArray[np.uint16], ...]
    stays: tuple[NDArray[np.uint16], ...]


class Lettering:
    """Captions for frames of one size."""

    def __init__(self, width: int, height: int, font: bytes | None) -> None:
        """`font` is a TrueType or OpenType font; None takes Pillow's own, which has Latin letters alone."""
        self._width = width
        self._height = height
        self._font_bytes = font
        self._tall = height > width
        self._drawn: OrderedDict[Line, _Drawn] = OrderedDict()

    def on(self, frame: Frame, line: Line) -> Frame:
        """A copy of the frame with the line on it."""
        import numpy as np

        drawn = self._drawn.get(line)
        if drawn is None:
            drawn = self._drawn[line] = self._draw(line)
            if len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        lettered = frame.copy()
        start = 0
        for number, (colours, stays) in enumerate(zip(drawn.planes, drawn.stays, strict=True)):
            halved = 1 if number == 0 else 2
            wide, high = self._width // halved, self._height // halved
            plane = lettered[start : start + wide * high].reshape(high, wide)
            start += wide * high
            top, left = drawn.top // halved, drawn.left // halved
            part = plane[top : top + colours.shape[0], left : left + colours.shape[1]]
            part[...] = ((part * stays + colours) >> np.uint16(8)).astype(np.uint8)
        return lettered

    def _font(self, pixels: float) -> FreeTypeFont:
        from PIL import ImageFont

        if self._font_bytes is not None:
            return ImageFont.truetype(io.BytesIO(self._font_bytes), pixels)
        found = ImageFont.load_default(pixels)
        assert isinstance(found, ImageFont.FreeTypeFont)  # noqa: S101  # narrows the type: it is one where a size is given
        return found

    @cached_property
    def _pixels(self) -> float:
        """The font's size; small frames keep the letters legible, whatever is left of the picture."""
        return max(10.0, self._height * (_TALL_SIZE if self._tall else _SIZE))

    def _draw(self, line: Line) -> _Drawn:
        from PIL import Image, ImageDraw

        font = self._font(self._pixels)
        widest = max(font.getlength(row) for row in line.rows)
        room = self._width * _WIDEST
        pixels = self._pixels * min(1.0, room / widest) if widest else self._pixels
        if pixels < self._pixels:
            font = self._font(pixels)
            widest = max(font.getlength(row) for row in line.rows)
        padding, step = pixels * _PADDING, pixels * _ROW_HEIGHT
        wide = min(self._width, _even(widest + 2 * padding + pixels * 0.4))
        high = min(self._height, _even(step * len(line.rows) + 2 * padding))
        left = _even((self._width - wide) / 2 - 1)
        top = max(0, _even(self._height * (_TALL_BOTTOM if self._tall else _BOTTOM) - high - 1))

        box = Image.new("L", (wide, high))
        ImageDraw.Draw(box).rounded_rectangle((0, 0, wide - 1, high - 1), radius=pixels * _CORNER, fill=_BOX_OPACITY)
        letters = Image.new("L", (wide, high))
        colours = Image.new("RGB", (wide, high), _WHITE)
        ascent, descent = font.getmetrics()
        for number, row in enumerate(line.rows):
            across = font.getlength(row)
            start = (wide - across) / 2
            baseline = padding + step * number + (step - ascent - descent) / 2 + ascent
            ImageDraw.Draw(letters).text((start, baseline), row, font=font, fill=255, anchor="ls")
            for lit_row, first, end in line.lit:
                if lit_row == number:
                    edges = _edges(font, row, first, end, across)
                    area = (start + edges[0], step * number, start + edges[1], padding + step * (number + 1))
                    ImageDraw.Draw(colours).rectangle(area, fill=_LIT)
        return _weighed(top, left, box, letters, colours)


def _edges(font: FreeTypeFont, row: str, first: int, end: int, across: float) -> tuple[float, float]:
    """Where some characters of a row begin and end, in pixels from its left."""
    before, up_to = font.getlength(row[:first]), font.getlength(row[:end])
    if any(unicodedata.bidirectional(one) in {"R", "AL"} for one in row):
        return across - up_to, across - before
    # Between words there is a blank, and accents and slanted strokes reach into it.
    overhang = font.size * 0.06
    return before - overhang, up_to + overhang


def _weighed(top: int, left: int, box: Image, letters: Image, colours: Image) -> _Drawn:
    import numpy as np

    inked = np.asarray(letters, np.float32)[..., np.newaxis] / 255
    mixed = np.asarray(colours, np.float32) * inked + np.array(_BOX, np.float32) * (1 - inked)
    planes = planes_of(np.rint(mixed).astype(np.uint8))
    opacity = np.maximum(np.asarray(box, np.uint16), np.asarray(letters, np.uint16))
    opacity += opacity >> np.uint16(7)  # 255 becomes 256: what is opaque hides all
    halved = (opacity[0::2, 0::2] + opacity[1::2, 0::2] + opacity[0::2, 1::2] + opacity[1::2, 1::2]) >> np.uint16(2)
    shares = (opacity, halved, halved)
    # Half of the last bit, so that the division by 256 rounds.
    weighed = tuple(
        plane.astype(np.uint16) * share + np.uint16(127) for plane, share in zip(planes, shares, strict=True)
    )
    return _Drawn(top, left, weighed, tuple(np.uint16(256) - share for share in shares))


def _even(pixels: float) -> int:
    return int(pixels) // 2 * 2 + (2 if pixels > int(pixels) // 2 * 2 else 0)
