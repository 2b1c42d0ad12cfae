"""Every episode says what a machine did, in its own language where we have the words."""

from __future__ import annotations

import pytest

from pipeline.media.page.words import words_for
from pipeline.text import notices


@pytest.mark.parametrize("language", ["en", "en-GB", "pt", "pt-BR", "PT-pt"])
def test_who_wrote_edited_and_drew_makes_four_different_sentences(language: str) -> None:
    told = {
        notices.of_sound(language, written=False, edited=False),
        notices.of_sound(language, written=True, edited=False),
        notices.of_sound(language, written=True, edited=True),
        notices.with_pictures(language, notices.of_sound(language, written=True, edited=False)),
    }
    assert len(told) == 4
    assert all(("máquina" if language.lower().startswith("pt") else "machine") in one for one in told)


@pytest.mark.parametrize("language", ["de", "", "zh-Hant", "ptx"])
def test_other_languages_are_told_in_english_as_their_pages_are(language: str) -> None:
    assert notices.of_sound(language, written=False, edited=False) == "Voice synthesised by a machine."
    assert words_for(language).language.startswith("en")
