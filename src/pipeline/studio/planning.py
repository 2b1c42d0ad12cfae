"""What a run would do for one episode, with which engines, and how long that would take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, combinations

from pipeline.build.plan import Outlook, look_through
from pipeline.build.store import Store
from pipeline.domain.topic import Mode, Topic
from pipeline.errors import PipelineError
from pipeline.files import naming
from pipeline.flow import Desk, Edited, episode
from pipeline.records import Measured, Record, Records
from pipeline.stages import pictures
from pipeline.stages.publish import Edition, stale, withdrawn
from pipeline.stages.script import RULES
from pipeline.studio import earlier
from pipeline.studio.plans import EpisodePlan, Folders, Returns, Work
from pipeline.studio.shelf import Shelf

_DRAWING = pictures.RULE.resource


class Planner:
    """Looks through episodes. Changes nothing and asks no engine to work."""

    def __init__(
        self,
        folders: Folders,
        desk: Desk,
        store: Store,
        records: Records,
        measured: Measured,
        shelf: Shelf,
        threads: Mapping[str, int],
    ) -> None:
        self._output = folders.output
        self._desk = desk
        self._store = store
        self._records = records
        self._measured = measured
        self._shelf = shelf
        self._threads = threads

    def plan(self, work: Work) -> EpisodePlan:
        """What stands in the way of an episode is in its plan."""
        record = self._records.load(work.slug)
        try:
            with naming():
                self._shelf.keep_off_strangers(work.slug, record)
                edited = self._shelf.edited(work.slug, record)
                desk = self.desk_for(work, record, edited)
                flow = episode(work.topic, work.slug, desk, edited=edited)
                outlook = look_through(flow, self._store.find, record.trail)
                to_publish: tuple[str, ...] = ()
                going: tuple[str, ...] = ()
                if outlook.result is not None:
                    going = withdrawn(outlook.result, self._output / work.slug)
                    if not outlook.to_make:
                        to_publish = stale(outlook.result, self._output / work.slug)
        except PipelineError as error:
            return EpisodePlan(work, error=error)
        return EpisodePlan(
            work,
            outlook.to_make,
            () if outlook.whole else self._desk.not_seen({verdict.step.rule.name for verdict in outlook.verdicts}),
            to_publish,
            going,
            edited is not None,
            *self._estimate(outlook, work.topic),
            trail=outlook.trail,
            earlier=record.trail,
        )

    def needs(self, work: Work) -> Iterable[str]:
        """The keys of the artifacts that an episode is made of, as far as that can be told. Raises PipelineError."""
        record = self._records.load(work.slug)
        edited = self._shelf.edited(work.slug, record)
        desk = self.desk_for(work, record, edited)
        outlook = look_through(episode(work.topic, work.slug, desk, edited=edited), self._store.find)
        return [verdict.step.key for verdict in outlook.verdicts]

    def returning(self, work: Work, record: Record) -> Returns:
        """Which script takes the place of a person's that is given up."""
        if work.topic.mode is Mode.READ:
            return Returns.READ
        outlook = self._outlook(work, self.desk_for(work, record, None), None)
        writing = [v for v in outlook.verdicts if v.step.rule in RULES] if outlook is not None else []
        return Returns.STORED if writing and not any(verdict.make for verdict in writing) else Returns.ANEW

    def desk_for(self, work: Work, record: Record, edited: Edited | None) -> Desk:
        """The engines to make an episode with: those of this run, or, where those were taken by `auto`, the ones
        that made it before, as long as they have nothing left to do.
        """
        desk = replace(self._desk, easel=earlier.easel(record, self._desk, self._store))
        writer, voice = earlier.writer(record, desk), earlier.voice(record, desk)
        others = [
            resource
            for resource, is_another in (("llm", writer is not desk.writer), ("speech", voice is not desk.voice))
            if is_another
        ]
        for idle in chain.from_iterable(combinations(others, count) for count in range(len(others), 0, -1)):
            candidate = replace(
                desk,
                writer=writer if "llm" in idle else desk.writer,
                voice=voice if "speech" in idle else desk.voice,
            )
            outlook = self._outlook(work, candidate, edited)
            if outlook is not None and earlier.has_nothing_for(idle, outlook, work.topic):
                return candidate
        return desk

    def _outlook(self, work: Work, desk: Desk, edited: Edited | None) -> Outlook[Edition] | None:
        try:
            return look_through(episode(work.topic, work.slug, desk, edited=edited), self._store.find)
        except PipelineError:
            return None  # the engines at hand will say what is wrong with the topic, if it is the topic

    def _estimate(self, outlook: Outlook[Edition], topic: Topic) -> tuple[float | None, float]:
        """Seconds in all, and those of them that are drawing; by rule from what was measured, each resource's work
        shared by its threads.
        """
        work = [(verdict.step.rule.name, verdict.step.rule.resource, verdict.step.units) for verdict in outlook.to_make]
        if not outlook.whole:
            work += self._desk.still_to_come(topic, {verdict.step.rule.name for verdict in outlook.verdicts})
        known = [
            (resource, seconds / self._threads.get(resource, 1))
            for name, resource, units in work
            if (seconds := self._measured.seconds(name, units)) is not None
        ]
        drawing = sum(seconds for resource, seconds in known if resource == _DRAWING)
        if not known:
            return (0.0 if not work else None), drawing
        return sum(seconds for _, seconds in known), drawing
