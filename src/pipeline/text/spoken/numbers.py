"""Numbers as words, in the two languages that are read out in full.

num2words knows the words; what it writes for reading (commas inside a number, "and" in American English) is
taken out here, because espeak-ng pauses at every comma. It is imported with the first number: 40 ms.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial

# Longer runs are identifiers, and num2words refuses numbers it has no name for.
LONGEST_NUMBER_DIGITS = 15

_DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS_PT = ("zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove")


def digits(text: str, language: str) -> str:
    """Each digit by itself: telephone numbers, serial numbers, what follows a decimal point."""
    names = _DIGITS_PT if language == "pt" else _DIGITS_EN
    return " ".join(names[int(digit)] for digit in text if digit.isdecimal())


def _too_long(text: str) -> bool:
    return len(text) > LONGEST_NUMBER_DIGITS or (len(text) > 1 and text[0] == "0")


# -- English ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def english(number: int, *, british: bool = False) -> str:
    """`one thousand two hundred thirty-four`; with `british`, `... and thirty-four`."""
    from num2words import num2words

    words = str(num2words(number, lang="en")).replace(",", "")
    return words if british else words.replace(" and ", " ")


@lru_cache(maxsize=1024)
def english_ordinal(number: int, *, british: bool = False) -> str:
    from num2words import num2words

    words = str(num2words(number, lang="en", to="ordinal")).replace(",", "")
    return words if british else words.replace(" and ", " ")


def english_year(year: int) -> str:
    """1905 `nineteen oh five`, 2000 `two thousand`, 2024 `twenty twenty-four`; 1000 to 2999."""
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return english(year)
    if rest == 0:
        return f"{english(century)} hundred"
    return f"{english(century)} {'oh ' if rest < 10 else ''}{english(rest)}"


def english_plural(words: str) -> str:
    """`nineteen ninety` becomes `nineteen nineties`."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def english_number(text: str, *, british: bool = False) -> str:
    """A written number: `1,234.56`, `.5`, `007`."""
    whole, point, fraction = text.replace(",", "").partition(".")
    said = "" if not whole else digits(whole, "en") if _too_long(whole) else english(int(whole), british=british)
    return f"{said} point {digits(fraction, 'en')}".strip() if point and fraction else said


# -- Portuguese ------------------------------------------------------------------------------------------------

_FEMININE = {"um": "uma", "dois": "duas"}
_BIG_NOUN = re.compile(r"^(.*(?:lhão|lhões))(.*)$")


@lru_cache(maxsize=4096)
def portuguese(number: int, *, feminine: bool = False, european: bool = False) -> str:
    """`mil duzentos e trinta e quatro`; with `feminine`, `duzentas`, `duas`, `uma`."""
    from num2words import num2words

    words = str(num2words(number, lang="pt" if european else "pt_BR")).replace(",", "")
    return feminine_of(words) if feminine else words


def feminine_of(words: str) -> str:
    """The feminine of cardinal words; `milhão` and its kin are masculine, and so is what counts them."""
    match = _BIG_NOUN.match(words)
    head, tail = match.groups() if match else ("", words)
    parts = [_FEMININE.get(word, re.sub(r"(entos|hentos)$", lambda m: m[0][:-2] + "as", word)) for word in tail.split()]
    return f"{head} {' '.join(parts)}".strip()


@lru_cache(maxsize=1024)
def portuguese_ordinal(number: int, *, feminine: bool = False) -> str:
    from num2words import num2words

    words = str(num2words(number, lang="pt_BR", to="ordinal")).replace(",", "")
    # num2words writes "décimo segundo"; every part takes the gender.
    return " ".join(word[:-1] + "a" if word.endswith("o") else word for word in words.split()) if feminine else words


def portuguese_number(text: str, *, feminine: bool = False, european: bool = False) -> str:
    """A written number: `1.234,56`, `,5`, `007`."""
    whole, comma, fraction = text.replace(".", "").partition(",")
    whole = whole or "0"
    in_words = partial(portuguese, feminine=feminine, european=european)
    said = digits(whole, "pt") if _too_long(whole) else in_words(int(whole))
    if not comma or not fraction:
        return said
    if fraction[0] == "0" or len(fraction) > 2:
        return f"{said} vírgula {digits(fraction, 'pt')}"
    return f"{said} vírgula {in_words(int(fraction))}"
