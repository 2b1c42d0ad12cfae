"""The YAML that a topic may be written in: mappings of names to texts, and nothing else of YAML.

Every plain value is taken as the text that stands there, so that `title: 1984`, `title: No` and `date: 2026-01-02`
mean what they look like. Anchors, aliases and tags are refused: topics need none, and bombs are made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import yaml

from pipeline.inbox.rows import Cell, Fault, Row, Rows
from pipeline.text.yaml_faults import cure_of

_Event: TypeAlias = yaml.Event

# The loader in C is ten times as fast; some builds of PyYAML come without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A list of topics with a list of tags is 3 deep. Stopping early matters: libyaml's time grows with the square of the
# depth, and a megabyte of brackets would take minutes.
_DEEPEST = 16
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_EXAMPLE = "Write a list of topics, each beginning with - title: …"
_QUOTE = "Put the text in quotes if it holds : or # or begins with a sign."


class _Wrong(Exception):
    def __init__(self, line: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.fault = Fault(line, what, hint)


def yaml_rows(text: str) -> Rows:
    """`.yaml`: a list of mappings, or one mapping; several documents in one file are read one after the other.

    A row with a fault in it is refused; where the file stops being YAML, nothing below is read.
    """
    events = _events(text, 0)
    try:
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                yield _row(event, events)
            elif isinstance(event, yaml.SequenceStartEvent):
                _refuse_marks(event)
                yield from _list(events)
            elif isinstance(event, yaml.ScalarEvent) and event.value not in _NULLS:
                yield Fault(_line(event), "a text where topics should be", _EXAMPLE)
            elif isinstance(event, yaml.AliasEvent):
                _refuse_marks(event)
    except _Wrong as wrong:
        yield wrong.fault


def front_matter(text: str, lines_before: int) -> dict[str, Cell] | Fault:
    """The fields between the `---` lines of a Markdown file."""
    events = _events(text, lines_before)
    try:
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                row = _row(event, events)
                if isinstance(row, Fault):
                    return row
                for _ in events:
                    pass
                return dict(row.cells)
            empty = isinstance(event, yaml.ScalarEvent) and event.value in _NULLS
            if isinstance(event, yaml.NodeEvent) and not empty:
                return Fault(_line(event), "the front matter does not name its fields", "Write lines such as title: …")
    except _Wrong as wrong:
        return wrong.fault
    return {}


def _list(events: Iterator[_Event]) -> Rows:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        if isinstance(event, yaml.MappingStartEvent):
            yield _row(event, events)
        else:
            _refuse_marks(event)
            _skip(event, events)
            yield Fault(_line(event), "a topic needs named fields", _EXAMPLE)


def _row(start: _Event, events: Iterator[_Event]) -> Row | Fault:
    """The mapping that has just begun, read to its end whatever is in it."""
    cells: dict[str, Cell] = {}
    fault: Fault | None = None
    _refuse_marks(start)
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        _refuse_marks(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise _Wrong(_line(event), "a field's name must be a plain word", _EXAMPLE)
        name = event.value
        cell = _cell(name, next(events), events)
        if name in cells:
            fault = fault or Fault(_line(event), f"the field {name!r} stands twice", "Remove one of them.")
        elif isinstance(cell, Fault):
            fault = fault or cell
        elif cell is not None:
            cells[name] = cell
    return fault or Row(_line(start), cells)


def _cell(name: str, event: _Event, events: Iterator[_Event]) -> Cell | Fault | None:
    _refuse_marks(event)
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in _NULLS else Cell(event.value, _line(event))
    items: list[str] = []
    fault = None
    if isinstance(event, yaml.SequenceStartEvent):
        for item in events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            _refuse_marks(item)
            if isinstance(item, yaml.ScalarEvent):
                items.append(item.value)
            else:
                _skip(item, events)
                fault = Fault(_line(item), f"{name}: a list of texts is wanted, nothing deeper", _QUOTE)
        return fault or (Cell(tuple(items), _line(event)) if items else None)
    _skip(event, events)
    return Fault(_line(event), f"{name}: a text or a list is wanted, not fields within fields", _QUOTE)


def _skip(event: _Event, events: Iterator[_Event]) -> None:
    """Read on to the end of what `event` begins, without going down with it."""
    depth = 0
    while True:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth <= 0:
            return
        event = next(events)
        _refuse_marks(event)


def _refuse_marks(event: _Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Wrong(_line(event), "YAML anchors (&) and aliases (*) are not used here", _QUOTE)
    tag = getattr(event, "tag", None)
    if tag is not None and tag != "!":
        raise _Wrong(_line(event), "YAML tags (!) are not used here", _QUOTE)


def _line(event: _Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _events(text: str, lines_before: int) -> Iterator[_Event]:
    """The parser's events, with line numbers of the whole file; what is not YAML raises _Wrong."""
    # Blank lines in front keep the parser's line numbers those of the file.
    try:
        depth = 0
        for event in yaml.parse("\n" * lines_before + text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise _Wrong(_line(event), "nested too deeply", _EXAMPLE)
            yield event
    except yaml.MarkedYAMLError as error:
        # What was begun and never ended is named by where it began.
        marks = [mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None]
        line = min(marks, default=lines_before) + 1
        raise _Wrong(line, f"not YAML: {error.problem}", cure_of(error)) from None
    except yaml.YAMLError:
        raise _Wrong(lines_before + 1, "not YAML: a character that YAML does not allow", _QUOTE) from None
