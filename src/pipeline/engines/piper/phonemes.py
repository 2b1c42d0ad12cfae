"""How a voice's text becomes phonemes: Piper's phonemizer, with the rhythm kept around words given in phonemes.

Piper 1.8 loses the punctuation that follows a `[[phonemes]]` block and runs the next word into it ("[[bˈɑː]], and"
becomes "bˈɑːænd"), because the rest of the text reaches espeak-ng as a clause that begins with a comma.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piper import PiperVoice

_BLOCK = re.compile(r"\[\[(.*?)\]\]")
_MARKS_FIRST = re.compile(r"[\"'”’)»]*(?P<mark>[,;:.?!])[\"'”’)»]*(?=\s|$)")
# A block may be a part of a word: only a space, perhaps behind or before a quotation mark, parts it from the rest.
_SPACE_FIRST = re.compile(r"\W*?\s")
_SPACE_LAST = re.compile(r"\s\W*$")
_ENDS = frozenset(".?!")
# Some 40 s of speech. The network's memory grows with the square of what it is given at once; a sentence of a script
# has at most some 350, and only what is no sentence has more.
LONGEST_RUN = 600


def phonemes_of(voice: PiperVoice, text: str) -> list[list[str]]:
    """The phonemes of each chunk that the network speaks in one go; no chunk is empty."""
    if "[[" not in text or voice.config.phoneme_type != "espeak":
        return [chunk for chunk in voice.phonemize(text) if chunk]
    chunks: list[list[str]] = [[]]
    # The odd parts are the blocks.
    for number, part in enumerate(_BLOCK.split(text)):
        if number % 2:
            if _ENDS.intersection(chunks[-1][-1:]):
                chunks.append([])
            chunks[-1].extend(unicodedata.normalize("NFD", part.strip()))
            continue
        rest = part
        if number and (found := _MARKS_FIRST.match(part)):
            chunks[-1].append(found["mark"])
            rest = part[found.end() :]
            if found["mark"] in _ENDS:
                chunks.append([])
        said = voice.phonemize(rest) if rest.strip() else []
        for place, chunk in enumerate(said):
            if place:
                chunks.append([])
            if number and _SPACE_FIRST.match(rest):
                _part(chunks[-1])
            chunks[-1].extend(chunk)
        if _SPACE_LAST.search(rest) and not _ENDS.intersection(chunks[-1][-1:]):
            _part(chunks[-1])
    return [chunk for chunk in chunks if "".join(chunk).strip()]


def runs(chunk: list[str]) -> Iterator[list[str]]:
    """A chunk in parts that the network can speak in one go, cut between words where there are any."""
    rest = chunk
    while len(rest) > LONGEST_RUN:
        cut = next((place for place in range(LONGEST_RUN, LONGEST_RUN // 2, -1) if rest[place - 1] == " "), LONGEST_RUN)
        yield rest[:cut]
        rest = rest[cut:]
    yield rest


def _part(chunk: list[str]) -> None:
    if chunk and chunk[-1] != " ":
        chunk.append(" ")
