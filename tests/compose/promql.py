"""What a PromQL expression asks for: the metrics it names, with the labels that it chooses each of them by.

No parser: whether an expression is one is for Prometheus to say. This only finds names in what is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_LABELS_NAMED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?![\w:])\s*(\{[^}]*\})?(?!\s*\()")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*(\x00\d+\x00)")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One metric in an expression."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    """Label, operator, value."""


def asked(expression: str) -> Iterator[Asked]:
    """The metrics that an expression names, in order."""
    strings: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        strings.append(found[0][1:-1])
        return f"\x00{len(strings) - 1}\x00"

    bare = _RANGE.sub("", _LABELS_NAMED.sub("", _STRING.sub(put_away, expression)))
    for found in _NAME.finditer(bare):
        if found[1] not in _WORDS:
            matchers = tuple(
                (label, operator, strings[int(value.strip("\x00"))])
                for label, operator, value in _MATCHER.findall(found[2] or "")
            )
            yield Asked(found[1], matchers)


def grouped(expression: str) -> set[str]:
    """The labels that an expression groups or joins by."""
    return {
        label.strip()
        for labels in _LABELS_NAMED.findall(_STRING.sub('""', expression))
        for label in labels.split(",")
        if label.strip()
    }
