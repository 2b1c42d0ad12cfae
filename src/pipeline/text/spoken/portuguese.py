"""How Portuguese is read aloud: what espeak-ng would misread is written out here, in the right gender."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date

from pipeline.text import roman
from pipeline.text.spoken import addresses, numbers
from pipeline.text.spoken.place import Place, Reading, Rule, first_reading, shouted, words_of
from pipeline.text.spoken.portuguese_words import (
    ACRONYMS,
    CURRENCIES,
    DOTTED,
    DOTTED_BEFORE_NUMBER,
    ENDING,
    FEMININE_ENDINGS,
    FEMININE_NOUNS,
    FEMININE_SINGULAR_ENDINGS,
    GLUED_UNITS,
    MAGNITUDES,
    MASCULINE_NOUNS,
    MONTHS,
    REGNAL,
    REGNAL_FEMININE,
    SPELLED,
    SYMBOLS,
    UNDOTTED,
    UNITS,
)

_MARKS = {".": "ponto", "/": "barra", ":": "dois pontos", "_": "sublinhado", "-": "hífen", "@": "arroba",
          "?": "interrogação", "&": "e", "=": "igual", "#": "cerquilha", "%": "por cento", "+": "mais",
          "~": "til"}  # fmt: skip
_SIGNS = {"-": "menos", "+": "mais", "±": "mais ou menos", "~": "cerca de", "≈": "cerca de", "<": "menos de",
          ">": "mais de", "≤": "no máximo", "≥": "no mínimo"}  # fmt: skip


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_NUMBER = r"(?:\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?)"
_CURRENCY = _either(CURRENCIES)
_MAGNITUDE = _either(MAGNITUDES)
_SIGN = r"(?P<sign>[-+±~≈<>≤≥])?"


def _number(text: str, place: Place, *, feminine: bool = False) -> str:
    return numbers.portuguese_number(text, feminine=feminine, european=place.region == "PT")


def _signed(sign: str | None, said: str) -> str:
    return f"{_SIGNS[sign]} {said}" if sign else said


def _is_one(text: str) -> bool:
    return text.partition(",")[0] in ("0", "1")


def _counts_feminine(place: Place, offset: int = 1) -> bool:
    """Whether the word that is counted takes `duas`: `2 pessoas`, `200 mil páginas`."""
    noun = place.joined(offset).lower()
    if noun == "mil" and offset == 1:
        return _counts_feminine(place, 2)
    if not noun or noun in MASCULINE_NOUNS:
        return False
    return noun in FEMININE_NOUNS or noun.endswith(FEMININE_ENDINGS)


def _one_is_feminine(place: Place) -> bool:
    """`1 xícara`, `½ xícara`."""
    noun = place.joined(1).lower()
    return noun not in MASCULINE_NOUNS and len(noun) > 2 and noun.endswith(FEMININE_SINGULAR_ENDINGS)


def _address(match: re.Match[str], place: Place) -> Reading | None:
    said = addresses.read(match[0], addresses.Names(_MARKS, "hashtag", lambda text: _number(text, place)))
    return None if said is None else (said,)


def _version(match: re.Match[str], place: Place) -> Reading | None:
    parts = match["parts"].split(".")
    prefixed = bool(match["v"])
    if not prefixed and (len(parts) == 1 or re.fullmatch(r"\d{1,3}(?:\.\d{3})+", match["parts"])):
        return None
    said = " ponto ".join(_number(part, place) for part in parts)
    return (f"versão {said}" if prefixed else said,)


def _date(day: int, month: int, year: int | None, place: Place) -> Reading | None:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return None
    said = f"{'primeiro' if day == 1 else _number(str(day), place)} de {MONTHS[month - 1]}"
    return (said if year is None else f"{said} de {_number(str(year), place)}",)


def _iso_date(match: re.Match[str], place: Place) -> Reading | None:
    return _date(int(match[3]), int(match[2]), int(match[1]), place)


def _slash_date(match: re.Match[str], place: Place) -> Reading | None:
    day, month, year = (int(group) for group in match.groups() if group is not None)
    if year < 100:
        year += 2000 if year < 50 else 1900
    return _date(day, month, year, place)


def _first_of_month(_match: re.Match[str], place: Place) -> Reading | None:
    if place.joined(1) == "de" and place.joined(2).lower() in MONTHS:
        return ("primeiro",)
    return None


def _clock(match: re.Match[str], place: Place) -> Reading | None:
    """`14h30`, `14:30`: hours are feminine, minutes masculine."""
    hour, minute = int(match["h"]), int(match["m"] or match["colon"] or 0)
    if hour > 24 or minute > 59:
        return None
    hours = _number(str(hour), place, feminine=True)
    with_letter = "h" in match[0]
    if minute:
        minutes = _number(str(minute), place)
        return (f"{hours} {'hora' if hour < 2 else 'horas'} e {minutes}" if with_letter else f"{hours} e {minutes}",)
    return (f"{hours} {'hora' if hour < 2 else 'horas'}",)


def _are_years(first: str, last: str, place: Place) -> bool:
    """`1914-1918`, `1914-18`, `2023/2024`: years one after the other, and no telephone number or number of a law."""
    if not re.fullmatch(r"(1[1-9]|20)\d\d", first) or not re.fullmatch(r"\d\d|(1[1-9]|20)\d\d", last):
        return False
    before = place.core(-1).lower()
    is_area_code = len(before) == 2 and before.isdecimal()
    return first < first[: -len(last)] + last and not is_area_code and before not in _BEFORE_A_NUMBER


_BEFORE_A_NUMBER = words_of(
    "lei leis decreto portaria resolução processo edital medida nº n tel telefone fone ligue celular whatsapp fax cep"
)


def _law(match: re.Match[str], place: Place) -> Reading:
    """`13.105/2015`: the number of a law and its year."""
    if _are_years(match[1], match[2], place):
        return (f"{_number(match[1], place)} {_number(match[2], place)}",)
    return (f"{_number(match[1], place)} de {_number(match[2], place)}",)


def _power(match: re.Match[str], place: Place) -> Reading:
    exponent = unicodedata.normalize("NFKC", match[2].lstrip("⁻"))
    sign = "menos " if match[2][0] == "⁻" else ""
    return (f"{_number(match[1], place)} elevado a {sign}{_number(exponent, place)}",)


def _phone(match: re.Match[str], place: Place) -> Reading | None:
    if _are_years(*match[0].partition("-")[::2], place):
        return None
    said = ", ".join(numbers.digits(group, "pt") for group in re.findall(r"\d+", match[0]))
    return (f"mais {said}" if match[0].startswith("+") else said,)


def _area_code(match: re.Match[str], place: Place) -> Reading | None:
    """`(11) 91234-5678`: the digits in brackets before a telephone number."""
    if place.token.shown.startswith("(") and re.fullmatch(r"\d{4,5}-\d{4}", place.core(1)):
        return (numbers.digits(match[0], "pt"),)
    return None


def _dot_name(match: re.Match[str], _place: Place) -> Reading:
    return (f"ponto {match[1]}",)


def _of(magnitude: str, many: str) -> str:
    """`dez mil reais`, but `dez milhões de reais`."""
    return f"{magnitude} {many}" if magnitude == "mil" else f"{magnitude} de {many}"


def _amount(text: str, currency: str, place: Place) -> str:
    one, many, hundredth, hundredths, feminine = CURRENCIES[currency]
    whole, _, fraction = text.replace(".", "").partition(",")
    if fraction and len(fraction) != 2:
        return f"{_number(text, place, feminine=feminine)} {many}"
    units, cents = int(whole), int(fraction or 0)
    said = []
    if units or not cents:
        name = one if units == 1 else many
        if units and units % 1_000_000 == 0:
            name = f"de {name}"
        said.append(f"{_number(whole, place, feminine=feminine)} {name}")
    if cents:
        said.append(f"{_number(str(cents), place)} {hundredth if cents == 1 else hundredths}")
    return " e ".join(said)


def _magnitude(word: str, text: str) -> str:
    singular, plural = MAGNITUDES[word]
    return singular if _is_one(text) else plural


def _money(match: re.Match[str], place: Place) -> Reading:
    currency, text = match["cur"] or match["cur2"], match["num"]
    _, many, _, _, feminine = CURRENCIES[currency]
    if match["mag"]:
        said = f"{_number(text, place, feminine=feminine)} {_of(_magnitude(match['mag'], text), many)}"
        return (_signed(match["sign"], said),)
    following = place.joined(1)
    if following in MAGNITUDES and following != "k":
        number = "" if following == "mil" and text == "1" else _number(text, place)
        return _signed(match["sign"], number), _of(_magnitude(following, text), many)
    return (_signed(match["sign"], _amount(text, currency, place)),)


def _currency_before(match: re.Match[str], place: Place) -> Reading | None:
    """`R$ 10 mil`: the currency is heard after the number."""
    currency, text = match["cur"], place.joined(1)
    _, many, _, _, _ = CURRENCIES[currency]
    glued = re.fullmatch(rf"({_NUMBER})(mi|bi|k)", text)
    if glued:
        return "", _signed(match["sign"], f"{_number(glued[1], place)} {_of(_magnitude(glued[2], glued[1]), many)}")
    between = re.fullmatch(rf"({_NUMBER})[-–—](?:{_CURRENCY})?({_NUMBER})", text)
    if between:
        return "", f"{_number(between[1], place)} a {_number(between[2], place)} {many}"
    if not re.fullmatch(_NUMBER, text):
        return (many,) if not currency.isalpha() else None
    following = place.joined(2)
    if following in MAGNITUDES and following != "k":
        said = _signed(match["sign"], _number(text, place))
        return "", said, _of(_magnitude(following, text), many)
    return "", _signed(match["sign"], _amount(text, currency, place))


def _ordinal(match: re.Match[str], _place: Place) -> Reading:
    feminine = match[2] in "ªa"
    return (numbers.portuguese_ordinal(int(match[1].replace(".", "")), feminine=feminine),)


_PARTS = {2: ("meio", "meios"), 3: ("terço", "terços")}


def _fraction(match: re.Match[str], place: Place) -> Reading | None:
    above, below = int(match["above"]), int(match["below"])
    if not 0 < above < below or (below > 10 and below not in (100, 1000)):
        return (f"{_number(match['above'], place)} {_number(match['below'], place)}",)
    one, many = _PARTS.get(below) or (numbers.portuguese_ordinal(below), f"{numbers.portuguese_ordinal(below)}s")
    feminine = _one_is_feminine(place) or _counts_feminine(place)
    half = "meia" if feminine else "meio"
    part = half if (above, below) == (1, 2) else f"{_number(match['above'], place)} {one if above == 1 else many}"
    if match["whole"]:
        return (f"{_number(match['whole'], place, feminine=feminine)} e {part}",)
    return (f"e {part}" if place.joined(-1).isdecimal() else part,)


def _range(match: re.Match[str], place: Place) -> Reading:
    low, high, unit = match["low"], match["high"], match["unit"] or ""
    following = place.joined(1)
    names = GLUED_UNITS.get(unit) or UNITS.get(following)
    feminine = names[2] if names else _counts_feminine(place)
    rising = float(_plain(low)) < float(_plain(high)) or _are_years(low, high, place)
    said = f"{_number(low, place, feminine=feminine)} {'a ' if rising else ''}{_number(high, place, feminine=feminine)}"
    if unit and names:
        return (f"{said} {names[1]}",)
    return (said, names[1]) if names else (said,)


def _plain(text: str) -> str:
    return text.replace(".", "").replace(",", ".")


def _quantity(match: re.Match[str], place: Place) -> Reading:
    text, unit = match["num"], match["unit"]
    plus = " ou mais" if match["plus"] else ""
    following = place.joined(1)
    if unit:
        one, many, feminine = GLUED_UNITS[unit]
        said = f"{_number(text, place, feminine=feminine)} {one if _is_one(text) else many}{plus}"
        return (_signed(match["sign"], said),)
    if following in UNITS and not plus:
        one, many, feminine = UNITS[following]
        return _signed(match["sign"], _number(text, place, feminine=feminine)), (one if _is_one(text) else many)
    feminine = _one_is_feminine(place) if text == "1" else _counts_feminine(place)
    return (_signed(match["sign"], _number(text, place, feminine=feminine)) + plus,)


def _ratio(match: re.Match[str], place: Place) -> Reading:
    return (f"{_number(match[1], place)} para {_number(match[2], place)}",)


def _paragraph(match: re.Match[str], place: Place) -> Reading:
    """`§2º`, where nothing stands between the sign and its number."""
    ordinal = numbers.portuguese_ordinal(int(match[2])) if match[3] else _number(match[2], place)
    return (f"{SYMBOLS[match[1]]} {ordinal}",)


def _product(match: re.Match[str], place: Place) -> Reading:
    # "2x0" is a score in Portuguese; a picture of 1920x1080 is not.
    is_score = "x" in match[0] and len(match[1]) == len(match[2]) == 1
    return (f"{_number(match[1], place)} {'a' if is_score else 'por'} {_number(match[2], place)}",)


def _numbered(match: re.Match[str], place: Place) -> Reading:
    return (f"número {_number(match[1], place)}",)


def _roman(match: re.Match[str], place: Place) -> Reading | None:
    """Up to ten, centuries and monarchs take ordinals; above, and everywhere else, cardinals."""
    text = match[0]
    value = roman.value(text)
    before, after = place.joined(-1), place.joined(1)
    if value is None:
        return None
    if before.lower() in ("século", "séculos", "séc", "sécs") or place.core(-1).lower() in ("séc", "sécs"):
        return (numbers.portuguese_ordinal(value) if value <= 10 else numbers.portuguese(value),)
    if after in ("Guerra", "Conferência", "Jornada", "Semana", "Bienal", "Mostra"):
        return (numbers.portuguese_ordinal(value, feminine=True),)
    if after in ("Congresso", "Encontro", "Concílio", "Reich", "Festival", "Simpósio", "Fórum", "Império"):
        return (numbers.portuguese_ordinal(value),)
    if before in REGNAL:
        feminine = before in REGNAL_FEMININE
        said = numbers.portuguese_ordinal(value, feminine=feminine) if value <= 10 else numbers.portuguese(value)
        return (said,)
    if before.lower() in _COUNTED_IN_ROMAN or (len(text) > 1 and set(text) <= set("IVX") and not shouted(place)):
        return (numbers.portuguese(value),)
    return None


_COUNTED_IN_ROMAN = words_of(
    "capítulo parte livro ato cena volume tipo fase seção artigo apêndice anexo título inciso grupo tabela figura "
    "apollo episódio nível classe lição unidade"
)


def _capitals(match: re.Match[str], place: Place) -> Reading | None:
    text = match[0]
    if shouted(place):
        return None
    if text in ACRONYMS:
        return (ACRONYMS[text],)
    return ("-".join(text),) if text in SPELLED else None


def _undotted(match: re.Match[str], _place: Place) -> Reading | None:
    said = UNDOTTED.get(match[0].lower())
    return None if said is None else (said,)


def _unit_alone(match: re.Match[str], place: Place) -> Reading | None:
    """A unit with no number before it: `por km`, `em MHz`."""
    unit = match[0]
    if len(unit) < 2 or unit not in UNITS or unit in ("mi", "bi", "min", "ms", "ha"):
        return None
    one, many, _ = UNITS[unit]
    return (one if place.core(-1).lower() in ("por", "um", "uma", "cada", "o") else many,)


def _spelled_dots(match: re.Match[str], _place: Place) -> Reading:
    return ("-".join(letter for letter in match[0] if letter != "."),)


def _symbol(match: re.Match[str], _place: Place) -> Reading | None:
    if match[0] == "/":
        return ("",)
    said = SYMBOLS.get(match[0])
    return None if said is None else (said,)


def _squared(match: re.Match[str], place: Place) -> Reading:
    power = "ao quadrado" if match[2] == "²" else "ao cubo"
    base = _number(match[1], place) if match[1].isdecimal() else {"x": "xis"}.get(match[1], match[1])
    return (f"{base} {power}",)


def _plus_plus(match: re.Match[str], _place: Place) -> Reading:
    return (f"{match[1]} mais mais",)


def _sharp(match: re.Match[str], _place: Place) -> Reading:
    return (f"{match[1]} sharp",)


def _either_of_two(match: re.Match[str], _place: Place) -> Reading:
    return (f"{match[1]} ou {match[2]}",)


def _rule(pattern: str, read: Callable[[re.Match[str], Place], Reading | None]) -> Rule:
    return re.compile(pattern), read


_RULES: tuple[Rule, ...] = (
    _rule(r"\.([A-Za-z]\w*)", _dot_name),
    _rule(r".*[.@#/].*", _address),
    _rule(r"\d{2}", _area_code),
    _rule(r"(\d{1,2})º?[/.](\d{1,2})[/.](\d{4})|(\d{1,2})/(\d{1,2})/(\d\d)", _slash_date),
    _rule(r"(?P<v>[vV])?(?P<parts>\d+(?:\.\d+)*)", _version),
    _rule(r"(\d{4})-(\d\d)-(\d\d)", _iso_date),
    _rule(r"1o?", _first_of_month),
    _rule(r"(?P<h>\d{1,2})(?:h(?P<m>\d\d)?(?:min)?|:(?P<colon>\d\d))", _clock),
    _rule(r"\+?\d{2}[-.]\d{2}[-.]\d{4,5}-\d{4}|\d{4,5}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d\d|\d{5}-\d{3}|\+?\d{10,}", _phone),
    _rule(rf"{_SIGN}(?P<cur>{_CURRENCY})(?P<num>{_NUMBER})(?P<mag>{_MAGNITUDE})?(?P<cur2>)", _money),
    _rule(rf"{_SIGN}(?P<cur>)(?P<num>{_NUMBER})(?P<mag>{_MAGNITUDE})?(?P<cur2>[$€£¥])", _money),
    _rule(rf"{_SIGN}(?P<cur>{_CURRENCY})", _currency_before),
    _rule(r"(\d{1,3}(?:\.\d{3})+|\d+)\.?([ºª°])", _ordinal),
    _rule(r"(§§?|¶¶?)(\d{1,3})([º°])?", _paragraph),
    _rule(rf"({_NUMBER})/((?:19|20)\d\d)", _law),
    _rule(r"(?:(?P<whole>\d+)_)?(?P<above>\d{1,4})/(?P<below>\d{1,4})", _fraction),
    _rule(rf"(?P<low>{_NUMBER})[-–—](?P<high>{_NUMBER})(?P<unit>{_either(GLUED_UNITS)})?", _range),
    _rule(rf"{_SIGN}(?P<num>{_NUMBER})(?P<unit>{_either(GLUED_UNITS)})?(?P<plus>\+)?", _quantity),
    _rule(r"(\d+):(\d+)", _ratio),
    _rule(r"(\d+)[x×](\d+)", _product),
    _rule(rf"#({_NUMBER})", _numbered),
    _rule(r"(?:[A-Za-z]\.)+[A-Za-z]", _spelled_dots),
    _rule(r"(\w+)\+\+", _plus_plus),
    _rule(r"([A-G])#", _sharp),
    _rule(r"(\d+|\w)([²³])", _squared),
    _rule(r"(\d+)(⁻?[⁰¹²³⁴-⁹]+)", _power),
    _rule(r"([Ee]les?|[Dd]eles?|[Oo]s?)/(elas?|delas?|as?)", _either_of_two),
    _rule(r"[IVXLCDM]+", _roman),
    _rule(r"[A-Za-zº°/á]+", _undotted),
    _rule(r"[A-Za-z]+", _capitals),
    _rule(r"\S{2,6}", _unit_alone),
    _rule(r"\S|§§|¶¶", _symbol),
)


def abbreviation(place: Place) -> str | None:
    """What a word with its full stop stands for: `Sr.`, `art. 5º`, `S. Paulo`; None where it is a plain word."""
    core = place.core(0)
    lower = core.lower()
    following = place.core(1)
    before_number = DOTTED_BEFORE_NUMBER.get(lower)
    if before_number and (following[:1].isdigit() or roman.value(following) is not None):
        return before_number
    if core == "D" and following[:1].isupper():
        return "Dona" if following in REGNAL_FEMININE or following.endswith("a") else "Dom"
    if core == "S" and following[:1].isupper():
        return "São"
    if core == "R" and following[:1].isupper() and place.core(-1).lower() in ("", "na", "da", "a", "à", "pela"):
        return "Rua"
    if core == "V" and following[:3] in ("Exa", "Exª"):
        return "Vossa"
    if lower == "min" and place.core(-1)[:1].isdigit():
        return "minutos"
    if lower in ("mar", "set", "ver", "sen", "ten", "min", "sa") and not core[0].isupper():
        return None
    if len(core) == 1 and core.isupper():
        return None if place.core(-1) in REGNAL else core
    return DOTTED.get(lower) if following or lower in ENDING else None


def reading(place: Place) -> Reading | None:
    """What is said here instead of the word itself."""
    core = place.core(0)
    if place.token.dotted:
        if core in ("p", "P") and place.core(1) == "ex":
            return "por", "exemplo"
        if (said := abbreviation(place)) is not None:
            return (said,)
    return first_reading(_RULES, core, place)


def number(text: str, place: Place) -> str:
    return _number(text, place)


def is_ordinary(core: str) -> bool:
    """Whether a word is read as it stands, without looking closer."""
    return core.isalpha() and (core.islower() or core.istitle()) and len(core) > 1 and core not in _WATCHED


_WATCHED = frozenset(UNDOTTED) | frozenset(unit for unit in UNITS if unit.islower() or unit.istitle())
