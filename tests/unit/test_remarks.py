"""What is said of an episode that came out shorter than it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.report.remarks import shortfall


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
    assert shortfall({"script": script}) == said
