"""What every way of making a script ends in, and what all of them share."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.build.recipe import Artifact, Canonical, Parts
from pipeline.domain.script import Script
from pipeline.domain.topic import Topic
from pipeline.ports import Answer, WriterIdentity
from pipeline.text import claims, script_file
from pipeline.text.claims import Marks
from pipeline.text.script_checks import Fault

SCRIPT = "script.md"
ABOUT = "about.json"
NO_REVISION = "not_revised"
"""In what is known of a script: why it stayed as it was when it was to become longer or shorter."""

# What the prompts call a language; a model knows the name better than the code.
_LANGUAGES = {
    "de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch",
    "pl": "Polish", "pt": "Portuguese", "pt-BR": "Brazilian Portuguese", "pt-PT": "European Portuguese",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A script, the artifact that keeps it (part `script.md`), and how it came about, for the manifest."""

    script: Script
    artifact: Artifact
    about: Mapping[str, object]
    marks: Marks = field(default_factory=Marks)
    """Which notes its sentences rest on."""


@dataclass(slots=True)
class Asked:
    """What was asked of a writer for one artifact, and what came back."""

    seeds: list[int] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    answers: list[str] = field(default_factory=list)

    def add(self, seed: int, answer: Answer) -> None:
        self.seeds.append(seed)
        self.tokens += answer.tokens
        self.seconds = round(self.seconds + answer.seconds, 3)
        self.answers.append(answer.text)

    @property
    def about(self) -> dict[str, object]:
        return {"seeds": self.seeds, "questions": len(self.seeds), "tokens": self.tokens, "seconds": self.seconds}


def parts_of(
    script: Script, about: Mapping[str, object], notes: str = "", told: Mapping[str, Collection[int]] | None = None
) -> Parts:
    """A script's parts. With `notes`, its sentences carry those that they rest on; `told` is what the writer said of
    it: sentence → numbers of notes.
    """
    marks = claims.marks_for(script, notes, told or {})
    if marks:
        # By these an edited script's own sentences are told from a person's.
        about = {**about, "sentences": [claims.digest(sentence) for sentence in claims.split(script)]}
    text = script_file.format(script, marks)
    return {SCRIPT: text.encode(), ABOUT: json.dumps(about, ensure_ascii=False).encode()}


def kept(before: Written, why: str) -> Parts:
    """What stands where a revision came to nothing: the script as it was, which says why."""
    about = {**before.about, NO_REVISION: why}
    return {SCRIPT: before.artifact.read(SCRIPT), ABOUT: json.dumps(about, ensure_ascii=False).encode()}


def load(artifact: Artifact, topic: Topic) -> Written:
    """Read a script artifact back. Raises NotMadeYet while a plan is only being drawn up."""
    text = artifact.read(SCRIPT).decode()
    where = f"the script of {topic.source}"
    script, marks = script_file.parse(text, where=where), script_file.marks(text, where=where)
    return Written(script, artifact, json.loads(artifact.read(ABOUT)), marks)


def writer_key(identity: WriterIdentity) -> Canonical:
    """What of a writer changes what it writes."""
    return [identity.engine, identity.name, identity.digest]


def writer_about(identity: WriterIdentity) -> dict[str, object]:
    return {"engine": identity.engine, "model": identity.name, "sha256": identity.digest}


def seed_of(topic: Topic, attempt: int) -> int:
    """A seed for each attempt, from 0; two topics with neighbouring seeds share none for a thousand attempts."""
    return (topic.seed * 1000 + attempt) & 0x7FFFFFFF


def language_name(topic: Topic) -> str:
    return _LANGUAGES.get(topic.language) or _LANGUAGES.get(topic.primary_language) or topic.language


def told(found: Sequence[Fault]) -> str:
    return "; ".join(fault.what for fault in found)
