"""How a text is set in a box: where its lines end, and how large it can be.

The largest size is not the best one: a heading reads as one thought where its lines are of like length, part where the
sentence parts, and leave no short word alone. So every division into lines is weighed, and size is one of the weights.

Nothing here knows a font: widths come in as a function, in shares of the size.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.media.cards.wording import clusters
from pipeline.media.line_breaks import AFTER_SMALL_WORD, ANYWHERE, STRONG_STOP, TORN_APART, characters, parting_cost

ELLIPSIS = "…"

# What an ordinary place to part weighs, against one made for it: as much as all lines being a fifth shorter or longer
# than the mean. And what an article weighs that is torn from its noun.
_PARTING_WEIGHT = 0.04
_TORN = 0.16
# A word this short does not stand alone in the last line.
_LONELY_LETTERS = 5
_LONELY = 0.6
# A line more must make the letters so much larger, in shares of the largest size.
_LINE_WEIGHT = 0.025
# And much larger where every word then stands alone.
_STACKED = 0.1
# A size that is 1 % larger is worth that much raggedness.
_RAGGED_WEIGHT = 0.9
# What a word that is wider than its box may be set smaller by, so that it need not be parted.
_SMALLER = 0.7
# A line's width is a hair more than that of its words.
_HAIR = 0.998
# Parts of a word that is wider than the box end here if they can.
_WORD_JOINTS = "-–—/\\._@:?&=#+~"


@dataclass(frozen=True, slots=True)
class Piece:
    """What no line ends within."""

    text: str
    blank: bool
    """Whether a blank stands before it, where it does not begin a line."""
    whole: bool = True
    """False where its word goes on in the next piece, so that no ellipsis may follow it."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a text must fit. Pixels."""

    width: float
    height: float
    leading: float
    """From one baseline to the next, in ems."""
    largest: float
    smallest: float
    most_lines: int
    one_line: float = 1.0
    """How high a line is without what follows it, in ems: from its capitals' top to its descenders' end."""


@dataclass(frozen=True, slots=True)
class Setting:
    lines: tuple[str, ...]
    size: float
    """Pixels an em."""
    cut: bool
    """Whether words had to be left out; the last line then ends with an ellipsis."""


Measure = Callable[[str], float]
"""The width of a text, in ems."""


def set_text(text: str, box: Box, measure: Measure, language: str) -> Setting:
    """The text in the box: whole where it fits at the smallest size, else as many of its words as do, and an ellipsis.

    `language` is the primary one. `text` has single blanks (`wording`).
    """
    widths = lru_cache(maxsize=None)(measure)
    pieces = pieces_of(text)
    longest = max(widths(piece.text) for piece in pieces)
    if box.smallest * longest > box.width * _HAIR:
        # A word that is wider than the box is set a little smaller before it is parted.
        box = replace(box, smallest=max(box.smallest * _SMALLER, min(box.smallest, _HAIR * box.width / longest)))
    pieces = _narrow_enough(pieces, _HAIR * box.width / box.smallest, widths)
    found = _best(pieces, box, widths, language)
    if found is not None:
        return found
    low, high = 0, len(pieces) - 1
    kept = _cut(pieces, 1, box, widths, language)
    while low < high:  # the most pieces that fit: with fewer of them, what fitted still does
        middle = (low + high + 1) // 2
        tried = _cut(pieces, middle, box, widths, language)
        if tried is None:
            high = middle - 1
        else:
            low, kept = middle, tried
    return kept or Setting((ELLIPSIS,), box.smallest, cut=True)


def pieces_of(text: str) -> list[Piece]:
    """The text's words; Chinese and Japanese in their characters, compounds at their hyphens."""
    found: list[Piece] = []
    for word in text.split(" "):
        parts = characters(word) if any(unicodedata.east_asian_width(one) in "WF" for one in word) else _compound(word)
        for index, part in enumerate(parts):
            found.append(Piece(part, blank=index == 0 and bool(found), whole=index == len(parts) - 1))
    return found


def _compound(word: str) -> list[str]:
    """Parted after a hyphen or a dash between letters, where both sides are long enough to stand in a line."""
    parts = [""]
    for index, character in enumerate(word):
        parts[-1] += character
        after = word[index + 1 :]
        if character in "-–—/" and len(parts[-1]) > 3 and len(after) > 3 and after[0].isalpha():
            parts.append("")
    return parts


def _narrow_enough(pieces: Sequence[Piece], ems: float, measure: Measure) -> list[Piece]:
    """Pieces that are wider than a line at the smallest size are parted, at a joint where there is one."""
    found: list[Piece] = []
    for piece in pieces:
        if measure(piece.text) <= ems:
            found.append(piece)
            continue
        parts = [""]
        for cluster in clusters(piece.text):
            if parts[-1] and measure(parts[-1] + cluster) > ems * 0.92:
                joint = max((parts[-1].rfind(mark) for mark in _WORD_JOINTS), default=-1)
                carried = parts[-1][joint + 1 :] if joint > len(parts[-1]) // 2 else ""
                parts[-1] = parts[-1][: len(parts[-1]) - len(carried)]
                parts.append(carried)
            parts[-1] += cluster
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            found.append(Piece(part, blank=piece.blank and index == 0, whole=piece.whole and last))
    return found


