"""What a person asks for: a title, optional notes and options, from one file or one row of a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

# Words a minute of unhurried narration; the BBC's caption guidelines give 160 to 180 for speech on air,
# audiobook practice 150 to 160.
WORDS_PER_MINUTE = 155


class Mode(StrEnum):
    """How a topic becomes a script."""

    WRITE = "write"
    """A language model writes the script; the notes are what it must keep to."""
    READ = "read"
    """The text is narrated as it stands; no writer is asked."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a topic came from; for messages and for stable folder names, never part of a key."""

    path: str
    """The file, relative to the project's folder, with forward slashes: `input/moon.md`."""
    line: int
    """The first line of the topic in its file, counted from 1."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One episode's worth of asking. Every text is NFC; what exists is valid."""

    title: str
    source: Source
    notes: str = ""
    """Mode `write`: the facts to keep to. Mode `read`: the text itself, in Markdown or plain."""
    language: str = "en"
    """BCP 47, canonical case: `en`, `en-US`, `pt-BR`."""
    voice: str | None = None
    """A voice by its Piper name; None takes the settings' voice, or the first installed for the language."""
    style: str = "explainer"
    """The name of a prompt file in `config/prompts/`, without `.md`."""
    words: int = 150
    """How many words the script should have; where `seconds` are asked for, what they come to at the usual pace."""
    seconds: float | None = None
    """How long the programme should be; None where the number of words decides."""
    note_lines: tuple[int, ...] = ()
    """For each line of `notes` its line in the source's file; for messages, never part of a key. Empty where the file's
    format keeps no lines apart."""
    mode: Mode = Mode.WRITE
    seed: int = 0
    tags: tuple[str, ...] = ()
    date: date | None = None

    @property
    def primary_language(self) -> str:
        """The language without its region: `pt` of `pt-BR`."""
        return self.language.split("-", 1)[0]
