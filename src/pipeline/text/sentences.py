"""Where one sentence ends and the next begins.

sentencex decides; what it gets wrong for narration is mended here: it ends sentences at abbreviations it does not
know (`Av. Paulista`, `p. ex.`) and runs on after a closing bracket. What is too long for one breath is cut at a
clause. Nothing but blanks is ever lost, and nothing changes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# A sentence is one request to the synthesizer, whose memory grows with its length (1.7 GB on long texts, Piper
# with onnxruntime's arena) and whose intonation flattens; 40 words are some 15 seconds.
LONGEST_CHARACTERS = 300
LONGEST_WORDS = 40


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Abbreviations that are followed by what they belong to, so that no sentence ends there.
_NEVER_LAST = {
    "en": _words(
        "dr mr mrs ms prof st mt rev hon gen col lt capt sgt cmdr adm gov sen rep pres messrs fr fig figs vol vs cf "
        "e.g i.e approx ca ft dept univ pp no nos"
    ),
    "pt": _words(
        "sr sra srs sras srta dr dra drs prof profa profª exmo exma ilmo ilma av al pça r d s sto sta eng enga arq "
        "gov dep sen ver gal gen cel cap ten sgt pe fr pág págs p pp n nº no nr art arts inc vol vols séc sécs fig "
        "figs tab v exa ed aprox cf vs ex p.ex i.e e.g a.c d.c obs tel cia depto dept apto univ mín máx"
    ),
}
# Said in lists that begin with them as well as at an end: "No." may be an answer.
_ONLY_BEFORE_NUMBER = _words("no nos p pp n nr v ed fig figs vol vols tab inc art arts")
_LAST_WORD = re.compile(r"(\S+?)\.$")
_SINGLE_LETTER = re.compile(r"(?:^|[\s.(])\w\.$")
_LAST_INITIAL = re.compile(r"(?:^|\s)(?:[A-ZÀ-Ý]\.)+$")
_LIST_NUMBER = re.compile(r"^\W*(?:\d{1,3}|[a-zA-Z])[.)]$")
_MISSED = re.compile(
    r"(?:(?<=[.?!…][)\]”’\"»])|(?<=[IVX][IVX]\.))\s+(?=[(\[“\"«]?[A-ZÀ-Ý])|(?<=\bNo\.)\s+(?=[A-Z](?:[a-z]|\W))"
)
_NUMBERED = re.compile(r"\d|[IVXLC]{2,}\b|[VX]\b")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
# A sentence without a capital is taken for one only after a word too long to be an abbreviation.
_LONG_LAST_WORD = re.compile(r"[^\W\d_]{5,}\.$")
_CITATION = re.compile(r"(?:\[\d{1,3}\]\s*)+")
_CONJUNCTIONS = (
    "and|but|or|so|because|which|while|although|though|where|when|who|that|"
    "e|mas|ou|porque|que|enquanto|embora|onde|quando|pois|portanto"
)
# Where a long sentence may be cut, the better places first.
_CLAUSES = tuple(
    re.compile(pattern)
    for pattern in (
        r"[;:][)\]”\"»]?\s+|\s+[—–]\s+|—",
        rf",[)\]”\"»]?\s+(?=(?:{_CONJUNCTIONS})\b)",
        r",[)\]”\"»]?\s+",
        rf"\s+(?=(?:{_CONJUNCTIONS})\b)",
        r"\s+",
    )
)


def split(paragraph: str, language: str) -> list[str]:
    """The sentences of one paragraph of plain text, in order; blanks between words become single spaces."""
    from sentencex import segment

    text = " ".join(paragraph.split())
    if not text:
        return []
    primary = language.partition("-")[0].lower()
    pieces = [part for piece in _whole_words(segment(primary, text)) for part in _MISSED.split(piece) if part]
    joined = _joined(pieces, primary)
    return [part for sentence in joined for part in _breaths(sentence)]


def _whole_words(pieces: Iterable[str]) -> list[str]:
    """The pieces without the blanks between them; a cut inside an abbreviation (`a.C.`) is undone."""
    out: list[str] = []
    inside = False
    for piece in pieces:
        if out and inside and _SINGLE_LETTER.search(out[-1]):
            out[-1] += piece.strip()
        else:
            out.append(piece.strip())
        inside = not piece[-1:].isspace()
    return [piece for piece in out if piece]


def _joined(pieces: list[str], language: str) -> list[str]:
    """Pieces that belong together, made one."""
    out: list[str] = []
    glue = False
    # In a text without capitals a small letter says nothing about where a sentence begins.
    cased = any(map(str.isupper, "".join(piece.lstrip("\"'“‘«([")[:1] for piece in pieces)))
    for piece in pieces:
        speakable = _LETTER_OR_DIGIT.search(piece) and not _CITATION.fullmatch(piece)
        if out and (glue or not speakable or _goes_on(out[-1], piece, language, cased=cased)):
            out[-1] = f"{out[-1]} {piece}"
        else:
            out.append(piece)
        glue = not _LETTER_OR_DIGIT.search(out[-1])
    return out


def _goes_on(before: str, after: str, language: str, *, cased: bool) -> bool:
    first = after.lstrip("\"'“‘«([")[:1]
    if cased and first.islower() and not _looks_like_a_name(after) and not _LONG_LAST_WORD.search(before):
        return True
    if _LIST_NUMBER.match(before) and before[-1] == "." and not before[:1].islower():
        return True
    if _LAST_INITIAL.search(before) and first.isupper() and language == "pt":
        return before.split()[-1] in ("S.", "R.", "D.", "V.") or len(before.split()) == 1
    match = _LAST_WORD.search(before)
    if not match:
        return False
    word = match[1].lstrip("\"'“‘«([").lower()
    if word not in _NEVER_LAST.get(language, frozenset()):
        return False
    return word not in _ONLY_BEFORE_NUMBER or _NUMBERED.match(after) is not None


def _looks_like_a_name(text: str) -> bool:
    """`iPhone`, `eBay`: a small letter that begins a sentence all the same."""
    word = text.split()[0]
    return any(map(str.isupper, word[1:]))


def _breaths(sentence: str) -> Iterator[str]:
    """The sentence, or its parts where it is too long for one breath."""
    if len(sentence) <= LONGEST_CHARACTERS and sentence.count(" ") < LONGEST_WORDS:
        yield sentence
        return
    cut = _best_cut(sentence)
    if cut is None:
        yield sentence
        return
    yield from _breaths(sentence[:cut].rstrip())
    yield from _breaths(sentence[cut:].lstrip())


def _best_cut(sentence: str) -> int | None:
    """The clause boundary nearest the middle; None where there is not even a blank to cut at."""
    middle = len(sentence) / 2
    for clause in _CLAUSES:
        # The outer fifths are left alone: a part of three words sounds chopped off.
        ends = [m.end() for m in clause.finditer(sentence) if 0.2 * len(sentence) < m.end() < 0.8 * len(sentence)]
        ends = [
            end for end in ends if _LETTER_OR_DIGIT.search(sentence[:end]) and _LETTER_OR_DIGIT.search(sentence[end:])
        ]
        if ends:
            return min(ends, key=lambda end: abs(end - middle))
    return None
