"""How well two words may be parted, at the end of a line or of a caption.

The rules are the subtitler's (BBC and Netflix style guides): part after punctuation, else before a conjunction or a
preposition; keep an article with its noun, an auxiliary with its verb, a first name with a last one, a number with
what it counts. English and Portuguese have word lists; elsewhere punctuation, numbers and the speaker's own pauses
decide, and in Chinese and Japanese the characters.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# The cost of parting, from a place made for it to one that trips the reader up. Only their order and rough
# proportions matter; `captions.py` weighs them against lengths and times.
STRONG_STOP = 1.0
COMMA = 2.0
BEFORE_CONJUNCTION = 4.0
BEFORE_PREPOSITION = 7.0
ANYWHERE = 9.0
AFTER_SMALL_WORD = 20.0
TORN_APART = 30.0

# A pause this long in the speech shows that the speaker parts here too.
_HEARD_PAUSE_SECONDS = 0.15

_CLOSING = "\"'”’»)]}」』）】》〉"
_OPENING = "\"'“‘«([{¿¡「『（【《〈"
_STRONG = (";", ":", "—", "–", "…", "?", "!", "；", "：", "？", "！", "。")
_COMMAS = (",", "،", "，", "、")


@dataclass(frozen=True, slots=True)
class _Grammar:
    articles: frozenset[str] = frozenset()
    """And what else stands before a noun: this, my, every."""
    auxiliaries: frozenset[str] = frozenset()
    prepositions: frozenset[str] = frozenset()
    conjunctions: frozenset[str] = frozenset()
    titles: frozenset[str] = frozenset()
    """Before a name, with their full stop."""
    owners: tuple[str, ...] = ()
    """How a word ends that owns the next."""
    names_have_capitals: bool = True
    """False where every noun has one."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _Grammar(
    articles=_words("a an the this that these those my your his her its our their no every each some any another"),
    auxiliaries=_words(
        "am is are was were be been being have has had having do does did will would shall should can could may might "
        "must cannot not don't doesn't didn't isn't aren't wasn't weren't won't wouldn't can't couldn't shouldn't "
        "haven't hasn't hadn't i'm you're we're they're i've you've we've they've i'll you'll he'll she'll it'll "
        "we'll they'll i he she we they"
    ),
    prepositions=_words(
        "of in on at by for from with to into onto upon about above across after against along among around before "
        "behind below beneath beside between beyond despite down during inside like near off out outside over past "
        "since through throughout toward towards under until up via within without"
    ),
    conjunctions=_words(
        "and but or nor so yet because although though while when where which who whom whose that if unless whether "
        "as than whereas"
    ),
    owners=("'s", "s'"),
    titles=_words("mr. mrs. ms. dr. prof. st. sir rev. gen. capt. lt. col. sgt. no."),
)
_PORTUGUESE = _Grammar(
    articles=_words(
        "o a os as um uma uns umas este esta estes estas esse essa esses essas aquele aquela aqueles aquelas meu minha "
        "meus minhas teu tua teus tuas seu sua seus suas nosso nossa nossos nossas cada todo toda todos todas algum "
        "alguma alguns algumas nenhum nenhuma qualquer outro outra outros outras do da dos das no na nos nas ao à aos "
        "às pelo pela pelos pelas num numa nuns numas dum duma deste desta destes destas neste nesta nestes nestas "
        "desse dessa desses dessas nesse nessa nesses nessas daquele daquela naquele naquela"
    ),
    auxiliaries=_words(
        "é são foi foram era eram ser sendo sido será serão seria seriam está estão estava estavam estar esteve têm "
        "tem tinha tinham ter teve há havia vai vão vou vamos ia iam pode podem podia podiam poderia deve devem devia "
        "deviam deveria quer querem não eu ele ela nós eles elas você vocês me te se lhe lhes"
    ),
    prepositions=_words(
        "de em por para com sem sobre entre até desde contra após sob perante durante do da dos das no na nos nas ao à "
        "aos às pelo pela pelos pelas num numa deste desta neste nesta desse dessa nesse nessa"
    ),
    conjunctions=_words(
        "e mas ou nem que porque quando enquanto como embora pois portanto porém contudo todavia onde cujo cuja caso"
    ),
    titles=_words("sr. sra. srs. sras. dr. dra. prof. profa. d. dom dona eng. gen. cel. sto. sta. são"),
)
_GRAMMARS = {
    "en": _ENGLISH,
    "pt": _PORTUGUESE,
    "de": _Grammar(names_have_capitals=False),
    "lb": _Grammar(names_have_capitals=False),
}


