"""Plain text as Markdown: a backslash where Markdown would read something else, and nowhere besides.

A person edits these files. `nginx & SQLite`, `2 * 3` and `a_name` are no markup to Markdown (CommonMark 0.31) and
stay as they are. The rules say where a sign could be markup; whether the result reads back as the text is then tried,
and where it should not, every sign is escaped, which is always right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html.entities import html5

from pipeline.text import plain

_EVERY_SIGN = re.compile(r"[\\`*_\[\]<&]")
_PUNCTUATION = r"!-/:-@\[-`{-~"  # ASCII, as CommonMark has it: only before these is a backslash an escape

_ENTITY = re.compile(r"&(?=(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|(?P<name>[A-Za-z][A-Za-z0-9]*));)")
_TAG_OR_ADDRESS = re.compile(r"<(?=[A-Za-z/!?])")
_BACKSLASH = re.compile(rf"\\(?=[{_PUNCTUATION}])")
_TICKS = re.compile(r"`+")
_STARS = re.compile(r"\*+")
_LOW_LINES = re.compile(r"_+")
# `[text](address)` and `[text]: address`; no other bracket is a link where nothing defines one.
_LINK_END = re.compile(r"\](?=[(:])")

_HEADING_OR_QUOTE = re.compile(r"(?=#{1,6}(?:\s|$)|>)")
_BULLET = re.compile(r"(?=[-+*](?:\s|$))")
_NUMBER = re.compile(r"(?P<before>\d{1,9})(?=[.)](?:\s|$))")
_RULE = re.compile(r"(?=(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$)")
_FENCE = re.compile(r"(?=~{3,}|`{3,})")
_CLOSING_HASHES = re.compile(r"(?:(?<=\s)|^)(?=#+\s*$)")


def paragraph(text: str) -> str:
    """A paragraph's text on a line of its own."""
    return _checked(text, _at_start(_within(text)), lambda marked: _read(marked) == ("", (text,)), _at_start)


def heading(text: str) -> str:
    """A heading's text, as it stands behind `## `."""
    return _checked(text, _at_end(_within(text)), lambda marked: _read(f"## {marked}") == (text, ()), _at_end)


def inline(text: str) -> str:
    """Text within a line that does not begin with it."""
    return _checked(text, _within(text), lambda marked: plain.inline(marked) == text, lambda marked: marked)


def _checked(text: str, marked: str, reads_back: Callable[[str], bool], finish: Callable[[str], str]) -> str:
    return marked if not text or reads_back(marked) else finish(_EVERY_SIGN.sub(lambda sign: f"\\{sign[0]}", text))


def _read(markdown: str) -> tuple[str, tuple[str, ...]]:
    parts = plain.parts(markdown)
    return (parts[0].title, parts[0].paragraphs) if len(parts) == 1 else ("", ())


def _within(text: str) -> str:
    places = {match.start() for pattern in (_TAG_OR_ADDRESS, _LINK_END) for match in pattern.finditer(text)}
    places |= {
        match.start() for match in _ENTITY.finditer(text) if match["name"] is None or f"{match['name']};" in html5
    }
    # A backslash of the text's own is doubled where it would escape what follows it, one of ours included.
    places |= {match.start() for match in _BACKSLASH.finditer(text)}
    places |= _paired(_TICKS.finditer(text))
    places |= _paired(run for run in _STARS.finditer(text) if _touches_a_word(run, text))
    lines = (run for run in _LOW_LINES.finditer(text) if not _inside_a_word(run, text))
    places |= _paired(run for run in lines if _touches_a_word(run, text))
    return "".join(f"\\{letter}" if index in places else letter for index, letter in enumerate(text))


def _paired(runs: Iterable[re.Match[str]]) -> set[int]:
    """Where the signs of all runs stand that could pair off; one run alone has nothing to pair with."""
    found = list(runs)
    return {place for run in found for place in range(*run.span())} if len(found) > 1 else set()


def _touches_a_word(run: re.Match[str], text: str) -> bool:
    return not (text[run.start() - 1 : run.start()] or " ").isspace() or not (text[run.end() :][:1] or " ").isspace()


def _inside_a_word(run: re.Match[str], text: str) -> bool:
    return text[: run.start()][-1:].isalnum() and text[run.end() :][:1].isalnum()


def _at_start(marked: str) -> str:
    """With what would begin a heading, a quotation, a list, a rule or a fence."""
    if number := _NUMBER.match(marked):
        return f"{number['before']}\\{marked[number.end() :]}"
    starts = any(pattern.match(marked) for pattern in (_HEADING_OR_QUOTE, _BULLET, _RULE, _FENCE))
    return f"\\{marked}" if starts else marked


def _at_end(marked: str) -> str:
    """With the hashes that would close a heading."""
    return _CLOSING_HASHES.sub(r"\\", marked, count=1)
