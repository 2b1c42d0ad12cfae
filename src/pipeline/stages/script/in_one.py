"""A large model is asked for the whole script at once, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.build.recipe import Flow, Parts, Rule, Step
from pipeline.domain.length import Change, changes
from pipeline.domain.script import Script, Segment
from pipeline.domain.topic import Topic
from pipeline.errors import EngineNonsense
from pipeline.ports import Question, Writer, WriterIdentity
from pipeline.stages.script.written import (
    SCRIPT,
    Asked,
    Written,
    kept,
    language_name,
    load,
    parts_of,
    seed_of,
    told,
    writer_about,
    writer_key,
)
from pipeline.text import claims, sentences
from pipeline.text.script_checks import Fault, faults
from pipeline.text.style_file import Style, fill

RULE = Rule("script", version=2, resource="llm")
REVISION = Rule("script-revision", version=1, resource="llm")

_NARRATION: Mapping[str, object] = {"narration": {"type": "string"}}
# With notes, each sentence says which of them it rests on.
_SENTENCES: Mapping[str, object] = {
    "sentences": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "notes": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["text", "notes"],
        },
    },
}
_WITH_NOTES = (
    "\n\nGive each segment's narration sentence by sentence, and with each sentence the numbers of the notes that it "
    "rests on; none where it states nothing."
)


def schema(topic: Topic, *, revision: bool = False) -> Mapping[str, object]:
    """What an answer looks like: with or without the notes of each sentence, of a whole script or of some segments."""
    said = _SENTENCES if topic.notes.strip() else _NARRATION
    string = {"type": "string"}
    segment = (
        {"number": {"type": "integer"}, **said} if revision else {"title": string, **said, "picture_prompt": string}
    )
    items = {"type": "object", "properties": segment, "required": list(segment)}
    segments = {"type": "array", "minItems": 1, "maxItems": 12, "items": items}
    return {"type": "object", "properties": {"segments": segments}, "required": ["segments"]}


NO_NOTES = "(No notes were given. Say only what is commonly known and beyond doubt.)"

# A word is 1.3 tokens in English and up to 2.5 in other languages; titles, picture prompts and JSON come on top.
_TOKENS_A_WORD = 3
_TOKENS_BESIDE = 600
# Lower than chat's usual 0.8: the narration keeps closer to its notes.
_TEMPERATURE = 0.6
# A script that is asked for by the clock is measured and revised, so its first length need not be near: half as long
# again, or half, is still a start.
_START = 0.5
# A revised segment this near to the words wanted is not asked for again.
_NEAR = 0.15


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


def revise(
    topic: Topic,
    style: Style,
    writer: Writer,
    identity: WriterIdentity,
    before: Written,
    *,
    words: int,
    round_: int,
    tries: int,
) -> Flow[Written]:
    """One step: some segments written anew, so many words longer or shorter; the others stay to the letter."""
    asked = changes([segment.word_count for segment in before.script.segments], words)
    work = _Revision(topic, style, writer, identity, before, asked, round_, tries)
    (artifact,) = yield [
        Step(
            REVISION,
            place="script",
            inputs={
                "script": before.artifact.part_digest(SCRIPT),
                "changes": [[change.segment, change.wanted] for change in asked],
                "round": round_,
                "notes": topic.notes,
                "request": style.revise,
                "system": style.system,
                "seed": topic.seed,
                "writer": writer_key(identity),
            },
            make=work.make,
            label=f"script, {'longer' if words > 0 else 'shorter'} by {abs(words)} words",
            units=float(sum(change.wanted for change in asked)),
        )
    ]
    return load(artifact, topic)


@dataclass(frozen=True, slots=True)
class _Revision:
    """One round of making a script longer or shorter."""

    topic: Topic
    style: Style
    writer: Writer
    identity: WriterIdentity
    before: Written
    changes: Sequence[Change]
    round_: int
    tries: int

    def make(self) -> Parts:
        """Ask until each segment is near the length wanted. What comes nearer than it was is taken, whatever the others
        do; what does not stays as it was.
        """
        asked = Asked()
        script = self.before.script
        left = list(self.changes)
        found: tuple[Fault, ...] = ()
        sources: dict[str, tuple[int, ...]] = dict(self.before.marks.of)
        for attempt in range(self.tries):
            # Rounds share no seed with each other, nor with the first writing.
            seed = seed_of(self.topic, 100 * self.round_ + attempt)
            try:
                answer = self.writer.answer(self._question(script, left, found, seed))
            except EngineNonsense as nonsense:
                asked.answers.append(nonsense.answer)
                found = (Fault("empty", nonsense.what),)
                continue
            asked.add(seed, answer)
            if not answer.complete:
                found = (Fault("length", "the answer was cut off: it was far longer than asked for"),)
                continue
            answers, more = _narrations(answer.text, self.topic)
            sources |= more
            script, found = self._taken(script, answers, found)
            left = [change for change in left if not _is_near(script.segments[change.segment].word_count, change)]
            if not left:
                break
        if script == self.before.script:
            why = f"{self.identity.name} gave nothing better in {len(asked.answers)} answers"
            return kept(self.before, f"{why}: {told(found)}" if found else why)
        rounds = self.before.about.get("revised", ())
        revised = {
            "segments": [change.segment + 1 for change in self.changes],
            "words": script.word_count - self.before.script.word_count,
            **asked.about,
        }
        earlier = list(rounds) if isinstance(rounds, list) else []
        about = {**self.before.about, "revised": [*earlier, revised], "words": script.word_count}
        return parts_of(script, about, self.topic.notes, sources)

    def _question(self, script: Script, left: Sequence[Change], found: Sequence[Fault], seed: int) -> Question:
        topic = self.topic
        values = {
            "title": topic.title,
            "notes": _notes(topic),
            "words": sum(change.wanted for change in left),
            "language": language_name(topic),
            "script": "\n\n".join(
                f"Segment {number}: {segment.title}\n{' '.join(segment.paragraphs)}"
                for number, segment in enumerate(script.segments, 1)
            ),
            "changes": "\n".join(_request(change, script) for change in left),
        }
        form = schema(topic, revision=True)
        again = f"\n\nAn earlier answer could not be used: {told(found)}. Write it anew." if found else ""
        return Question(
            fill(self.style.system, values),
            fill(self.style.revise, values) + _form(topic, form) + again,
            seed,
            _room(sum(change.wanted for change in left), topic),
            _TEMPERATURE,
            form,
        )

    def _taken(
        self, script: Script, answers: Mapping[int, tuple[str, ...]], found: tuple[Fault, ...]
    ) -> tuple[Script, tuple[Fault, ...]]:
        """The script with each segment that came nearer and is sound, and what was wrong with the others."""
        wrong: list[Fault] = []
        for change in self.changes:
            old = script.segments[change.segment]
            paragraphs = answers.get(change.segment + 1)
            if paragraphs is None:
                continue
            new = replace(old, paragraphs=paragraphs)
            if abs(new.word_count - change.wanted) >= abs(old.word_count - change.wanted):
                words = f"segment {change.segment + 1} has {new.word_count} words, and {change.wanted} were asked for"
                wrong.append(Fault("length", words))
                continue
            candidate = replace(
                script,
                segments=tuple(new if place == change.segment else one for place, one in enumerate(script.segments)),
            )
            faulty = faults(
                candidate, language=self.topic.language, words=candidate.word_count, fewest=0, most=candidate.word_count
            )
            if faulty:
                wrong += faulty
                continue
            script = candidate
        if not answers:
            wrong.append(Fault("empty", "no segment with its number and narration was in it"))
        return script, tuple(wrong) or found


def _request(change: Change, script: Script) -> str:
    have = script.segments[change.segment].word_count
    more = change.wanted - have
    return (
        f"Segment {change.segment + 1} has {have} words now. Write it with about {change.wanted} words, "
        f"{abs(more)} {'more' if more > 0 else 'fewer'}."
    )


def _is_near(words: int, change: Change) -> bool:
    return abs(words - change.wanted) <= _NEAR * change.wanted


def _narrations(text: str, topic: Topic) -> tuple[dict[int, tuple[str, ...]], dict[str, tuple[int, ...]]]:
    """The segments of an answer by their numbers, and what their sentences rest on; none where it is not what was asked
    for.
    """
    found: dict[int, tuple[str, ...]] = {}
    sources: dict[str, tuple[int, ...]] = {}
    for item in _segments_in(text):
        match item:
            case {"number": int(number), **rest}:
                lines, more = _said(rest, topic)
                if lines:
                    found[number] = lines
                    sources |= more
    return found, sources


def _notes(topic: Topic) -> str:
    return claims.numbered(topic.notes).strip() or NO_NOTES


def _form(topic: Topic, form: Mapping[str, object]) -> str:
    # Ollama constrains the sampler to the schema, and still advises to show it to the model.
    sources = _WITH_NOTES if topic.notes.strip() else ""
    return f"{sources}\n\nAnswer with JSON that follows this schema:\n{json.dumps(form)}"


def _room(words: int, topic: Topic) -> int:
    """Tokens for an answer of so many words; each sentence's notes take some twenty more for its dozen words."""
    return words * (_TOKENS_A_WORD + (2 if topic.notes.strip() else 0)) + _TOKENS_BESIDE


