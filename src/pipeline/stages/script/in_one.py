"""A large model is asked for the whole script at once, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipeline.build.recipe import Flow, Parts, Rule, Step
from pipeline.domain.script import Script, Segment
from pipeline.domain.topic import Topic
from pipeline.errors import EngineNonsense
from pipeline.ports import Question, Writer, WriterIdentity
from pipeline.stages.script.written import (
    Asked,
    Written,
    language_name,
    load,
    parts_of,
    seed_of,
    told,
    writer_about,
    writer_key,
)
from pipeline.text.script_checks import Fault, faults
from pipeline.text.style_file import Style, fill

RULE = Rule("script", version=1, resource="llm")

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "segments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 12,
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "narration": {"type": "string"},
                    "picture_prompt": {"type": "string"},
                },
                "required": ["title", "narration", "picture_prompt"],
            },
        },
    },
    "required": ["segments"],
}

NO_NOTES = "(No notes were given. Say only what is commonly known and beyond doubt.)"

# A word is 1.3 tokens in English and up to 2.5 in other languages; titles, picture prompts and JSON come on top.
_TOKENS_A_WORD = 3
_TOKENS_BESIDE = 600
# Lower than chat's usual 0.8: the narration keeps closer to its notes.
_TEMPERATURE = 0.6


def write(topic: Topic, style: Style, writer: Writer, identity: WriterIdentity, *, tries: int) -> Flow[Written]:
    """One step: ask, check, ask again with another seed and the faults named."""
    (artifact,) = yield [
        Step(
            RULE,
            place="script",
            inputs={
                "title": topic.title,
                "notes": topic.notes,
                "language": topic.language,
                "words": topic.words,
                "style": style.digest,
                "seed": topic.seed,
                "writer": writer_key(identity),
            },
            make=lambda: _make(topic, style, writer, identity, tries),
            label="script",
            units=float(topic.words),
        )
    ]
    return load(artifact, topic)


def _make(topic: Topic, style: Style, writer: Writer, identity: WriterIdentity, tries: int) -> Parts:
    values = {
        "title": topic.title,
        "notes": topic.notes.strip() or NO_NOTES,
        "words": topic.words,
        "language": language_name(topic),
    }
    # Ollama constrains the sampler to the schema, and still advises to show it to the model.
    request = f"{fill(style.ask, values)}\n\nAnswer with JSON that follows this schema:\n{json.dumps(SCHEMA)}"
    asked = Asked()
    room = topic.words * _TOKENS_A_WORD + _TOKENS_BESIDE
    found: tuple[Fault, ...] = ()
    for attempt in range(tries):
        seed = seed_of(topic, attempt)
        again = f"\n\nAn earlier answer could not be used: {told(found)}. Write it anew." if found else ""
        question = Question(fill(style.system, values), request + again, seed, room, _TEMPERATURE, SCHEMA)
        try:
            answer = writer.answer(question)
        except EngineNonsense as nonsense:
            asked.answers.append(nonsense.answer)
            found = (Fault("empty", nonsense.what),)
            continue
        asked.add(seed, answer)
        if not answer.complete:
            found = (Fault("length", f"it was longer than {room} tokens; {topic.words} words were asked for"),)
            continue
        script = _understood(answer.text, topic)
        found = faults(script, language=topic.language, words=topic.words)
        if not found:
            about = {"asked": "at once", "writer": writer_about(identity), **asked.about, "words": script.word_count}
            return parts_of(script, about)
    raise EngineNonsense(
        f"no usable script in {tries} {'try' if tries == 1 else 'tries'}: {told(found)}",
        where=str(topic.source),
        hint=f"Try a larger model than {identity.name}, another seed, or notes to keep to.",
        answer=asked.answers[-1] if asked.answers else "",
    )


def _understood(text: str, topic: Topic) -> Script:
    """The answer as a script; one without segments where it is not what was asked for."""
    # Servers that do not constrain the sampler wrap JSON in a code fence or a sentence.
    start, end = text.find("{"), text.rfind("}")
    try:
        raw = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return Script(topic.title, topic.language, ())
    listed = raw.get("segments") if isinstance(raw, dict) else None
    segments = []
    for item in listed if isinstance(listed, list) else []:
        match item:
            case {"title": str(title), "narration": str(narration), **rest}:
                lines = tuple(" ".join(line.split()) for line in narration.splitlines() if line.strip())
                picture = rest.get("picture_prompt")
                if lines:
                    prompt = " ".join(picture.split()) if isinstance(picture, str) else ""
                    segments.append(Segment(" ".join(title.split()), lines, prompt))
    return Script(topic.title, topic.language, tuple(segments))
