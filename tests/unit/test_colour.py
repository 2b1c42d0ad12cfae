"""An episode's hue: the colour that its title names, else one of its own."""

from __future__ import annotations

import pytest

from pipeline.media.colour import hue_of


@pytest.mark.parametrize(
    ("title", "hue"),
    [
        ("Why the sky is blue", 258),
        ("Por que o céu é azul", 258),
        ("Why leaves turn red", 27),
        ("Folhas vermelhas no outono", 27),
        ("GREEN tea", 145),
        ("A vida cor-de-rosa", 355),
        ("Red and blue", 27),
    ],
)
def test_a_colour_that_is_named_is_the_one_that_is_seen(title: str, hue: int) -> None:
    assert hue_of(title) == hue


@pytest.mark.parametrize("title", ["The reddish fox", "Bluebells", "Evergreens", "", "月", "\ud800"])
def test_a_word_that_only_holds_one_names_none(title: str) -> None:
    assert 0 <= hue_of(title) < 360
    assert hue_of(title) not in {258, 27, 145}


def test_titles_without_a_colour_have_hues_of_their_own() -> None:
    hues = {hue_of(f"Episode {number}") for number in range(50)}
    assert len(hues) > 40
    assert hue_of("The log") == hue_of("The log")
