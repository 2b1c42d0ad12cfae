"""An episode's colours: a ground, the tones of its artwork, and inks that are legible on them.

Everything is worked out in OKLCH, where equal steps look equal and a colour keeps its lightness as its hue turns. The
hue is the episode's own (`media/colour.py`), so its cards, its cover and its page belong together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pipeline.media.cards.dice import Dice

Rgb = tuple[int, int, int]

LEAST_CONTRAST = 7.0
"""Between a letter and whatever lies under it: WCAG 2.2, success criterion 1.4.6 (AAA)."""

# A little more than must be: what is drawn is rounded to whole levels.
_AIMED_CONTRAST = 7.3
STEPS = 1024
"""How many colours a ramp has."""


class Scheme(StrEnum):
    """What is light and what is dark."""

    NIGHT = "night"
    """Near black, with light letters."""
    DEEP = "deep"
    """A dark colour, with light letters."""
    PAPER = "paper"
    """Near white, with dark letters."""
    BRIGHT = "bright"
    """A light colour, with dark letters."""

    @property
    def dark(self) -> bool:
        return self in (Scheme.NIGHT, Scheme.DEEP)


@dataclass(frozen=True, slots=True)
class Palette:
    scheme: Scheme
    hue: int
    """Degrees of OKLCH."""
    ramp: tuple[Rgb, ...]
    """`STEPS` colours: the ground, then the artwork's tones from quiet to strong."""
    ink: Rgb
    soft: Rgb
    """For what is read second."""
    accent: Rgb
    """For one thing on a card; legible on the ground."""
    quiet: float
    """How far into the ramp the artwork may go where letters stand on it, from 0 to 1."""

    @property
    def ground(self) -> Rgb:
        return self.ramp[0]


# Lightness, chroma and turn of the hue: of the ground, then of the tones to the strongest. A ramp that turns on its
# way is richer than one colour made lighter.
_Stop = tuple[float, float, float]
_RAMPS: dict[Scheme, tuple[_Stop, ...]] = {
    Scheme.NIGHT: ((0.185, 0.030, 0), (0.30, 0.070, 6), (0.47, 0.115, 18), (0.68, 0.140, 34), (0.86, 0.120, 58)),
    Scheme.DEEP: ((0.330, 0.090, 0), (0.40, 0.110, 8), (0.52, 0.135, 20), (0.70, 0.140, 38), (0.88, 0.110, 62)),
    Scheme.PAPER: ((0.972, 0.012, 60), (0.92, 0.040, 45), (0.82, 0.090, 30), (0.66, 0.140, 14), (0.47, 0.150, 0)),
    Scheme.BRIGHT: ((0.880, 0.090, 30), (0.82, 0.110, 24), (0.73, 0.130, 16), (0.58, 0.145, 6), (0.40, 0.125, 0)),
}


@lru_cache(maxsize=32)
def palette_of(title: str, hue: int, scheme: Scheme | None = None) -> Palette:
    """The colours of the episode of that title; `scheme` decides what is light and what is dark, where it is given."""
    dice = Dice(title, "palette")
    chosen = scheme or dice.choice("scheme", tuple(Scheme))
    # To one side or to the other, so that two episodes of nearly one hue still differ.
    turn = 1 if dice.roll("turn") < 0.5 else -1
    ramp = _ramp([(light, chroma, hue + turn * degrees) for light, chroma, degrees in _RAMPS[chosen]])
    ground = ramp[0]
    if chosen.dark:
        ink, soft = oklch(0.975, 0.012, hue), _legible((0.86, 0.035, hue), ground, lighter=True)
        accent = _legible((0.84, 0.130, hue + turn * 58), ground, lighter=True)
    else:
        ink, soft = oklch(0.205, 0.030, hue), _legible((0.36, 0.045, hue), ground, lighter=False)
        accent = _legible((0.44, 0.150, hue), ground, lighter=False)
    quiet = _quiet(ramp, (ink, soft, accent))
    return Palette(chosen, hue % 360, ramp, ink, soft, accent, quiet)


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Rgb) -> float:
    """Relative luminance as WCAG 2.2 defines it, from 0 to 1."""
    red, green, blue = (_linear(level / 255) for level in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def oklch(lightness: float, chroma: float, hue: float) -> Rgb:
    """A colour of OKLCH in sRGB, with as much of its chroma as sRGB has at that lightness and hue."""
    low, high = 0.0, chroma
    if _in_gamut(_linear_rgb(lightness, chroma, hue)):
        low = chroma
    else:
        for _ in range(16):
            middle = (low + high) / 2
            low, high = (middle, high) if _in_gamut(_linear_rgb(lightness, middle, hue)) else (low, middle)
    red, green, blue = (round(255 * _encoded(level)) for level in _linear_rgb(lightness, low, hue))
    return red, green, blue


def _ramp(stops: Sequence[tuple[float, float, float]]) -> tuple[Rgb, ...]:
    colours = []
    for step in range(STEPS):
        place = step / (STEPS - 1) * (len(stops) - 1)
        index = min(int(place), len(stops) - 2)
        share = place - index
        before, after = stops[index], stops[index + 1]
        light, chroma, hue = (one + (other - one) * share for one, other in zip(before, after, strict=True))
        colours.append((light, chroma, hue))
    # Neighbours differ by less than a level: every eighth is worked out, the rest lie between.
    known = [oklch(*colours[index]) for index in [*range(0, STEPS, 8), STEPS - 1]]
    return tuple(_between(known, step) for step in range(STEPS))


def _between(known: Sequence[Rgb], step: int) -> Rgb:
    index, rest = divmod(step, 8)
    before, after = known[index], known[min(index + 1, len(known) - 1)]
    red, green, blue = (round(one + (other - one) * rest / 8) for one, other in zip(before, after, strict=True))
    return red, green, blue


def _legible(wanted: tuple[float, float, float], ground: Rgb, *, lighter: bool) -> Rgb:
    """The colour wanted, or as much lighter or darker as it must be to stand out from the ground, and a step more."""
    lightness, chroma, hue = wanted
    while contrast(oklch(lightness, chroma, hue), ground) < _AIMED_CONTRAST * 1.06 and 0.02 < lightness < 0.98:
        lightness += 0.01 if lighter else -0.01
    return oklch(lightness, chroma, hue)


def _quiet(ramp: Sequence[Rgb], inks: Sequence[Rgb]) -> float:
    for step, colour in enumerate(ramp):
        if min(contrast(ink, colour) for ink in inks) < _AIMED_CONTRAST:
            return max(0, step - 1) / (STEPS - 1)
    return 1.0


# Björn Ottosson's matrices (https://bottosson.github.io/posts/oklab/), as CSS Color 4 has them.
def _linear_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _in_gamut(linear: tuple[float, float, float]) -> bool:
    return all(-0.0005 <= level <= 1.0005 for level in linear)


def _linear(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else float(((level + 0.055) / 1.055) ** 2.4)


def _encoded(level: float) -> float:
    level = min(1.0, max(0.0, level))
    return level * 12.92 if level <= 0.0031308 else float(1.055 * level ** (1 / 2.4) - 0.055)
