"""What is said for what is written, word by word.

espeak-ng, inside Piper, reads plain prose well and much else badly: years as large numbers, `$3.50` as "dollar
three point five zero", a full stop after `Dr` as the end of a sentence. English and Portuguese are written out
here in words; other languages are only cleaned. Every written word keeps its own piece of speech, so that a
caption can show the one while the other is heard.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from pipeline.domain.sentence import Sentence, Word
from pipeline.text import tokens
from pipeline.text.pronunciations import Pronunciation, Pronunciations
from pipeline.text.spoken.language import Language
from pipeline.text.spoken.place import Place

_VOICELESS = frozenset("ptkfθ")
_SIBILANT = frozenset("szʃʒ")
_JOINTS = re.compile(r"([-–—/])")


def sentence(shown: str, language: str, pronunciations: Pronunciations) -> Sentence:
    """The words of one sentence, each as it is shown and as it is spoken.

    There are exactly as many words as `shown` has between its blanks; `spoken` is empty where nothing is heard.
    """
    found = tokens.of(shown)
    if not found:
        return Sentence(())
    primary, _, rest = language.partition("-")
    region = rest.rpartition("-")[2].upper()
    known = _language(primary.lower())
    cores: list[str] = []
    while len(cores) < len(found):
        place = Place(found, len(cores), region)
        said = _as_told(place, language, pronunciations) if pronunciations else None
        if said is None:
            said = _part_by_part(place, language, pronunciations, known) if pronunciations else None
        if said is None:
            said = known.read(place) if known else (_cleaned(place),)
        cores += said
    spoken = tokens.voiced(cores, found)
    return Sentence(tuple(Word(token.shown, said) for token, said in zip(found, spoken, strict=True)))


def has_speech(sentence: Sentence) -> bool:
    """Whether anything in it can be pronounced."""
    return any(any(map(str.isalnum, word.spoken)) for word in sentence.words)


@cache
def _language(primary: str) -> Language | None:
    number_run = r"\d+(?:\.\d+)?" if primary == "en" else r"\d+(?:,\d+)?"
    run = re.compile(rf"{number_run}|[^\W\d_²³]+(?:['-][^\W\d_²³]+)*|\S")
    if primary == "en":
        from pipeline.text.spoken import english, english_words

        return Language(english.reading, english.is_ordinary, english.number, english_words.SYMBOLS, run)
    if primary == "pt":
        from pipeline.text.spoken import portuguese, portuguese_words

        return Language(portuguese.reading, portuguese.is_ordinary, portuguese.number, portuguese_words.SYMBOLS, run)
    return None


# -- pronunciations ----------------------------------------------------------------------------------------------


def _as_told(place: Place, language: str, pronunciations: Pronunciations) -> tuple[str, ...] | None:
    """A word, or several in a row, that the pronunciations name."""
    core = place.core(0)
    ahead = [core]
    begins = pronunciations.begins(core)
    while begins and len(ahead) < 8 and (following := place.joined(len(ahead))):
        ahead.append(following)
    if begins and (entry := pronunciations.match(ahead, language)):
        return _spread(entry)
    if core[-2:] in ("'s", "'S") and (entry := pronunciations.match([core[:-2]], language)):
        return (_possessive(entry.say, language),)
    return None


def _spread(entry: Pronunciation) -> tuple[str, ...]:
    """One word of the respelling for each word written, where there are as many; else all on the first."""
    count = len(entry.words)
    pieces = entry.say.split()
    if count == len(pieces) and not entry.say.startswith("[["):
        return tuple(pieces)
    return (entry.say, *[""] * (count - 1))


def _possessive(say: str, language: str) -> str:
    """With 's; inside phonemes as the sound it has there, because Piper reads what follows them by itself."""
    if not say.endswith("]]"):
        return f"{say}'s"
    if not language.lower().startswith("en"):
        return say
    last = say[:-2].rstrip("ːˈˌ ")[-1:]
    ending = "ɪz" if last in _SIBILANT else "s" if last in _VOICELESS else "z"
    return f"{say[:-2]}{ending}]]"


def _part_by_part(
    place: Place, language: str, pronunciations: Pronunciations, known: Language | None
) -> tuple[str, ...] | None:
    """`Ollama-based`, `GIF/PNG`: a named word on one side of a hyphen or a slash."""
    core = place.core(0)
    if "." in core or "@" in core or not _JOINTS.search(core):
        return None
    parts = [part for part in _JOINTS.split(core) if part and not _JOINTS.fullmatch(part)]
    if not any(pronunciations.match([part], language) for part in parts):
        return None
    inner = tuple(tokens.plain(part) for part in parts)
    said: list[str] = []
    while len(said) < len(parts):
        here = Place(inner, len(said), place.region)
        said += _as_told(here, language, pronunciations) or (known.read(here) if known else (_cleaned(here),))
    return (" ".join(text for text in said if text),)


# -- other languages -----------------------------------------------------------------------------------------------


def _cleaned(place: Place) -> str:
    """A word of a language that is left to espeak-ng: no emoji, no markup; its numbers as they are written."""
    core = place.core(0)
    if core.isalpha():
        return core
    kept = "".join(char for char in core if _is_heard(char)).strip("-")
    # A dotted ordinal ("3. Oktober") is read as one only with its full stop, and espeak-ng does not end there.
    ordinal = place.token.dotted and core.isdecimal() and place.core(1)
    return f"{kept}." if ordinal else kept


def _is_heard(char: str) -> bool:
    return char.isalnum() or char in "'-.,:%+&/€$£°@" or unicodedata.category(char).startswith("M")
