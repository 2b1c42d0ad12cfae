"""What is worth saying of an episode that was made, from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The share of the length asked for that the checks of a script call near enough.
_ENOUGH = 0.8


def shortfall(manifest: Mapping[str, Any]) -> str:
    """ "shorter than asked: 17 of 150 words", or nothing.

    Nothing is said of a script that a person has edited: its length is theirs.
    """
    script = manifest.get("script")
    if not isinstance(script, dict) or script.get("edited_by_hand") is True:
        return ""
    words, asked = script.get("words"), script.get("words_asked")
    if not isinstance(words, int) or not isinstance(asked, int) or words >= round(asked * _ENOUGH):
        return ""
    return f"shorter than asked: {words} of {asked} words"
