"""What is seen in a picture that a server sent: it is judged by its pixels, and its pixels are all that is kept."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from pipeline.errors import EngineNonsense, EngineRefused

if TYPE_CHECKING:
    from PIL import Image

# Of 255 levels. Not-a-number is written down as black by most servers; the plainest real picture is well above.
_LEAST_SPREAD = 2.0
# The spread is that of so many fields each way: a speck on black spreads the levels of the pixels, not of the picture.
_FIELDS = 32
# Of zlib-ng, as for cards: 6 makes a file a tenth smaller and takes half as long again.
_COMPRESSION = 3
_PNG = b"\x89PNG\r\n\x1a\n"


def check_pixels(png: bytes, width: int, height: int, *, where: str) -> Image.Image:
    """What is to be seen, in RGB. Raises EngineNonsense for what is no PNG of that size, in colour and opaque, with
    something to see on it, and EngineRefused for a picture in another format, which it will stay.
    """
    from PIL import Image

    if not png.startswith(_PNG):
        kind = _other_format(png)
        if kind:
            raise EngineRefused(
                f"it sends pictures as {kind}", where=where, hint="Set the format of its saved pictures to png."
            )
        raise EngineNonsense("its picture is no PNG", where=where, hint="See the server's log.")
    # Looked at before it is unpacked: a few kilobytes can claim to be gigabytes.
    drawn = struct.unpack(">II", png[16:24]) if len(png) >= 24 else (0, 0)
    _check_size(drawn, (width, height), where)
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            # A second header says something else than the first one, and it is the one that counts.
            _check_size(picture.size, (width, height), where)
            _check_mode(picture, where)
            seen = picture.convert("RGB")
    # What Pillow raises for a broken PNG depends on where it is broken.
    except (
        OSError,
        SyntaxError,
        ValueError,
        IndexError,
        EOFError,
        zlib.error,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise EngineNonsense(
            f"its picture is broken or cut off ({error})", where=where, hint="See the server's log."
        ) from error
    spread, light = _spread_and_light(seen)
    if spread < _LEAST_SPREAD:
        shade = "black" if light < _LEAST_SPREAD else "one colour all over"
        raise EngineNonsense(
            f"it drew a picture that is {shade}",
            where=where,
            hint="Its model may need full precision (--no-half), or its safety filter may withhold the picture.",
        )
    return seen


def plain_png(picture: Image.Image) -> bytes:
    """The pixels and nothing else: every program reads the same in them, and nobody's notes are published."""
    # Pillow writes what it read: profiles, transparency.
    picture.info.clear()
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def _check_size(drawn: tuple[int, int], asked: tuple[int, int], where: str) -> None:
    if drawn != asked:
        raise EngineNonsense(
            f"it drew {drawn[0]}×{drawn[1]} pixels where {asked[0]}×{asked[1]} were asked for",
            where=where,
            hint="See that nothing there scales pictures or puts them on a grid.",
        )


def _check_mode(picture: Image.Image, where: str) -> None:
    """Grey of 16 bits would be cut to white by what reads it next, and what lies under transparency is no picture."""
    if picture.mode not in ("RGB", "RGBA"):
        raise EngineNonsense(
            f"its picture is not in colour, of 8 bits a channel ({picture.mode})",
            where=where,
            hint="See that nothing there changes pictures before they are sent.",
        )
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
        raise EngineNonsense(
            "its picture can be seen through", where=where, hint="Switch off what takes backgrounds away there."
        )


def _spread_and_light(picture: Image.Image) -> tuple[float, float]:
    from PIL import Image, ImageStat

    fields = min(picture.width, _FIELDS), min(picture.height, _FIELDS)
    levels = ImageStat.Stat(picture.resize(fields, Image.Resampling.BOX))
    return max(levels.stddev), max(levels.mean)


def _other_format(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return ""