def _bounds(topic: Topic) -> dict[str, int]:
    """How short and how long a first script may be, where its length is mended afterwards."""
    if topic.seconds is None:
        return {}
    return {"fewest": round(topic.words * (1 - _START)), "most": round(topic.words * (1 + _START))}


def _make(topic: Topic, style: Style, writer: Writer, identity: WriterIdentity, tries: int) -> Parts:
    values = {
        "title": topic.title,
        "notes": _notes(topic),
        "words": topic.words,
        "language": language_name(topic),
    }
    form = schema(topic)
    request = fill(style.ask, values) + _form(topic, form)
    asked = Asked()
    room = _room(topic.words, topic)
    found: tuple[Fault, ...] = ()
    for attempt in range(tries):
        seed = seed_of(topic, attempt)
        again = f"\n\nAn earlier answer could not be used: {told(found)}. Write it anew." if found else ""
        question = Question(fill(style.system, values), request + again, seed, room, _TEMPERATURE, form)
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
        script, sources = _understood(answer.text, topic)
        found = faults(script, language=topic.language, words=topic.words, **_bounds(topic))
        if not found:
            about = {"asked": "at once", "writer": writer_about(identity), **asked.about, "words": script.word_count}
            return parts_of(script, about, topic.notes, sources)
    raise EngineNonsense(
        f"no usable script in {tries} {'try' if tries == 1 else 'tries'}: {told(found)}",
        where=str(topic.source),
        hint=f"Try a larger model than {identity.name}, another seed, or notes to keep to.",
        answer=asked.answers[-1] if asked.answers else "",
    )


