"""Artwork: tones between the ground and the strongest, whatever the size; in bands the same as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.media.cards.artwork import KINDS, Canvas
from pipeline.media.cards.dice import Dice

LETTERS = ((0.1, 0.1, 0.7, 0.5),)
IN_BANDS = sorted(name for name, kind in KINDS.items() if hasattr(kind, "__wrapped__"))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(640, 360), (333, 777), (64, 64)])
@pytest.mark.parametrize("dark", [True, False])
def test_tones_lie_between_the_ground_and_the_strongest(name: str, size: tuple[int, int], dark: bool) -> None:
    field = KINDS[name](Canvas(*size, (0.8, 0.6), dark, LETTERS, 0.3), Dice("a title", 1))

    assert field.shape == (size[1], size[0])
    assert field.dtype == np.float32
    assert np.isfinite(field).all()
    assert field.min() >= 0
    assert field.max() <= 1
    assert field.std() > 0.01


def test_some_kinds_are_drawn_in_bands() -> None:
    assert IN_BANDS == ["engraving", "halftone", "tiles"]


@pytest.mark.parametrize("name", IN_BANDS)
@pytest.mark.parametrize("size", [(1280, 720), (601, 907)])
def test_bands_join_to_what_is_drawn_in_one_piece(name: str, size: tuple[int, int]) -> None:
    canvas, dice = Canvas(*size, (0.3, 0.7), letters=LETTERS, quiet=0.3), Dice("a title", 2)
    whole = vars(KINDS[name])["__wrapped__"](canvas, dice)

    assert np.array_equal(KINDS[name](canvas, dice), whole)
