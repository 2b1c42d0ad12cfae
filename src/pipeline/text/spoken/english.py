"""How English is read aloud: what espeak-ng would misread is written out here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial

from pipeline.text import roman
from pipeline.text.spoken import addresses, numbers
from pipeline.text.spoken.english_words import (
    ACRONYMS,
    ATTRIBUTIVE_YEAR,
    COUNTED,
    COUNTED_IN_ROMAN,
    CURRENCIES,
    DAY_NAMES,
    DOTTED,
    DOTTED_BEFORE_NUMBER,
    ENDING,
    GLUED_UNITS,
    LETTERED,
    MAGNITUDE_WORDS,
    MAGNITUDES,
    MONTH_NAMES,
    MONTHS,
    NOT_PLURAL,
    REGNAL,
    SPELLED,
    STRONG_YEAR,
    SYMBOLS,
    UNDOTTED,
    UNITS,
    VERSIONED,
)
from pipeline.text.spoken.place import Place, Reading, Rule, first_reading, shouted, words_of

_AMERICAN = frozenset({"", "US", "CA", "PH"})

_MARKS = {".": "dot", "/": "slash", ":": "colon", "_": "underscore", "-": "dash", "@": "at", "?": "question mark",
          "&": "and", "=": "equals", "#": "hash", "%": "percent", "+": "plus", "~": "tilde"}  # fmt: skip


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_CURRENCY = _either(CURRENCIES)
_MAGNITUDE = _either(MAGNITUDES)
_SIGNS = {"-": "minus", "+": "plus", "±": "plus or minus", "~": "about", "≈": "about", "<": "less than",
          ">": "more than", "≤": "at most", "≥": "at least"}  # fmt: skip
_ONES = {"1", "1.0"}


def _british(place: Place) -> bool:
    return place.region not in _AMERICAN


def _number(text: str, place: Place) -> str:
    return numbers.english_number(text, british=_british(place))


def _signed(sign: str | None, said: str) -> str:
    return f"{_SIGNS[sign]} {said}" if sign else said


# -- rules, each for one shape of word ---------------------------------------------------------------------------


def _address(match: re.Match[str], place: Place) -> Reading | None:
    names = addresses.Names(_MARKS, "hashtag", lambda text: _number(text, place))
    said = addresses.read(match[0], names)
    return None if said is None else (said,)


def _version(match: re.Match[str], place: Place) -> Reading | None:
    parts = match["parts"].split(".")
    prefixed = bool(match["v"])
    if len(parts) == 2 and not prefixed and place.joined(-1).lower() not in VERSIONED:
        return None
    if len(parts) == 1 and not prefixed:
        return None
    is_address = len(parts) == 4 and all(int(part) < 256 for part in parts)
    said = (" dot " if is_address else " point ").join(_number(part, place) for part in parts)
    return (f"version {said}" if prefixed else said,)


def _day(day: int, month: int, year: int | None, place: Place) -> Reading | None:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return None
    ordinal = numbers.english_ordinal(day)
    said = f"the {ordinal} of {MONTHS[month - 1]}" if _british(place) else f"{MONTHS[month - 1]} {ordinal}"
    return (said if year is None else f"{said}, {_year_or_number(year, place)}",)


def _year_or_number(year: int, place: Place) -> str:
    return numbers.english_year(year) if 1000 <= year < 3000 else _number(str(year), place)


def _iso_date(match: re.Match[str], place: Place) -> Reading | None:
    return _day(int(match[3]), int(match[2]), int(match[1]), place)


def _slash_date(match: re.Match[str], place: Place) -> Reading | None:
    first, second, year = (int(group) for group in match.groups())
    if year < 100:
        year += 2000 if year < 50 else 1900
    day_first = _british(place) or first > 12
    day, month = (first, second) if day_first and second <= 12 else (second, first)
    return _day(day, month, year, place)


def _day_of_month(match: re.Match[str], place: Place) -> Reading | None:
    """`May 17` and `17 May`: a day is said as an ordinal."""
    if not 1 <= int(match[1]) <= 31:
        return None
    ordinal = numbers.english_ordinal(int(match[1]))
    if place.core(-1) in MONTH_NAMES and (place.is_dotted(-1) or place.joined(-1)):
        return (ordinal,)
    surely = place.core(1) != "May" or place.core(2)[:1].isdigit() or place.core(-1).lower() in _BEFORE_A_DATE
    if place.joined(1) in MONTH_NAMES and (surely or not place.core(2)):
        return (f"{ordinal} of" if place.core(-1) == "the" else f"the {ordinal} of",)
    return None


_BEFORE_A_DATE = words_of("on by until till since from the after before")


def _time(match: re.Match[str], place: Place) -> Reading | None:
    hour, minute, second = int(match["h"]), int(match["m"]), match["s"]
    if hour > 24 or minute > 59:
        return None
    half = (match["half"] or "").lower().replace(".", "")
    said = numbers.english(hour)
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{numbers.english(minute)}"
    elif second is None and not half and not _half_day(place.joined(1)):
        said += " o'clock" if 1 <= hour <= 12 else " hundred"
    if second is not None:
        seconds = numbers.english(int(second))
        said += f" {seconds}" if minute else f" zero {seconds}"
    return (f"{said} {'-'.join(half)}" if half else said,)


def _half_day(core: str) -> str:
    plain = core.lower().replace(".", "")
    return "-".join(plain) if plain in ("am", "pm") else ""


def _hour(match: re.Match[str], place: Place) -> Reading | None:
    return (f"{_number(match[1], place)} {'-'.join(match[2].lower().replace('.', ''))}",)


def _half_day_alone(match: re.Match[str], place: Place) -> Reading | None:
    dotted = "." in match[0]
    return (_half_day(match[0]),) if dotted or place.joined(-1)[-1:].isdigit() else None


def _phone(match: re.Match[str], _place: Place) -> Reading | None:
    groups = re.findall(r"\d+", match[0])
    said = ", ".join(numbers.digits(group, "en") for group in groups)
    return (f"plus {said}" if match[0].startswith("+") else said,)


def _area_code(match: re.Match[str], place: Place) -> Reading | None:
    """`(555) 123-4567`: the digits in brackets before a telephone number."""
    if place.token.shown.startswith("(") and re.fullmatch(r"\d{3}-\d{4}", place.core(1)):
        return (numbers.digits(match[0], "en"),)
    return None


def _dot_name(match: re.Match[str], _place: Place) -> Reading:
    return (f"dot {match[1]}",)


def _money(match: re.Match[str], place: Place) -> Reading:
    one, many, _, _ = CURRENCIES[match["cur"] or match["cur2"]]
    sign, text = match["sign"], match["num"]
    magnitude = MAGNITUDES.get(match["mag"] or "", "")
    plus = " plus" if match["plus"] else ""
    following = place.joined(1)
    if not magnitude and not plus and (following in MAGNITUDE_WORDS or following in ("m", "bn", "mn", "tn", "trn")):
        word = MAGNITUDES.get(following, following)
        return _signed(sign, _number(text, place)), f"{word} {many}"
    if magnitude:
        return (_signed(sign, f"{_number(text, place)} {magnitude} {many}{plus}"),)
    return (
        _signed(sign, _amount(text, match["cur"] or match["cur2"], place) if text not in _ONES else f"one {one}")
        + plus,
    )


def _amount(text: str, currency: str, place: Place) -> str:
    one, many, hundredth, hundredths = CURRENCIES[currency]
    whole, _, fraction = text.replace(",", "").partition(".")
    if len(fraction) != 2:
        return f"{_number(text, place)} {many}"
    units, cents = int(whole or "0"), int(fraction)
    said = []
    if units or not cents:
        said.append(f"{_number(whole or '0', place)} {one if units == 1 else many}")
    if cents:
        said.append(f"{numbers.english(cents)} {hundredth if cents == 1 else hundredths}")
    return " and ".join(said)


def _currency_before(match: re.Match[str], place: Place) -> Reading | None:
    """`US$ 2 bn`: the currency is heard after the number."""
    _, many, _, _ = CURRENCIES[match[0]]
    text = place.joined(1)
    if not re.fullmatch(_NUMBER, text):
        return (many,) if not match[0].isalpha() else None
    word = place.joined(2)
    if word in MAGNITUDE_WORDS or word in ("m", "bn", "mn", "tn", "trn"):
        return "", _number(text, place), f"{MAGNITUDES.get(word, word)} {many}"
    return "", _amount(text, match[0], place)


def _money_range(match: re.Match[str], place: Place) -> Reading:
    _, many, _, _ = CURRENCIES[match["cur"]]
    magnitude = MAGNITUDES.get(match["mag"] or "", "")
    low, high = _number(match["low"], place), _number(match["high"], place)
    following = place.joined(1)
    if not magnitude and following in MAGNITUDE_WORDS:
        return f"{low} to {high}", f"{following} {many}"
    return (" ".join(filter(None, (f"{low} to {high}", magnitude, many))),)


def _adjective(match: re.Match[str], place: Place) -> Reading:
    """`5-km`, `$5-million`: before its noun the measure stays in the singular."""
    said = _number(match["num"], place)
    if match["cur"]:
        return (f"{said} {match['word']} {CURRENCIES[match['cur']][0]}",)
    return (f"{said} {UNITS[match['word']][0]}",)


def _decade(match: re.Match[str], place: Place) -> Reading | None:
    text = match["year"]
    if len(text) == 2:
        return (numbers.english_plural(numbers.english(int(text))),)
    return (numbers.english_plural(_year_or_number(int(text), place)),)


def _ordinal(match: re.Match[str], place: Place) -> Reading:
    return (numbers.english_ordinal(int(match[1].replace(",", "")), british=_british(place)),)


_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_PART_SIZES = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100, 1000))


def _fraction(match: re.Match[str], place: Place) -> Reading | None:
    above, below = int(match["above"]), int(match["below"])
    if below not in _PART_SIZES or not 0 < above < below:
        return (" ".join(number(match[part], place) for part in ("above", "below")),) if not match["whole"] else None
    one, many = _PARTS.get(below) or (numbers.english_ordinal(below), f"{numbers.english_ordinal(below)}s")
    part = f"{numbers.english(above)} {one if above == 1 else many}"
    whole = match["whole"] or (place.joined(-1) if place.joined(-1).isdecimal() else "")
    if whole:
        part = f"and {'a ' + one if above == 1 else part}"
    return (f"{_number(match['whole'], place)} {part}" if match["whole"] else part,)


def _range(match: re.Match[str], place: Place) -> Reading | None:
    low, high, unit = match["low"], match["high"], match["unit"]
    if _looks_like_year(low) and len(high) in (2, 4) and not unit and "," not in high and high.isdecimal():
        until = numbers.english(int(high)) if len(high) == 2 else _year_or_number(int(high), place)
        said = f"{numbers.english_year(int(low))} to {until}"
        return (said,)
    rising = float(low.replace(",", "")) < float(high.replace(",", ""))
    said = f"{_number(low, place)} {'to ' if rising else ''}{_number(high, place)}"
    if unit:
        return (f"{said} {GLUED_UNITS[unit][1]}",)
    following = place.joined(1)
    return (said, UNITS[following][1]) if following in UNITS else (said,)


def _looks_like_year(text: str) -> bool:
    return len(text) == 4 and text.isdecimal() and 1100 <= int(text) < 2100


def _quantity(match: re.Match[str], place: Place) -> Reading | None:
    sign, text, unit = match["sign"], match["num"], match["unit"]
    plus = " plus" if match["plus"] else ""
    if unit:
        one, many = GLUED_UNITS[unit]
        return (_signed(sign, f"{_number(text, place)} {one if text in _ONES else many}{plus}"),)
    following = place.joined(1)
    if following in UNITS and not plus:
        one, many = UNITS[following]
        return _signed(sign, _number(text, place)), (one if text in _ONES else many)
    if not sign and not plus and _is_year(text, place):
        return (numbers.english_year(int(text)),)
    return (_signed(sign, _number(text, place)) + plus,)


def _is_year(text: str, place: Place) -> bool:
    if not (len(text) == 4 and text.isdecimal()):
        return False
    before, after = place.core(-1), place.joined(1)
    strong = before.lower() in STRONG_YEAR or before in MONTH_NAMES
    if _looks_like_year(text):
        counted = after in COUNTED or (after.islower() and after.endswith("s") and after not in NOT_PLURAL)
        return strong or not counted
    if 2100 <= int(text) < 2200:
        return strong
    return 1000 <= int(text) < 1100 and (strong or before.lower() in ATTRIBUTIVE_YEAR) and not after.endswith("s")


def _ratio(match: re.Match[str], place: Place) -> Reading:
    return (f"{_number(match[1], place)} to {_number(match[2], place)}",)


def _section(match: re.Match[str], place: Place) -> Reading:
    """`§2`, where nothing stands between the sign and its number."""
    return (f"{SYMBOLS[match[1]]} {_number(match[2], place)}",)


def _product(match: re.Match[str], place: Place) -> Reading:
    return (f"{_number(match[1], place)} by {_number(match[2], place)}",)


def _numbered(match: re.Match[str], place: Place) -> Reading:
    return (f"number {_number(match[1], place)}",)


def _roman(match: re.Match[str], place: Place) -> Reading | None:
    text = match[0]
    value = roman.value(text)
    before, after = place.joined(-1), place.joined(1)
    if value is None:
        return None
    if after.lower() in ("century", "centuries"):
        return (numbers.english_ordinal(value),)
    if before in REGNAL and not (text == "I" and after.islower() and after in _AFTER_THE_PRONOUN):
        return (f"the {numbers.english_ordinal(value)}",)
    if before in COUNTED_IN_ROMAN:
        return (numbers.english(value),)
    if len(text) > 1 and set(text) <= set("IVX") and text not in ("IV", "XX", "XXX", "VI") and not shouted(place):
        return (numbers.english(value),)
    return None


_AFTER_THE_PRONOUN = words_of("am was have had do did will would can could think know saw")


def _capitals(match: re.Match[str], place: Place) -> Reading | None:
    text = match[0]
    if text in ACRONYMS:
        return (ACRONYMS[text],)
    return ("-".join(text),) if text in SPELLED and not shouted(place) else None


def _lone_a(_match: re.Match[str], place: Place) -> Reading | None:
    """The letter, not the article, which espeak-ng swallows: `vitamin A`, `from A to Z`."""
    before, after = place.joined(-1), place.core(1)
    if not before:
        return None
    return ("eigh",) if before in LETTERED or (before.islower() and not after.istitle()) else None


def _plain_abbreviation(match: re.Match[str], _place: Place) -> Reading | None:
    said = UNDOTTED.get(match[0].lower())
    return None if said is None else (said,)


def _unit_alone(match: re.Match[str], place: Place) -> Reading | None:
    """A unit with no number before it: `per km`, `in MHz`, `600 sq ft`."""
    unit = match[0]
    if len(unit) < 2 or unit not in UNITS or unit in ("in", "ms", "sec", "min", "ha", "mi", "x"):
        return None
    return (UNITS[unit][0 if place.core(-1).lower() in ("per", "a", "each", "every", "one") else 1],)


def _spelled_dots(match: re.Match[str], _place: Place) -> Reading | None:
    """`U.S`, `J.R.R`: letters, without the full stops that would end the sentence."""
    return ("-".join(letter for letter in match[0] if letter != "."),)


def _with_symbol_name(name: str, match: re.Match[str], _place: Place) -> Reading:
    return (f"{match[1]} {name}",)


def _symbol(match: re.Match[str], _place: Place) -> Reading | None:
    said = SYMBOLS.get(match[0])
    if match[0] == "/":
        return ("",)
    return None if said is None else (said,)


def _squared(match: re.Match[str], place: Place) -> Reading:
    base = _number(match[1], place) if match[1].isdecimal() else {"x": "ex"}.get(match[1], match[1])
    return (f"{base} {'squared' if match[2] == '²' else 'cubed'}",)


def _power(match: re.Match[str], place: Place) -> Reading:
    exponent = unicodedata.normalize("NFKC", match[2].lstrip("⁻"))
    sign = "minus " if match[2][0] == "⁻" else ""
    return (f"{_number(match[1], place)} to the power of {sign}{_number(exponent, place)}",)


def _he_or_she(match: re.Match[str], _place: Place) -> Reading:
    return (f"{match[1]} or {match[2]}",)


def _span_of_names(match: re.Match[str], _place: Place) -> Reading | None:
    first, second = match[1], match[2]
    if {first, second} <= MONTH_NAMES | DAY_NAMES or (len(first) == len(second) == 1):
        return (f"{'eigh' if first == 'A' else first} to {second}",)
    return None


def _rule(pattern: str, read: Callable[[re.Match[str], Place], Reading | None]) -> Rule:
    return re.compile(pattern), read


_MARKED: tuple[Rule, ...] = (
    _rule(r"\.([A-Za-z]\w*)", _dot_name),
    _rule(r".*[.@#/].*", _address),
    _rule(r"\d{3}", _area_code),
    _rule(r"(?P<v>[vV])?(?P<parts>\d+(?:\.\d+)*)", _version),
    _rule(r"(\d{4})-(\d\d)-(\d\d)", _iso_date),
    _rule(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", _slash_date),
    _rule(r"(\d{1,2})", _day_of_month),
    _rule(r"(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d))?(?P<half>[AaPp]\.?[Mm])?", _time),
    _rule(r"(\d{1,2})([AaPp]\.?[Mm])", _hour),
    _rule(r"\+?(?:\d{1,3}[-.])?\(?\d{3}\)?[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}|\+?\d{10,}", _phone),
    _rule(
        rf"(?P<cur>{_CURRENCY})(?P<low>{_NUMBER})[-–—](?:{_CURRENCY})?(?P<high>{_NUMBER})(?P<mag>{_MAGNITUDE})?",
        _money_range,
    ),
    _rule(
        rf"(?P<sign>[-+±~≈<>≤≥])?(?:(?P<cur>{_CURRENCY})(?P<num>{_NUMBER})(?P<mag>{_MAGNITUDE})?(?P<plus>\+)?)(?P<cur2>)",
        _money,
    ),
    _rule(
        rf"(?P<sign>[-+±~≈<>≤≥])?(?P<cur>)(?P<num>{_NUMBER})(?P<mag>{_MAGNITUDE})?(?P<plus>)(?P<cur2>[$€£¥₹])", _money
    ),
    _rule(rf"(?P<cur>{_CURRENCY})(?P<num>{_NUMBER})-(?P<word>{_either(MAGNITUDE_WORDS)})", _adjective),
    _rule(rf"(?P<cur>)(?P<num>{_NUMBER})-(?P<word>{_either(UNITS)})", _adjective),
    _rule(_CURRENCY, _currency_before),
    _rule(r"'?(?P<year>\d\d0|\d{3}0|\d0)'?s", _decade),
    _rule(r"(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)", _ordinal),
    _rule(r"(?:(?P<whole>\d+)_)?(?P<above>\d{1,4})/(?P<below>\d{1,4})", _fraction),
    _rule(
        rf"(?P<low>{_NUMBER})[-–—](?P<high>{_NUMBER})(?P<unit>{_either(GLUED_UNITS)})?",
        _range,
    ),
    _rule(rf"(?P<sign>[-+±~≈<>≤≥])?(?P<num>{_NUMBER})(?P<unit>{_either(GLUED_UNITS)})?(?P<plus>\+)?", _quantity),
    _rule(rf"(§§?|¶¶?)({_NUMBER})", _section),
    _rule(r"(\d+):(\d+)", _ratio),
    _rule(r"(\d+)[x×](\d+)", _product),
    _rule(rf"#({_NUMBER})", _numbered),
    _rule(r"[AaPp]\.?[Mm]", _half_day_alone),
    _rule(r"(?:[A-Za-z]\.)+[A-Za-z]", _spelled_dots),
    _rule(r"(\w+)\+\+", partial(_with_symbol_name, "plus plus")),
    _rule(r"([A-G]|F)#", partial(_with_symbol_name, "sharp")),
    _rule(r"(\d+|\w)([²³])", _squared),
    _rule(r"(\d+)(⁻?[⁰¹²³⁴-⁹]+)", _power),
    _rule(r"([Hh]e|[Hh]is|[Hh]im|[Ss]he)/(she|hers?|he)", _he_or_she),
    _rule(r"([A-Za-z]+)–([A-Za-z]+)", _span_of_names),
    _rule(r"A", _lone_a),
    _rule(r"[IVXLCDM]+", _roman),
    _rule(r"[A-Za-z/]+", _plain_abbreviation),
    _rule(r"[A-Za-z]+", _capitals),
    _rule(r"\S{2,6}", _unit_alone),
    _rule(r"\S|§§|¶¶", _symbol),
)


def abbreviation(place: Place) -> str | None:
    """What a word with its full stop stands for: `Dr.`, `No. 5`, `J.`; None where it is an ordinary word."""
    core = place.core(0)
    lower = core.lower()
    before_number = DOTTED_BEFORE_NUMBER.get(lower)
    if before_number and (place.core(1)[:1].isdigit() or roman.value(place.core(1)) is not None):
        return before_number
    if lower == "st":
        return "Saint" if place.core(1)[:1].isupper() else "Street"
    if core in ("V", "X", "I", "L", "C", "D", "M") and place.core(-1) in REGNAL | COUNTED_IN_ROMAN:
        return None
    if core == "v" and place.core(1)[:1].isupper():
        return "versus"
    if lower == "min" and place.core(-1)[:1].isdigit():
        return "minutes"
    if lower in ("am", "pm"):
        return _half_day(core) if place.core(-1)[-1:].isdigit() else None
    if (
        lower in ("sun", "sat", "mon", "wed", "mar", "may", "co", "ms", "fr", "sen", "rep", "col")
        and not core[0].isupper()
    ):
        return None
    if len(core) == 1 and core.isupper():
        return "eigh" if core == "A" else core
    return DOTTED.get(lower) if place.core(1) or lower in ENDING else None


def reading(place: Place) -> Reading | None:
    """What is said here instead of the word itself."""
    core = place.core(0)
    if place.token.dotted and (said := abbreviation(place)) is not None:
        return (said,)
    return first_reading(_MARKED, core, place)


def number(text: str, place: Place) -> str:
    """A number inside a mixed word: `FY2023`, `MP3`."""
    return numbers.english_year(int(text)) if _looks_like_year(text) else _number(text, place)


def is_ordinary(core: str) -> bool:
    """Whether a word is read as it stands, without looking closer."""
    return core.isalpha() and (core.islower() or core.istitle()) and len(core) > 1 and core not in _WATCHED


_WATCHED = frozenset(UNDOTTED) | frozenset(unit for unit in UNITS if unit.islower() or unit.istitle()) | {"am", "pm"}
