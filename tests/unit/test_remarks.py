"""What is said of an episode that did not come out as it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.report.remarks import remark_on


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"words": 17, "words_asked": 150}, "shorter than asked: 17 of 150 words"),
        ({"words": 119, "words_asked": 150}, "shorter than asked: 119 of 150 words"),
        ({"words": 120, "words_asked": 150}, ""),
        ({"words": 170, "words_asked": 150}, ""),
        ({"words": 17, "words_asked": None}, ""),
        ({"words": 17, "words_asked": 150, "edited_by_hand": True}, ""),
        ("mad", ""),
        ({}, ""),
    ],
)
def test_a_script_is_called_short_where_its_checks_would(script: Any, said: str) -> None:
    assert remark_on({"script": script}) == said


NOT_MET = {"met": False, "asked_seconds": 180.0, "reached_seconds": 126.4, "why_not": "the notes hold no more"}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"length": NOT_MET}, "shorter than asked: 2:06 of 3:00, because the notes hold no more"),
        ({"length": NOT_MET | {"reached_seconds": 200, "why_not": None}}, "longer than asked: 3:20 of 3:00"),
        ({"length": NOT_MET | {"met": True}}, ""),
        ({"length": NOT_MET | {"reached_seconds": float("inf")}}, ""),
        ({"length": NOT_MET | {"asked_seconds": float("nan")}}, ""),
        ({"length": None, "script": {"claims": None}}, ""),
        ({"script": {"claims": {"unsupported": []}}}, ""),
        ({"script": {"claims": {"unsupported": [4]}}}, "a sentence is in none of the notes"),
        ({"pictures": {"cover": {"without letters": "no 月"}}}, "pictures without words: no 月"),
        (
            {"pictures": {"cover": {}, "shapes": [{"segments": [{"seed": 1}, {"without letters": "no 月"}]}]}},
            "a picture without words: no 月",
        ),
        ({"pictures": {"cover": {"seed": 1}, "shapes": [{"segments": [{"seed": 1}]}]}}, ""),
        (
            {"length": NOT_MET, "script": {"claims": {"unsupported": [1, 4, 5]}}},
            "shorter than asked: 2:06 of 3:00, because the notes hold no more; 3 sentences are in none of the notes",
        ),
    ],
)
def test_a_length_that_was_missed_and_sentences_without_a_source_are_told(manifest: Any, said: str) -> None:
    assert remark_on(manifest) == said


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            {"other_language": "pt"},
            "spoken as en, and the text is in another language (pt): say which with `language:`",
        ),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_text_that_is_read_in_a_voice_of_another_language_is_told(how: Any, said: str) -> None:
    assert remark_on({"language": "en", "script": {"how": how}}) == said
