"""A text in another language than the one asked for is noticed, and only then."""

from __future__ import annotations

import pytest

from pipeline.text.language import other_language

ENGLISH = "Rain dissolves a little salt from the rocks, and rivers carry it to the sea."
PORTUGUESE = "A chuva dissolve um pouco de sal das rochas, e os rios levam esse sal para o mar."


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        (ENGLISH, "en", None),
        (ENGLISH, "en-GB", None),
        (PORTUGUESE, "pt-BR", None),
        (ENGLISH, "pt", "en"),
        (PORTUGUESE, "en", "pt"),
        ("Rain.", "pt", None),
        ("", "en", None),
        ("Os faróis guiam os navios durante a noite.", "pt-PT", None),
        ("Sea water holds about 35 grams of salt.", "en", None),
        (ENGLISH, "tlh", None),
    ],
)
def test_only_what_is_clearly_another_language_is_named(text: str, wanted: str, found: str | None) -> None:
    assert other_language(text, wanted) == found
