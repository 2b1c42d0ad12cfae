"""What lies in `input/` becomes topics; everything in it is hostile or mistaken until it is parsed.

    scan     which files there are, one look at each, nothing opened
    read     one file → its topics, and what is wrong with the rest of it

Faults go one by one: a bad row is refused with its file, line and cure, and the rows beside it live.
"""

from __future__ import annotations

from pipeline.build.recipe import Canonical
from pipeline.domain.topic import Topic
from pipeline.inbox.fields import TopicDefaults
from pipeline.inbox.reading import Reading, read
from pipeline.inbox.scanning import FoundFile, Scan, scan

__all__ = ["FoundFile", "Reading", "Scan", "TopicDefaults", "read", "scan", "topic_inputs"]


def topic_inputs(topic: Topic) -> dict[str, Canonical]:
    """Everything that a topic asks for, for digests; where it came from is left out."""
    return {
        "title": topic.title,
        "notes": topic.notes,
        "language": topic.language,
        "voice": topic.voice,
        "style": topic.style,
        "words": topic.words,
        "seconds": topic.seconds,
        "mode": topic.mode.value,
        "seed": topic.seed,
        "tags": list(topic.tags),
        "date": topic.date.isoformat() if topic.date else None,
    }
