"""Sentences become one programme at one loudness, with its timeline: measured on the finished file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.build.recipe import Artifact, Flow, Parts, Rule, Step
from pipeline.domain.script import Script
from pipeline.domain.topic import Topic
from pipeline.media import encode, loudness, programme, timeline_file
from pipeline.stages.speech import SpokenSentence

RULE = Rule("mix", version=1, resource="cpu")
MEASURED = "measured.json"


@dataclass(frozen=True, slots=True)
class Sound:
    """How a programme sounds, as the settings say."""

    pauses: programme.Pauses = field(default_factory=programme.Pauses)
    loudness_lufs: float = -16.0
    true_peak_dbtp: float = -1.0
    mp3_kbits: int = 96
    flac: bool = False


def mix(script: Script, spoken: Sequence[SpokenSentence], sound: Sound, topic: Topic, notice: str) -> Flow[Artifact]:
    """The programme as MP3 (and FLAC), its timeline, and what was measured on the finished file."""
    tags = encode.Tags(
        title=script.title,
        language=script.language,
        date=topic.date.isoformat() if topic.date else "",
        comment=notice,
    )
    titles = tuple(segment.title or script.title for segment in script.segments)

    def make() -> Parts:
        clips = [_clip(sentence) for sentence in spoken]
        whole = programme.assemble(clips, chapter_titles=titles, pauses=sound.pauses)
        mastered = loudness.master(
            whole.samples, whole.sample_rate, target_lufs=sound.loudness_lufs, ceiling_dbtp=sound.true_peak_dbtp
        )
        chapters = whole.timeline.chapters
        mp3 = encode.mp3(mastered.samples, whole.sample_rate, tags=tags, chapters=chapters, kbits=sound.mp3_kbits)
        found = encode.measure_file(mp3)
        about = {
            "seconds": round(whole.timeline.seconds, 3),
            "loudness_lufs": round(found.integrated_lufs, 2),
            "true_peak_dbtp": round(found.true_peak_dbtp, 2),
            "loudness_range_lu": round(found.range_lu, 2),
            "target_lufs": sound.loudness_lufs,
            "ceiling_dbtp": sound.true_peak_dbtp,
            "gain_db": round(mastered.gain_db, 2),
            "limited": mastered.limited,
            "mp3_kbits": sound.mp3_kbits,
            "word_times": "exact" if whole.timeline.exact else "estimated",
        }
        parts = {
            "audio.mp3": mp3,
            timeline_file.NAME: timeline_file.dump(whole.timeline),
            MEASURED: json.dumps(about).encode(),
        }
        if sound.flac:
            parts["audio.flac"] = encode.flac(mastered.samples, whole.sample_rate, tags=tags, chapters=chapters)
        return parts

    (artifact,) = yield [
        Step(
            RULE,
            place="mix",
            inputs={
                "speech": [sentence.artifact.digest for sentence in spoken],
                "words shown": [sentence.utterance.sentence.shown for sentence in spoken],
                "layout": [[sentence.utterance.segment, sentence.utterance.pause] for sentence in spoken],
                "chapters": titles,
                "tags": asdict(tags),
                "sound": asdict(sound),
            },
            make=make,
            label="mix",
            units=float(script.word_count),
        )
    ]
    return artifact


def measured(artifact: Artifact) -> Mapping[str, Any]:
    """What the mix found out about its own result, for the manifest."""
    found: Mapping[str, Any] = json.loads(artifact.read(MEASURED))
    return found


def _clip(sentence: SpokenSentence) -> programme.Clip:
    pcm, sample_rate, spans, exact = sentence.load()
    utterance = sentence.utterance
    return programme.Clip(
        pcm=pcm,
        sample_rate=sample_rate,
        spans=spans,
        words=tuple(word.shown for word in utterance.sentence.words),
        segment=utterance.segment,
        pause=utterance.pause,
        exact=exact,
    )
