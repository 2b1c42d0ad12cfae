"""What an episode's folder is called, and that it keeps its name.

A name is made from the title once. From then on it belongs to the topic's *source identity* (its file, or its file
and title), so that a second topic of the same title, a topic removed, or a file read in another order never moves
an episode that is already there.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from pipeline.domain.topic import Topic

LONGEST_BYTES = 60
"""Short enough for every file system (255 bytes) and for encrypted ones (eCryptfs: 143), with room for a suffix."""

_SUFFIX_DIGITS = 6
# Names that Windows keeps for devices, whatever follows the dot.
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{digit}" for digit in range(10)), *(f"lpt{digit}" for digit in range(10))]
)
_LATIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "ng"}
)
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
# Unicode has no transliteration; its names have one for kana and Hangul, these two alphabets are spelt out.
_CYRILLIC = """
а-a б-b в-v г-g д-d е-e ж-zh з-z и-i й-y к-k л-l м-m н-n о-o п-p р-r с-s т-t у-u ф-f х-kh ц-ts ч-ch ш-sh щ-shch
ъ- ы-y ь- э-e ю-yu я-ya ё-e є-ye і-i ї-yi ґ-g ђ-dj ј-j љ-lj њ-nj ћ-c џ-dz ў-u
"""
_GREEK = """
α-a β-b γ-g δ-d ε-e ζ-z η-i θ-th ι-i κ-k λ-l μ-m ν-n ξ-x ο-o π-p ρ-r σ-s ς-s τ-t υ-y φ-f χ-ch ψ-ps ω-o
"""
_ALPHABETS = {ord(pair[0]): pair[2:] for pair in (_CYRILLIC + _GREEK).split()}
_NAMED = re.compile(r"(?:HIRAGANA LETTER|KATAKANA LETTER|HANGUL SYLLABLE)(?: SMALL)? ([A-Z]+)")
_APOSTROPHES = str.maketrans("", "", "'’ʼ`´")


def source_identity(topic: Topic) -> str:
    """What a topic is known by between runs: `input/moon.md`, or `input/list.csv/Why the sky is blue` for a row.

    A file cannot be a folder too, so the two forms never meet. The title of a Markdown topic may change and its
    episode stays where it is; a row has nothing but its title.
    """
    path = topic.source.path
    return path if path.lower().endswith(".md") else f"{path}/{topic.title}"


def slug_of(title: str, language: str = "en") -> str:
    """A folder name for a title: `[a-z0-9-]`, 1 to 60 bytes, no dash at either end, no name that Windows reserves.

    Letters that cannot be written in ASCII are left out, and a short digest of the title stands for them.
    """
    folded, lost = _fold(title, german=language.split("-", 1)[0] == "de")
    slug = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")
    if slug in _RESERVED:
        slug = f"topic-{slug}"
    if lost or not slug:
        return _with_suffix(slug or "topic", _digest(title))
    return _cut(slug, LONGEST_BYTES)


def assign(topics: Sequence[Topic], taken: Mapping[str, str]) -> dict[str, str]:
    """Source identity → folder name, for every topic.

    `taken` maps folder names to source identities, from earlier runs, and wins. A new topic whose name is taken
    gets a suffix from its own identity's digest. No two names differ in case alone.
    """
    owned = {identity: slug for slug, identity in sorted(taken.items(), reverse=True)}
    used = {slug.casefold() for slug in taken}
    names: dict[str, str] = {}
    for topic in topics:
        identity = source_identity(topic)
        if identity in names:
            continue
        slug = owned.get(identity) or _free(slug_of(topic.title, topic.language), identity, used)
        used.add(slug.casefold())
        names[identity] = slug
    return names


def _free(slug: str, identity: str, used: set[str]) -> str:
    if slug not in used:
        return slug
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    for digits in range(_SUFFIX_DIGITS, 33):
        longer = _with_suffix(slug, digest[:digits])
        if longer not in used:
            return longer
    raise AssertionError("128 bits of SHA-256 have met")


def _fold(title: str, *, german: bool) -> tuple[str, bool]:
    """ASCII letters for a title, and whether some of it could not be written in them."""
    text = unicodedata.normalize("NFC", title).lower().translate(_APOSTROPHES)
    if text.isascii():
        return text, False
    if german:
        text = text.translate(_GERMAN)
    folded: list[str] = []
    lost = False
    for character in unicodedata.normalize("NFKC", text).lower().translate(_LATIN):
        # Composed letters are looked up before they are taken apart: й is not и, ガ is not カ.
        spelt = character if character.isascii() else _spell(character)
        if spelt is None:
            spelt = "".join(
                part if part.isascii() else _ALPHABETS.get(ord(part), "")
                for part in unicodedata.normalize("NFKD", character)
            )
            lost = lost or (not spelt and character.isalnum())
        folded.append(spelt if spelt or character.isalnum() or unicodedata.combining(character) else " ")
    return "".join(folded), lost


def _spell(character: str) -> str | None:
    if ord(character) in _ALPHABETS:
        return _ALPHABETS[ord(character)]
    named = _NAMED.fullmatch(unicodedata.name(character, ""))
    return named[1].lower() if named else None


def _with_suffix(slug: str, digest: str) -> str:
    return f"{_cut(slug, LONGEST_BYTES - len(digest) - 1)}-{digest}"


def _cut(slug: str, longest: int) -> str:
    """At a word's end where one is near."""
    if len(slug) <= longest:
        return slug
    cut = slug[: longest + 1]
    end = cut.rfind("-")
    return cut[:end].rstrip("-") if end > longest // 2 else slug[:longest].rstrip("-")


def _digest(text: str) -> str:
    return hashlib.sha256(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")).hexdigest()[
        :_SUFFIX_DIGITS
    ]
