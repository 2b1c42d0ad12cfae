"""Sentences become sound: one artifact a sentence, so that an edited sentence is the only one spoken again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.build.recipe import Artifact, Flow, Parts, Rule, Step
from pipeline.domain.sentence import Sentence, Utterance
from pipeline.domain.timeline import Span
from pipeline.ports import SpeechRequest, Voice, VoiceIdentity

RULE = Rule("speech", version=1, resource="speech")


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """An utterance and the artifact that holds its sound."""

    utterance: Utterance
    artifact: Artifact

    def load(self) -> tuple[bytes, int, tuple[Span, ...], bool]:
        """PCM (16-bit mono), sample rate, a span for each word in seconds, and whether the spans are exact."""
        return (*self.sound(), *self.times())

    def sound(self) -> tuple[bytes, int]:
        """PCM (16-bit mono), and its sample rate."""
        return self.artifact.read("pcm"), json.loads(self.artifact.read("times.json"))["sample_rate"]

    def times(self) -> tuple[tuple[Span, ...], bool]:
        """A span for each word in seconds, and whether they are exact."""
        about = json.loads(self.artifact.read("times.json"))
        return tuple(Span(start, end) for start, end in about["spans"]), about["exact"]


def speak(
    utterances: Sequence[Utterance], voice: Voice, identity: VoiceIdentity, *, speaker: str = "", rate: float = 1.0
) -> Flow[tuple[SpokenSentence, ...]]:
    """Speak every sentence of a script, all at once as far as the cores allow."""
    count = len(utterances)
    steps = [
        _step(utterance.sentence, voice, identity, speaker, rate, label=f"sentence {number} of {count}")
        for number, utterance in enumerate(utterances, 1)
    ]
    artifacts = yield steps
    return tuple(SpokenSentence(*pair) for pair in zip(utterances, artifacts, strict=True))


def _step(sentence: Sentence, voice: Voice, identity: VoiceIdentity, speaker: str, rate: float, *, label: str) -> Step:
    name = f"{identity.name}#{speaker}" if speaker else identity.name

    def make() -> Parts:
        speech = voice.speak(SpeechRequest(sentence, name, rate))
        times = {
            "sample_rate": speech.sample_rate,
            "exact": speech.exact,
            "spans": [[round(span.start, 6), round(span.end, 6)] for span in speech.spans],
        }
        return {"pcm": speech.pcm, "times.json": json.dumps(times, separators=(",", ":")).encode()}

    return Step(
        RULE,
        place="speech",
        # What is shown on screen is not an input: only what is heard. Each word apart, because the times are
        # for each word.
        inputs={
            "text": [word.spoken for word in sentence.words],
            "voice": [identity.engine, identity.name, identity.digest, speaker],
            "speaking rate": rate,
        },
        make=make,
        label=label,
        units=float(sum(len(word.spoken) for word in sentence.words)),
    )
