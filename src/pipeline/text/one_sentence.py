"""One sentence of a script's file changed, and not a letter of the file besides.

The file is a person's: its line breaks, comments, marks and emphasis stay where they are. So the sentence is looked for
in the file as it may be written there, and the change is only believed once the file reads back as it should.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain.script import Script
from pipeline.errors import InputError
from pipeline.text import escaping, plain, script_file, sentences

LONGEST_CHARACTERS = 1_000
"""Of what is put in a sentence's place: some 170 words, a minute of speech."""

# What may stand between two letters of a sentence in its file: emphasis, the backslash of an escape, a mark.
_BETWEEN = r"(?:[*_`\\]|\[\^(?:\d{1,5}|\?)\])*"
_BLANK = r"(?:[\s*_`\\]|\[\^(?:\d{1,5}|\?)\])+"
_LITERAL_MARK = re.compile(r"(?<!\\)(?=\[\^(?:\d{1,5}|\?)\])")
# The same words in headings, prompts and notes; a script that says one sentence more often is edited whole.
_MOST_PLACES = 50


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a script, where it stands. They are counted from 1, in the order in which they are said."""

    text: str
    segment: int
    """The index of its segment, from 0; so is `paragraph` within it."""
    paragraph: int
    start: int
    """Its first letter in the paragraph."""


def listed(script: Script) -> tuple[Sentence, ...]:
    """Every sentence of a script in order, those too in which nothing can be pronounced."""
    return tuple(_listed(script))


def _listed(script: Script) -> Iterator[Sentence]:
    for segment, part in enumerate(script.segments):
        for paragraph, text in enumerate(part.paragraphs):
            end = 0
            for sentence in sentences.split(text, script.language):
                start = text.find(sentence, end)
                if start < 0:  # blanks were mended within it, which no paragraph of a file has
                    start = end
                end = start + len(sentence)
                yield Sentence(sentence, segment, paragraph, start)


def as_written(words: str) -> str:
    """What a person wrote for a sentence, on one line and with an end. Raises InputError where nothing is left to say,
    and for what is too long.
    """
    kept = "".join(sign if not unicodedata.category(sign).startswith("C") or sign in "\u200c\u200d" else " "
                   for sign in words)  # fmt: skip
    text = plain.as_sentence(" ".join(kept.split()))
    if not any(map(str.isalnum, text)):
        raise InputError(
            "there is nothing to say in this sentence",
            hint="Write at least one word; to take the sentence away, edit the whole script.",
        )
    if len(text) > LONGEST_CHARACTERS:
        raise InputError(
            f"the sentence has {len(text):,} letters, and {LONGEST_CHARACTERS:,} are the most",
            hint="Make several sentences of it, in the whole script.",
        )
    return text


def changed(text: str, number: int, words: str, *, where: str) -> str:
    """The file's text with other words in the place of its sentence `number`, from 1; `where` names it in errors.

    Raises InputError for a script that cannot be read, for a sentence that there is not, and where the file does not
    hold the sentence as plainly as that it could be changed by itself.
    """
    script = script_file.parse(text, where=where)
    every = listed(script)
    if not 1 <= number <= len(every):
        raise InputError(
            f"there is no sentence {number}", where=where, hint=f"The script has {len(every)}; read it again."
        )
    old, new = every[number - 1], as_written(words)
    wanted = _wanted(script, old, new)
    written = _LITERAL_MARK.sub(r"\\", escaping.paragraph(new))
    for start, end in _places(text, old.text):
        trial = f"{text[:start]}{written}{text[end:]}"
        if _paragraphs(trial, where) == wanted:
            return trial
    raise InputError(
        "this sentence cannot be changed by itself, because of how it is written in the file",
        where=where,
        hint="Edit the whole script.",
    )


def _wanted(script: Script, old: Sentence, new: str) -> list[tuple[str, ...]]:
    paragraphs = [part.paragraphs for part in script.segments]
    before = list(paragraphs[old.segment])
    one = before[old.paragraph]
    before[old.paragraph] = f"{one[: old.start]}{new}{one[old.start + len(old.text) :]}"
    paragraphs[old.segment] = tuple(before)
    return paragraphs


def _paragraphs(text: str, where: str) -> list[tuple[str, ...]]:
    try:
        return [part.paragraphs for part in script_file.parse(text, where=where).segments]
    except InputError:
        return []


def _places(text: str, sentence: str) -> Iterator[tuple[int, int]]:
    """Where a sentence may stand in the file, as start and end."""
    words = (_BETWEEN.join(map(re.escape, word)) for word in sentence.split())
    for count, found in enumerate(re.finditer(_BLANK.join(words), text)):
        if count == _MOST_PLACES:
            return
        yield found.span()