def _cut(pieces: Sequence[Piece], count: int, box: Box, measure: Measure, language: str) -> Setting | None:
    """The first pieces with an ellipsis, at the smallest size; fewer, so that they end with a whole word."""
    kept = list(pieces[:count])
    while len(kept) > 1 and not kept[-1].whole:
        kept.pop()
    last = kept[-1]
    text = last.text.rstrip(" ,;:.–—-!?") or last.text
    kept[-1] = Piece(text + ELLIPSIS, last.blank)
    found = _best(kept, replace(box, largest=box.smallest), measure, language)
    return found and Setting(found.lines, found.size, cut=True)


def _best(pieces: Sequence[Piece], box: Box, measure: Measure, language: str) -> Setting | None:
    found: tuple[float, Setting] | None = None
    for count in range(1, min(len(pieces), box.most_lines) + 1):
        lines, cost = balanced(pieces, count, measure, language, most_ems=_HAIR * box.width / box.smallest + 1e-6)
        if not lines:
            continue
        widest = max(measure(line) for line in lines)
        high = (count - 1) * box.leading + box.one_line
        size = min(box.largest, _HAIR * box.width / max(widest, 1e-6), box.height / high)
        if size < box.smallest * (1 - 1e-6):
            continue
        score = size / box.largest - _RAGGED_WEIGHT * cost - _LINE_WEIGHT * count
        if 2 < count == len(pieces):
            score -= _STACKED
        if found is None or score > found[0]:
            found = score, Setting(lines, size, cut=False)
    return found and found[1]


def balanced(
    pieces: Sequence[Piece], count: int, measure: Measure, language: str, *, most_ems: float
) -> tuple[tuple[str, ...], float]:
    """The pieces in so many lines, each at most `most_ems` wide, and what that costs, from 0 for lines of one length
    that end where the sentence parts. No lines where they cannot be so.
    """
    total = measure(_joined(pieces))
    ideal = max(total / count, 1e-6)
    # best[n] after each piece: the least cost of n lines up to there, and where the last of them begins.
    best: list[dict[int, tuple[float, int]]] = [{} for _ in range(len(pieces) + 1)]
    best[0][0] = (0.0, 0)
    for end in range(1, len(pieces) + 1):
        for begin in range(end - 1, -1, -1):
            line = _joined(pieces[begin:end])
            width = measure(line)
            if width > most_ems and end - begin > 1:
                break
            if width > most_ems:
                continue
            cost = ((width - ideal) / ideal) ** 2 / count**0.5 + _end_cost(pieces, begin, end, count, language)
            for lines, (before, _) in best[begin].items():
                known = best[end].get(lines + 1)
                if lines < count and (known is None or before + cost < known[0]):
                    best[end][lines + 1] = (before + cost, begin)
    if count not in best[-1]:
        return (), 0.0
    cost, end = best[-1][count][0], len(pieces)
    found: list[str] = []
    for number in range(count, 0, -1):
        _, begin = best[end][number]
        found.append(_joined(pieces[begin:end]))
        end = begin
    return tuple(reversed(found)), cost


def _end_cost(pieces: Sequence[Piece], begin: int, end: int, count: int, language: str) -> float:
    if end == len(pieces):
        # Where every word has a line of its own, none is alone.
        alone = end - begin == 1 and begin > 0 and count < len(pieces)
        return _LONELY if alone and len(pieces[begin].text.rstrip(".!?…")) < _LONELY_LETTERS else 0.0
    if not pieces[end].blank:
        # Within a compound, or between two characters that need no blank.
        return _PARTING_WEIGHT * (0.2 if pieces[end - 1].whole else 0.6)
    # Where every word has a capital, as in many headings, capitals do not tell names.
    before, after = pieces[end - 1].text, pieces[end].text
    if _headed(pieces):
        before, after = before.lower(), after.lower()
    cost = parting_cost(before, after, language, opens_sentence=end == 1)
    if cost >= AFTER_SMALL_WORD:
        return _TORN if cost >= TORN_APART else _TORN / 3
    return _PARTING_WEIGHT * (cost - STRONG_STOP) / (ANYWHERE - STRONG_STOP) / max(1, count - 1)


def _headed(pieces: Sequence[Piece]) -> bool:
    long = [piece.text for piece in pieces if len(piece.text) > 3]
    return len(long) > 1 and all(word[0].isupper() or not word[0].isalpha() for word in long)


def _joined(pieces: Sequence[Piece]) -> str:
    text = "".join((" " if piece.blank else "") + piece.text for piece in pieces)
    return text.removeprefix(" ") if pieces and pieces[0].blank else text
