"""Does a sentence keep to what is known? Judged by its words alone: numbers, names, and how much is new.

A small language model invents freely, and the inventions are mostly names, numbers and things that nobody spoke of.
The rules err on the side of refusing: what is refused costs a question, what is let through is a false statement.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

_TOKEN = re.compile(r"[^\W_]+(?:[.,]\d+)*(?:['’][^\W\d_]+)?")
_FIGURE = re.compile(r"\d")
_WORD_OR_END = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?|[.!?:]")
# Words are compared by their first letters, so that "wound" and "winding" differ and "lens" and "lenses" do not.
_STEM_LETTERS = 5
_PLURAL_LETTERS = 3
# A paraphrase may have one new word in four, and may leave out one in three ("a hundred" for "one hundred").
_MOST_NEW = 0.25
_MOST_MISSING = 0.34
# What a sentence may say that is not in the lines it rests on: two words in five, because a large model writes freely
# ("in the hot oven the yeast stops working"). Measured on a reviewed table: docs/decisions has the figures.
_MOST_UNHELD = 0.4
_MOST_LINES = 3
_FEWEST_FROM_ANOTHER = 2
"""Words of matter that a further line must add; one may be anywhere ("sea")."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Words that carry no fact of their own, in English and Portuguese.
_COMMON = _words(
    """
    a an the of to in on at by for from with and or but so as is are was were be been being am it its they them
    their this that these those he she his her him you your we our us i my me do does did has have had having can
    could will would may might must shall should more most very much than then there here when where which who
    whom what how why if because into over out up down about also just only even still now too such while both
    each every all any some o a os as um uma uns umas de do da dos das em no na nos nas por pelo pela pelos pelas
    para com e ou mas que se ao aos foi era eram ser é são está estão ele ela eles elas seu sua seus suas este
    esta esse essa isto isso aquele aquela como quando onde quem qual muito muita mais menos já também só ainda
    até então porque entre sobre cada
    """
)
_NOT = _words(
    """
    not no never none nor cannot without neither não nunca nem nenhum nenhuma jamais sem
    """
)
_NUMBER_WORDS = _words(
    """
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half
    third quarter twice double dois duas três quatro cinco seis sete oito nove dez onze doze treze catorze quinze
    dezesseis dezasseis dezessete dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta
    setenta oitenta noventa cem cento duzentos mil milhão milhões bilhão bilhões metade terço dobro
    """
)


# How sure, how often, how much: a paraphrase that hedges ("is more likely to rise") or drops a hedge says another
# thing. One word of a kind may stand for another of it ("about", "nearly").
_QUALIFYING = tuple(
    _words(kind)
    for kind in (
        "may might could can would perhaps maybe possibly pode podem poderia poderiam talvez possivelmente",
        "likely unlikely probably probable improbable provável provavelmente improvável",
        "seem seems seemed appear appears appeared apparently tend tends tended tendency parece parecem tende tendem",
        "must should ought need needs deve devem precisa precisam",
        "often frequently usually typically generally normally commonly geralmente normalmente costuma costumam",
        "sometimes occasionally rarely seldom raramente ocasionalmente",
        "always every all each both entirely completely sempre todo todos toda todas cada ambos",
        "most mostly many much several maioria muitos muitas vários várias",
        "some few little partly somewhat algum alguns alguma algumas poucos poucas pouco",
        "only just solely apenas somente só",
        "about around nearly almost approximately roughly cerca quase aproximadamente",
        "said says believed believe believes claim claims claimed supposedly thought dizem acredita acreditam",
    )
)


def invented(sentence: str, known: str) -> tuple[str, ...]:
    """The numbers and names in a sentence that are nowhere in what is known.

    A capital at the beginning of a sentence proves nothing and is passed over.
    """
    stems = {_stem(token) for token in _tokens(known)}
    figures = set(_numbers(known))
    names = (token for token in _names(sentence) if _stem(token) not in stems)
    numbers = (number for number in _numbers(sentence) if number not in figures)
    return (*numbers, *names)


