"""A cover that travels in a sound file: small, a JPEG, and the same for the same picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipeline.media import thumbnail


def png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "expected"), [((1500, 1500), (600, 600)), ((1200, 600), (600, 300)), ((90, 90), (90, 90))]
)
def test_a_large_cover_is_made_smaller_and_a_small_one_is_left(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = Image.open(io.BytesIO(thumbnail.jpeg(png(size))))
    assert (made.format, made.mode, made.size) == ("JPEG", "RGB", expected)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1"])
def test_every_kind_of_picture_becomes_one(mode: str) -> None:
    made = thumbnail.jpeg(png((700, 700), mode))
    assert Image.open(io.BytesIO(made)).mode == "RGB"
    assert made == thumbnail.jpeg(png((700, 700), mode))


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        thumbnail.jpeg(b"no picture")
