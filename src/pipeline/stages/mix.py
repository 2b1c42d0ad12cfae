"""Sentences become one programme at one loudness, with its timeline: measured on what a player hears.

    each sentence's speech ─► its level ─► the gain of all ─► each sentence's sound ─► the programme

Each sentence is looked at, limited, encoded and measured by itself, and the programme is their frames in order with
silent ones between. So a changed sentence costs one sentence: the gain, which depends on all of them, is rounded, and
mostly comes out as it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.script import Script
from pipeline.domain.topic import Topic
from pipeline.media import coded, encode, loudness, mastering, programme, thumbnail, timeline_file
from pipeline.media.pcm import FRAME_SECONDS, as_wave, resampled
from pipeline.stages.speech import SpokenSentence

if TYPE_CHECKING:
    from pipeline.media.pcm import Wave

LEVEL = Rule("level", version=1, resource="cpu")
GAIN = Rule("gain", version=1, resource="cpu")
SOUND = Rule("sound", version=1, resource="cpu")
RULE = Rule("mix", version=2, resource="cpu")
FLAC = Rule("flac", version=1, resource="cpu")
RULES = (LEVEL, GAIN, SOUND, RULE, FLAC)
ALWAYS = (LEVEL, GAIN, SOUND, RULE)
"""The rules that every programme needs."""

MEASURED = "measured.json"


@dataclass(frozen=True, slots=True)
class Sound:
    """How a programme sounds, as the settings say."""

    pauses: programme.Pauses = field(default_factory=programme.Pauses)
    loudness_lufs: float = -16.0
    true_peak_dbtp: float = -1.0
    mp3_kbits: int = 96
    flac: bool = False


@dataclass(frozen=True, slots=True)
class Credits:
    """Whose the programme is, for players."""

    artist: str = ""
    album: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """The picture that players show: a part of an artifact that Pillow reads."""

    artifact: Artifact
    part: str

    @property
    def digest(self) -> str:
        return self.artifact.part_digest(self.part)

    def jpeg(self) -> bytes:
        return thumbnail.jpeg(self.artifact.read(self.part))


@dataclass(frozen=True, slots=True)
class Mixed:
    programme: Artifact
    """`audio.mp3`, the timeline, and what was measured."""
    flac: Artifact | None
    """`audio.flac`, where it was asked for."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence with what is made of it."""

    spoken: SpokenSentence
    level: Artifact

    def cut(self) -> tuple[float, float]:
        """Where the heard part begins in the clip, and how long it is, in seconds."""
        start, seconds = json.loads(self.level.read("cut.json"))
        return start, seconds

    def clip(self) -> programme.Clip:
        spans, exact = self.spoken.times()
        start_seconds, seconds = self.cut()
        utterance = self.spoken.utterance
        return programme.Clip(
            start_seconds=start_seconds,
            seconds=seconds,
            spans=spans,
            words=tuple(word.shown for word in utterance.sentence.words),
            segment=utterance.segment,
            pause=utterance.pause,
            exact=exact,
        )