def _understood(text: str, topic: Topic) -> tuple[Script, dict[str, tuple[int, ...]]]:
    """The answer as a script, without segments where it is not what was asked for; and what its sentences rest on."""
    segments = []
    sources: dict[str, tuple[int, ...]] = {}
    for item in _segments_in(text):
        match item:
            case {"title": str(title), **rest}:
                picture = rest.get("picture_prompt")
                lines, more = _said(rest, topic)
                if lines:
                    prompt = " ".join(picture.split()) if isinstance(picture, str) else ""
                    segments.append(Segment(" ".join(title.split()), lines, prompt))
                    sources |= more
    return Script(topic.title, topic.language, tuple(segments)), sources


def _said(segment: Mapping[object, object], topic: Topic) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """A segment's paragraphs, and the notes of each sentence: as it was asked for, or all in one text."""
    sources: dict[str, tuple[int, ...]] = {}
    match segment:
        case {"sentences": list(listed)}:
            texts = []
            for item in listed:
                match item:
                    case {"text": str(text), **rest} if text.strip():
                        numbers = rest.get("notes")
                        told_of = numbers if isinstance(numbers, list) else []
                        text = " ".join(text.split())
                        texts.append(text)
                        for sentence in sentences.split(text, topic.language):
                            sources[sentence] = tuple(one for one in told_of if type(one) is int)
            return ((" ".join(texts),) if texts else ()), sources
        case {"narration": str(narration)}:
            return _lines(narration), sources
    return (), sources


def _segments_in(text: str) -> list[object]:
    # Servers that do not constrain the sampler wrap JSON in a code fence or a sentence.
    start, end = text.find("{"), text.rfind("}")
    try:
        raw = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return []
    listed = raw.get("segments") if isinstance(raw, dict) else None
    return listed if isinstance(listed, list) else []


def _lines(narration: str) -> tuple[str, ...]:
    return tuple(" ".join(line.split()) for line in narration.splitlines() if line.strip())
