"""A timeline as JSON: how the programme's times travel from the mix to the captions, the video and the page."""

from __future__ import annotations

import json

from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline

NAME = "timeline.json"


def dump(timeline: Timeline) -> bytes:
    """Times in seconds, to the microsecond: a sample at 44.1 kHz lasts 23."""
    return json.dumps(
        {
            "seconds": round(timeline.seconds, 6),
            "exact": timeline.exact,
            "chapters": [[chapter.title, *_times(chapter.span)] for chapter in timeline.chapters],
            "sentences": [
                {
                    "span": _times(sentence.span),
                    "segment": sentence.segment,
                    "ends_paragraph": sentence.ends_paragraph,
                    "words": [[word.shown, *_times(word.span)] for word in sentence.words],
                }
                for sentence in timeline.sentences
            ],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def parse(data: bytes) -> Timeline:
    """The timeline that `dump` wrote."""
    raw = json.loads(data)
    return Timeline(
        sentences=tuple(
            TimedSentence(
                words=tuple(TimedWord(shown, Span(start, end)) for shown, start, end in sentence["words"]),
                span=Span(*sentence["span"]),
                segment=sentence["segment"],
                ends_paragraph=sentence["ends_paragraph"],
            )
            for sentence in raw["sentences"]
        ),
        chapters=tuple(Chapter(title, Span(start, end)) for title, start, end in raw["chapters"]),
        seconds=raw["seconds"],
        exact=raw["exact"],
    )


def _times(span: Span) -> list[float]:
    return [round(span.start, 6), round(span.end, 6)]
