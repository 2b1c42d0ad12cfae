"""What every format is read into before anybody asks what it means: rows of named texts, and faults with their line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_ROWS = 10_000
"""Topics in one file; more is a mistake, or belongs in several files."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file, and its cure."""

    line: int
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A field's value as it was written. No format decides what a number or a date is: `fields` does, for all."""

    value: str | tuple[str, ...]
    line: int
    verbatim: bool = False
    """Each line of the value is a line of the file, from `line` on."""


@dataclass(frozen=True, slots=True)
class Row:
    """One topic as it was written; fields that were left empty are absent."""

    line: int
    cells: Mapping[str, Cell]
    fallback_title: str = field(default="", kw_only=True)
    """A title to take where no field gives one."""


Rows: TypeAlias = Iterator[Row | Fault]
"""What a format's reader gives, in the order of the file."""
