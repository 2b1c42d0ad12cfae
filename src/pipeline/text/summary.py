"""What an episode is about, in its own first sentences."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.text import sentences

# Podcast apps show some three lines.
LONGEST_CHARACTERS = 280
# Five lines of the narrowest card on a page of all episodes.
BRIEF_CHARACTERS = 160


def summary(said: Iterable[str], title: str) -> str:
    """The first sentences that fit, without the title where it is said first; at least one, cut at a word."""
    told = list(said)
    if told and _bare(told[0]) == _bare(title):
        del told[0]
    return _first_of(told, LONGEST_CHARACTERS)


def brief(summary: str, language: str) -> str:
    """As much of a summary as a card has room for: whole sentences, or the first one cut at a word."""
    if len(summary) <= BRIEF_CHARACTERS:
        return summary
    whole = summary.encode("utf-8", "replace").decode()  # a manifest that a person wrote may hold half a sign
    return _first_of(sentences.split(whole, language), BRIEF_CHARACTERS)


def _first_of(told: Iterable[str], longest: int) -> str:
    kept = ""
    for sentence in told:
        if kept and len(kept) + len(sentence) + 1 > longest:
            return kept if kept.endswith(_ENDS) else f"{kept.rstrip(_PAUSES)}…"
        kept = f"{kept} {sentence}".strip()
    if len(kept) > longest:
        kept = kept[: longest - 1].rpartition(" ")[0].rstrip(f".…{_PAUSES}") + "…"
    return kept


_ENDS = tuple('.!?…"”»’)')
_PAUSES = ",;: –—"


def _bare(text: str) -> str:
    return text.rstrip(".!?… ").casefold()
