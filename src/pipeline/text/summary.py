"""What an episode is about, in its own first sentences."""

from __future__ import annotations

from collections.abc import Iterable

# Podcast apps show some three lines.
LONGEST_CHARACTERS = 280


def summary(sentences: Iterable[str], title: str) -> str:
    """The first sentences that fit, without the title where it is said first; at least one, cut at a word."""
    said = ""
    for sentence in sentences:
        if not said and _bare(sentence) == _bare(title):
            continue
        if said and len(said) + len(sentence) + 1 > LONGEST_CHARACTERS:
            break
        said = f"{said} {sentence}".strip()
    if len(said) > LONGEST_CHARACTERS:
        said = said[: LONGEST_CHARACTERS - 1].rpartition(" ")[0].rstrip(",;:") + "…"
    return said


def _bare(text: str) -> str:
    return text.rstrip(".!?… ").casefold()
