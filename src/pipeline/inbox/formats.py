"""The line-by-line formats: `.txt`, `.csv` and `.jsonl`. A bad line is refused, and the next one is read."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.inbox.fields import FIELDS, unknown_field
from pipeline.inbox.rows import Cell, Fault, Row, Rows

_HEADER = "Make the first line name the columns, such as: title,notes,words"
_MOST_COLUMNS = 100
_DELIMITERS = ",;\t|"
_SPREADSHEET = "Save the sheet as CSV again, with every cell that holds the separator or a quote in quotes."


def text_rows(text: str) -> Rows:
    """`.txt`: a title a line; `#` begins a comment line."""
    for number, line in enumerate(text.split("\n"), 1):
        title = line.strip()
        if title and not title.startswith("#"):
            yield Row(number, {"title": Cell(title, number)})


# -- .jsonl ----------------------------------------------------------------------------------------------------


class _Twice(ValueError):
    """A name stands twice in one object."""


def json_rows(text: str) -> Rows:
    """`.jsonl`: one JSON object a line."""
    if text.lstrip().startswith("["):
        yield Fault(1, "a JSON list, not one object a line", "Write one topic a line, without commas between them.")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _json_row(line, number)


def _json_row(line: str, number: int) -> Row | Fault:
    example = 'Write it like this: {"title": "Why the sky is blue", "words": 120}'
    try:
        raw = json.loads(line, object_pairs_hook=_without_doubles, parse_int=str, parse_float=str, parse_constant=str)
    except _Twice as error:
        return Fault(number, f"the field {str(error)!r} stands twice", "Remove one of them.")
    except json.JSONDecodeError as error:
        return Fault(number, f"not JSON: {error.msg}, at character {error.colno}", example)
    except RecursionError:
        return Fault(number, "nested too deeply", example)
    if not isinstance(raw, dict):
        return Fault(number, "not a JSON object", example)
    cells = {}
    for name, value in raw.items():
        match value:
            case None | "" | []:
                continue
            case bool():
                cells[name] = Cell("true" if value else "false", number)
            case str():
                cells[name] = Cell(value, number)
            case list() if all(isinstance(item, str) for item in value):
                cells[name] = Cell(tuple(value), number)
            case _:
                return Fault(number, f"{name}: a text, a number or a list of texts is wanted here", example)
    return Row(number, cells)


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Twice(Counter(name for name, _ in pairs).most_common(1)[0][0][:40])
    return values


# -- .csv ------------------------------------------------------------------------------------------------------


def csv_rows(text: str) -> Rows:
    """`.csv`: a header row, then a topic a row, separated by commas, semicolons, tabs or bars."""
    lines = text.split("\n")
    first = 0
    delimiter = ""
    # Spreadsheets in countries with a decimal comma write this line; it is theirs, not a row.
    if lines[0].lower().startswith("sep=") and len(lines[0]) == len("sep=") + 1:
        delimiter, first = lines[0][-1], 1
    while first < len(lines) and not lines[first].strip():
        first += 1
    if first == len(lines):
        yield Fault(1, "there is no header row", _HEADER)
        return
    delimiter = delimiter or _delimiter_of(lines[first])
    records = _records(lines, first, delimiter)
    header = next(records)
    if isinstance(header, Fault):
        yield header
        return
    names = [name.strip().lower() for name in header[1]]
    while names and not names[-1]:
        names.pop()
    faults = _header_faults(names, header[0])
    if faults:
        yield from faults
        return
    for record in records:
        if isinstance(record, Fault):
            yield record
        elif any(cell.strip() for cell in record[1]):
            yield _csv_row(names, *record)


def _delimiter_of(header: str) -> str:
    """The one that splits the header into the most known fields; the comma where none does."""

    def known(delimiter: str) -> int:
        return sum(name.strip().strip('"').lower() in FIELDS for name in header.split(delimiter))

    return max(_DELIMITERS, key=known)


def _header_faults(names: Sequence[str], line: int) -> list[Fault]:
    if len(names) > _MOST_COLUMNS or not any(name in FIELDS for name in names):
        return [Fault(line, "the first line does not name the columns", _HEADER)]
    faults = [
        unknown_field(name, line) if name else Fault(line, "a column without a name", _HEADER)
        for name in names
        if name not in FIELDS
    ]
    faults += [
        Fault(line, f"the column {name!r} stands twice", "Remove one of them.")
        for name in sorted({name for name in names if name in FIELDS and names.count(name) > 1})
    ]
    if "title" not in names and not faults:
        faults.append(Fault(line, "there is no column 'title'", _HEADER))
    return faults


def _csv_row(names: Sequence[str], line: int, record: list[str]) -> Row | Fault:
    while len(record) > len(names) and not record[-1].strip():
        record = record[:-1]
    if len(record) != len(names):
        cells = "1 cell" if len(record) == 1 else f"{len(record)} cells"
        return Fault(
            line, f"{cells} where the header has {len(names)}", "Put a cell that holds the separator in quotes."
        )
    return Row(line, {name: Cell(cell, line) for name, cell in zip(names, record, strict=True) if cell.strip()})


def _records(lines: Sequence[str], first: int, delimiter: str) -> Iterator[tuple[int, list[str]] | Fault]:
    """Each record with the line that it begins on."""
    start = first
    while start < len(lines):
        reader = csv.reader((line + "\n" for line in lines[start:]), delimiter=delimiter, strict=True)
        begun = start
        resume = len(lines)
        while True:
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                unclosed = start + reader.line_num >= len(lines)
                yield Fault(
                    begun + 1,
                    "a quote is opened and not closed" if unclosed else "the quotes do not match",
                    _SPREADSHEET,
                )
                if unclosed:
                    # No quote stands below this line, or it would have closed this one: they are rows of their own.
                    resume = begun + 1
                    break
            else:
                yield begun + 1, record
            begun = start + reader.line_num
        start = resume
