"""When each word is heard, from what the synthesizer says about its phonemes.

A synthesizer speaks phonemes, not words: espeak-ng runs "in the" together, gives "nineteen hundred" two phoneme
words, leaves out a dash, and stresses a word otherwise in company than alone. So the phonemes of each word, taken
alone, are laid over those of the sentence with the least change in all (an edit distance that knows vowels from
consonants), and a word lasts from its first phoneme to the end of its last. Spaces and commas help to find the
place and belong to no word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from pipeline.domain.timeline import Span


@dataclass(frozen=True, slots=True)
class Sound:
    """A phoneme, a space, a mark of punctuation or a mark of beginning or end, and how long it lasts."""

    symbol: str
    seconds: float


def word_spans(words: Sequence[Sequence[str]], sounds: Sequence[Sound], *, seconds: float) -> tuple[Span, ...]:
    """One span for each word, ascending and inside the sound, which lasts `seconds`.

    `words` holds the phonemes of each word spoken alone, as a string or a list of symbols, with spaces where it is
    several phoneme words; empty for a word that is not heard, whose span has no length and lies where the word
    before it ends. `sounds` follow each other without gaps from the first sample.
    """
    places = [0.0, *accumulate(sound.seconds for sound in sounds)]
    expected = [[symbol for symbol in word if _kind(symbol) is _CARRIER] for word in words]
    owners = _owners([_tokens(word) for word in words], [sound.symbol for sound in sounds])
    heard: dict[int, tuple[float, float]] = {}
    for place, owner in enumerate(owners):
        if owner is not None:
            start = heard[owner][0] if owner in heard else places[place]
            heard[owner] = (start, places[place + 1])
    if not heard:
        return _shared([len(word) for word in expected], 0.0, seconds)
    _share_with_swallowed([len(word) for word in expected], heard)
    return _in_order([heard.get(number) for number in range(len(words))], seconds)


def letters_as_phonemes(spoken: str) -> str:
    """What a word may sound like, going by its letters alone: good enough to find it among real phonemes.

    For synthesizers that tell their phonemes and cannot be asked for those of one word. A word given in phonemes,
    `[[fˈuː]]`, is taken at its word.
    """
    if raw := _RAW.findall(spoken):
        return unicodedata.normalize("NFD", " ".join(raw))
    plain = "".join(
        letter if unicodedata.category(letter)[0] == "L" else " " if letter in " -/" else ""
        for letter in unicodedata.normalize("NFD", spoken.lower())
    )
    return _SPELT.sub(lambda found: _SOUNDS_LIKE[found[0]], plain).strip()


# Seconds, measured on en_US-joe-medium: silence before the first phoneme (^) and after the last (. and $), and what
# a comma, semicolon or colon takes with the space after it (0.15 to 0.3).
_LEAD, _TAIL, _PAUSE = 0.06, 0.15, 0.2


def shared_by_letters(spoken: Sequence[str], seconds: float) -> tuple[Span, ...]:
    """An estimate for synthesizers that tell nothing: each word has its share of the time by its letters.

    `spoken` is each word as it is given to the synthesizer, with its punctuation; empty for what is not heard.
    """
    letters = [_letters(word) for word in spoken]
    last = max((number for number, count in enumerate(letters) if count), default=0)
    pauses = [
        _PAUSE if letters[number] and number != last and word.rstrip("\"'”’)]»").endswith((",", ";", ":")) else 0.0
        for number, word in enumerate(spoken)
    ]
    quiet = _LEAD + _TAIL + sum(pauses)
    # Where the sound is too short for such pauses, they shrink: at most a third of it is silence.
    shrink = min(1.0, seconds / 3 / quiet)
    # A word of one letter lasts longer than a letter of a long one.
    weights = [count + 1 if count else 0 for count in letters]
    each = (seconds - quiet * shrink) / max(1, sum(weights))
    spans: list[Span] = []
    now = _LEAD * shrink
    for weight, pause in zip(weights, pauses, strict=True):
        end = min(seconds, now + weight * each)
        spans.append(Span(now, end))
        now = min(seconds, end + pause * shrink)
    return tuple(spans)


# -- phonemes --------------------------------------------------------------------------------------------------

_CARRIER, _MARK, _GAP = "carrier", "mark", "gap"
_BREAK = " "
_RAW = re.compile(r"\[\[(.*?)\]\]")
_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻɩε")
_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxzçðħŋɓɕɖɗɟɠɡɢɣɥɦɧɫɬɭɮɰɱɲɳɴɸɹɺɻɽɾʀʁʂʃʄʈʋʍʎʐʑʒʔʕʙʛʜʝʟβθχⱱʦ")
# Consonants that stand for each other when a word is spoken in company, or in spelling: "water" with a flap, "is"
# with an s before an s, "five" and "fifth".
_ALIKE = tuple(
    frozenset(group) for group in ("tdɾʔθðʈɖʦ", "szʃʒçɕʐʂ", "kɡgxqcɣχh", "pbfvβwʍɸ", "mnŋɲɱɴ", "lɹrʁʎɫɾʀɻɭj", "jʝɲʎ")
)
# Cheap for what espeak-ng does all the time (a changed vowel, words run together), dear for what it does not; two
# phonemes of different kinds are never taken for each other (dearer than leaving out one and adding the other).
_SAME, _NEAR, _OTHER, _NEVER = 0, 4, 8, 100
_LEFT_OUT, _RUN_TOGETHER, _PARTED = 8, 3, 4


@lru_cache(maxsize=4096)
def _kind(symbol: str) -> str:
    """Carriers are heard by themselves; marks (stress, length, tone, nasality) change one; the rest is a gap."""
    categories = {unicodedata.category(character) for character in symbol}
    if categories & {"Ll", "Lu", "Lo", "Lt"}:
        return _CARRIER
    if categories & {"Lm", "Mn", "Mc", "Nd", "Sk"} or symbol in {"↓", "↑", "#"}:
        return _MARK
    return _GAP


@lru_cache(maxsize=65536)
def _change(one: str, other: str) -> int:
    """What it costs to take one token for the other."""
    if one == other:
        return _SAME
    if _BREAK in (one, other):
        return _NEVER
    pair = {one[0], other[0]}
    if pair <= _VOWELS or any(pair <= group for group in _ALIKE):
        return _NEAR
    if pair <= _CONSONANTS or not pair <= _CONSONANTS | _VOWELS:  # of letters in other scripts nothing is known
        return _OTHER
    return _NEVER


def _tokens(phonemes: Sequence[str]) -> list[str]:
    """Carriers, with one gap token where anything parts them; none at the ends."""
    tokens: list[str] = []
    for symbol in phonemes:
        kind = _kind(symbol)
        if kind is _CARRIER:
            tokens.append(symbol)
        elif kind is _GAP and tokens and tokens[-1] != _BREAK:
            tokens.append(_BREAK)
    if tokens and tokens[-1] == _BREAK:
        tokens.pop()
    return tokens


def _owners(words: Sequence[Sequence[str]], symbols: Sequence[str]) -> list[int | None]:
    """The number of the word that each sound belongs to; None for what belongs to no word."""
    wanted: list[str] = []
    word_of: list[int] = []
    for number, word in enumerate(words):
        if word and wanted:
            wanted.append(_BREAK)
            word_of.append(number)
        wanted += word
        word_of += [number] * len(word)
    found = _tokens(symbols)
    owners: list[int | None] = [None] * len(symbols)
    carriers = [place for place, symbol in enumerate(symbols) if _kind(symbol) is _CARRIER]
    token_of = [number for number, token in enumerate(found) if token != _BREAK]
    if not wanted or not carriers:
        return owners
    matched = _matches(wanted, found)
    for place, token in zip(carriers, token_of, strict=True):
        match = matched[token]
        owners[place] = None if match is None else word_of[match]
    return _with_marks(symbols, _with_neighbours(symbols, carriers, owners))


def _matches(wanted: Sequence[str], found: Sequence[str]) -> list[int | None]:
    """For each token found, the one wanted that it stands for, at the least cost in all (Needleman and Wunsch).

    Row by row with numpy: within a row the cost of leaving tokens out runs on to the right, which is a running
    minimum once the sum of those costs is taken off.
    """
    import numpy as np

    alphabet = {symbol: number for number, symbol in enumerate(dict.fromkeys((*wanted, *found)))}
    costs = np.array([[_change(one, other) for other in alphabet] for one in alphabet], dtype=np.int32)
    change = costs[np.ix_([alphabet[token] for token in wanted], [alphabet[token] for token in found])]
    skip_wanted = [_RUN_TOGETHER if token == _BREAK else _LEFT_OUT for token in wanted]
    skip_found = [_PARTED if token == _BREAK else _LEFT_OUT for token in found]
    along = np.array([0, *accumulate(skip_found)], dtype=np.int32)
    table = np.empty((len(wanted) + 1, len(found) + 1), dtype=np.int32)
    table[0] = along
    for row, skip in enumerate(skip_wanted):
        best = table[row] + skip
        np.minimum(best[1:], table[row, :-1] + change[row], out=best[1:])
        np.minimum.accumulate(best - along, out=best)
        np.add(best, along, out=table[row + 1])
    matched: list[int | None] = [None] * len(found)
    row, column = len(wanted), len(found)
    while row and column:
        here = table[row, column]
        if here == table[row - 1, column - 1] + change[row - 1, column - 1]:
            row, column = row - 1, column - 1
            matched[column] = row
        elif here == table[row - 1, column] + skip_wanted[row - 1]:
            row -= 1
        else:
            column -= 1
    return matched


def _with_neighbours(symbols: Sequence[str], carriers: Sequence[int], owners: Sequence[int | None]) -> list[int | None]:
    """Phonemes that no word claimed go to their neighbour: the one run together with them, else the one before."""
    filled = list(owners)
    joined = {
        (one, other)
        for one, other in pairwise(carriers)
        if all(_kind(symbols[i]) is _MARK for i in range(one + 1, other))
    }
    for forward, near_only in ((True, True), (False, True), (True, False), (False, False)):
        order = carriers if forward else carriers[::-1]
        for before, here in pairwise(order):
            pair = (before, here) if forward else (here, before)
            if filled[here] is None and (not near_only or pair in joined):
                filled[here] = filled[before]
    return filled


def _with_marks(symbols: Sequence[str], owners: list[int | None]) -> list[int | None]:
    """Stress goes before what it stresses, every other mark after what it changes."""
    for place in range(len(symbols) - 2, -1, -1):
        if symbols[place] in {"ˈ", "ˌ"}:
            owners[place] = owners[place + 1]
    for place in range(1, len(symbols)):
        if owners[place] is None and _kind(symbols[place]) is _MARK:
            owners[place] = owners[place - 1]
    return owners


# -- spans -----------------------------------------------------------------------------------------------------


def _share_with_swallowed(expected: Sequence[int], heard: dict[int, tuple[float, float]]) -> None:
    """A word whose phonemes were all swallowed has its share of the word before it, or else of the one after."""
    said = [number for number, count in enumerate(expected) if count]
    groups: list[list[int]] = []
    for number in said:
        if groups and (number not in heard or not any(other in heard for other in groups[-1])):
            groups[-1].append(number)
        else:
            groups.append([number])
    for group in groups:
        start, end = next(heard[number] for number in group if number in heard)
        if len(group) > 1:
            spans = _shared([expected[number] for number in group], start, end)
            heard.update({number: (span.start, span.end) for number, span in zip(group, spans, strict=True)})


def _shared(weights: Sequence[int], start: float, end: float) -> tuple[Span, ...]:
    """The time from start to end, shared out by weight."""
    # Rounding may carry the last place a hair beyond the end.
    whole = max(1, sum(weights))
    places = [min(end, start + (end - start) * part / whole) for part in (0, *accumulate(weights))]
    return tuple(Span(one, other) for one, other in pairwise(places))


def _in_order(heard: Sequence[tuple[float, float] | None], seconds: float) -> tuple[Span, ...]:
    first = next(span for span in heard if span)
    now = min(first[0], seconds)
    spans: list[Span] = []
    for span in heard:
        start, end = (max(now, min(place, seconds)) for place in span or (now, now))
        spans.append(Span(start, end))
        now = end
    return tuple(spans)


# -- letters ---------------------------------------------------------------------------------------------------

# The commonest spellings of the languages with a Latin alphabet; the longest first.
_SOUNDS_LIKE = {
    "tion": "ʃən",
    "sch": "ʃ",
    "igh": "aɪ",
    "th": "θ",
    "sh": "ʃ",
    "ch": "tʃ",
    "ph": "f",
    "gh": "",
    "ng": "ŋ",
    "qu": "kw",
    "ck": "k",
    "wh": "w",
    "lh": "ʎ",
    "nh": "ɲ",
    "kn": "n",
    "wr": "r",
    "ee": "iː",
    "oo": "uː",
    "x": "ks",
    "c": "k",
    "q": "k",
    "j": "dʒ",
}
_SPELT = re.compile("|".join(sorted(_SOUNDS_LIKE, key=len, reverse=True)))


def _letters(spoken: str) -> int:
    """How many letters, digits or phonemes of a word are heard."""
    return sum(unicodedata.category(character) in {"Ll", "Lu", "Lo", "Lt", "Nd"} for character in spoken)
