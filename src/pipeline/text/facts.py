"""A topic's notes as facts: which sentences they hold, which of them fit into the length asked for, in which parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.text import plain
from pipeline.text.script_checks import form_faults, sentences, words_of

# A part shorter than this is no chapter: 40 words are a quarter of a minute.
_FEWEST_WORDS_A_PART = 40
_MOST_PARTS = 6
_HEADLINE_WORDS = 6
_TRAILING_WORDS = """
    a an the of to in on at by for from with and or but so as is are was were be about over up into than that
    which who its their his her this these those when where because if not very most more every each some has have
    had o os um uma de do da dos das em no na nos nas por pelo pela para com e ou mas que se ao é são foi era seu
    sua cada between around through under entre sobre
"""
_TRAILING = frozenset(_TRAILING_WORDS.split())


@dataclass(frozen=True, slots=True)
class FactPart:
    """Facts that belong together; one segment of the script."""

    title: str
    facts: tuple[str, ...]
    """Whole sentences, in the order of the notes."""


def parts_of(notes: str, *, language: str, words: int) -> tuple[FactPart, ...]:
    """The facts that are told, in parts: all of them, or as many as `words` has room for, the first of each paragraph
    before the second of any. Empty where the notes hold no sentence that can be spoken.
    """
    found: list[tuple[str, int, str]] = []
    seen: set[tuple[str, ...]] = set()
    for part in plain.parts(notes):
        for paragraph in part.paragraphs:
            for place, sentence in enumerate(sentences(paragraph, language)):
                fact = plain.as_sentence(sentence)
                if _speakable(fact) and words_of(fact) not in seen:
                    seen.add(words_of(fact))
                    found.append((part.title, place, fact))
    chosen = _fitting([(place, fact) for _, place, fact in found], words)
    told = [item for index, item in enumerate(found) if index in chosen]
    if any(title for title, *_ in told):
        return _by_heading([(title, fact) for title, _, fact in told])
    return _by_length([(place, fact) for _, place, fact in told])


def headline(sentence: str) -> str:
    """A short title from a sentence: its first words, up to a comma, without those that lead on to what is left out."""
    clause = re.split(r"[,;:.!?–—(]", sentence, maxsplit=1)[0]
    words = clause.split()[:_HEADLINE_WORDS]
    while len(words) > 1 and (words[-1].lower() in _TRAILING or words[-1][-1].isdigit()):
        words.pop()
    return " ".join(words)


def _speakable(fact: str) -> bool:
    # The notes are a person's: of the checks on what a model says, only the hard ones apply.
    return not any(fault.name in {"empty", "unspeakable"} for fault in form_faults(fact))


def _fitting(facts: Sequence[tuple[int, str]], words: int) -> set[int]:
    """Which facts have room, by their index."""
    chosen: set[int] = set()
    told = 0
    for index in sorted(range(len(facts)), key=lambda index: (facts[index][0], index)):
        if told >= words:
            break
        count = len(facts[index][1].split())
        if told + count <= round(words * 1.1) or not chosen:
            chosen.add(index)
            told += count
    return chosen


def _by_heading(told: Sequence[tuple[str, str]]) -> tuple[FactPart, ...]:
    parts: list[tuple[str, list[str]]] = []
    for title, fact in told:
        if not parts or parts[-1][0] != title:
            parts.append((title, []))
        parts[-1][1].append(fact)
    return tuple(FactPart(title or headline(facts[0]), tuple(facts)) for title, facts in parts)


def _by_length(told: Sequence[tuple[int, str]]) -> tuple[FactPart, ...]:
    total = sum(len(fact.split()) for _, fact in told)
    size = max(_FEWEST_WORDS_A_PART, total / _MOST_PARTS)
    parts: list[list[str]] = [[]]
    left = total
    for place, fact in told:
        held = sum(len(each.split()) for each in parts[-1])
        # A part begins where a paragraph does, if the paragraph is not a long one; what would be left over as a stub
        # stays with the last part.
        if held >= size and (place == 0 or held >= 2 * size) and left >= size / 2:
            parts.append([])
        parts[-1].append(fact)
        left -= len(fact.split())
    return tuple(FactPart(headline(facts[0]), tuple(facts)) for facts in parts if facts)
