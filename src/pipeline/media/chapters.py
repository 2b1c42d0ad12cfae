"""Chapters as podcast apps read them: the podcast namespace's JSON (https://github.com/Podcastindex-org/podcast-namespace,
chapters/jsonChapters.md)."""

from __future__ import annotations

import json

from pipeline.domain.timeline import Timeline

NAME = "chapters.json"


def chapters(timeline: Timeline) -> bytes:
    """UTF-8 JSON; times in seconds, ascending. A chapter without a title has none here either."""
    listed = [
        {"startTime": round(chapter.span.start, 3), **({"title": chapter.title} if chapter.title else {})}
        for chapter in timeline.chapters
    ]
    return (json.dumps({"version": "1.2.0", "chapters": listed}, ensure_ascii=False, indent=1) + "\n").encode()
