"""Where things stand on a card: the zone of its letters, the weight of its artwork, panels and rules.

Every layout is made for three shapes: wide, tall and square. In the wide and the tall ones letters end where a film's
captions begin (`media/video/lettering.py`): at 0.75 of the height in wide films and at 0.63 in tall ones. The film's
camera comes nearer by a tenth and cuts up to 6 % off an edge (`media/video/camera.py`), so margins are wider than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Area = tuple[float, float, float, float]
"""Left, top, right, bottom, in shares of width and height."""


class Shape(StrEnum):
    WIDE = "wide"
    TALL = "tall"
    SQUARE = "square"


class Align(StrEnum):
    START = "start"
    """At the side where reading begins."""
    CENTRE = "centre"


class Stand(StrEnum):
    """Where in its zone a block of letters stands."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


class Rule(StrEnum):
    """A line that orders the card; never a decoration that could be left away and not be missed."""

    NONE = "none"
    ABOVE = "above"
    """A short bar above the block."""
    BESIDE = "beside"
    """A bar along the block, where reading begins."""
    HEADER = "header"
    """A hairline across the zone, between the header and the block."""
    FRAME = "frame"
    """A hairline about the card."""
    EDGE = "edge"
    """A hairline within the plate's edge."""


@dataclass(frozen=True, slots=True)
class Layout:
    zone: Area
    """Where letters may stand; the header at its top, the block in the rest."""
    focus: tuple[float, float]
    """Where the artwork has its weight."""
    align: Align = Align.START
    stand: Stand = Stand.TOP
    rule: Rule = Rule.NONE
    plate: Area | None = None
    """A plain field under the letters, beside which the artwork has its full strength."""


def shape_of(width: int, height: int) -> Shape:
    if width > height * 1.15:
        return Shape.WIDE
    return Shape.TALL if height > width * 1.15 else Shape.SQUARE


LOWEST: Mapping[Shape, float] = {Shape.WIDE: 0.71, Shape.TALL: 0.605, Shape.SQUARE: 0.92}
"""Below this share of the height no letter stands."""

LETTERS_LOW: Mapping[Shape, frozenset[str]] = {
    Shape.WIDE: frozenset(),
    Shape.TALL: frozenset(),
    Shape.SQUARE: frozenset({"footing", "frame"}),
}
"""Layouts whose letters reach where filled artwork has its place."""

LAYOUTS: Mapping[str, Mapping[Shape, Layout]] = {
    # Letters from the top in a wide column, the artwork below and beside them.
    "column": {
        Shape.WIDE: Layout((0.085, 0.12, 0.70, 0.70), (0.82, 0.62)),
        Shape.TALL: Layout((0.10, 0.10, 0.90, 0.60), (0.55, 0.80)),
        Shape.SQUARE: Layout((0.085, 0.085, 0.88, 0.80), (0.66, 0.74)),
    },
    # Letters on the lower edge of their zone under a short bar; the sky above them is open.
    "footing": {
        Shape.WIDE: Layout((0.085, 0.12, 0.76, 0.71), (0.80, 0.38), stand=Stand.BOTTOM, rule=Rule.ABOVE),
        Shape.TALL: Layout((0.10, 0.10, 0.90, 0.60), (0.60, 0.82), stand=Stand.BOTTOM, rule=Rule.ABOVE),
        Shape.SQUARE: Layout((0.085, 0.12, 0.90, 0.915), (0.66, 0.30), stand=Stand.BOTTOM, rule=Rule.ABOVE),
    },
    # Everything on the middle axis, the artwork rising from below.
    "axis": {
        Shape.WIDE: Layout((0.12, 0.12, 0.88, 0.70), (0.50, 0.92), Align.CENTRE, Stand.MIDDLE),
        Shape.TALL: Layout((0.10, 0.10, 0.90, 0.60), (0.50, 0.84), Align.CENTRE, Stand.MIDDLE),
        Shape.SQUARE: Layout((0.085, 0.085, 0.915, 0.70), (0.50, 0.88), Align.CENTRE, Stand.MIDDLE),
    },
    # A plain panel for the letters, the artwork beside it or below it at full strength.
    "panel": {
        Shape.WIDE: Layout((0.085, 0.12, 0.575, 0.70), (0.82, 0.50), stand=Stand.MIDDLE, plate=(0, 0, 0.64, 1)),
        Shape.TALL: Layout((0.10, 0.09, 0.90, 0.585), (0.50, 0.82), stand=Stand.MIDDLE, plate=(0, 0, 1, 0.635)),
        Shape.SQUARE: Layout((0.085, 0.085, 0.915, 0.56), (0.50, 0.82), stand=Stand.BOTTOM, plate=(0, 0, 1, 0.625)),
    },
    # A label on the artwork, as on a book's cover.
    "label": {
        Shape.WIDE: Layout(
            (0.135, 0.155, 0.635, 0.665),
            (0.78, 0.55),
            stand=Stand.MIDDLE,
            rule=Rule.EDGE,
            plate=(0.085, 0.085, 0.685, 0.735),
        ),
        Shape.TALL: Layout(
            (0.15, 0.115, 0.85, 0.575),
            (0.50, 0.74),
            stand=Stand.MIDDLE,
            rule=Rule.EDGE,
            plate=(0.085, 0.08, 0.915, 0.61),
        ),
        Shape.SQUARE: Layout(
            (0.15, 0.37, 0.85, 0.85),
            (0.50, 0.26),
            stand=Stand.MIDDLE,
            rule=Rule.EDGE,
            plate=(0.085, 0.30, 0.915, 0.915),
        ),
    },
    # A bar along the block.
    "margin": {
        Shape.WIDE: Layout((0.085, 0.12, 0.72, 0.70), (0.88, 0.70), stand=Stand.MIDDLE, rule=Rule.BESIDE),
        Shape.TALL: Layout((0.10, 0.10, 0.90, 0.60), (0.62, 0.84), stand=Stand.MIDDLE, rule=Rule.BESIDE),
        Shape.SQUARE: Layout((0.085, 0.085, 0.90, 0.78), (0.72, 0.82), stand=Stand.TOP, rule=Rule.BESIDE),
    },
    # Header, hairline, block: a page of a magazine.
    "page": {
        Shape.WIDE: Layout((0.085, 0.115, 0.915, 0.70), (0.80, 0.78), rule=Rule.HEADER),
        Shape.TALL: Layout((0.10, 0.09, 0.90, 0.60), (0.42, 0.82), rule=Rule.HEADER),
        Shape.SQUARE: Layout((0.085, 0.085, 0.915, 0.74), (0.34, 0.80), rule=Rule.HEADER),
    },
    # A hairline about the card, letters on its axis.
    "frame": {
        Shape.WIDE: Layout((0.14, 0.14, 0.86, 0.70), (0.50, 0.50), Align.CENTRE, Stand.MIDDLE, Rule.FRAME),
        Shape.TALL: Layout((0.14, 0.12, 0.86, 0.59), (0.50, 0.78), Align.CENTRE, Stand.MIDDLE, Rule.FRAME),
        Shape.SQUARE: Layout((0.14, 0.14, 0.86, 0.86), (0.50, 0.50), Align.CENTRE, Stand.MIDDLE, Rule.FRAME),
    },
}
