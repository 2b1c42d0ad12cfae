"""A small model is asked a sentence or two at a time; what does not hold up is left out.

A model of a hundred million weights invents, drifts and repeats. So the unit that is asked for and judged is the
sentence. With notes, every fact is told: in the model's words where they say the same, else in the notes' own. It
adds nothing to the notes, and a script longer than the notes is not made up: it stays short and says so. Without
notes the model is asked about the facets of the style, and what it makes up beyond doubt (names, figures) is left out.

Each answer is an artifact of its own, so a run that is killed keeps what it has been told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.script import Script, Segment
from pipeline.domain.topic import Topic
from pipeline.errors import EngineNonsense
from pipeline.ports import Answer, Question, Writer, WriterIdentity
from pipeline.stages.script.written import (
    ABOUT,
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
from pipeline.text.facts import FactPart
from pipeline.text.facts import parts_of as fact_parts
from pipeline.text.grounding import invented, says_the_fact, touches
from pipeline.text.plain import as_sentence
from pipeline.text.script_checks import faults, repeats, says_the_same, sentence_faults, sentences
from pipeline.text.style_file import Facet, Style, fill

PASSAGE = Rule("passage", version=2, resource="llm")
RULE = Rule("script-of-passages", version=3, resource="cpu")

_SENTENCES = "sentences.json"

_EDITOR = "You are a careful editor."
_SPEAKER = "You speak to listeners in short, plain sentences."

# A fact is asked once, for the likeliest words: with SmolLM2-135M a second try helped one fact in twenty, and there
# are always the notes' own words.
_FACT_TEMPERATURE = 0.0
_FACET_TEMPERATURE = 0.3
# Room for a paraphrase somewhat longer than its fact; a word is 1.3 tokens in English, up to 2.5 elsewhere.
_TOKENS_A_WORD = 3
_TOKENS_BESIDE = 10
# Three short sentences.
_FACET_TOKENS = 90
_WORDS_A_FACET = 35
_SHORTEST_SENTENCE_WORDS = 4
_FEWEST_TO_START_WITH = 20
_ENOUGH = 0.85
"""The share of the length asked for at which no more is asked; the checks want 0.8."""

# A beginning that speaks of something said before.
_LEANS = re.compile(
    r"(she|he|they|it|its|this|that|these|those|so|but|and|then|also|however|ela|eles?|isso|isto|mas|e|então)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\b(I|I['’]\w+|[Mm]y|[Mm]e|eu|[Mm]eus?|[Mm]inhas?)\b")


@dataclass(frozen=True, slots=True)
class _Passage:
    """A part of the script to be: its title, and what is said in it."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Desk:
    topic: Topic
    style: Style
    writer: Writer
    identity: WriterIdentity
    tries: int
    room: int
    """How many words there is room for: those asked for at first, or what a revision makes of them."""
    before: Written | None = None
    """The script that is revised."""

    def fill(self, template: str, **more: str) -> str:
        return fill(template, {"title": self.topic.title, "language": language_name(self.topic), **more})

    def passage(self, inputs: dict[str, str], make: Callable[[], Parts], *, label: str, words: int) -> Step:
        topic = self.topic
        key = {
            **inputs,
            "title": topic.title,
            "language": topic.language,
            "seed": topic.seed,
            "writer": writer_key(self.identity),
        }
        return Step(PASSAGE, place="passage", inputs=key, make=make, label=label, units=float(words))


def write(
    topic: Topic,
    style: Style,
    writer: Writer,
    identity: WriterIdentity,
    *,
    tries: int,
    room: int | None = None,
    before: Written | None = None,
) -> Flow[Written]:
    """Passages, many at once, and the script that they make together.

    A revision is the same with another `room`: more of the notes are told, or fewer, and without notes more is asked.
    What was told already is told in the same words. `before` stands where nothing usable comes of it.
    """
    desk = _Desk(topic, style, writer, identity, tries, topic.words if room is None else room, before)
    parts = fact_parts(topic.notes, language=topic.language, words=desk.room)
    artifact = yield from (_from_facts(desk, parts) if parts else _from_facets(desk))
    return load(artifact, topic)


# -- with notes --------------------------------------------------------------------------------------------------


def _from_facts(desk: _Desk, parts: Sequence[FactPart]) -> Flow[Artifact]:
    facts = [fact for part in parts for fact in part.facts]
    steps = [_fact_step(desk, fact, f"passage {number} of {len(facts)}") for number, fact in enumerate(facts, 1)]
    artifacts = yield steps

    def passages() -> list[_Passage]:
        said = iter([_sentences(artifact) for artifact in artifacts])
        return [_Passage(part.title, tuple(s for _ in part.facts for s in next(said))) for part in parts]

    fewest = min(round(desk.room * 0.8), round(0.6 * sum(len(fact.split()) for fact in facts)))
    return (yield from _script_step(desk, artifacts, passages, fewest=fewest, layout=[p.title for p in parts]))


