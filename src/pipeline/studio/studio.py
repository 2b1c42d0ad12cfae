"""One project at work: which topics there are, what is to be made of them, and the making.

A run and a plan begin with the same survey of `input/` and the same flows; all that differs is whether the steps
are carried out or looked through.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from threading import Event as Flag
from typing import Any

from pipeline import inbox
from pipeline.build.phases import Phases
from pipeline.build.plan import Trail
from pipeline.build.recipe import Flow, digest_of
from pipeline.build.runner import Event, Job, Kind, Outcome, Runner
from pipeline.build.seals import Seals
from pipeline.build.store import Store
from pipeline.domain.topic import Source
from pipeline.edits import Edits
from pipeline.engines.retrying import Waits
from pipeline.errors import (
    EngineUnavailable,
    InputError,
    Interrupted,
    NotKept,
    StoreError,
)
from pipeline.files import disk_error, naming, remove_parts
from pipeline.flow import Desk, episode
from pipeline.following import Following
from pipeline.net.outages import Outages
from pipeline.records import Failure, Failures, Measured, Record, Records
from pipeline.stages import pictures
from pipeline.stages.publish import (
    SCRIPT,
    Edition,
    Published,
    digest_on_disk,
    read_manifest,
)
from pipeline.studio.patience import Patience
from pipeline.studio.planning import Planner
from pipeline.studio.plans import (
    Checked,
    EpisodePlan,
    Folders,
    Left,
    Plan,
    Rewritten,
    SharedGpu,
    Survey,
    Work,
)
from pipeline.studio.publishing import Publisher
from pipeline.studio.shelf import Shelf
from pipeline.studio.surveying import Surveyor
from pipeline.studio.verifying import Verifier
from pipeline.underway import RESOURCES, Underway, died_at, showing

_DRAWING = pictures.RULE.resource

# Seals are written now and then during a long run, so that a killed one has little to look at again.
_SEAL_EVERY = 200
# `clean` leaves alone what was made in the last hour: another run may be about to use it.
_CLEAN_GRACE_SECONDS = 3600.0


class Studio:
    """Everything one project needs to plan, run and report. Made by `wiring`."""

    def __init__(
        self,
        folders: Folders,
        desk: Desk,
        defaults: inbox.TopicDefaults,
        *,
        executors: Callable[[], Mapping[str, Executor]],
        threads: Mapping[str, int],
        open_at_once: int,
        stop: Flag,
        shared_gpu: SharedGpu | None = None,
        outages: Outages | None = None,
        topic_tries: int = 5,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folders = folders
        self.defaults = defaults
        self.store = Store(folders.data / "store", clock=clock)
        self.edits = Edits(folders.data / "edits", folders.output)
        self.failures = Failures(folders.data / "failures")
        self.records = Records(folders.data / "records")
        self.seals = Seals.load(folders.data / "seals.json")
        self.measured = Measured.load(folders.data / "measured.json")
        self._desk = desk
        self._executors = executors
        self._open_at_once = open_at_once
        self._stop = stop
        self._shared_gpu = shared_gpu
        self._outages = outages or Outages()
        self._shelf = Shelf(folders.output, self.edits)
        self._surveyor = Surveyor(folders, self.seals, self.records, defaults, desk.fingerprint)
        self._planner = Planner(folders, desk, self.store, self.records, self.measured, self._shelf, threads)
        self._publisher = Publisher(folders, self.store, self.seals, self.records, self._shelf, desk.fingerprint)
        self._patience = Patience(self.failures, most_tries=topic_tries, clock=clock)
        self._clock = clock
        self._underway: Underway | None = None
        self._runner: Runner[Any, Any] | None = None
        self._following = Following()

    @property
    def fingerprint(self) -> str:
        """One digest over everything but the topics that decides what an episode is."""
        return self._desk.fingerprint

    @property
    def desk(self) -> Desk:
        """What episodes are made with: for who makes a piece of one beside a run."""
        return self._desk

    # -- what there is -------------------------------------------------------------------------------------------

    @naming()
    def survey(self) -> Survey:
        """Look at `input/`; reads only the files whose state, or whose episodes' state, has changed. Raises StoreError
        where the disk fails.
        """
        return self._surveyor.survey()

    # -- planning ------------------------------------------------------------------------------------------------

    @naming()
    def plan(self, survey: Survey) -> Plan:
        """What a run would make and why. Changes nothing and asks no engine to work. Raises StoreError where the disk
        fails, and where the output folder is gone with its volume: all would be made anew.
        """
        self._publisher.look()
        episodes = tuple(self._plan(work) for work in survey.works)
        left = self.left(survey) if survey.whole else ()
        return Plan(survey.finished, episodes, survey.refused, left, self._shared_gpu is not None)

    def _plan(self, work: Work) -> EpisodePlan:
        aside = self._patience.set_aside(work.slug, self._state_of(work))
        return self._planner.plan(work) if aside is None else EpisodePlan(work, error=aside)

    def left(self, survey: Survey) -> tuple[Left, ...]:
        """What is on disk of episodes that no topic asks for now. Nothing deletes those."""
        edited = self.edits.slugs()
        refused = {error.where.split(":")[0] for error in survey.refused}
        found = []
        for slug in sorted({*self.episodes_on_disk(), *edited} - survey.asked):
            about = read_manifest(self.folders.output / slug).get("source")
            source = str(about.get("path") or "") if isinstance(about, dict) else ""
            found.append(Left(slug, source, slug in edited, source in refused))
        return tuple(found)

    # -- running -------------------------------------------------------------------------------------------------

    def run(
        self, survey: Survey, notify: Callable[[Event], None], *, asked_by: Callable[[str], str] = lambda _: ""
    ) -> Iterator[Outcome[Published]]:
        """Make and publish every episode of the survey; each outcome comes as its episode ends. `asked_by` says which
        request asked for an episode, for the logs; empty where none did. Raises StoreError where no episode could be
        made, whatever it is; and NotKept, after the last outcome, where what is to be remembered could not be kept.
        """
        lost: list[StoreError] = []
        with naming():
            yield from self._run(survey, notify, asked_by, lost)
        for error in lost:
            raise NotKept(error.what, where=error.where, hint=error.hint) from error

    def _run(
        self,
        survey: Survey,
        notify: Callable[[Event], None],
        asked_by: Callable[[str], str],
        lost: list[StoreError],
    ) -> Iterator[Outcome[Published]]:
        self._following = following = Following(asked_by)
        self._look_at_places()
        long_ago = time.time() - _CLEAN_GRACE_SECONDS
        remove_parts((self.folders.data,), older_than=long_ago)  # a run that was killed at its end left nothing to do
        if survey.works:
            self.store.tidy(older_than=long_ago)
            remove_parts(self._written_folders(), older_than=long_ago)
        spent: dict[str, tuple[float, float]] = {}

        def listen(event: Event) -> None:
            if event.kind is Kind.MADE and event.step is not None:
                units, seconds = spent.get(event.step.rule.name, (0.0, 0.0))
                spent[event.step.rule.name] = (units + event.step.units, seconds + event.seconds)
            with following.telling(event):
                notify(event)

        executors = self._executors()
        try:
            states = {work.slug: self._state_of(work) for work in survey.works}
            with _keeping(lost):
                self._patience.account_for(died_at(self.folders.data))
            works = []
            for work in survey.works:
                aside = self._patience.set_aside(work.slug, self._state_of(work))
                if aside is None:
                    works.append(work)
                    continue
                notify(Event(Kind.CLOSED, work.slug, error=aside))
                yield Outcome(work.slug, None, aside, 0, 0.0)
            for count, outcome in enumerate(self._shown(works, states, executors, listen), 1):
                with _keeping(lost):
                    self._note(outcome, states[outcome.name])
                yield outcome
                if count % _SEAL_EVERY == 0:
                    with _keeping(lost):
                        self.seals.save()
        finally:
            for executor in set(executors.values()):
                executor.shutdown(wait=True, cancel_futures=True)
            with _keeping(lost):
                self._publisher.seal(survey)
            self.measured.add(spent)
            if spent:
                with _keeping(lost):
                    self.measured.save()

    def _look_at_places(self) -> None:
        """Raises StoreError where nothing could be published, or remembered, in the end."""
        self._publisher.begin()
        for kept in (self.seals.path, self.measured.path):
            if kept.is_dir():  # found out now, and not when hours of work are to be remembered
                raise disk_error(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), kept)

    def _shown(
        self,
        works: Sequence[Work],
        states: Mapping[str, str],
        executors: Mapping[str, Executor],
        notify: Callable[[Event], None],
    ) -> Iterator[Outcome[Published]]:
        """The outcomes, while the run shows other processes what it is at.

        What a process died at comes last, each topic by itself: if it dies again, it is known of what, and of the
        others, which had no part in it, nothing is lost but time.
        """
        if not works:
            return
        suspected = {work.slug for work in works if self._patience.has_died_at(work.slug)}
        calm = [work for work in works if work.slug not in suspected]
        suspects = [work for work in works if work.slug in suspected]
        with showing(self.folders.data, states) as shown:
            self._underway = shown

            def listen(event: Event) -> None:
                shown.take(event)
                notify(event)

            with self._outages.told_to(lambda _: shown.show(self._outages.down)):
                yield from self._outcomes(calm, executors, listen, self._open_at_once)
                yield from self._outcomes(suspects, executors, listen, 1)

    def _outcomes(
        self,
        works: Sequence[Work],
        executors: Mapping[str, Executor],
        notify: Callable[[Event], None],
        open_at_once: int,
    ) -> Iterator[Outcome[Published]]:
        def runner(notify: Callable[[Event], None]) -> Runner[Any, Any]:
            self._runner = Runner(
                self.store,
                executors,
                open_at_once=open_at_once,
                notify=notify,
                stop=self._stop,
                stalled=self._stalled,
                within=self._following.step,
            )
            return self._runner

        if self._shared_gpu is None:
            return runner(notify).run(self._job(work) for work in works)
        phases: Phases[Edition, Published] = Phases(
            _DRAWING,
            is_there=lambda key: self.store.find(key) is not None,
            before=self._shared_gpu.free_of_writer,
            after=self._shared_gpu.free_of_illustrator,
        )
        jobs = [self._job(work) for work in works]
        return phases.run(jobs, runner, runner, notify, self._stop.is_set)

    def _written_folders(self) -> Iterator[Path]:
        """Those in the data folder but the store, which tidies itself: where a killed run may have left half a file."""
        data = self.folders.data
        if data.is_dir():
            yield from (entry for entry in data.iterdir() if entry.is_dir() and entry != self.store.folder)

    def interrupt(self) -> None:
        """Have the run stop: what is being made is finished or given up by its engine. Safe in a signal handler."""
        self._stop.set()
        if self._underway is not None:
            self._underway.call_off()
        if self._runner is not None:
            self._runner.wake()

    def _stalled(self) -> Collection[str]:
        """The resources whose steps wait for a service that is down."""
        return {RESOURCES[service] for service in self._outages.down}

    def _wait_for(self, error: BaseException) -> tuple[str, Callable[[], object]] | None:
        """The service that has to say what it is before an episode can be begun; None where it is not that."""
        engines = {"writer": self._desk.writer, "voice": self._desk.voice, "illustrator": self._desk.easel.segments}
        if isinstance(error, EngineUnavailable):
            engine = engines.get(error.service)
            if isinstance(engine, Waits):
                return RESOURCES[error.service], engine.wait
        return None

    def _job(self, work: Work) -> Job[Edition, Published]:
        record = self.records.load(work.slug)
        return Job(
            work.slug,
            flow=lambda: self._flow(work, record),
            finish=lambda edition, trail: self._finish(work, edition, trail, record),
            earlier=record.trail,
            wait_for=self._wait_for,
        )

    def _flow(self, work: Work, record: Record) -> Flow[Edition]:
        self._shelf.keep_off_strangers(work.slug, record)
        self.edits.adopt(work.slug, self._shelf.ours(work.slug, record))
        edited = self._shelf.edited(work.slug, record)
        desk = self._planner.desk_for(work, record, edited)
        return (yield from episode(work.topic, work.slug, desk, edited=edited))

    def _finish(self, work: Work, edition: Edition, trail: Trail, record: Record) -> Published:
        with self._following.publishing(work.slug):
            published = self._publisher.publish(work, edition, trail, record)
            self.failures.clear(work.slug)
            return published

    # -- topics that fail again and again ------------------------------------------------------------------------

    def rested(self, survey: Survey) -> Survey:
        """The survey without the topics that are set aside or failed a short while ago: for who comes by again and
        again.
        """
        works = tuple(work for work in survey.works if not self._patience.rests(work.slug, self._state_of(work)))
        return replace(survey, works=works)

    def is_set_aside(self, slug: str) -> bool:
        """Whether it has failed so often, as it was tried last, that it is not tried again."""
        return self._patience.is_at_an_end(slug)

    def retry(self, slugs: Collection[str] = ()) -> tuple[str, ...]:
        """Forget how episodes failed, so that the next run tries them again; without names, all that are set aside.

        Raises InputError, and forgets nothing, for a name of which no failure is remembered.
        """
        return self._patience.begin_again(slugs)

    def _state_of(self, work: Work) -> str:
        """A digest over what decides how a topic fares: itself, a script edited by hand, engines and settings."""
        topic = replace(work.topic, source=Source("", 0), note_lines=())
        script = None
        with suppress(StoreError):  # told when it is to be read
            script = digest_on_disk(self.folders.output / work.slug / SCRIPT)
        return hashlib.sha256(repr((topic, script, self._desk.fingerprint)).encode()).hexdigest()

    def _note(self, outcome: Outcome[Published], state: str) -> None:
        if outcome.error is not None and not isinstance(outcome.error, Interrupted):
            self.seals.forget([outcome.name])
            self._patience.note(outcome.name, outcome.error, state)

    # -- afterwards ----------------------------------------------------------------------------------------------

    def rewrite(self, slug: str) -> Rewritten:
        """Give up a person's script, so that the next run puts the topic's own in its place.

        Raises InputError where there is no such episode, no topic that asks for it, or no edit.
        """
        work = next((work for work in self._surveyor.readable_works() if work.slug == slug), None)
        if work is None:
            raise self._nothing_to_rewrite(slug)
        record = self.records.load(slug)
        self.edits.adopt(slug, self._shelf.ours(slug, record))
        if (edit := self._shelf.published_edit(slug)) is not None:
            # The episode stays whole until the next run: what stands in its folder is published, and no edit any more.
            record = replace(record, scripts=(*record.scripts, edit))
            self.records.save(slug, record)
        aside = self.edits.discard(slug)
        if aside is None:
            raise InputError(
                f"the script of {slug!r} was not edited by hand", hint="`pipeline status` shows which were."
            )
        self.seals.forget([slug])
        self.seals.save()
        return Rewritten(aside, self._planner.returning(work, record))

    def _nothing_to_rewrite(self, slug: str) -> InputError:
        there = {*self.episodes_on_disk(), *self.edits.slugs()}
        if slug in there:
            return InputError(
                f"no topic asks for {slug!r} now, so nothing would stand in the place of its script",
                hint="Bring its topic file back first; `pipeline status` says which it was.",
            )
        near = get_close_matches(slug, {*there, *(work.slug for work in self._surveyor.readable_works())}, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`pipeline status` lists them."
        return InputError(f"there is no episode {slug!r}", hint=hint)

    def check(self) -> Iterator[Checked]:
        """Every published episode, each of its files read and compared with its manifest, also where that is gone.
        Raises StoreError as `plan` does.
        """
        self._publisher.look()
        verifier = Verifier(self.folders, self.store, self.edits, self.records, self._shelf)
        yield from verifier.check(self.survey().asked)

    def failure(self, slug: str) -> Failure | None:
        return self.failures.of(slug)

    def clean(self) -> tuple[int, int]:
        """Drop artifacts that no topic in `input/` needs; returns how many, and how many bytes.

        Raises PipelineError when a topic cannot be read or looked through: what it needs is then not known, and
        a slip of the pen in a topic file must not cost the hours that its episode took.
        """
        works = self._surveyor.all_works()
        if not works:
            raise InputError(
                "there are no topics, so every artifact would be dropped",
                where=str(self.folders.input),
                hint="If that is what you want, remove the data folder's store/ yourself.",
            )
        needed = {key for work in works for key in self._planner.needs(work)}
        return self.store.sweep(needed, older_than=time.time() - _CLEAN_GRACE_SECONDS)

    def episodes_on_disk(self) -> Iterable[str]:
        """The folders in `output/` that hold a manifest."""
        return self._shelf.episodes()


@contextmanager
def _keeping(lost: list[StoreError]) -> Iterator[None]:
    """What cannot be remembered costs the next run time, and is no reason to end this one."""
    try:
        with naming():
            yield
    except StoreError as error:
        lost.append(error)


def fingerprint_of(value: Mapping[str, object]) -> str:
    """One digest over everything but the topics that decides what an episode is."""
    return digest_of(value)  # type: ignore[arg-type]  # plain data by construction
