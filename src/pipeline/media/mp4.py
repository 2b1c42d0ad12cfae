"""What every MP4 of ours says in the same way, with a picture or without: how it is laid out, chapters, language."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.domain.timeline import Chapter
from pipeline.media import id3

if TYPE_CHECKING:
    import av.container.core

MILLISECOND = Fraction(1, 1000)

LAYOUT = {"movflags": "+faststart", "fflags": "+bitexact"}
"""What a player needs to begin stands first; nothing depends on the clock, and no version of the muxer is told."""


def chapters(listed: Sequence[Chapter]) -> list[av.container.core.Chapter]:
    """Chapters as av takes them: to the millisecond."""
    return [
        {
            "id": number,
            "start": round(chapter.span.start / MILLISECOND),
            "end": round(chapter.span.end / MILLISECOND),
            "time_base": MILLISECOND,
            "metadata": {"title": chapter.title},
        }
        for number, chapter in enumerate(listed)
    ]


def language(tag: str) -> str:
    """A track's language (ISO 639-2) of a BCP 47 tag; MP4 has `und` for one that is not known."""
    code = id3.three_letters(tag)
    return "und" if code == "XXX" else code
