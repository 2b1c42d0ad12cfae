"""Makes what is asked for, round after round, in a thread of its own; knows no HTTP.

`watching` decides when the folders lie still and whether anybody else is at work here. What is decided here is what a
round is for: the episodes somebody asked for come first, those that were called off are left out, and a round that
is under way is ended in good order when it must give way. What was finished stays finished, so giving way is cheap.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread

from pipeline import inbox, site, watching
from pipeline.build.runner import Event, Kind
from pipeline.errors import EngineUnavailable, Interrupted, PipelineError, StoreError
from pipeline.net.outages import Down, News, Outages
from pipeline.service.askers import Askers
from pipeline.service.board import Board, Rest, told
from pipeline.service.checks import Checks
from pipeline.service.held import Held, wish_of
from pipeline.service.hub import Hub
from pipeline.service.metrics import Metrics
from pipeline.service.project import Keeper, Project
from pipeline.service.surveys import Surveys
from pipeline.service.views import wait_of
from pipeline.studio import Studio, Survey
from pipeline.telemetry import failure, log
from pipeline.watching import Made

_TOLD = {Kind.OPENED: "opened", Kind.STARTED: "started", Kind.MADE: "made", Kind.FAILED: "step_failed"}
# After a fault that ended the thread's work: the data folder could not be written, or a fault of ours.
_AFTER_FAULT_SECONDS = 10.0


@dataclass(slots=True)
class Maker:
    """One for each service. `pause`, `resume`, `ask`, `hold` and `stop` may be called from any thread."""

    project: Project
    keeper: Keeper
    board: Board
    hub: Hub
    metrics: Metrics
    checks: Checks
    held: Held
    surveys: Surveys
    askers: Askers = field(default_factory=Askers)
    state: str = "starting"
    about: str = ""
    """Why it is in that state, where there is a reason to tell."""
    _over: Flag = field(default_factory=Flag)
    _wake: Flag = field(default_factory=Flag)
    _asked_flag: Flag = field(default_factory=Flag)
    _asked: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _studio: Studio | None = None
    _thread: Thread | None = None
    _wishes: dict[str, str] = field(default_factory=dict)

    # -- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        # A context of its own for each thread, so that its lines in the log carry the run's id.
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="maker")
        self._thread.start()
        Thread(target=copy_context().run, args=(self._hear,), name="maker-ears", daemon=True).start()
        Thread(target=copy_context().run, args=(self.checks.keep_at_it, self._over), name="checks", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more; what is being made is finished or given up by its engine. Safe in a signal handler."""
        self._over.set()
        self._wake.set()
        self._interrupt()

    def wait(self, seconds: float) -> bool:
        """Until it has stopped; False where it had not after so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
            return not self._thread.is_alive()
        return True

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def paused(self) -> bool:
        return self.held.paused

    def pause(self) -> None:
        """Begin nothing more until `resume`, also after a restart. Raises StoreError."""
        self.held.pause()
        self._interrupt()
        self._say("paused")

    def resume(self) -> None:
        self.held.resume()
        self._say("idle")
        self._asked_flag.set()
        self._wake.set()

    def look(self) -> None:
        """Something may be new."""
        self._wake.set()

    def ask(self, slug: str) -> None:
        """Make this one before all others. Raises StoreError."""
        self.held.release({slug})
        self.askers.note(slug)
        with self._lock:
            if slug not in self._asked:
                self._asked.append(slug)
        self._asked_flag.set()
        self._interrupt()  # the round under way was for others, or for this one as it was before
        self._wake.set()

    def hold(self, wishes: Mapping[str, str]) -> None:
        """Call episodes off until their topics change or somebody asks for them. Raises StoreError."""
        self.held.hold(wishes)
        making = set(self.board.slugs("making"))
        for slug in wishes:
            self.board.put(slug, "held")
            self.hub.publish("held", {"episode": slug})
        if making & wishes.keys():
            self._asked_flag.set()  # the others go on where they were
            self._interrupt()
            self._wake.set()

    def hold_all(self) -> tuple[str, ...]:
        """Call off all that is being made; returns which. Raises StoreError."""
        making = self.board.slugs("making")
        self.hold({slug: self._wishes.get(slug, "") for slug in making})
        return tuple(making)

    def wish(self, slug: str) -> str | None:
        """What an episode's topic asked for in the last survey; None where no topic waits for it."""
        return self._wishes.get(slug)

    def _interrupt(self) -> None:
        studio = self._studio
        if studio is not None:
            studio.interrupt()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._watch().keep_at_it()
            except PipelineError as error:
                self._say("waiting", str(error))
                log().error("maker_stopped", **failure(error))
            except Exception:  # noqa: BLE001  # a fault of ours: told whole in the log, and the service goes on
                self._say("waiting", "a fault in the pipeline itself; the log has the whole of it")
                with suppress(OSError, ValueError):  # the log itself may be what cannot be written
                    log().exception("maker_failed")
            else:
                continue
            self._over.wait(_AFTER_FAULT_SECONDS)
        self._say("stopped")

    def _watch(self) -> watching.Watch:
        folders = self.project.folders
        return watching.Watch(
            [folders.input, self.project.config],
            folders.data,
            prove=self._prove,
            make=self._make,
            log=self._log,
            stop=self._over,
            seconds=self.project.watch_seconds,
            clock=time.monotonic,
            rest=self._rest,
            asked=self._asked_flag.is_set,
        )

    def _prove(self) -> None:
        try:
            self.checks.prove(self._over)
        except PipelineError as error:
            self._say("waiting", str(error))
            raise

    def _log(self, event: str, facts: dict[str, object]) -> None:
        log().info(event, **facts)
        if event == "ready":
            self._say("idle" if self.board.surveyed else "starting")

    def _rest(self, seconds: float) -> None:
        """Until it is time for the next look, somebody rings, or it is over; while it is paused, until it is not."""
        if self._wake.wait(seconds):
            self._wake.clear()
        while self.held.paused and not self._over.is_set():
            self._say("paused")
            self._over.wait(0.2)

    def _hear(self) -> None:
        """Ring where the system says that a file has changed; the looks go on all the same."""
        try:
            from watchfiles import watch
        except ImportError:
            return
        folders = [folder for folder in (self.project.folders.input, self.project.config) if folder.is_dir()]
        try:
            for _ in watch(*folders, stop_event=self._over, recursive=True, raise_interrupt=False):
                self._wake.set()
        except OSError as error:  # no more watches to be had, a folder that went away
            log().info("events_unavailable", why=str(error), looks_every_seconds=self.project.watch_seconds)

    # -- a round -----------------------------------------------------------------------------------------------------

    def _make(self) -> Made:
        """One round. Raises SettingsError, EngineError."""
        self.keeper.halt.clear()
        self._asked_flag.clear()
        with self._lock:
            asked, self._asked = self._asked, []
        try:
            return self._round(asked)
        finally:
            self._studio = None
            self.keeper.halt.clear()

    def _round(self, asked: list[str]) -> Made:
        self._say("making")
        folders = self.project.folders
        opened = self.keeper.open()
        self._studio = studio = opened.shop.studio
        if self._over.is_set() or self.held.paused:
            studio.interrupt()
        signatures = {found.name: found.signature for found in inbox.scan(folders.input, folders.project).files}
        whole = studio.survey()
        self.surveys.take(studio, whole)
        rested = studio.rested(whole)
        survey, held = self._narrowed(whole, rested, asked)
        self.board.survey(whole, signatures, held, resting(studio, whole, rested))
        self.hub.publish("round", {"topics": len(survey.works), "refused": len(survey.refused)})
        for refused in survey.refused:
            log().warning("topic_refused", **failure(refused))
        made, failed = 0, []
        files = {work.slug: work.topic.source.path for work in survey.works}
        with self._hearing(opened.shop.outages):
            for outcome in studio.run(survey, self._notify, asked_by=lambda slug: self.askers.of(slug, files[slug])):
                made += outcome.error is None and bool(outcome.made)
                self.metrics.episode(_ended(outcome.error, outcome.made))
                if outcome.error is not None and not isinstance(outcome.error, Interrupted):
                    failed.append(outcome.error)
                    if studio.is_set_aside(outcome.name):
                        self._set_aside(outcome.name, outcome.error)
        self._show_all(folders.output, opened.channel, tell=bool(made or failed))
        self.metrics.round_ends(refused=len(survey.refused))
        self.hub.publish("round_done", {"made": made, "failed": len(failed), "refused": len(survey.refused)})
        if made or failed:
            log().info("round_done", made=made, failed=len(failed), refused=len(survey.refused))
        self._say("paused" if self.held.paused else "idle")
        return Made(made, len(failed), any(isinstance(error, EngineUnavailable | StoreError) for error in failed))

    def _show_all(self, output: Path, channel: site.Channel, *, tell: bool) -> None:
        """The page of all episodes and the feed; what stands in their way is told after rounds that did something."""
        try:
            above = site.bring_up_to_date(output, channel)
        except StoreError as error:
            log().error("site_not_written", **failure(error))
            return
        if tell:
            for hidden in above.hidden:
                log().warning("episode_not_shown", episode=hidden.slug, what=hidden.why)
            for remark in above.remarks:
                log().warning("site_remark", what=remark)

    def _narrowed(self, whole: Survey, rested: Survey, asked: list[str]) -> tuple[Survey, set[str]]:
        """What has rested, without what was called off, those asked for first."""
        wishes = {work.slug: wish_of(work.topic) for work in whole.works}
        self._wishes = wishes
        held = {slug for slug, wish in self.held.all().items() if wishes.get(slug) == wish}
        first = {slug: place for place, slug in enumerate(asked)}
        works = sorted(
            (work for work in rested.works if work.slug not in held), key=lambda work: first.get(work.slug, len(first))
        )
        return replace(rested, works=tuple(works)), held

    @contextmanager
    def _hearing(self, outages: Outages) -> Iterator[None]:
        """While it lasts, everybody is told which services are waited for."""

        def hear(news: News) -> None:
            self.board.wait_for(outages.down)
            if isinstance(news, Down):
                self.hub.publish("waiting", wait_of(news).model_dump())
            else:
                self.hub.publish("back", {"service": news.service, "after_seconds": round(news.after_seconds, 1)})

        self.board.wait_for(outages.down)
        with outages.told_to(hear):
            yield

    def _notify(self, event: Event) -> None:
        """On whichever thread it happened."""
        self.board.take(event)
        role = self.metrics.take(event)
        if role is not None:
            self.checks.worked(role)
        kind = _TOLD.get(event.kind)
        if kind is not None:
            self.hub.publish(kind, _facts(event))
        elif event.kind is Kind.CLOSED:
            self._close(event)

    def _close(self, event: Event) -> None:
        seconds = round(event.seconds, 3)
        if event.error is None:
            self.hub.publish("done", {"episode": event.flow, "seconds": seconds})
            log().info("episode_done", episode=event.flow, seconds=seconds)
        elif isinstance(event.error, Interrupted):
            self.hub.publish("interrupted", {"episode": event.flow})
        else:
            said = told(event.error)
            self.hub.publish("failed", {"episode": event.flow, "seconds": seconds, "error": said})
            log().error("episode_failed", episode=event.flow, exc_info=_bug(event.error), **failure(event.error))

    def _set_aside(self, slug: str, error: BaseException) -> None:
        self.board.put(slug, "set-aside")
        self.hub.publish("set_aside", {"episode": slug, "error": told(error)})
        log().error("episode_set_aside", episode=slug, todo=f"pipeline retry {slug}")

    def _say(self, state: str, about: str = "") -> None:
        if (state, about) != (self.state, self.about):
            self.state, self.about = state, about
            self.metrics.maker(state)
            self.hub.publish("maker", {"state": state, "about": about})


def resting(studio: Studio, whole: Survey, rested: Survey) -> Mapping[str, Rest]:
    """What a round leaves alone, and how it failed the last time."""
    left = {work.slug for work in whole.works} - {work.slug for work in rested.works}
    found = {slug: failure for slug in left if (failure := studio.failure(slug)) is not None}
    return {
        slug: Rest(
            studio.is_set_aside(slug),
            {"code": one.code, "detail": one.what, "where": one.where, "hint": one.hint},
        )
        for slug, one in found.items()
    }


def _facts(event: Event) -> Mapping[str, object]:
    facts: dict[str, object] = {"episode": event.flow}
    if event.step is not None:
        facts |= {"stage": event.step.place, "step": event.step.label}
    if event.kind is Kind.MADE:
        facts["seconds"] = round(event.seconds, 3)
    if event.why:
        facts["why"] = event.why
    if event.error is not None:
        facts["error"] = told(event.error)
    return facts


def _ended(error: BaseException | None, made: int) -> str:
    if error is None:
        return "made" if made else "unchanged"
    return "interrupted" if isinstance(error, Interrupted) else "failed"


def _bug(error: BaseException) -> BaseException | None:
    return None if isinstance(error, PipelineError) else error
