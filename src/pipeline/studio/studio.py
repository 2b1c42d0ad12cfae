"""One project at work: which topics there are, what is to be made of them, and the making.

A run and a plan begin with the same survey of `input/` and the same flows; all that differs is whether the steps
are carried out or looked through.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain, combinations
from pathlib import Path
from threading import Event as Flag
from typing import Any

from pipeline import inbox
from pipeline.build.phases import Phases
from pipeline.build.plan import Outlook, Trail, look_through
from pipeline.build.recipe import Flow, digest_of
from pipeline.build.runner import Event, Job, Kind, Outcome, Runner
from pipeline.build.seals import Seals, states_of
from pipeline.build.store import Damaged, Store, held, is_key
from pipeline.domain.topic import Mode, Source, Topic
from pipeline.edits import Edits
from pipeline.engines.retrying import Waits
from pipeline.errors import (
    EngineUnavailable,
    InputError,
    Interrupted,
    PipelineError,
    StoreError,
)
from pipeline.files import disk_error, make_folder, naming, remove_parts
from pipeline.flow import Desk, Edited, Origin, episode
from pipeline.following import Following
from pipeline.net.outages import Outages
from pipeline.records import Failure, Failures, Home, Measured, Record, Records, device_of
from pipeline.slugs import assign, source_identity
from pipeline.stages import pictures
from pipeline.stages.publish import (
    MANIFEST,
    SCRIPT,
    Edition,
    Published,
    digest_on_disk,
    is_one_bit_off,
    look_at,
    publish,
    read_manifest,
    stale,
    strangers,
    withdrawn,
)
from pipeline.stages.script import RULES
from pipeline.studio import earlier
from pipeline.studio.patience import Patience
from pipeline.studio.plans import (
    Checked,
    EpisodePlan,
    Folders,
    Left,
    Plan,
    Returns,
    Rewritten,
    SharedGpu,
    Survey,
    Work,
)
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
        self.store = Store(folders.data / "store", clock=clock)
        self.edits = Edits(folders.data / "edits", folders.output)
        self.failures = Failures(folders.data / "failures")
        self.records = Records(folders.data / "records")
        self.seals = Seals.load(folders.data / "seals.json")
        self.measured = Measured.load(folders.data / "measured.json")
        self.home = Home(folders.data / "output.json")
        self._device: int | None = None
        """What the output folder was on when the run began."""
        self._desk = desk
        self._defaults = defaults
        self._executors = executors
        self._threads = threads
        self._open_at_once = open_at_once
        self._stop = stop
        self._shared_gpu = shared_gpu
        self._outages = outages or Outages()
        self._patience = Patience(self.failures, most_tries=topic_tries, clock=clock)
        self._clock = clock
        self._sealed: set[str] = set()
        """The episodes sealed by this run."""
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
        scan = inbox.scan(self.folders.input, self.folders.project)
        refused = list(scan.refused)
        finished: list[str] = []
        finished_sources: dict[str, tuple[str, ...]] = {}
        read: list[tuple[inbox.FoundFile, Sequence[Topic], bool]] = []
        for found in scan.files:
            names = self.seals.unbroken(found.name, found.signature, self._desk.fingerprint, self.folders.output)
            if names is not None:
                finished += names
                finished_sources[found.name] = tuple(names)
                continue
            reading = inbox.read(found, defaults=self._defaults)
            refused += reading.refused
            read.append((found, reading.topics, not reading.refused))
        topics = [topic for _, topics, _ in read for topic in topics]
        slugs = assign(topics, self._taken(topics))
        works = tuple(Work(topic, slugs[source_identity(topic)]) for topic in topics)
        sources = {
            found.name: (found.signature, tuple(slugs[source_identity(topic)] for topic in topics_of))
            for found, topics_of, good in read
            if good
        }
        return Survey(tuple(finished), works, tuple(refused), finished_sources, sources)

    def _taken(self, topics: Sequence[Topic]) -> Mapping[str, str]:
        """Which source owns which folder: by the seals, and, where topics are new to those, by what each other
        folder says of itself. Seals are written at the end of a run; a killed one has owners that they do not know.
        """
        taken = dict(self.seals.taken)
        owners = set(taken.values())
        if all(source_identity(topic) in owners for topic in topics):
            return taken
        folders = set(self.records.slugs())
        if self.folders.output.is_dir():
            folders |= {entry.name for entry in os.scandir(self.folders.output)}
        for name in folders - taken.keys():
            identity = read_manifest(self.folders.output / name).get("identity") or self.records.load(name).identity
            if isinstance(identity, str) and identity:
                taken[name] = identity
        return taken

    # -- planning ------------------------------------------------------------------------------------------------

    @naming()
    def plan(self, survey: Survey) -> Plan:
        """What a run would make and why. Changes nothing and asks no engine to work. Raises StoreError where the disk
        fails, and where the output folder is gone with its volume: all would be made anew.
        """
        self.home.check(self.folders.output)
        episodes = tuple(self._plan_one(work) for work in survey.works)
        left = self.left(survey) if survey.whole else ()
        return Plan(survey.finished, episodes, survey.refused, left, self._shared_gpu is not None)

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

    def _plan_one(self, work: Work) -> EpisodePlan:
        aside = self._patience.set_aside(work.slug, self._state_of(work))
        if aside is not None:
            return EpisodePlan(work, error=aside)
        record = self.records.load(work.slug)
        try:
            with naming():
                self._keep_off_strangers(work.slug, record)
                edited = self._edited(work.slug, record)
                desk = self._desk_for(work, record, edited)
                flow = episode(work.topic, work.slug, desk, edited=edited)
                outlook = look_through(flow, self.store.find, record.trail)
                to_publish: tuple[str, ...] = ()
                going: tuple[str, ...] = ()
                if outlook.result is not None:
                    going = withdrawn(outlook.result, self.folders.output / work.slug)
                    if not outlook.to_make:
                        to_publish = stale(outlook.result, self.folders.output / work.slug)
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
            if (seconds := self.measured.seconds(name, units)) is not None
        ]
        drawing = sum(seconds for resource, seconds in known if resource == _DRAWING)
        if not known:
            return (0.0 if not work else None), drawing
        return sum(seconds for _, seconds in known), drawing

    # -- running -------------------------------------------------------------------------------------------------

    def run(
        self, survey: Survey, notify: Callable[[Event], None], *, asked_by: Callable[[str], str] = lambda _: ""
    ) -> Iterator[Outcome[Published]]:
        """Make and publish every episode of the survey; each outcome comes as its episode ends. `asked_by` says which
        request asked for an episode, for the logs; empty where none did. Raises StoreError where no episode could be
        made, whatever it is.
        """
        with naming():
            yield from self._run(survey, notify, asked_by)

    def _run(
        self, survey: Survey, notify: Callable[[Event], None], asked_by: Callable[[str], str]
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
                self._note(outcome, states[outcome.name])
                yield outcome
                if count % _SEAL_EVERY == 0:
                    self.seals.save()
        finally:
            for executor in set(executors.values()):
                executor.shutdown(wait=True, cancel_futures=True)
            self._seal(survey)
            self.measured.add(spent)
            if spent:
                self.measured.save()

    def _look_at_places(self) -> None:
        """Raises StoreError where nothing could be published, or remembered, in the end."""
        self.home.check(self.folders.output)
        make_folder(self.folders.output)
        self._device = device_of(self.folders.output)
        if next(iter(self.episodes_on_disk()), None) is not None:
            self.home.note(self.folders.output)
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

    def _keep_off_strangers(self, slug: str, record: Record) -> None:
        """Raises InputError where a folder that was never an episode's holds files of the names that an episode has."""
        folder = self.folders.output / slug
        if record.manifests or read_manifest(folder) or not folder.is_dir():
            return
        names = strangers(folder)
        if names:
            raise InputError(
                f"the folder holds files that the pipeline did not put there: {', '.join(names)}",
                where=str(folder),
                hint="Move them elsewhere, or give the topic another title; nothing of them was touched.",
            )

    def _flow(self, work: Work, record: Record) -> Flow[Edition]:
        self._keep_off_strangers(work.slug, record)
        self.edits.adopt(work.slug, self._ours(work.slug, record))
        edited = self._edited(work.slug, record)
        desk = self._desk_for(work, record, edited)
        return (yield from episode(work.topic, work.slug, desk, edited=edited))

    def _desk_for(self, work: Work, record: Record, edited: Edited | None) -> Desk:
        """The engines to make an episode with: those of this run, or, where those were taken by `auto`, the ones
        that made it before, as long as they have nothing left to do.
        """
        desk = replace(self._desk, easel=earlier.easel(record, self._desk, self.store))
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
            return look_through(episode(work.topic, work.slug, desk, edited=edited), self.store.find)
        except PipelineError:
            return None  # the engines at hand will say what is wrong with the topic, if it is the topic

    def _finish(self, work: Work, edition: Edition, trail: Trail, record: Record) -> Published:
        with self._following.publishing(work.slug):
            return self._publish(work, edition, trail, record)

    def _publish(self, work: Work, edition: Edition, trail: Trail, record: Record) -> Published:
        folder = self.folders.output / work.slug
        make_folder(self.store.folder / "locks")
        with held(self.store.folder / "locks" / f"episode-{work.slug}"):
            self._keep_off_another_device()  # before anything is believed of what lies there
            before = self._ours(work.slug, record)
            digest = str(edition.entries[SCRIPT]["sha256"])
            scripts: tuple[str, ...] = ()
            if SCRIPT in edition.pieces:
                # Known as ours before it is there: a run killed between script and manifest must not find its own
                # script and take it for a person's. The one that it replaces is ours for as long as it stands.
                replaced = digest_on_disk(folder / SCRIPT)
                scripts = (*((replaced,) if replaced in before and replaced != digest else ()), digest)
            manifest, replaced = edition.manifest_sha256, digest_on_disk(folder / MANIFEST)
            going = (replaced,) if replaced in record.manifests and replaced != manifest else ()
            now = replace(
                record,
                trail=trail,
                scripts=scripts,
                identity=source_identity(work.topic),
                engines=earlier.remembered(edition, record),
                origin=dict(edition.origin or {}),
                manifests=(*going, manifest),
            )
            if now != record:
                self.records.save(work.slug, now)
            published = publish(edition, folder, ours={*before, digest})
            self.home.note(self.folders.output)
            if going:
                self.records.save(work.slug, replace(now, manifests=(manifest,)))
            self._seal_episode(work, edition, published)
        self.failures.clear(work.slug)
        return published

    def _keep_off_another_device(self) -> None:
        """Raises StoreError where the output folder's volume has come or gone since the run began: what is published
        now would lie elsewhere than the rest.
        """
        if self._device is not None and device_of(self.folders.output) != self._device:
            raise StoreError(
                "the folder is on another device than when the run began: a volume was mounted or taken away",
                where=str(self.folders.output),
                hint="Mount it as it was and run it again; what was made is kept.",
            )

    def _seal_episode(self, work: Work, edition: Edition, published: Published) -> None:
        """Seal what was published, unless someone has changed the script since: first the states, then the look at
        what is there, so that a change after the look is a change of state.
        """
        states = states_of(published.folder, published.files)
        if digest_on_disk(published.folder / SCRIPT) == edition.entries[SCRIPT]["sha256"]:
            self.seals.seal(work.slug, self._desk.fingerprint, states)
            self._sealed.add(work.slug)
        self.seals.taken[work.slug] = source_identity(work.topic)

    def _edited(self, slug: str, record: Record) -> Edited | None:
        """The script as a person left it, and what it was made from; None where the pipeline's own stands."""
        text = self.edits.current(slug, self._ours(slug, record))
        if text is None:
            return None
        return Edited(text, _origin_of(record, read_manifest(self.folders.output / slug)))

    def _ours(self, slug: str, record: Record) -> frozenset[str]:
        """The digests of scripts that are the pipeline's own, in the episode's folder: what its manifest says, and
        what a run was about to publish when it was killed.
        """
        manifest = read_manifest(self.folders.output / slug)
        script, files = manifest.get("script"), manifest.get("files")
        entry = files.get(SCRIPT) if isinstance(files, dict) else None
        if isinstance(script, dict) and script.get("edited_by_hand") is False and isinstance(entry, dict):
            return frozenset({*record.scripts, str(entry.get("sha256"))})
        return frozenset(record.scripts)

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

    def _seal(self, survey: Survey) -> None:
        if not survey.works and not survey.sources:
            return
        for name, (state, slugs) in survey.sources.items():
            # A file's new state is only known to be dealt with when each of its episodes was finished in this run.
            if self._sealed.issuperset(slugs):
                self.seals.sources[name] = (state, list(slugs))
        self.seals.save()

    # -- afterwards ----------------------------------------------------------------------------------------------

    def rewrite(self, slug: str) -> Rewritten:
        """Give up a person's script, so that the next run puts the topic's own in its place.

        Raises InputError where there is no such episode, no topic that asks for it, or no edit.
        """
        work = next((work for work in self._every_work() if work.slug == slug), None)
        if work is None:
            raise self._nothing_to_rewrite(slug)
        record = self.records.load(slug)
        self.edits.adopt(slug, self._ours(slug, record))
        aside = self.edits.discard(slug)
        if aside is None:
            raise InputError(
                f"the script of {slug!r} was not edited by hand", hint="`pipeline status` shows which were."
            )
        self.seals.forget([slug])
        self.seals.save()
        return Rewritten(aside, self._returning(work, record))

    def _every_work(self) -> Iterator[Work]:
        """Every topic that can be read, finished or not."""
        topics: list[Topic] = []
        for found in inbox.scan(self.folders.input, self.folders.project).files:
            topics += inbox.read(found, defaults=self._defaults).topics
        slugs = assign(topics, self._taken(topics))
        return (Work(topic, slugs[source_identity(topic)]) for topic in topics)

    def _nothing_to_rewrite(self, slug: str) -> InputError:
        there = {*self.episodes_on_disk(), *self.edits.slugs()}
        if slug in there:
            return InputError(
                f"no topic asks for {slug!r} now, so nothing would stand in the place of its script",
                hint="Bring its topic file back first; `pipeline status` says which it was.",
            )
        near = get_close_matches(slug, {*there, *(work.slug for work in self._every_work())}, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`pipeline status` lists them."
        return InputError(f"there is no episode {slug!r}", hint=hint)

    def _returning(self, work: Work, record: Record) -> Returns:
        if work.topic.mode is Mode.READ:
            return Returns.READ
        outlook = self._outlook(work, self._desk_for(work, record, None), None)
        writing = [v for v in outlook.verdicts if v.step.rule in RULES] if outlook is not None else []
        return Returns.STORED if writing and not any(verdict.make for verdict in writing) else Returns.ANEW

    def check(self) -> Iterator[Checked]:
        """Every published episode, each of its files read and compared with its manifest, also where that is gone.
        Raises StoreError as `plan` does.
        """
        self.home.check(self.folders.output)
        asked = self.survey().asked
        lost = {slug for slug in self.records.slugs() if self._has_lost_its_manifest(slug, asked)}
        for slug in sorted({*self.episodes_on_disk(), *lost}):
            with self._nobody_publishing(slug):
                checked = self._checked(slug, left=slug not in asked)
            yield checked

    @contextmanager
    def _nobody_publishing(self, slug: str) -> Iterator[None]:
        """Else a run at work would be taken for damage. A project that is only there to be read has no run at work."""
        locks = self.store.folder / "locks"
        if locks.is_dir() and os.access(locks, os.W_OK):
            with held(locks / f"episode-{slug}"):
                yield
        else:
            yield

    def _has_lost_its_manifest(self, slug: str, asked: Collection[str]) -> bool:
        folder = self.folders.output / slug
        # A folder that is gone and that no topic asks for was done away with by a person.
        missed = not (folder / MANIFEST).is_file() and (folder.is_dir() or slug in asked)
        return missed and bool(self.records.load(slug).manifests)

    def _checked(self, slug: str, *, left: bool) -> Checked:
        folder = self.folders.output / slug
        record = self.records.load(slug)
        mine, on_disk = None, None
        with suppress(StoreError):  # which is said with the files
            mine = self.edits.current(slug, self._ours(slug, record))
            on_disk = digest_on_disk(folder / SCRIPT)
        files = read_manifest(folder).get("files")
        entry = files.get(SCRIPT) if isinstance(files, dict) else None
        listed = entry if isinstance(entry, dict) else {}
        edited = mine is not None and on_disk == hashlib.sha256(mine).hexdigest() and on_disk != listed.get("sha256")
        found = look_at(folder, but=(SCRIPT,) if edited else (), published=record.manifests)
        damage = self._damage(mine, slug, listed) if edited and mine is not None else ()
        return Checked(slug, found.files, (*found.faults, *damage), edited, left, found.remarks)

    def _damage(self, script: bytes, slug: str, listed: Mapping[str, object]) -> Iterator[str]:
        """What looks like an edit and is rather damage, as far as what was published is still kept."""
        artifact = self.store.find(str(listed["key"])) if is_key(listed.get("key")) else None
        with suppress(Damaged, KeyError):
            kept = self.edits.of(slug) if artifact is None else artifact.read(SCRIPT)
            if kept is not None and is_one_bit_off(script, kept):
                copied = shlex.join(["cp", f"{self.edits.folder / slug}.md", str(self.folders.output / slug / SCRIPT)])
                way = copied if artifact is None else f"pipeline rewrite {slug}"
                what = f"{SCRIPT} is one bit off what was published"
                yield f"{what}. If you did not edit it, bring it back before the next run: {way}"

    def failure(self, slug: str) -> Failure | None:
        return self.failures.of(slug)

    def clean(self) -> tuple[int, int]:
        """Drop artifacts that no topic in `input/` needs; returns how many, and how many bytes.

        Raises PipelineError when a topic cannot be read or looked through: what it needs is then not known, and
        a slip of the pen in a topic file must not cost the hours that its episode took.
        """
        needed: set[str] = set()
        scan = inbox.scan(self.folders.input, self.folders.project)
        for refused in scan.refused:
            raise refused
        topics: list[Topic] = []
        for found in scan.files:
            reading = inbox.read(found, defaults=self._defaults)
            for refused in reading.refused:
                raise refused
            topics += reading.topics
        if not topics:
            raise InputError(
                "there are no topics, so every artifact would be dropped",
                where=str(self.folders.input),
                hint="If that is what you want, remove the data folder's store/ yourself.",
            )
        slugs = assign(topics, self._taken(topics))
        for topic in topics:
            slug = slugs[source_identity(topic)]
            record = self.records.load(slug)
            edited = self._edited(slug, record)
            desk = self._desk_for(Work(topic, slug), record, edited)
            outlook = look_through(episode(topic, slug, desk, edited=edited), self.store.find)
            needed.update(verdict.step.key for verdict in outlook.verdicts)
        return self.store.sweep(needed, older_than=time.time() - _CLEAN_GRACE_SECONDS)

    def episodes_on_disk(self) -> Iterable[str]:
        """The folders in `output/` that hold a manifest."""
        if self.folders.output.is_dir():
            for folder in sorted(self.folders.output.iterdir()):
                if (folder / MANIFEST).is_file():
                    yield folder.name


def _origin_of(record: Record, manifest: Mapping[str, Any]) -> Origin | None:
    """How a model came to write the script that a person then edited; None where none did, as far as is known."""
    if record.origin is not None:
        return record.origin or None
    made, script, engines = (manifest.get(name) for name in ("ai_generated", "script", "engines"))
    if isinstance(made, dict) and isinstance(script, dict) and isinstance(engines, dict) and made.get("script") is True:
        told = {name: script.get(name) for name in ("style", "style_sha256", "how")}
        return {"writer": engines.get("writer"), **told}
    return None


def fingerprint_of(value: Mapping[str, object]) -> str:
    """One digest over everything but the topics that decides what an episode is."""
    return digest_of(value)  # type: ignore[arg-type]  # plain data by construction
