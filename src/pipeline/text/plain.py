"""What of a Markdown text is said aloud: titled parts of plain paragraphs.

Emphasis and links become their text, lists become sentences, a table row becomes a sentence. What cannot be said
(code in fences, pictures, HTML tags and comments, rules) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_ENDS = ".!?…:;。！？"
_CLOSERS = "\"'”’»)]"


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what stands below it. Paragraphs are single lines with single blanks, none of them empty."""

    title: str
    """Empty for what stands before the first heading."""
    paragraphs: tuple[str, ...]
    line: int
    """Where it begins, counted from 1."""


def parts(markdown: str) -> tuple[Part, ...]:
    """The text's parts in order. A heading of any level begins one; one with nothing below it stays, empty."""
    found: list[Part] = []
    title, line, said = "", 1, list[str]()
    tokens = _parser().parse(markdown)
    for start, end in _blocks(tokens):
        block = tokens[start:end]
        if block[0].type == "heading_open":
            if title or said:
                found.append(Part(title, tuple(said), line))
            title, line, said = _inline_text(block), _first_line(block), []
        elif text := _said(block):
            said.append(text)
    if title or said:
        found.append(Part(title, tuple(said), line))
    return tuple(found)


def inline(markdown: str) -> str:
    """One line of Markdown as plain text."""
    return _joined(_text(token) for token in _parser().parseInline(markdown))


def as_sentence(text: str) -> str:
    """With a full stop, where it has no end of its own: a list item is spoken as a sentence."""
    bare = text.rstrip(_CLOSERS)
    return text if not text or bare.endswith(tuple(_ENDS)) else f"{text.rstrip(',–— ')}."


@cache
def _parser() -> MarkdownIt:
    # Indented text is prose that someone indented, not a program. Tables are GitHub's, and people write them.
    return MarkdownIt("commonmark").disable("code").enable("table")


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Where each top-level block begins and ends."""
    depth, start = 0, 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield start, index + 1
            start = index + 1


def _said(block: Sequence[Token]) -> str:
    match block[0].type:
        case "paragraph_open":
            return _inline_text(block)
        case "bullet_list_open" | "ordered_list_open":
            return _joined(as_sentence(_text(token)) for token in block if token.type == "inline")
        case "blockquote_open":
            inner = [_said(block[1 + start : 1 + end]) for start, end in _blocks(block[1:-1])]
            return _joined(inner)
        case "table_open":
            return _joined(as_sentence(", ".join(row)) for row in _rows(block))
        case "heading_open":
            return as_sentence(_inline_text(block))
    return ""


def _rows(table: Sequence[Token]) -> Iterator[list[str]]:
    row: list[str] = []
    for token in table:
        if token.type == "tr_open":
            row = []
        elif token.type == "inline" and (cell := _text(token)):
            row.append(cell)
        elif token.type == "tr_close" and row:
            yield row


def _inline_text(block: Sequence[Token]) -> str:
    return _joined(_text(token) for token in block if token.type == "inline")


def _text(inline: Token) -> str:
    pieces: list[str] = []
    for token in inline.children or ():
        if token.type in {"text", "code_inline", "text_special"}:
            pieces.append(token.content)
        elif token.type in {"softbreak", "hardbreak"}:
            pieces.append(" ")
    return " ".join("".join(pieces).split())


def _joined(texts: Iterator[str] | Sequence[str]) -> str:
    return " ".join(text for text in texts if text)


def _first_line(block: Sequence[Token]) -> int:
    return (block[0].map or [0])[0] + 1
