"""What of a segment is worth showing in letters: a number that is remembered, or a sentence that stands for it.

Decided from the segment's own words alone, so that an edit changes the picture of no other segment. The rules are
narrow: a heading is always right, a number without what it counts is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.script import Segment
from pipeline.text.script_checks import sentences, words_of


@dataclass(frozen=True, slots=True)
class Highlight:
    figure: str = ""
    """With its unit, as it stands in the text: `384,000 kilometres`, `78%`."""
    sentence: str = ""
    """What the figure is said in; without a figure a sentence to quote."""


NONE = Highlight()


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NUMBER = r"(?:[-−+±]\s?)?\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_MAGNITUDE = (
    "thousand|million|billion|trillion|mil|milhão|milhões|bilhão|bilhões|bilião|biliões|trilhão|trilhões|"
    "millions?|milliards?|Millionen|Milliarden|миллионов?|миллиардов?|εκατομμύρια"
)
_FIGURE = re.compile(
    rf"(?<![\w.,:/-])(?P<money>[$€£¥₽]\s?|R\$\s?|US\$\s?)?(?P<number>{_NUMBER})(?![\d:/])"
    rf"(?P<scale>\s(?:{_MAGNITUDE})\b)?(?:\s?(?P<sign>%|‰|°[CF]?|€|₽)|(?P<of>\s(?:de|of|d['’]))?\s(?P<unit>[^\W\d_][\w²³/-]*))?",
)
# What a number counts is no such word; "in 27 of the cases", "5 to 7".
_NO_UNIT = _words(
    """
    a an the and or of in on at to from for with by as is are was were be been has have had it its that this these
    those than then when while but not no so if i we he she they you per about ago or
    o a os as um uma e ou de do da dos das em no na nos nas por para com se que é são foi era ao à aos às ele ela
    der die das und oder von im in am ist sind war le la les et ou du des est sont el los las y del es son
    и или в на с из по к от до не что это και ή σε από με του της των το τα
    """
)
_MONTHS = _words(
    """
    january february march april may june july august september october november december
    janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
    """
)
# A sentence that begins with one of these speaks of something before it, and does not stand alone.
_LEANS = _words(
    """
    it its he she they his her their this that these those such so then thus therefore but and or yet also however
    here there both each one another soon now still instead otherwise at by
    ele ela eles elas seu sua seus suas este esta isto esse essa isso aquele aquela aquilo assim então mas e ou também
    aí ali depois agora ainda portanto porém
    """
)
# A picture is looked at for some seconds: what is longer is not read, what is shorter says little.
_FEWEST_WORDS, _MOST_WORDS, _MOST_LETTERS = 5, 16, 110
# A figure's sentence is read second, and may be longer.
_MOST_LETTERS_OF_FIGURE = 130
# Below that a number is seldom what a segment is remembered for.
_LEAST_STRIKING = 2.0


def highlight_of(segment: Segment, language: str) -> Highlight:
    """The segment's figure, else its sentence, else nothing (its heading is shown). `language` is a BCP 47 tag."""
    said = [one for paragraph in segment.paragraphs for one in sentences(paragraph, language)]
    return _figure(said) or _quotation(said, segment.title) or NONE


def _figure(said: Sequence[str]) -> Highlight | None:
    best: tuple[float, Highlight] | None = None
    for sentence in said:
        if len(sentence) > _MOST_LETTERS_OF_FIGURE:
            continue
        for found in _FIGURE.finditer(sentence):
            shown, weight = _shown(found), _striking(found)
            if shown and weight >= _LEAST_STRIKING and (best is None or weight > best[0]):
                best = weight, Highlight(shown, sentence)
    return best[1] if best else None


def _shown(found: re.Match[str]) -> str:
    unit = found["unit"] or ""
    bare = unit.lower()
    if bare in _NO_UNIT or bare in _MONTHS:
        # A sum of money and a scale need no other unit.
        return (
            found[0][: found.start("of" if found["of"] else "unit") - found.start()].strip() if found["money"] else ""
        )
    return found[0].strip() if unit or found["sign"] or found["money"] else ""


def _striking(found: re.Match[str]) -> float:
    """How much a number says: its order of magnitude, and whether it is a share or a sum."""
    digits = re.sub(r"\D", "", found["number"])
    weight = float(len(digits.lstrip("0")))
    if found["scale"]:
        weight += 3
    if found["sign"] or found["money"]:
        weight += 1.5
    year = len(digits) == 4 and digits == found["number"] and 1000 <= int(digits) < 2100
    return 0.0 if year and not found["money"] and not found["sign"] else weight


def _quotation(said: Sequence[str], heading: str) -> Highlight | None:
    of_heading = set(words_of(heading))
    best: tuple[float, int, str] | None = None
    for place, sentence in enumerate(said):
        words = words_of(sentence)
        fits = _FEWEST_WORDS <= len(words) <= _MOST_WORDS and len(sentence) <= _MOST_LETTERS
        if not fits or words[0] in _LEANS or sentence.rstrip('”’»")').endswith("?"):
            continue
        # Near ten words, on the heading's subject; of equals the first.
        weight = 1 - abs(len(words) - 10) / 10 + 0.5 * len(of_heading & set(words))
        if best is None or (weight, -place) > best[:2]:
            best = weight, -place, sentence
    return Highlight(sentence=best[2]) if best else None
