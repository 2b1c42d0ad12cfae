"""What will be said: a title and segments, each with its narration and, perhaps, a picture prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the script with one picture; published as one chapter."""

    title: str
    """The chapter's name; not spoken. Empty where the script has a single, untitled part."""
    paragraphs: tuple[str, ...]
    """What is spoken, in plain text: one string a paragraph, at least one, none of them blank."""
    picture_prompt: str = ""

    @property
    def word_count(self) -> int:
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Script:
    """Markdown with front matter on disk (`text/script_file.py` reads and writes it); this in the code."""

    title: str
    language: str
    segments: tuple[Segment, ...]

    @property
    def word_count(self) -> int:
        return sum(segment.word_count for segment in self.segments)
