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
_QUESTION_WORDS = 8


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# What a subject ends at. Only verbs that are nothing else: "feeds" and "shines" may be nouns, and are passed over.
_VERBS = _words(
    """
    is are was were has had have can could will would may might must does did
    é são foi foram era eram está estão tem têm tinha pode podem deve devem será serão
    """
)
_ARTICLES = _words("a an the o os as um uma")
# No subject, or none that could stand alone above a chapter.
_NO_TITLE = _words(
    """
    it its he his she her they their we our you your i my who what which that this these those there here one ones
    some many most all both few each every other others another none nothing now then today so thus soon often once
    never not and or but in on at by for from with of to as if when while where how why because about after before over
    under only also still yet even
    ele ela eles elas seu sua seus suas este esta estes estas esse essa esses essas isso isto aquilo quem que qual há
    aqui ali hoje então assim nunca não nem em no na de do da com por para se quando onde como porque após antes
    muitos muitas alguns algumas todos todas outro outra cada
    """
)
_PART = {"de": "Teil", "es": "Parte", "fr": "Partie", "it": "Parte", "nl": "Deel", "pt": "Parte"}


@dataclass(frozen=True, slots=True)
class FactPart:
    """Facts that belong together; one segment of the script."""

    title: str
    """Empty for the only part, and for what stands before the notes' first heading."""
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
    return _by_length([(place, fact) for _, place, fact in told], language)


def subject(sentence: str) -> str:
    """What a sentence speaks of, as a title: a short question whole, else the noun phrase before its verb. Empty where
    that cannot be told without guessing, so that no title is ever a sentence cut short.

    At most two words and an article, or two words joined by "and": with three, the second may be a verb of its own
    ("Sailors say storms are rare").
    """
    words = sentence.split()
    if sentence.endswith("?") and len(words) <= _QUESTION_WORDS:
        return sentence
    end = next((index for index, word in enumerate(words) if word.lower() in _VERBS), 0)
    found = words[:end]
    named = found[1:] if found and found[0].lower() in _ARTICLES else found
    pair = len(named) == 3 and named[1].lower() in {"and", "e"}
    alone = [word for word in named if word.lower() not in {"and", "e"}] if pair else named
    plain_words = all(re.fullmatch(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", word) for word in alone)
    if not 1 <= len(alone) <= 2 or not plain_words or any(word.lower() in _NO_TITLE for word in alone):
        return ""
    return " ".join(found)


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
    return tuple(FactPart(title, tuple(facts)) for title, facts in parts)


def _by_length(told: Sequence[tuple[int, str]], language: str) -> tuple[FactPart, ...]:
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
    return _titled([tuple(facts) for facts in parts if facts], language)


def _titled(parts: Sequence[tuple[str, ...]], language: str) -> tuple[FactPart, ...]:
    """Each part with what it speaks of, or all of them with their numbers where that cannot be told of one; a part
    alone needs no title.
    """
    if len(parts) == 1:
        return (FactPart("", parts[0]),)
    titles: list[str] = []
    for facts in parts:
        found = (title for fact in facts if (title := subject(fact)) and title not in titles)
        titles.append(next(found, ""))
    if not all(titles):
        word = _PART.get(language.split("-", 1)[0], "Part")
        titles = [f"{word} {number}" for number in range(1, len(parts) + 1)]
    return tuple(FactPart(title, facts) for title, facts in zip(titles, parts, strict=True))
