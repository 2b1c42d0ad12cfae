"""Captions and transcript, from the programme's timeline alone."""

from __future__ import annotations

from pipeline.build.recipe import Artifact, Flow, Parts, Rule, Step
from pipeline.media import chapters, timeline_file, transcript
from pipeline.media.captions import cues, srt, vtt

RULE = Rule("captions", version=2, resource="cpu")


def caption(programme: Artifact, language: str, *, words: int) -> Flow[Artifact]:
    """WebVTT, SRT, and the podcast namespace's JSON transcript and chapters."""

    def make() -> Parts:
        timeline = timeline_file.parse(programme.read(timeline_file.NAME))
        timed = cues(timeline, language)
        return {
            "captions.vtt": vtt(timed, language=language).encode(),
            "captions.srt": srt(timed).encode(),
            chapters.NAME: chapters.chapters(timeline),
            "transcript.json": transcript.transcript(timeline, language),
        }

    (artifact,) = yield [
        Step(
            RULE,
            place="captions",
            inputs={"timeline": programme.part_digest(timeline_file.NAME), "language": language},
            make=make,
            label="captions",
            units=float(words),
        )
    ]
    return artifact
