"""What is drawn behind the letters: fields worked out from a few numbers, never a picture of something.

Each kind gives every pixel a tone from 0 (the ground) to 1 (the strongest). Tones become colours in one place, so a
kind knows no colour; and what stands under letters is held down to the tones on which they can be read.

Lengths are in shares of the canvas's shorter side, so a card looks the same at every size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.media.cards.dice import Dice

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Canvas:
    """The place to draw on, and where the weight of the artwork is wanted."""

    width: int
    height: int
    focus: tuple[float, float]
    """In shares of width and height."""
    dark: bool = True
    """Whether strong tones are light ones."""
    letters: tuple[tuple[float, float, float, float], ...] = ()
    """Boxes to keep clear of, in units: left, top, right, bottom."""
    quiet: float = 1.0
    """The strongest tone that may lie under letters."""
    band: tuple[int, int] | None = None
    """The first row to draw and the one after the last; None for all of them."""

    @property
    def unit(self) -> float:
        """The shorter side, in pixels."""
        return float(min(self.width, self.height))

    @property
    def pixel(self) -> float:
        return 1.0 / self.unit

    @property
    def centre(self) -> tuple[float, float]:
        """The focus in units."""
        return self.focus[0] * self.width / self.unit, self.focus[1] * self.height / self.unit

    @property
    def diagonal(self) -> float:
        return math.hypot(self.width, self.height) / self.unit

    @property
    def letters_end(self) -> float:
        """Below this no letter stands, in units."""
        return max((bottom for _, _, _, bottom in self.letters), default=0.0)

    def open_place(self, wanted: float) -> tuple[float, float, float]:
        """Where a round thing has room between the letters and the focus, and its radius, at most `wanted`. Units."""
        wide, high = self.width / self.unit, self.height / self.unit
        x, y = self.centre
        best = (0.0, x, y)
        for step in range(9):
            # Outwards, to the edges that the focus is nearest to, and beyond them.
            share = step / 8
            place_x = x + share * ((wide if self.focus[0] > 0.52 else 0.0 if self.focus[0] < 0.48 else x) - x)
            place_y = y + share * ((high if self.focus[1] > 0.5 else 0.0) - y)
            clear = min((_distance(place_x, place_y, box) for box in self.letters), default=wanted) - 0.05
            if clear > best[0] + 0.02:
                best = (clear, place_x, place_y)
            if best[0] >= wanted:
                break
        return best[1], best[2], min(wanted, best[0])

    def axes(self) -> tuple[Field, Field]:
        """The middle of each column and of each row to draw, in units; they broadcast to the canvas, or to its band."""
        across = (np.arange(self.width, dtype=np.float32) + 0.5) / np.float32(self.unit)
        down = (np.arange(*(self.band or (0, self.height)), dtype=np.float32) + 0.5) / np.float32(self.unit)
        return across[np.newaxis, :], down[:, np.newaxis]

    def smooth(self, make: Callable[[Field, Field], Field], every: int = 16) -> Field:
        """A field without detail, worked out at every so many pixels and filled in between."""
        step = max(1, round(every * self.unit / 720))
        wide, high = self.width // step + 2, self.height // step + 2
        across = ((np.arange(wide, dtype=np.float32) + 0.5) * step / np.float32(self.unit))[np.newaxis, :]
        down = ((np.arange(high, dtype=np.float32) + 0.5) * step / np.float32(self.unit))[:, np.newaxis]
        small = np.ascontiguousarray(np.broadcast_to(make(across, down), (high, wide)), np.float32)
        box = (0, 0, self.width / step, self.height / step)
        return np.asarray(Image.fromarray(small).resize((self.width, self.height), Image.Resampling.BICUBIC, box=box))


Kind = Callable[[Canvas, Dice], Field]

# Of a band: a megabyte for each of the fields on the way, which then stay in the processor's cache. For a whole cover
# of 3,000 pixels they would be 36 MB each, and there are a dozen.
_BAND_PIXELS = 1 << 18


def _in_bands(kind: Kind) -> Kind:
    """The same field, some rows at a time: for kinds whose pixels know nothing of one another."""

    @wraps(kind)
    def drawn(canvas: Canvas, dice: Dice) -> Field:
        field = np.empty((canvas.height, canvas.width), np.float32)
        rows = max(1, _BAND_PIXELS // canvas.width)
        for first in range(0, canvas.height, rows):
            band = first, min(first + rows, canvas.height)
            field[slice(*band)] = kind(replace(canvas, band=band), dice)
        return field

    return drawn


def contours(canvas: Canvas, dice: Dice) -> Field:
    """The lines of equal height of a hilly land, as on a map."""
    centre = canvas.centre
    waves = [
        (
            dice.roll(f"angle {n}", 0, math.tau),
            dice.roll(f"length {n}", 0.55, 1.5),
            dice.roll(f"phase {n}", 0, math.tau),
        )
        for n in range(5)
    ]

    def height(across: Field, down: Field) -> Field:
        land = np.exp(-((across - centre[0]) ** 2 + (down - centre[1]) ** 2) / np.float32(0.55))
        for angle, length, phase in waves:
            along = across * np.float32(math.cos(angle)) + down * np.float32(math.sin(angle))
            land = land + np.float32(0.19) * np.sin(along * np.float32(math.tau / length) + np.float32(phase))
        return np.asarray(land * np.float32(8.5), np.float32)

    land = canvas.smooth(height)
    slope = _slope(canvas, height)
    nearest = np.rint(land)
    away = np.abs(land - nearest) / np.maximum(slope, np.float32(1e-3))
    # Every fourth line is heavier, as on a map.
    heavy = np.mod(nearest, 4) == 0
    half = np.where(heavy, np.float32(0.0024), np.float32(0.00115)).astype(np.float32)
    lines = _inside(half - away, canvas.pixel)
    low, high = land.min(), land.max()
    rise = np.clip((nearest - low) / (high - low), 0, 1)
    body = rise * np.float32(0.10)
    strength = np.float32(0.20) + np.float32(0.62) * rise * rise
    return np.asarray(body + lines * (strength - body), np.float32)


def rings(canvas: Canvas, dice: Dice) -> Field:
    """Rings of colour about one point, each of its own breadth, quiet from where the letters begin."""
    across, down = canvas.axes()
    x, y, room = canvas.open_place(canvas.diagonal)
    reach = np.sqrt((across - np.float32(x)) ** 2 + (down - np.float32(y)) ** 2)
    edges, tones = [min(dice.roll("first", 0.12, 0.20), max(0.03, room * 0.5))], [0.86 if room > 0.03 else canvas.quiet]
    number = 0
    while edges[-1] < canvas.diagonal * 1.5:
        breadth = dice.roll(f"breadth {number}", 0.05, 0.13) * (1 + 0.35 * number)
        edge = edges[-1] + breadth
        strong = math.exp(-1.15 * edges[-1]) * (0.95 if number % 2 == 0 else 0.45)
        if edge > room:
            strong = min(strong, canvas.quiet * (0.95 if number % 2 == 0 else 0.35))
        tones.append(strong * dice.roll(f"tone {number}", 0.82, 1.0))
        # The last loud ring ends where it must, and no sliver of another follows.
        edges.append(room if edge > room > edges[-1] + 0.02 else edge)
        if edges[-1] == room:
            tones[-1] = math.exp(-1.15 * room) * (0.95 if number % 2 == 0 else 0.45)
        number += 1
    return _steps(reach, edges, tones, canvas.pixel)


def hills(canvas: Canvas, dice: Dice) -> Field:
    """Ranges of hills below an open sky: by night the far ones are lit, by day they pale."""
    across, down = canvas.axes()
    ranges = 6
    horizon = canvas.height / canvas.unit
    tall = canvas.height > canvas.width * 1.2
    # The highest crest is some 0.17 above its range's middle.
    top = min(max(horizon * (0.58 if tall else 0.46), canvas.letters_end + 0.15), horizon * 0.94)
    field = np.zeros((canvas.height, canvas.width), np.float32)
    glow = np.clip((down - np.float32(top * 0.25)) / np.float32(top * 1.1), 0, 1)
    field += glow * glow * np.float32(min(0.20, canvas.quiet))
    for number in range(ranges):
        depth = number / (ranges - 1)
        crest = np.full_like(across, top + (horizon - top) * (0.06 + 0.80 * depth**1.15))
        for wave in range(4):
            length = (1.7 - 0.9 * depth) / (wave + 0.75)
            height = (0.075 - 0.02 * depth) / (wave + 1) ** 1.1
            phase = np.float32(dice.roll(f"phase {number} {wave}", 0, math.tau))
            crest = crest + np.float32(height) * np.sin(across * np.float32(math.tau / length) + phase)
        first = max(0, int(crest.min() * canvas.unit) - 1)
        below = _inside(down[first:] - crest, canvas.pixel)
        tone = np.float32(0.82 - 0.70 * depth**0.85 if canvas.dark else 0.16 + 0.66 * depth**1.2)
        part = field[first:]
        part += (tone - part) * below
    return field


@_in_bands
def engraving(canvas: Canvas, dice: Dice) -> Field:
    """A ball lit from one side, in lines that swell where the light falls, as an engraver would cut it."""
    angle = dice.choice("angle", (-35.0, 35.0, 90.0, 0.0))
    radius = dice.roll("radius", 0.40, 0.52)
    turn = math.radians(angle)
    x, y, room = canvas.open_place(radius + 0.03)
    radius = max(0.16, min(radius, room))
    across, down = canvas.axes()
    right, below = (across - np.float32(x)) / np.float32(radius), (down - np.float32(y)) / np.float32(radius)
    out2 = right * right + below * below
    depth = np.sqrt(np.clip(1 - out2, 0, None))
    light = math.radians(dice.roll("light", 200, 250))
    shade = np.clip(
        0.16
        + 0.92
        * (right * np.float32(math.cos(light)) * 0.62 + below * np.float32(math.sin(light)) * 0.62 + depth * 0.62),
        0.05,
        1,
    )
    bulge = right * np.float32(math.sin(turn)) * 0.5 + below * np.float32(math.cos(turn))
    along = across * np.float32(math.sin(turn)) + down * np.float32(math.cos(turn))
    gap = np.float32(0.0185)
    ball = out2 < 1
    # On the ball the lines bow over its face.
    bowed = np.where(ball, along + np.float32(0.10 * radius) * depth * np.sign(bulge) * np.abs(bulge), along)
    away = np.abs(np.mod(bowed / gap, 1) - np.float32(0.5)) * gap
    half = np.where(ball, shade * gap * np.float32(0.46), gap * np.float32(0.045))
    lines = _inside(half - away, canvas.pixel)
    strength = np.where(ball, np.float32(0.36) + np.float32(0.50) * shade, np.float32(0.20))
    return np.asarray(lines * strength, np.float32)


@_in_bands
def halftone(canvas: Canvas, dice: Dice) -> Field:
    """Dots on a turned grid, larger towards one side, as a press prints a fading tone."""
    angle = math.radians(dice.choice("angle", (15.0, 30.0, 45.0, 75.0)))
    cell = dice.roll("cell", 0.030, 0.040)
    across, down = canvas.axes()
    x, y = canvas.centre
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    u, v = (across * cos + down * sin) / np.float32(cell), (down * cos - across * sin) / np.float32(cell)
    column, row = np.rint(u), np.rint(v)
    # The tone is asked for in the middle of each dot, so that dots are round.
    dot_x = (column * cos - row * sin) * np.float32(cell) - np.float32(x)
    dot_y = (column * sin + row * cos) * np.float32(cell) - np.float32(y)
    out = np.sqrt(dot_x * dot_x + dot_y * dot_y)
    wave = np.float32(0.5) + np.float32(0.5) * np.cos(out * np.float32(math.tau / dice.roll("wave", 0.55, 0.8)))
    fade = np.clip(1 - out / np.float32(1.15), 0, 1)
    size = fade * (np.float32(0.35) + np.float32(0.65) * wave)
    away = np.sqrt((u - column) ** 2 + (v - row) ** 2)
    dots = _inside(np.float32(0.47) * np.sqrt(size) - away, canvas.pixel / cell)
    return np.asarray(dots * (np.float32(0.16) + np.float32(0.66) * fade * fade) * (size > 0.006), np.float32)


@_in_bands
def tiles(canvas: Canvas, dice: Dice) -> Field:
    """Quarter circles in a grid of squares, each turned its own way."""
    across_tiles = 6 if canvas.width == canvas.height else 5
    cell = canvas.unit / across_tiles
    across, down = canvas.axes()
    u, v = across * np.float32(across_tiles), down * np.float32(across_tiles)
    columns, rows = math.ceil(canvas.width / cell), math.ceil(canvas.height / cell)
    column = np.minimum(u.astype(np.int32), columns - 1)
    row = np.minimum(v.astype(np.int32), rows - 1)
    x, y = canvas.focus[0] * columns, canvas.focus[1] * rows
    ground, figure, inner = (np.zeros((rows, columns), np.float32) for _ in range(3))
    corner = np.zeros((2, rows, columns), np.float32)
    for tile_row in range(rows):
        for tile in range(columns):
            name = f"{tile_row} {tile}"
            near = math.exp(-0.30 * math.hypot(tile + 0.5 - x, tile_row + 0.5 - y))
            square = (
                tile / across_tiles,
                tile_row / across_tiles,
                (tile + 1) / across_tiles,
                (tile_row + 1) / across_tiles,
            )
            if any(_overlap(square, box) for box in canvas.letters):
                near = min(near, canvas.quiet)
            ground[tile_row, tile] = near * dice.choice(f"ground {name}", (0.10, 0.22, 0.34))
            figure[tile_row, tile] = near * dice.choice(f"figure {name}", (0.50, 0.72, 0.95))
            inner[tile_row, tile] = near * dice.choice(f"inner {name}", (0.10, 0.30, 0.60))
            corner[0, tile_row, tile] = dice.choice(f"left {name}", (0.0, 1.0))
            corner[1, tile_row, tile] = dice.choice(f"top {name}", (0.0, 1.0))
    right = np.abs(u - column - corner[0][row, column])
    below = np.abs(v - row - corner[1][row, column])
    out = np.sqrt(right * right + below * below)
    pixel = canvas.pixel * across_tiles
    field = ground[row, column]
    field = field + (figure[row, column] - field) * _inside(np.float32(1.0) - out, pixel)
    field = field + (inner[row, column] - field) * _inside(np.float32(0.5) - out, pixel)
    return np.asarray(field, np.float32)


def strings(canvas: Canvas, dice: Dice) -> Field:
    """A sheaf of fine lines that draws together and opens again, as strings do that swing."""
    across, down = canvas.axes()
    tall = canvas.height > canvas.width * 1.2
    x, y = canvas.centre
    if tall:
        across, down = down, across
        x, y = y, x
    lines = 20
    field = np.zeros((canvas.height, canvas.width), np.float32)
    for sheaf in range(2):
        length = np.float32(dice.roll(f"length {sheaf}", 1.5, 2.3))
        phase = np.float32(dice.roll(f"phase {sheaf}", 0, math.tau))
        turn = across * np.float32(math.tau) / length
        middle = np.float32(y) + np.float32(0.15 - 0.02 * sheaf) * np.sin(turn + phase)
        spread = np.float32(0.0056) + np.float32(0.0140) * (1 + np.sin(turn * np.float32(0.62) + phase * 2)) / 2
        place = (down - middle) / spread
        nearest = np.clip(np.rint(place), -lines, lines)
        steep = np.sqrt(1 + ((np.float32(0.15) * np.cos(turn + phase) * np.float32(math.tau) / length) ** 2))
        away = np.abs(place - nearest) * spread / steep
        ink = _inside(np.float32(0.00105) - away, canvas.pixel)
        strength = np.float32(0.85 - 0.25 * sheaf) * (1 - np.float32(0.72) * np.abs(nearest) / lines)
        field = np.maximum(field, ink * strength)
    return field


def ridges(canvas: Canvas, dice: Dice) -> Field:
    """Lines one behind the other that rise into peaks about the middle, each hiding what is behind it."""
    across, down = canvas.axes()
    x, y = canvas.centre
    count = 26
    reach = 0.40 if canvas.height <= canvas.width else 0.46
    field = np.zeros((canvas.height, canvas.width), np.float32)
    window = np.exp(-(((across - np.float32(x)) / np.float32(0.36)) ** 2))
    for number in range(count):
        base = y - reach + 2 * reach * (number + 0.5) / count + 0.04
        line = np.zeros_like(across)
        for wave in range(5):
            length = np.float32(0.46 / (wave + 1) ** 0.85)
            phase = np.float32(dice.roll(f"phase {number} {wave}", 0, math.tau))
            line = line + (np.sin(across * np.float32(math.tau) / length + phase)) / np.float32(wave + 1.4)
        rise = window * (np.float32(0.045) + np.float32(0.058) * np.maximum(line, np.float32(-0.7)))
        crest = np.float32(base) - rise
        steep = np.sqrt(1 + (np.gradient(crest[0]) * canvas.unit) ** 2)[np.newaxis, :].astype(np.float32)
        first = max(0, int((crest.min() - 0.01) * canvas.unit))
        last = min(canvas.height, int((base + 0.02) * canvas.unit) + 2)
        if last <= first:
            continue
        part = field[first:last]
        depth = down[first:last] - crest
        part *= 1 - _inside(depth, canvas.pixel)
        ink = _inside(np.float32(0.00155) - np.abs(depth) / steep, canvas.pixel)
        np.maximum(part, ink * (np.float32(0.24) + np.float32(0.62) * window), out=part)
    return field


MASSIVE = frozenset({"rings", "hills", "tiles"})
"""Kinds of filled shapes, which make way for letters by themselves: a filled shape that fades looks like a stain."""

KINDS: Mapping[str, Kind] = {
    "contours": contours,
    "rings": rings,
    "hills": hills,
    "engraving": engraving,
    "halftone": halftone,
    "tiles": tiles,
    "strings": strings,
    "ridges": ridges,
}


def _distance(x: float, y: float, box: tuple[float, float, float, float]) -> float:
    """From a point to a box; 0 within."""
    left, top, right, bottom = box
    return math.hypot(max(left - x, 0.0, x - right), max(top - y, 0.0, y - bottom))


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(distance: NDArray[np.floating], pixel: float) -> Field:
    """How much of a pixel is inside an edge, of its distance to that edge: positive within, in the same unit."""
    scaled = np.asarray(distance * np.float32(1 / pixel), np.float32)
    scaled += np.float32(0.5)
    return np.asarray(np.clip(scaled, 0, 1, out=scaled), np.float32)


def _steps(field: Field, edges: list[float], tones: list[float], pixel: float) -> Field:
    """One tone up to the first edge, the next up to the second, and so on, without jagged edges."""
    result = np.full_like(field, tones[0])
    for edge, before, after in zip(edges, tones, tones[1:], strict=False):
        result += np.float32(after - before) * _inside(field - np.float32(edge), pixel)
    return result


def _slope(canvas: Canvas, make: Callable[[Field, Field], Field]) -> Field:
    """How steep a smooth field is, in its own unit to one of length."""
    hair = np.float32(0.004)

    def steep(across: Field, down: Field) -> Field:
        here = make(across, down)
        return np.asarray(
            np.hypot(make(across + hair, down) - here, make(across, down + hair) - here) / hair, np.float32
        )

    return canvas.smooth(steep)
