"""What the sentences of a script rest on: known for the manifest and the page, and a failure where that is wished."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.domain.topic import Mode, Topic
from pipeline.errors import InputError
from pipeline.text import claims, script_file
from pipeline.text.claims import Claims, Marks, Note

_MOST_TOLD = 3


def of_written(topic: Topic, said: Sequence[str], marks: Marks) -> Claims | None:
    """The claims of a script as its writer wrote it; None for a topic without notes, and for a text that is read."""
    return claims.claims_of(said, topic.notes, marks) if _has_notes(topic) else None


def of_edited(topic: Topic, said: Sequence[str], script: bytes, how: object) -> Claims | None:
    """The claims of a script that a person has edited; `how` is what is known of the script they began with.

    Raises InputError for a script that cannot be read.
    """
    if not _has_notes(topic):
        return None
    listed = how.get("sentences") if isinstance(how, Mapping) else None
    written: Collection[str] = [str(one) for one in listed] if isinstance(listed, list | tuple) else ()
    marks = script_file.marks(script.decode("utf-8-sig"), where="script.md")
    return claims.claims_of_edited(said, topic.notes, marks, topic.title, written)


def check(found: Claims | None, said: Sequence[str], topic: Topic, slug: str) -> None:
    """Raises InputError, with the sentences, where any is in none of the notes."""
    if found is None or not found.unsupported:
        return
    count = len(found.unsupported)
    told = " ".join(f"“{said[index]}”" for index in found.unsupported[:_MOST_TOLD])
    more = f" and {count - _MOST_TOLD} more" if count > _MOST_TOLD else ""
    what = "a sentence is" if count == 1 else f"{count} sentences are"
    raise InputError(
        f"{what} in none of the notes: {told}{more}",
        where=str(topic.source),
        hint='If it is true, add it to the notes; else try another `seed`. Or set unsupported = "note", run again, and '
        f"edit output/{slug}/script.md.",
    )


def about(found: Claims, topic: Topic) -> Mapping[str, Any]:
    """For the manifest: for each sentence the notes it rests on, as file and line; and which rest on none."""
    return {
        "notes": [[_place(note, topic) for note in notes] for notes in found.notes],
        "unsupported": list(found.unsupported),
        "by_hand": list(found.own),
    }


def _has_notes(topic: Topic) -> bool:
    return topic.mode is Mode.WRITE and bool(claims.notes_of(topic.notes))


def _place(note: Note, topic: Topic) -> str:
    """`input/sea.md:7`; in a CSV cell, which has no lines of its own, the topic's and the note's number."""
    if note.line < len(topic.note_lines):
        return f"{topic.source.path}:{topic.note_lines[note.line]}"
    return f"{topic.source}, note {note.number}"