def mix(
    script: Script,
    spoken: Sequence[SpokenSentence],
    sound: Sound,
    topic: Topic,
    notice: str,
    cover: Cover,
    credits: Credits,  # noqa: A002  # what they are called
) -> Flow[Mixed]:
    """The programme as MP3 (and FLAC), its timeline, and what was measured on what a decoder gives of it."""
    levels = yield [_level(sentence, sound) for sentence in spoken]
    sentences = [_Sentence(*pair) for pair in zip(spoken, levels, strict=True)]
    silences = _silences(spoken, sound)

    def places() -> programme.Places:
        return programme.places([sentence.cut()[1] for sentence in sentences], silences, sound.pauses)

    (gain,) = yield [_gain(sentences, places, silences, sound, script.word_count)]
    sounds = yield [_sound(sentence, gain, sound) for sentence in spoken]
    tags = encode.Tags(
        title=script.title,
        language=script.language,
        artist=credits.artist,
        album=credits.album,
        date=topic.date.isoformat() if topic.date else "",
        comment=notice,
    )
    titles = tuple(segment.title or script.title for segment in script.segments)
    inputs: dict[str, Canonical] = {
        "speech": [sentence.artifact.digest for sentence in spoken],
        "words shown": [sentence.utterance.sentence.shown for sentence in spoken],
        "layout": [[sentence.utterance.segment, sentence.utterance.pause] for sentence in spoken],
        "chapters": titles,
        "tags": asdict(tags),
        "cover": cover.digest,
        "sound": asdict(sound),
    }

    def mp3() -> Parts:
        at = places()
        timeline = programme.timeline([sentence.clip() for sentence in sentences], at, titles)
        made = encode.mp3(
            ((first, one.read("frames")) for first, one in zip(at.firsts, sounds, strict=True)),
            at.frame_count,
            tags=tags,
            chapters=timeline.chapters,
            cover=cover.jpeg(),
            kbits=sound.mp3_kbits,
        )
        about = {
            "seconds": round(timeline.seconds, 3),
            **_measured(sounds, at),
            "target_lufs": sound.loudness_lufs,
            "ceiling_dbtp": sound.true_peak_dbtp,
            "gain_db": json.loads(gain.read("gain.json")),
            "mp3_kbits": sound.mp3_kbits,
            "word_times": "exact" if timeline.exact else "estimated",
        }
        return {
            "audio.mp3": made,
            timeline_file.NAME: timeline_file.dump(timeline),
            MEASURED: json.dumps(about).encode(),
        }

    def flac() -> Parts:
        at = places()
        sample_rate = max(one.sound()[1] for one in spoken)
        gain_db = json.loads(gain.read("gain.json"))
        timeline = programme.timeline([sentence.clip() for sentence in sentences], at, titles)

        def waves() -> Iterator[tuple[float, Wave]]:
            for first, one in zip(at.firsts, spoken, strict=True):
                wave, rate = _wave(one)
                loud, _ = mastering.mastered(wave, rate, gain_db, ceiling_dbtp=sound.true_peak_dbtp)
                yield first * FRAME_SECONDS, resampled(loud, rate, sample_rate)

        made = encode.flac(waves(), sample_rate, timeline.seconds, tags=tags, chapters=timeline.chapters)
        return {"audio.flac": made}

    words = float(script.word_count)
    joined = [
        Step(
            RULE,
            place="mix",
            inputs={
                **inputs,
                "sounds": [[level.digest, one.digest] for level, one in zip(levels, sounds, strict=True)],
            },
            make=mp3,
            label="mix",
            units=words,
        )
    ]
    if sound.flac:
        joined.append(
            Step(
                FLAC,
                place="flac",
                inputs={**inputs, "gain": gain.digest},
                make=flac,
                label="FLAC",
                units=words,
            )
        )
    made = yield joined
    return Mixed(made[0], made[1] if sound.flac else None)


def lengths(spoken: Sequence[SpokenSentence], sound: Sound) -> Flow[tuple[float, float]]:
    """How many seconds the programme of these sentences takes, and how many of them are speech."""
    levels = yield [_level(sentence, sound) for sentence in spoken]
    seconds = [_Sentence(*pair).cut()[1] for pair in zip(spoken, levels, strict=True)]
    at = programme.places(seconds, _silences(spoken, sound), sound.pauses)
    return at.frame_count * FRAME_SECONDS, sum(seconds)


def measured(artifact: Artifact) -> Mapping[str, Any]:
    """What the mix found out about its own result, for the manifest."""
    found: Mapping[str, Any] = json.loads(artifact.read(MEASURED))
    return found


def _silences(spoken: Sequence[SpokenSentence], sound: Sound) -> list[float]:
    return [sound.pauses.after(one.utterance.pause, one.utterance.sentence.words[-1].shown) for one in spoken]


