"""What is said and when, for programs: the podcast namespace's JSON transcript, with the words' times added."""

from __future__ import annotations

import json

from pipeline.domain.timeline import Span, Timeline

# github.com/Podcastindex-org/podcast-namespace, transcripts/transcripts.md: `segments` of `startTime`, `endTime` and
# `body`. `language` and `words` are ours; programs that do not know them pass them over.
VERSION = "1.0.0"


def transcript(timeline: Timeline, language: str) -> bytes:
    """One segment a sentence; times in seconds, to the millisecond. `language` is BCP 47."""
    found = {
        "version": VERSION,
        "language": language,
        "segments": [
            {
                **_times(sentence.span),
                "body": sentence.shown,
                "words": [{**_times(word.span), "body": word.shown} for word in sentence.words],
            }
            for sentence in timeline.sentences
        ],
    }
    return (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode()


def _times(span: Span) -> dict[str, float]:
    return {"startTime": round(span.start, 3), "endTime": round(span.end, 3)}
