"""What is worth saying of an episode that was made, from its manifest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

# The share of the length asked for that the checks of a script call near enough.
_ENOUGH = 0.8


def remark_on(manifest: Mapping[str, Any]) -> str:
    """Everything that is not as it was asked for, in a line; nothing where all is."""
    return "; ".join([*_language(manifest), *_length(manifest), *_claims(manifest), *_pictures(manifest)])


def _length(manifest: Mapping[str, Any]) -> Iterator[str]:
    """ "shorter than asked: 17 of 150 words", "longer than asked: 3:21 of 3:00, because …".

    Nothing is said of the words of a script that a person has edited: its length is theirs.
    """
    match manifest:
        case {"length": {"met": False, "asked_seconds": float() | int() as asked, **about}}:
            reached = about.get("reached_seconds")
            if isinstance(reached, int | float) and math.isfinite(reached) and math.isfinite(asked):
                which = "shorter" if reached < asked else "longer"
                why = f", because {about['why_not']}" if about.get("why_not") else ""
                yield f"{which} than asked: {_clock(reached)} of {_clock(asked)}{why}"
        case {"script": {"words": int(words), "words_asked": int(asked), **script}}:
            if script.get("edited_by_hand") is not True and words < round(asked * _ENOUGH):
                yield f"shorter than asked: {words} of {asked} words"


def _language(manifest: Mapping[str, Any]) -> Iterator[str]:
    match manifest:
        case {"language": str(spoken), "script": {"how": {"other_language": str(other)}}}:
            yield f"spoken as {spoken}, and the text is in another language ({other}): say which with `language:`"


def _claims(manifest: Mapping[str, Any]) -> Iterator[str]:
    match manifest:
        case {"script": {"claims": {"unsupported": [_, *rest]}}}:
            yield (
                f"{len(rest) + 1} sentences are in none of the notes" if rest else "a sentence is in none of the notes"
            )


def _pictures(manifest: Mapping[str, Any]) -> Iterator[str]:
    match manifest:
        case {"pictures": {"cover": {"without letters": str(why)}}}:
            yield f"pictures without words: {why}"
        case {"pictures": {"shapes": [*shapes]}}:
            cards = (card for shape in shapes if isinstance(shape, dict) for card in shape.get("segments") or ())
            why = next((card["without letters"] for card in cards if card.get("without letters")), "")
            if why:
                yield f"a picture without words: {why}"


def _clock(seconds: float) -> str:
    """Minutes and whole seconds, as the episode's page and every player show them: `2:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
