"""Which language a person means: `pt_br` is `pt-BR`, `eng` is `en`, and `english` is a mistake with a cure."""

from __future__ import annotations

import re
from difflib import get_close_matches

# language, script, region, variants (RFC 5646, section 2.1). Extensions and private use say nothing to a voice.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<variants>(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*)"
)
# ISO 639-1, as in the IANA language subtag registry.
_TWO_LETTERS_LISTED = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_TWO_LETTERS = frozenset(_TWO_LETTERS_LISTED.split())
# The canonical form of a language is its shortest code (RFC 5646, section 4.5), and its newest.
_SHORTER = {
    "ara": "ar", "ces": "cs", "cze": "cs", "cym": "cy", "dan": "da", "deu": "de", "dut": "nl", "ell": "el", "eng": "en",
    "fas": "fa", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gre": "el", "heb": "he", "hin": "hi", "hun": "hu",
    "in": "id", "isl": "is", "ita": "it", "iw": "he", "ji": "yi", "jpn": "ja", "kat": "ka", "kor": "ko", "nld": "nl",
    "nor": "no", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slv": "sl", "spa": "es",
    "srp": "sr", "swe": "sv", "tur": "tr", "ukr": "uk", "vie": "vi", "zho": "zh", "chi": "zh",
}  # fmt: skip
_NAMES = {
    "arabic": "ar", "brazilian": "pt-BR", "catalan": "ca", "chinese": "zh", "czech": "cs", "danish": "da",
    "deutsch": "de", "dutch": "nl", "english": "en", "español": "es", "finnish": "fi", "français": "fr", "french": "fr",
    "german": "de", "greek": "el", "hindi": "hi", "hungarian": "hu", "inglês": "en", "italian": "it", "italiano": "it",
    "japanese": "ja", "korean": "ko", "norwegian": "no", "polish": "pl", "polski": "pl", "portuguese": "pt",
    "português": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv", "turkish": "tr",
    "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
# Regions that people write and the registry does not have.
_REGIONS = {"EN": "", "UK": "GB"}
EXAMPLES = "Write it as en, en-US or pt-BR."


class UnknownLanguage(ValueError):
    """A text that names no language; `hint` says how to write the one that was probably meant."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


def canonical_language(text: str) -> str:
    """The canonical BCP 47 tag: `EN` → `en`, `pt_br` → `pt-BR`, `zh-hans-cn` → `zh-Hans-CN`, `eng` → `en`.

    Raises UnknownLanguage.
    """
    asked = text.strip()
    match = _TAG.fullmatch(asked.replace("_", "-").lower())
    language = match["language"] if match else ""
    language = _SHORTER.get(language, language)
    if match is None or (len(language) == 2 and language not in _TWO_LETTERS):
        raise UnknownLanguage(f"no such language: {asked[:40]!r}", _cure(asked))
    script, region, variants = match["script"], match["region"], match["variants"]
    if region and region.upper() in _REGIONS:
        meant = "-".join(part for part in (language, _REGIONS[region.upper()]) if part)
        raise UnknownLanguage(f"no such region in {asked[:40]!r}", f"Did you mean {meant}?")
    parts = [language, script.title() if script else "", region.upper() if region else ""]
    return "-".join(part for part in parts if part) + variants


def _cure(asked: str) -> str:
    near = get_close_matches(asked[:40].lower(), _NAMES, n=1, cutoff=0.8)
    return f"Did you mean {_NAMES[near[0]]}?" if near else EXAMPLES
