"""The engines that made an episode before, where `auto` takes others now: what they made is found by their names.

Nothing finished is made anew because a better model was installed, or because one is away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from pipeline.build.plan import Outlook
from pipeline.build.store import Store
from pipeline.domain.topic import Topic
from pipeline.engines.remembered import (
    RememberedIllustrator,
    RememberedVoice,
    RememberedWriter,
    illustrator_from,
    to_plain,
    voice_from,
    writer_from,
)
from pipeline.errors import EngineError
from pipeline.flow import Desk
from pipeline.ports import Voice, Writer
from pipeline.records import Record
from pipeline.stages import speech
from pipeline.stages.pictures import Away, Easel
from pipeline.stages.publish import Edition


def writer(record: Record, desk: Desk) -> Writer:
    """The writer of an episode's script, where `auto` has taken another since; else the one at hand."""
    if desk.auto_writer and "writer" in record.engines:
        with suppress(TypeError, EngineError):
            earlier, now = writer_from(record.engines["writer"]), desk.writer.describe()
            if (earlier.engine, earlier.name, earlier.digest) != (now.engine, now.name, now.digest):
                return RememberedWriter(earlier)
    return desk.writer


def voice(record: Record, desk: Desk) -> Voice:
    """The voice that spoke an episode, where it is not to be had now; else the one at hand."""
    if desk.auto_voice and "voice" in record.engines:
        with suppress(TypeError, EngineError):
            earlier = voice_from(record.engines["voice"])
            now = desk.voice.installed().get(earlier.name)
            if now is None or (earlier.engine, earlier.digest) != (now.engine, now.digest):
                return RememberedVoice(earlier)
    return desk.voice


def has_nothing_for(idle: Collection[str], outlook: Outlook[Edition], topic: Topic) -> bool:
    """Whether engines that are not at hand would be asked for nothing: seen to the end, or so far that all of their
    work was found. Where the script is still to be written, or made longer, nobody knows yet what will be spoken.
    """
    if any(verdict.step.rule.resource in {*idle, "llm"} for verdict in outlook.to_make):
        return False
    seen = {verdict.step.rule.name for verdict in outlook.verdicts}
    return outlook.whole or (topic.seconds is None and speech.RULE.name in seen)


def easel(record: Record, desk: Desk, store: Store) -> Easel:
    """The easel, with the model that drew an episode's pictures where typography stands in for it now."""
    if desk.auto_illustrator and "illustrator" in record.engines:
        with suppress(TypeError, EngineError):
            earlier, now = illustrator_from(record.engines["illustrator"]), desk.easel.segments.describe()
            if earlier.reads_prompts and not now.reads_prompts:
                away = Away(RememberedIllustrator(earlier), lambda key: store.find(key) is not None)
                return replace(desk.easel, away=away)
    return desk.easel


def remembered(edition: Edition, record: Record) -> dict[str, Mapping[str, object]]:
    """The engines to remember of an episode that was made just now; of a part that is a person's, those before it."""
    engines = dict(record.engines)
    if edition.writer is not None:
        engines["writer"] = to_plain(edition.writer)
    if edition.voice is not None:
        engines["voice"] = to_plain(edition.voice)
    # What typography stands in for is remembered: with that name the pictures that it drew are found again.
    if edition.illustrator is not None and (edition.illustrator.reads_prompts or "illustrator" not in engines):
        engines["illustrator"] = to_plain(edition.illustrator)
    return engines
