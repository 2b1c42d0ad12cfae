"""One topic file → its topics, and what is wrong with the rest of it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.topic import Topic
from pipeline.errors import InputError
from pipeline.inbox.contents import text_of
from pipeline.inbox.fields import TopicDefaults, topic_of
from pipeline.inbox.formats import csv_rows, json_rows, text_rows
from pipeline.inbox.markdown import markdown_rows
from pipeline.inbox.rows import MOST_ROWS, Fault, Rows
from pipeline.inbox.scanning import FoundFile
from pipeline.inbox.yaml_rows import yaml_rows

MOST_FAULTS = 50
"""Faults of one file that are told one by one; a file saved in the wrong form has one in every line."""


@dataclass(frozen=True, slots=True)
class Reading:
    topics: tuple[Topic, ...]
    """In the order of the file; no two have the same title."""
    refused: tuple[InputError, ...]


def read(found: FoundFile, *, defaults: TopicDefaults) -> Reading:
    """The topics of a file. Never raises for what is in it: each fault is refused with its line and cure.

    Whether a style or a voice exists is for others to say. A file that has gone since it was found has no topics.
    """
    text = text_of(found, max_bytes=defaults.max_bytes)
    if text is None:
        return Reading((), ())
    if isinstance(text, Fault):
        return Reading((), (_error(text, found.name),))
    topics: list[Topic] = []
    faults: list[Fault] = []
    lines: dict[str, int] = {}
    for count, row in enumerate(_rows(text, found)):
        if count >= MOST_ROWS:
            line = row.line
            faults.append(Fault(line, f"more than {MOST_ROWS:,} topics in one file", "Split it; the rest is not read."))
            break
        topic = [row] if isinstance(row, Fault) else topic_of(row, found.name, defaults)
        if isinstance(topic, list):
            faults += topic
        elif topic.title in lines:
            what = f"the title {topic.title!r} stands in line {lines[topic.title]} already"
            faults.append(Fault(row.line, what, "Give each topic of a file its own title."))
        else:
            lines[topic.title] = row.line
            topics.append(topic)
    if not topics and not faults:
        faults.append(Fault(1, "there is no topic in it", "Write a topic into it, or remove it."))
    return Reading(tuple(topics), tuple(_error(fault, found.name) for fault in _told(faults)))


def _rows(text: str, found: FoundFile) -> Rows:
    match found.path.suffix.lower():
        case ".md":
            return markdown_rows(text, found.name.rpartition("/")[2])
        case ".txt":
            return text_rows(text)
        case ".csv":
            return csv_rows(text)
        case ".jsonl":
            return json_rows(text)
        case _:
            return yaml_rows(text)


def _told(faults: list[Fault]) -> list[Fault]:
    if len(faults) <= MOST_FAULTS:
        return faults
    more = len(faults) - MOST_FAULTS
    return [
        *faults[:MOST_FAULTS],
        Fault(faults[MOST_FAULTS].line, f"{more:,} more faults from here on", "Mend the ones above first."),
    ]


def _error(fault: Fault, name: str) -> InputError:
    return InputError(fault.what, where=f"{name}:{fault.line}" if fault.line else name, hint=fault.hint)
