"""Which notes each sentence of a script rests on, and which sentences rest on none.

What a model said of it is believed where the note and the sentence have anything in common; else the words decide
(`grounding.rests_on`). A sentence that a person wrote is theirs: it is told which notes hold it, never that it is
unsupported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.domain.script import Script
from pipeline.text import sentences
from pipeline.text.grounding import claims_something, has_in_common, rests_on

_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s")
_LETTER = re.compile(r"[^\W_]")
_DIGEST_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Note:
    """A line of a topic's notes that says something."""

    number: int
    """From 1; headings and lines without a word are not counted."""
    text: str
    """Without the sign of a list."""
    line: int
    """Its index among the lines of the notes, from 0."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a script's file says of its sentences."""

    of: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Sentence → the numbers of the notes it rests on; none for one marked as unsupported. A sentence without a mark,
    such as a question, is not in it."""
    notes: Mapping[int, str] = field(default_factory=dict)
    """Number → the note's text."""

    def __bool__(self) -> bool:
        return bool(self.of)


@dataclass(frozen=True, slots=True)
class Claims:
    """What is known of each spoken sentence, in order."""

    notes: tuple[tuple[Note, ...], ...]
    unsupported: tuple[int, ...] = ()
    """Indices of sentences that claim something that is in no note."""
    own: tuple[int, ...] = ()
    """Indices of sentences that a person wrote."""


def notes_of(notes: str) -> tuple[Note, ...]:
    """A topic's notes, line by line."""
    found: list[Note] = []
    for line, text in enumerate(notes.split("\n")):
        if _LETTER.search(text) and not _HEADING.match(text):
            found.append(Note(len(found) + 1, _BULLET.sub("", text).strip(), line))
    return tuple(found)


def numbered(notes: str) -> str:
    """The notes with their numbers, as a model is shown them: `[3] Rivers carry the salt.`"""
    lines = notes.split("\n")
    for note in notes_of(notes):
        lines[note.line] = f"[{note.number}] {note.text}"
    return "\n".join(lines)


def split(script: Script) -> tuple[str, ...]:
    """Every sentence of a script, as it is spoken."""
    return tuple(
        sentence
        for segment in script.segments
        for paragraph in segment.paragraphs
        for sentence in sentences.split(paragraph, script.language)
    )


def marks_for(script: Script, notes: str, told: Mapping[str, Collection[int]]) -> Marks:
    """The marks of a script that was just written; `told` is what its writer said: sentence → numbers of notes."""
    by_number = {note.number: note for note in notes_of(notes)}
    if not by_number:
        return Marks()
    marks: dict[str, tuple[int, ...]] = {}
    for sentence in split(script):
        if not claims_something(sentence, script.title):
            continue
        said = sorted(number for number in set(told.get(sentence, ())) & by_number.keys())
        if not said or not has_in_common(sentence, " ".join(by_number[number].text for number in said), script.title):
            said = [note.number for note in _overlapping(sentence, tuple(by_number.values()), script.title)]
        marks[sentence] = tuple(said)
    used = sorted({number for numbers in marks.values() for number in numbers})
    return Marks(marks, {number: by_number[number].text for number in used})


def claims_of(said: Sequence[str], notes: str, marks: Marks) -> Claims:
    """The claims of a script that stands as it was written, by its marks."""
    by_number = {note.number: note for note in notes_of(notes)}
    grounds = tuple(
        tuple(by_number[number] for number in marks.of.get(sentence, ()) if number in by_number) for sentence in said
    )
    return Claims(grounds, tuple(index for index, sentence in enumerate(said) if marks.of.get(sentence) == ()))


def claims_of_edited(said: Sequence[str], notes: str, marks: Marks, title: str, written: Collection[str]) -> Claims:
    """The claims of a script that a person has edited, by the words of the notes as they are now. A mark of theirs
    stands where the words find nothing. `written` holds the digests of the sentences that the writer had written.
    """
    found = notes_of(notes)
    grounds: list[tuple[Note, ...]] = []
    unsupported: list[int] = []
    own: list[int] = []
    for index, sentence in enumerate(said):
        ground: tuple[Note, ...] = ()
        if digest(sentence) not in written:
            own.append(index)
        if claims_something(sentence, title):
            ground = _overlapping(sentence, found, title) or _marked(sentence, found, marks)
            if not ground and digest(sentence) in written:
                unsupported.append(index)
        grounds.append(ground)
    return Claims(tuple(grounds), tuple(unsupported), tuple(own))


def digest(sentence: str) -> str:
    """By which a sentence that the writer wrote is known again after an edit."""
    return hashlib.sha256(sentence.encode()).hexdigest()[:_DIGEST_LETTERS]


def _overlapping(sentence: str, notes: Sequence[Note], title: str) -> tuple[Note, ...]:
    return tuple(notes[index] for index in rests_on(sentence, [note.text for note in notes], title))


def _marked(sentence: str, notes: Sequence[Note], marks: Marks) -> tuple[Note, ...]:
    """The notes that a mark names, by their text: their numbers may have changed since."""
    texts = {marks.notes.get(number) for number in marks.of.get(sentence, ())}
    return tuple(note for note in notes if note.text in texts)
