"""How a written word comes apart: what is read, and the punctuation that gives it its rhythm."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.text import roman

_OPENING = "\"'“”‘’«»‹›„‚`´*_~([{¿¡•·▪●—–|\\"
_CLOSING = "\"'“”‘’«»‹›„‚`´*_~)]}.,;:?!…—–|\\"
_DASHES = "—–-―"
_BREAKS_OFF = re.compile(r"[,—–―]\W*$")
_REFERENCE = re.compile(r"\[\d{1,3}(?:[,–-]\d{1,3})*\]")
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_BRACKET_PAIR = re.compile(r"(?<=\w)\((\w{1,3})\)")
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
# Invisible characters break words for espeak-ng: zero-width joiners, soft hyphens, directional marks.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TYPOGRAPHY = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "‐": "-", "‑": "-", "−": "-", "⁄": "/"})


@dataclass(frozen=True, slots=True)
class Token:
    """One whitespace-separated word of a text."""

    shown: str
    core: str
    """What is read: no quotes, brackets or closing punctuation, straight apostrophes. Empty where only marks are."""
    closing: str
    """The mark the voice should make after it: one of `, ; : . ? !`, or nothing."""
    dotted: bool
    """Whether a single full stop follows at once; it may belong to an abbreviation."""
    closing_beyond: str
    """The closing mark without that full stop."""
    breaks_before: bool
    """Whether a bracket or a dash opens it, so that the voice should pause first."""


def of(text: str) -> tuple[Token, ...]:
    return tuple(_token(shown) for shown in text.split())


def plain(text: str) -> Token:
    """A word with nothing around it."""
    return Token(text, text, "", dotted=False, closing_beyond="", breaks_before=False)


def core(written: str) -> str:
    """A word without the marks around it, as it is compared and read."""
    return _token(written).core


def _token(shown: str) -> Token:
    if shown.isalpha() and shown.isascii():
        return plain(shown)
    if shown in _READ_ALONE:
        return plain(shown)
    text = shown
    if not text.isascii():
        text = _CONTROL.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
    if "<" in text:
        text = _TAG.sub("", text)
    if "]" in text:
        text = _REFERENCE.sub("", _LINK_TARGET.sub("]", text))
    if "(" in text:
        text = _BRACKET_PAIR.sub(r"\1", text)
    body = text.lstrip(_OPENING)
    if body[:1].isdecimal() and text[-len(body) - 1 :][:1] == "~":
        body = f"~{body}"
    if body.startswith(("..", "…")):
        body = body.lstrip(".…" + _OPENING)
    opened = text[: len(text) - len(body)]
    read = body.rstrip(_CLOSING)
    tail = body[len(read) :]
    read = _tidy(read)
    if not any(map(str.isalnum, read)) and not _means_something(read):
        read, tail = "", tail + read
    dotted = tail.startswith(".") and not tail.startswith("..")
    closing = _closing(tail, opened if not read else "")
    return Token(
        shown,
        read,
        closing,
        dotted=dotted,
        closing_beyond=_closing(tail[1:], "") if dotted else closing,
        breaks_before=any(mark in opened for mark in "({—–") and bool(read),
    )


def _tidy(read: str) -> str:
    if read.isascii() and read.isalnum():
        return read
    read = _CONTROL.sub("", read)
    if "://" not in read and "@" not in read:
        read = _MARKUP.sub("", read)
    read = _VULGAR.sub(_fraction, read.translate(_TYPOGRAPHY))
    return read.rstrip("-") if read[-1:] == "-" and any(map(str.isalnum, read)) else read


_VULGAR = re.compile(r"(\d?)([¼-¾⅐-⅞])")


def _fraction(match: re.Match[str]) -> str:
    """`1½` becomes `1_1/2`: an underscore keeps the whole from running into the fraction."""
    plain = unicodedata.normalize("NFKC", match[2]).replace("⁄", "/")
    return f"{match[1]}_{plain}" if match[1] else plain


def _means_something(read: str) -> bool:
    """Whether a word without letters or digits is still read: `&`, `+`, `°C`."""
    return read in _READ_ALONE


_READ_ALONE = frozenset({*"&+=×÷±≈<>≤≥≠%‰°→$€£§¶@#/∞√", "§§", "¶¶", "°C"})


def _closing(tail: str, opened: str) -> str:
    for mark in "?!":
        if mark in tail:
            return mark
    if "…" in tail or ".." in tail or any(dash in tail + opened for dash in _DASHES):
        return "." if tail.rstrip("\"'”’»)]*_").endswith((".", "…")) else ","
    for mark in ".:;,":
        if mark in tail:
            return mark
    return "," if ")" in tail else ""


def voiced(cores: Sequence[str], tokens: Sequence[Token]) -> list[str]:
    """Put the marks back on what is read of each word.

    Piper ends a chunk at every full stop, question and exclamation mark that espeak-ng takes for the end of a
    sentence, so that only the last word may keep one; inside, a comma makes the same pause.
    """
    out = list(cores)
    token_count = len(tokens)
    heard = [index for index in range(token_count) if out[index]]
    if not heard:
        return out
    last, previous = heard[-1], -1
    final = _strongest([tokens[index].closing for index in range(last, token_count)])
    for index in range(token_count):
        token = tokens[index]
        if token.breaks_before and previous >= 0 and out[index]:
            out[previous] = _with_mark(out[previous], ",")
        mark = token.closing_beyond if _owns_its_full_stop(token, out[index]) else token.closing
        mark = "," if mark in (".", "?", "!") else mark
        if out[index]:
            previous = index
        if mark and previous >= 0 and previous != last:
            out[previous] = _with_mark(out[previous], mark)
    if final == "," and not _BREAKS_OFF.search(tokens[-1].shown):
        final = "."  # the pause of a closing bracket, where the sentence ends with it
    out[last] = _with_mark(out[last], final or ".")
    return out


def _owns_its_full_stop(token: Token, said: str) -> bool:
    """`Dr.` and `J.` do: what was read as something else, or a lone capital. `1.` and `Go.` do not."""
    if not token.dotted or not token.core or token.core[0].isdecimal():
        return False
    if len(token.core) > 1 and roman.value(token.core) is not None:
        return False  # "World War II." is read as something else and still ends where it stands
    return said != token.core or (len(token.core) == 1 and token.core.isupper())


def _strongest(marks: Sequence[str]) -> str:
    return next((mark for mark in "?!.;:," if mark in marks), "")


def _with_mark(word: str, mark: str) -> str:
    if word.endswith("]]"):
        # Piper drops what touches the closing brackets of inline phonemes, so the mark goes inside them.
        return word if word[-3] in ",;:.?!" else f"{word[:-2]}{mark}]]"
    return word if word[-1] in ",;:.?!" else word + mark