def _level(sentence: SpokenSentence, sound: Sound) -> Step:
    """Where a sentence's sound begins and ends, and how loud it would be at any gain."""

    def make() -> Parts:
        pcm, sample_rate = sentence.sound()
        cut = programme.cut(pcm, sample_rate)
        row = mastering.row_of(as_wave(cut.samples), sample_rate, ceiling_dbtp=sound.true_peak_dbtp)
        return {
            "cut.json": json.dumps([cut.start_seconds, len(cut.samples) / sample_rate]).encode(),
            "row": row.dump(),
        }

    return _of_one(
        LEVEL, sentence, {"speech": sentence.artifact.digest, "ceiling": sound.true_peak_dbtp}, make, label="level"
    )


def _gain(
    sentences: Sequence[_Sentence],
    places: Callable[[], programme.Places],
    silences: Sequence[float],
    sound: Sound,
    words: int,
) -> Step:
    """The one gain. Kept apart from what it follows from: while it comes out the same, no sentence is touched."""

    def make() -> Parts:
        at = places()
        rows = [
            (first, mastering.Row.parse(one.level.read("row"))) for first, one in zip(at.firsts, sentences, strict=True)
        ]
        gain_db = mastering.gain_for(rows, at.frame_count, target_lufs=sound.loudness_lufs)
        return {"gain.json": json.dumps(gain_db).encode()}

    return Step(
        GAIN,
        place="gain",
        inputs={
            "levels": [one.level.digest for one in sentences],
            "pauses": [sound.pauses.lead_in, *silences, sound.pauses.tail],
            "loudness": sound.loudness_lufs,
        },
        make=make,
        label="gain",
        units=float(words),
    )


def _sound(sentence: SpokenSentence, gain: Artifact, sound: Sound) -> Step:
    """A sentence as frames of the finished file, and what was measured on them."""

    def make() -> Parts:
        wave, sample_rate = _wave(sentence)
        made = coded.coded(
            wave,
            sample_rate,
            gain_db=json.loads(gain.read("gain.json")),
            ceiling_dbtp=sound.true_peak_dbtp,
            kbits=sound.mp3_kbits,
        )
        about = {"true_peak": made.true_peak, "limited": made.limited}
        return {
            "frames": made.frames,
            "energies": made.energies.astype("<f4").tobytes(),
            "about.json": json.dumps(about).encode(),
        }

    return _of_one(
        SOUND,
        sentence,
        {
            "speech": sentence.artifact.digest,
            "gain": gain.part_digest("gain.json"),
            "ceiling": sound.true_peak_dbtp,
            "bit rate": sound.mp3_kbits,
        },
        make,
        label="sound",
        steady=frozenset({"gain"}),
    )


def _of_one(
    rule: Rule,
    sentence: SpokenSentence,
    inputs: Mapping[str, Canonical],
    make: Callable[[], Parts],
    *,
    label: str,
    steady: frozenset[str] = frozenset(),
) -> Step:
    return Step(
        rule,
        place=rule.name,
        inputs=inputs,
        make=make,
        label=f"{label} of “{sentence.utterance.sentence.words[0].shown} …”",
        units=float(len(sentence.utterance.sentence.words)),
        steady=steady,
    )


def _wave(sentence: SpokenSentence) -> tuple[Wave, int]:
    """What is heard of a sentence as it was spoken, and its sample rate."""
    pcm, sample_rate = sentence.sound()
    return as_wave(programme.cut(pcm, sample_rate).samples), sample_rate


def _measured(sounds: Sequence[Artifact], at: programme.Places) -> dict[str, object]:
    """What was measured on the sentences as a decoder gives them, put together at their places."""
    import numpy as np

    about = [json.loads(one.read("about.json")) for one in sounds]
    energies = (
        (first, np.frombuffer(one.read("energies"), "<f4")) for first, one in zip(at.firsts, sounds, strict=True)
    )
    found = loudness.measure(loudness.placed(energies, at.frame_count))
    highest = max(one["true_peak"] for one in about)
    return {
        "loudness_lufs": round(found.integrated_lufs, 2),
        "true_peak_dbtp": round(20 * math.log10(highest), 2),
        "loudness_range_lu": round(found.range_lu, 2),
        "limited": any(one["limited"] for one in about),
    }
