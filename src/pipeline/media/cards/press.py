"""A card printed: artwork, then plates, rules and letters, as the bytes of a PNG.

The artwork is held down where letters stand, softly around them and surely under them: to the tones on which every ink
of the palette has the contrast it must have.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pipeline.media.cards import artwork, palette
from pipeline.media.cards.card import Card
from pipeline.media.cards.composing import Colour, Composition, compose
from pipeline.media.cards.dice import Dice
from pipeline.media.cards.font_file import FontFile
from pipeline.media.cards.layouts import LAYOUTS, LETTERS_LOW, Layout, shape_of
from pipeline.media.cards.lettering import Typecase
from pipeline.media.cards.palette import Palette, Rgb, Scheme
from pipeline.media.cards.wording import wording
from pipeline.media.colour import hue_of

# How far the artwork steps back before letters, in shares of the shorter side.
_CLEARANCE = 0.045
# Masks of what is soft need no detail.
_COARSE = 8
# Of zlib-ng: 6 makes a file a tenth smaller and takes half as long again.
_COMPRESSION = 3


@dataclass(frozen=True, slots=True)
class Printed:
    png: bytes
    layout: str
    artwork: str
    left_out: tuple[str, ...]
    """Pictographs that no card can show."""
    cut: tuple[str, ...]
    """Texts that were too long for the card, and end with an ellipsis."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A card before it is printed: what tests look at."""

    card: Card
    palette: Palette
    layout: str
    artwork: str
    composition: Composition
    backdrop: Image.Image
    """All but the letters."""

    def ink(self, colour: Colour) -> Rgb:
        return {Colour.INK: self.palette.ink, Colour.SOFT: self.palette.soft, Colour.ACCENT: self.palette.accent}[
            colour
        ]

    def picture(self) -> Image.Image:
        image = self.backdrop.copy()
        for line in self.composition.lines:
            image.paste(self.ink(line.colour), line.box, line.ink.mask)
        return image


def printed(
    card: Card, *, fonts: Sequence[FontFile] = (), scheme: Scheme | None = None, lettered: bool = True
) -> Printed:
    """The card as a PNG; the same bytes for the same card with the same fonts and libraries.

    `fonts` are asked for letters that the bundled ones do not have. Raises NoLetters for a letter that none has; not
    `lettered` is the artwork alone.
    """
    made = proof(card, fonts=fonts, scheme=scheme, lettered=lettered)
    return Printed(
        png_of(made.picture()),
        made.layout,
        made.artwork,
        wording(card.words).left_out,
        made.composition.cut,
    )


def proof(card: Card, *, fonts: Sequence[FontFile] = (), scheme: Scheme | None = None, lettered: bool = True) -> Proof:
    """As `printed`, with everything that led to it."""
    colours = palette.palette_of(card.title, hue_of(card.title), scheme)
    kind = Dice(card.title, "artwork").choice("kind", tuple(artwork.KINDS))
    shape = shape_of(card.width, card.height)
    fitting = [
        name
        for name in LAYOUTS
        if (kind not in artwork.MASSIVE or name not in LETTERS_LOW[shape])
        and (lettered or LAYOUTS[name][shape].plate is None)  # a plate is there for letters
    ]
    name = Dice(card.seed, card.kind, "layout").choice("layout", fitting)
    layout = LAYOUTS[name][shape]
    composition = compose(card, layout, Typecase(card.language, fonts)) if lettered else Composition((), (), ())
    unit = min(card.width, card.height)
    canvas = artwork.Canvas(
        card.width,
        card.height,
        layout.focus,
        colours.scheme.dark,
        # Behind a plate nothing needs to make way.
        () if layout.plate else tuple(tuple(edge / unit for edge in line.box) for line in composition.lines),  # type: ignore[misc]
        colours.quiet,
    )
    field = artwork.KINDS[kind](canvas, Dice(card.title, card.seed, "artwork"))
    field = _stepped_back(field, layout, composition, colours.quiet, fading=kind not in artwork.MASSIVE)
    levels = (field * np.float32(palette.STEPS - 1) + np.float32(0.5)).astype(np.int16)
    backdrop = Image.fromarray(np.take(np.array(colours.ramp, np.uint8), levels, axis=0, mode="clip"))
    made = Proof(card, colours, name, kind, composition, backdrop)
    pen = ImageDraw.Draw(backdrop)
    for bar in composition.bars:
        left, top, right, bottom = (round(edge) for edge in bar.box)
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=made.ink(bar.colour))
    return made


def png_of(image: Image.Image) -> bytes:
    """A picture as a PNG without times, names or profiles: nothing but its pixels."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def _stepped_back(
    field: artwork.Field, layout: Layout, composition: Composition, quiet: float, *, fading: bool
) -> artwork.Field:
    high, wide = field.shape
    if layout.plate is not None:
        left, top, right, bottom = layout.plate
        field[round(top * high) : round(bottom * high), round(left * wide) : round(right * wide)] = 0
    elif fading:
        field *= 1 - _near_letters(composition, wide, high) * np.float32(1 - quiet)
    for line in composition.lines:
        left, top, right, bottom = line.box
        under = field[max(0, top) : bottom, max(0, left) : right]
        np.minimum(under, np.float32(quiet), out=under)
    return field


def _near_letters(composition: Composition, wide: int, high: int) -> artwork.Field:
    """1 where letters stand, falling to 0 around them."""
    mask = Image.new("L", (-(-wide // _COARSE), -(-high // _COARSE)))
    pen = ImageDraw.Draw(mask)
    clear = _CLEARANCE * min(wide, high)
    for line in composition.lines:
        left, top, right, bottom = line.box
        box = (left - 1.6 * clear, top - clear, right + 1.6 * clear, bottom + clear)
        pen.rounded_rectangle([edge / _COARSE for edge in box], radius=clear / _COARSE, fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(clear / _COARSE * 0.9))
    large = soft.resize((wide, high), Image.Resampling.BILINEAR, box=(0, 0, wide / _COARSE, high / _COARSE))
    return np.asarray(large, np.float32) / np.float32(255)