@lru_cache(maxsize=4096)
def parting_cost(before: str, after: str, language: str, *, opens_sentence: bool = False) -> float:
    """The cost of parting two neighbouring words of one sentence, as they are shown, from 1 to 30.

    `language` is the primary one (`pt`); `opens_sentence` says that `before` is the sentence's first word, whose
    capital says nothing about names.
    """
    grammar = _GRAMMARS.get(language, _Grammar())
    first, second = _plain(before), _plain(after)
    if before.lower().lstrip(_OPENING) in grammar.titles:
        return TORN_APART
    punctuated = _after_punctuation(before)
    if punctuated is not None:
        return punctuated
    if first in grammar.articles or first in grammar.auxiliaries:
        return TORN_APART
    if grammar.names_have_capitals and not opens_sentence and _is_name(before) and _is_name(after):
        return TORN_APART
    if _has_digit(before) != _has_digit(after) and (_has_digit(before) or _is_name(before)):
        return AFTER_SMALL_WORD
    if first in grammar.prepositions or first in grammar.conjunctions or first.endswith(grammar.owners):
        return AFTER_SMALL_WORD
    if second in grammar.conjunctions:
        return BEFORE_CONJUNCTION
    if second in grammar.prepositions:
        return BEFORE_PREPOSITION
    return BEFORE_PREPOSITION if _turns_script(before, after) else ANYWHERE


def eased(cost: float, pause_seconds: float) -> float:
    """A place where the speaker pauses is a better one."""
    return cost * 0.6 if pause_seconds >= _HEARD_PAUSE_SECONDS else cost


def characters(word: str) -> list[str]:
    """A Chinese or Japanese word in the smallest parts that a line may end between.

    Closing marks and small kana stay with what they follow, opening marks with what follows them; Latin words and
    numbers stay whole.
    """
    parts: list[str] = []
    for character in word:
        joins = parts and (
            _hangs(character)
            or parts[-1][-1] in _OPENING
            or (_is_alphabetic(parts[-1][-1]) and _is_alphabetic(character))
        )
        if joins:
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _after_punctuation(word: str) -> float | None:
    bare = word.rstrip(_CLOSING)
    if bare.endswith(_STRONG):
        return STRONG_STOP
    if bare.endswith(_COMMAS) or (bare and word.endswith((")", "）", "」", "』"))):
        return COMMA
    return None


def _plain(word: str) -> str:
    return word.strip(_OPENING + _CLOSING).lower().replace("’", "'")


def _is_name(word: str) -> bool:
    bare = word.lstrip(_OPENING)
    return bare[:1].isupper() and bare[:1].isalpha()


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _hangs(character: str) -> bool:
    """Whether a line must not begin with it: closing marks, small kana, the long-vowel and repetition marks."""
    if character in "ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ":
        return True
    return character not in _OPENING and unicodedata.category(character) in {"Po", "Pe", "Pf", "Pd", "Mn"}


def _is_alphabetic(character: str) -> bool:
    return character.isalnum() and unicodedata.east_asian_width(character) not in {"W", "F"}


def _turns_script(before: str, after: str) -> bool:
    """From hiragana, where Japanese words have their endings and particles, to anything else but it."""
    return "ぁ" <= before[-1:] <= "ゟ" and not "ぁ" <= after[:1] <= "ゟ"
