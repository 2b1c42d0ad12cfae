"""How a person wants certain words said: `config/pronunciations.csv` as a value.

A row is `word,say,language,case`. `say` is a respelling (`koo-ber-NET-eez`) or Piper's inline phonemes
(`[[...]]`, in the International Phonetic Alphabet). Only sentences that hold the word are spoken differently.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import SettingsError
from pipeline.text import tokens

_COLUMNS = ("word", "say", "language", "case")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_PHONEMES = re.compile(r"\[\[[^\[\]]+\]\]")
_SENTENCE_END = re.compile(r"[.?!…]")


@dataclass(frozen=True, slots=True)
class Pronunciation:
    words: tuple[str, ...]
    """The written words without the marks around them; several for an entry such as `New Orleans`."""
    say: str
    language: str = ""
    """A BCP 47 prefix: `en` is good for `en-US`; empty for every language."""
    exact: bool = False
    """Whether capitals must be as written, so that `WHO` is not `who`."""

    def speaks(self, language: str) -> bool:
        wanted, given = self.language.lower(), language.lower()
        return not wanted or given == wanted or given.startswith(f"{wanted}-")

    def fits(self, words: Sequence[str]) -> bool:
        if len(words) < len(self.words):
            return False
        return all(
            (ours == theirs) if self.exact else (_key(ours) == _key(theirs))
            for ours, theirs in zip(self.words, words, strict=False)
        )


@dataclass(frozen=True, slots=True)
class Pronunciations:
    """Entries by the first word of each, the more particular first. `Pronunciations()` knows none."""

    entries: tuple[Pronunciation, ...] = ()
    _by_word: Mapping[str, tuple[Pronunciation, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Pronunciation]] = {}
        # More words first, then an exact spelling, then the longer language tag.
        order = sorted(self.entries, key=lambda entry: (-len(entry.words), not entry.exact, -len(entry.language)))
        for entry in order:
            found.setdefault(_key(entry.words[0]), []).append(entry)
        object.__setattr__(self, "_by_word", {word: tuple(entries) for word, entries in found.items()})

    def __bool__(self) -> bool:
        return bool(self.entries)

    def begins(self, word: str) -> bool:
        """Whether any entry, in any language, may begin with this word."""
        return _key(word) in self._by_word

    def match(self, words: Sequence[str], language: str) -> Pronunciation | None:
        """The entry that `words` begin with, in this language; the longest and most particular wins."""
        for entry in self._by_word.get(_key(words[0]), ()) if words and words[0] else ():
            if entry.speaks(language) and entry.fits(words):
                return entry
        return None

    def say(self, word: str, language: str) -> str | None:
        """How a word, or a phrase that is an entry, is said; None where the file says nothing about it."""
        words = tuple(tokens.core(part) for part in word.split())
        entry = self.match(words, language)
        return entry.say if entry is not None and len(entry.words) == len(words) else None


def parse(text: str, *, where: str) -> Pronunciations:
    """Read the CSV text of the file `where`.

    Raises SettingsError with every fault, each with its file and line.
    """
    problems: list[str] = []
    entries: list[Pronunciation] = []
    seen: dict[tuple[tuple[str, ...], str, bool], int] = {}
    header_read = False
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{where}:{number}"
        try:
            row = next(csv.reader([line], strict=True))
        except csv.Error as error:
            problems.append(f"{place}: not a row of CSV ({error}); a quote is opened and not closed")
            continue
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in row]
        if not header_read:
            header_read = True
            if [cell.lower() for cell in cells] == list(_COLUMNS[: len(cells)]) and len(cells) > 1:
                continue
        faults = _faults(cells)
        if faults:
            problems += [f"{place}: {fault}" for fault in faults]
            continue
        entry = _entry(cells)
        key = (entry.words if entry.exact else tuple(map(_key, entry.words)), entry.language.lower(), entry.exact)
        if key in seen:
            problems.append(f"{place}: {cells[0]!r} is already given in line {seen[key]}; keep one of the two")
            continue
        seen[key] = number
        entries.append(entry)
    if problems:
        raise SettingsError(problems, hint="A row is: word,say,language,case (the last two may be left out).")
    return Pronunciations(tuple(entries))


def _faults(cells: Sequence[str]) -> list[str]:
    if not 2 <= len(cells) <= len(_COLUMNS):
        return [f"wants 2 to 4 columns ({','.join(_COLUMNS)}), has {len(cells)}; put quotes around a comma"]
    word, say, language, case = _columns(cells)
    faults = []
    if not word or any(not tokens.core(part) for part in word.split()):
        faults.append(f"the word {word!r} has no letters or digits")
    if not say:
        faults.append(f"says nothing for {word!r}; write how it sounds in the second column")
    elif "[[" in say or "]]" in say:
        if not _PHONEMES.fullmatch(say):
            faults.append(f"{say!r}: phonemes are one pair of [[ ]] around the whole of it, and not empty")
    elif _SENTENCE_END.search(say):
        faults.append(f"{say!r}: a full stop, question or exclamation mark would end the sentence; leave it out")
    elif not any(map(str.isalpha, say)):
        faults.append(f"{say!r} cannot be said: write it in letters")
    if language and not _LANGUAGE.fullmatch(language):
        faults.append(f"{language!r} is not a language tag such as en or pt-BR")
    if case not in ("", "exact", "any"):
        faults.append(f"case is exact, any or nothing, not {case!r}")
    return faults


def _entry(cells: Sequence[str]) -> Pronunciation:
    word, say, language, case = _columns(cells)
    return Pronunciation(tuple(tokens.core(part) for part in word.split()), say, language, exact=case == "exact")


def _columns(cells: Sequence[str]) -> tuple[str, str, str, str]:
    word, say, language, case = (*cells, "", "")[:4]
    return word, say, language, case.lower()


def _key(word: str) -> str:
    return word.casefold()