def says_the_fact(sentence: str, fact: str, known: str) -> bool:
    """Whether a sentence says in other words what the fact says: the same numbers, names and negations, as sure, as
    often and as much, nearly the same matter. The same words in the same order say it no better, and often with broken
    grammar: they do not count.

    `known` is everything that may be spoken of (the title); the fact is known too.
    """
    around = f"{known} {fact}"
    if set(_numbers(sentence)) != set(_numbers(fact)) or invented(sentence, around):
        return False
    ours, theirs = _content(sentence), _content(fact)
    if not ours or not theirs or _negations(sentence) != _negations(fact) or _qualified(sentence) != _qualified(fact):
        return False
    if _matter(sentence) == _matter(fact) or _stem(_tokens(sentence)[0]) in ours - _content(around):
        return False
    if any(_stem(name) not in ours for name in _names(fact)):
        return False
    # A colon or a quotation is the model talking about the sentence.
    if any(sign in sentence and sign not in fact for sign in ':"“”'):
        return False
    new = ours - _content(around)
    missing = theirs - ours
    return len(new) <= _MOST_NEW * len(ours) and len(missing) <= _MOST_MISSING * len(theirs)


def claims_something(sentence: str, title: str) -> bool:
    """Whether a sentence states anything that could rest on a note: a question does not, nor does the title, nor "So
    what now."
    """
    if sentence.rstrip("\"'”’»)").endswith(("?", "？")):
        return False
    return bool(_content(sentence) - _content(title)) or bool(set(_numbers(sentence)) - set(_numbers(title)))


def has_in_common(sentence: str, ground: str, title: str) -> bool:
    """Whether a sentence and the notes it is said to rest on share a word of matter, and it has no figure that is not
    theirs: the least that can be asked of what a model says of its own sources.
    """
    known = set(_numbers(f"{title} {ground}"))
    return bool(_content(sentence) & _content(ground)) and set(_numbers(sentence)) <= known


def rests_on(sentence: str, lines: Sequence[str], title: str) -> tuple[int, ...]:
    """The lines, by their index, that hold what a sentence says; empty where no few of them do.

    The line with most of its words is taken, then those that hold what is missing. Every number and name must be there
    (or in the title, which is given), three words of matter in five, and a negation where the sentence has one, or
    hides one.
    """
    given = _content(title)
    wanted = _content(sentence)
    held = [_content(line) for line in lines]
    chosen: list[int] = []
    missing = wanted - given or wanted
    while missing and len(chosen) < _MOST_LINES:
        best = max(range(len(lines)), key=lambda index: (len(missing & held[index]), -index), default=None)
        if best is None or len(missing & held[best]) < (1 if not chosen else _FEWEST_FROM_ANOTHER):
            break
        chosen.append(best)
        missing = missing - held[best]
    if not chosen:
        return ()
    ground = " ".join(lines[index] for index in sorted(chosen))
    new = wanted - _content(ground) - given
    if len(new) > _MOST_UNHELD * len(wanted) or invented(sentence, f"{title}. {ground}"):
        return ()
    first = lines[chosen[0]]
    if bool(_negations(sentence)) != bool(_negations(ground)) and (_negations(sentence) or _negations(first)):
        return ()
    return tuple(sorted(chosen))


def touches(text: str, subject: str) -> bool:
    """Whether a text speaks of the subject at all: one of its words of matter is in it."""
    matter = _content(subject)
    return not matter or bool(matter & _content(text))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _stem(token: str) -> str:
    # Without accents and the possessive: "Fresnel's" is "Fresnel".
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFD", re.split("['’]", token)[0].lower())
        if not unicodedata.combining(letter)
    )
    return (bare[:-1] if len(bare) > _PLURAL_LETTERS and bare.endswith("s") else bare)[:_STEM_LETTERS]


def _content(text: str) -> set[str]:
    return set(_matter(text))


def _matter(text: str) -> list[str]:
    return [_stem(token) for token in _tokens(text) if not _in(token, _COMMON) and not _in(token, _NOT)]


def _numbers(text: str) -> list[str]:
    return [
        token.lower()
        for token in _tokens(text)
        if any(letter.isdigit() for letter in token) or _in(token, _NUMBER_WORDS)
    ]


def _names(text: str) -> list[str]:
    found = []
    start = True
    for word in _WORD_OR_END.findall(text):
        if not start and word[0].isupper() and word != "I":
            found.append(word)
        start = word in ".!?:"
    return found


def _negations(text: str) -> int:
    return sum(_in(token, _NOT) or token.lower().replace("’", "'").endswith("n't") for token in _tokens(text))


def _qualified(text: str) -> set[int]:
    """Which kinds of qualifying words are in it."""
    tokens = _tokens(text)
    return {kind for kind, words in enumerate(_QUALIFYING) if any(_in(token, words) for token in tokens)}


def _in(token: str, words: Collection[str]) -> bool:
    return token.lower() in words