def _fact_step(desk: _Desk, fact: str, label: str) -> Step:
    prompt = desk.fill(desk.style.rewrite, fact=fact)
    words = len(fact.split())

    def make() -> Parts:
        asked = Asked()
        seed = seed_of(desk.topic, 0)
        room = words * _TOKENS_A_WORD + _TOKENS_BESIDE
        text = _heard(desk.writer, Question(_EDITOR, prompt, seed, room, _FACT_TEMPERATURE), asked)
        paraphrase = _paraphrase(text, fact, desk.topic)
        return _passage_parts(paraphrase or [fact], asked, own_words=bool(paraphrase))

    return desk.passage({"prompt": prompt, "fact": fact, "system": _EDITOR}, make, label=label, words=words)


def _paraphrase(text: str, fact: str, topic: Topic) -> list[str]:
    """The fact in the model's words; nothing where the answer is no sentence, or does not say the same."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    first = lines[0].strip().strip('"“”') if lines else ""
    said = list(sentences(first, topic.language))
    # The first sentence alone may say all of it; the model then goes on to explain itself.
    for candidate in (said, said[:1]):
        whole = " ".join(candidate)
        if candidate and says_the_fact(whole, fact, topic.title) and _sound(candidate, topic):
            return candidate
    return []


# -- without notes -----------------------------------------------------------------------------------------------


def _from_facets(desk: _Desk) -> Flow[Artifact]:
    words = desk.topic.words
    facets = desk.style.facets[: max(1, round(words / _WORDS_A_FACET))]
    each = words / len(facets)
    artifacts: list[Artifact] = []
    for again in range(desk.tries):
        steps = [
            _facet_step(desk, facet, again, each, f"passage {number} of {len(facets)}")
            for number, facet in enumerate(facets, 1)
        ]
        artifacts += yield steps
        heard = sum(len(s.split()) for part in _merged(desk, facets, artifacts) for s in part.sentences)
        if heard >= _ENOUGH * desk.room:
            break

    def passages() -> list[_Passage]:
        return _trimmed(_merged(desk, facets, artifacts), desk.room)

    titles = [desk.fill(facet.title) for facet in facets]
    # What is asked for by the clock is measured, and said where it was missed; a start is enough.
    fewest = None if desk.topic.seconds is None else _FEWEST_TO_START_WITH
    return (yield from _script_step(desk, artifacts, passages, fewest=fewest, layout=titles))


def _facet_step(desk: _Desk, facet: Facet, again: int, words: float, label: str) -> Step:
    prompt = desk.fill(facet.ask)

    def make() -> Parts:
        asked = Asked()
        said: list[str] = []
        for attempt in range(desk.tries):
            seed = seed_of(desk.topic, again * desk.tries + attempt)
            text = _heard(desk.writer, Question(_SPEAKER, prompt, seed, _FACET_TOKENS, _FACET_TEMPERATURE), asked)
            said += _beginning(text, said, desk.topic)
            if sum(len(sentence.split()) for sentence in said) >= words:
                break
        return _passage_parts(said, asked, own_words=True)

    # How often it has been asked already is an input: a second round is to say something else.
    inputs = {"prompt": prompt, "system": _SPEAKER, "round": str(again), "words": str(round(words))}
    return desk.passage(inputs, make, label=label, words=round(words))


def _beginning(text: str, said: Sequence[str], topic: Topic) -> list[str]:
    """An answer up to its first bad sentence: what follows that leans on it, and makes no sense without it."""
    kept: list[str] = []
    for sentence in sentences(text, topic.language):
        leans = not kept and (_LEANS.match(sentence) or not touches(sentence, topic.title))
        if leans or not _may_be_said(sentence, topic) or repeats(sentence, [*said, *kept], topic.title):
            break
        kept.append(sentence)
    return kept


def _may_be_said(sentence: str, topic: Topic) -> bool:
    # A figure or a name that nobody gave comes out of thin air, and a narrator has no "I".
    return (
        len(sentence.split()) >= _SHORTEST_SENTENCE_WORDS
        and not invented(sentence, topic.title)
        and not _FIRST_PERSON.search(sentence)
        and _sound([sentence], topic)
    )


def _merged(desk: _Desk, facets: Sequence[Facet], artifacts: Sequence[Artifact]) -> list[_Passage]:
    """What was said to each facet in every round, nothing twice."""
    heard: list[str] = []
    merged = []
    for index, facet in enumerate(facets):
        own: list[str] = []
        for artifact in artifacts[index :: len(facets)]:
            left_out = False
            for sentence in _sentences(artifact):
                left_out = repeats(sentence, heard, desk.topic.title) or (left_out and bool(_LEANS.match(sentence)))
                if not left_out:
                    heard.append(sentence)
                    own.append(sentence)
        merged.append(_Passage(desk.fill(facet.title), tuple(own)))
    return merged


def _trimmed(passages: Sequence[_Passage], words: int) -> list[_Passage]:
    """As many sentences as the length has room for, the first of each passage before the second of any."""
    kept: set[tuple[int, int]] = set()
    told_words = 0
    places = [(place, index) for index, passage in enumerate(passages) for place in range(len(passage.sentences))]
    for place, index in sorted(places):
        count = len(passages[index].sentences[place].split())
        if told_words + count <= round(words * 1.1):
            kept.add((index, place))
            told_words += count
    return [
        _Passage(passage.title, tuple(s for place, s in enumerate(passage.sentences) if (index, place) in kept))
        for index, passage in enumerate(passages)
    ]


# -- together ----------------------------------------------------------------------------------------------------


def _script_step(
    desk: _Desk,
    artifacts: Sequence[Artifact],
    passages: Callable[[], list[_Passage]],
    *,
    fewest: int | None,
    layout: Sequence[str],
) -> Flow[Artifact]:
    topic = desk.topic
    revised: dict[str, Canonical] = {}
    if desk.before is not None:
        revised = {"instead of": desk.before.artifact.part_digest(SCRIPT)}

    def make() -> Parts:
        script = _assembled(desk, passages())
        found = faults(script, language=topic.language, words=desk.room, fewest=fewest)
        abouts = [json.loads(artifact.read(ABOUT)) for artifact in artifacts]
        if found and desk.before is not None:
            return kept(desk.before, told(found))
        if found:
            raise EngineNonsense(
                f"no usable script came of {len(artifacts)} passages: {told(found)}",
                where=str(topic.source),
                hint=f"{desk.identity.name} is small: give it notes to keep to, another seed, or take a larger model.",
                answer="\n\n".join(answer for about in abouts for answer in about["answers"]),
            )
        return parts_of(script, _about(desk, script, abouts), topic.notes)

    (artifact,) = yield [
        Step(
            RULE,
            place="script",
            inputs={
                "title": topic.title,
                "language": topic.language,
                "words": desk.room,
                "style": desk.style.digest,
                "parts": layout,
                "passages": [artifact.part_digest(_SENTENCES) for artifact in artifacts],
                "notes": topic.notes,
                **revised,
            },
            make=make,
            label="script",
            units=float(desk.room),
        )
    ]
    return artifact


def _assembled(desk: _Desk, passages: Sequence[_Passage]) -> Script:
    topic = desk.topic
    # A title that is a question keeps its own mark: "Why is the sea salty?."
    opening = as_sentence(re.sub(r"(?<=[.!?…])\.$", "", desk.fill(desk.style.opening)))
    segments: list[Segment] = []
    for passage in passages:
        if not passage.sentences:
            continue
        paragraphs: tuple[str, ...] = (" ".join(passage.sentences),)
        if opening and not segments and not says_the_same(opening, passage.sentences[:1]):
            paragraphs = (opening, *paragraphs)
        segments.append(Segment(passage.title, paragraphs, _picture(topic.title, passage)))
    return Script(topic.title, topic.language, tuple(segments))


def _picture(title: str, passage: _Passage) -> str:
    """What is to be seen: the subject, and what this part begins with."""
    return f"{title.rstrip('.!?… ')}: {passage.sentences[0].rstrip('.!?… ')}"


def _about(desk: _Desk, script: Script, abouts: Sequence[dict[str, object]]) -> dict[str, object]:
    def total(name: str) -> float:
        return sum(value for about in abouts if isinstance(value := about[name], (int, float)))

    about: dict[str, object] = {
        "asked": "in steps",
        "writer": writer_about(desk.identity),
        "seed": desk.topic.seed,
        "passages": len(abouts),
        "questions": total("questions"),
        "tokens": total("tokens"),
        "seconds": round(total("seconds"), 3),
        "facts_in_the_notes_own_words": sum(not about["own_words"] for about in abouts),
        "words": script.word_count,
    }
    if script.word_count < round(desk.room * 0.8):
        about["shorter_than_asked"] = (
            f"the notes hold no more, and {desk.identity.name} is too small to be trusted with adding to them"
            if desk.topic.notes.strip()
            else f"{desk.identity.name} is small, and has no more to say without repeating itself"
        )
    return about


def _heard(writer: Writer, question: Question, asked: Asked) -> str:
    """What the writer says; an unusable answer says nothing, and counts as asked."""
    try:
        answer = writer.answer(question)
    except EngineNonsense as nonsense:
        answer = Answer(nonsense.answer, complete=False, tokens=0, seconds=0.0)
        asked.add(question.seed, answer)
        return ""
    asked.add(question.seed, answer)
    return answer.text


def _sound(said: Sequence[str], topic: Topic) -> bool:
    return not any(sentence_faults(sentence, topic.language, suspicious=True) for sentence in said)


def _passage_parts(said: Sequence[str], asked: Asked, *, own_words: bool) -> Parts:
    about = {**asked.about, "own_words": own_words, "answers": asked.answers}
    return {
        _SENTENCES: json.dumps(list(said), ensure_ascii=False).encode(),
        ABOUT: json.dumps(about, ensure_ascii=False).encode(),
    }


def _sentences(artifact: Artifact) -> tuple[str, ...]:
    return tuple(json.loads(artifact.read(_SENTENCES)))
