"""`mode: read`: the topic's own text is the script; nobody is asked."""

from __future__ import annotations

from itertools import islice

from pipeline.build.recipe import Flow, Parts, Rule, Step
from pipeline.domain.script import Script, Segment
from pipeline.domain.topic import Topic
from pipeline.errors import InputError
from pipeline.stages.script.written import Written, load, parts_of
from pipeline.text import plain
from pipeline.text.language import other_language

RULE = Rule("script-read", version=3, resource="cpu")
# Of so many words a language is as sure as of all of them, and a book is looked at in a moment.
_MOST_WORDS_LOOKED_AT = 2_000


def read(topic: Topic) -> Flow[Written]:
    """Markdown or plain text as it stands; its headings become segments. Raises InputError for nothing to say."""
    segments = tuple(Segment(part.title, part.paragraphs) for part in plain.parts(topic.notes) if part.paragraphs)
    if not segments:
        raise InputError(
            "there is no text to read", where=str(topic.source), hint="With `mode: read` the notes are what is spoken."
        )
    script = Script(topic.title, topic.language, segments)

    def make() -> Parts:
        about: dict[str, object] = {"asked": "nobody: the text is read as it stands", "words": script.word_count}
        if other := other_language(_beginning(script), topic.language):
            about["other_language"] = other
        return parts_of(script, about)

    (artifact,) = yield [
        Step(
            RULE,
            place="script",
            inputs={"title": topic.title, "text": topic.notes, "language": topic.language},
            make=make,
            label="script",
            units=float(script.word_count),
        )
    ]
    return load(artifact, topic)


def _beginning(script: Script) -> str:
    words = (word for segment in script.segments for paragraph in segment.paragraphs for word in paragraph.split())
    return " ".join(islice(words, _MOST_WORDS_LOOKED_AT))
