"""A run as it goes: a live table on a terminal, plain lines elsewhere, one JSON object a line for programs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline import telemetry
from pipeline.build.runner import Event, Kind, Outcome
from pipeline.errors import Interrupted, PipelineError
from pipeline.net.outages import Down, News
from pipeline.progress import STAGES, Board, Line, Stage, stage_of
from pipeline.records import Failure
from pipeline.report.output import Output, write_json
from pipeline.report.remarks import remark_on
from pipeline.stages.publish import Published, read_manifest
from pipeline.studio import Survey
from pipeline.wiring import Workshop

# The table shows what moves; a hundred finished episodes would push it off the screen.
_ROWS = 14


@dataclass(frozen=True, slots=True)
class Totals:
    """How a run ended. Every topic that could be read is counted once: `up_to_date`, `built`, `published`, `failed`
    and `interrupted` together are the topics that the run was for.
    """

    up_to_date: int
    """Of which nothing was to be done, whether that was seen at a glance or by looking."""
    built: int
    published: int
    """Whose files were put in place again without anything being made."""
    failed: int
    refused: int
    """Topics that could not be read; nothing of them is counted above."""
    interrupted: int
    """Not come to, or not finished, when the run was stopped."""
    made: int
    """Artifacts."""
    seconds: float


class Screen(Protocol):
    """Shows a run. `event` and `news` are called from any thread, the rest from the run's own."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def begin(self, shop: Workshop) -> None: ...
    def news(self, news: News) -> None: ...
    def event(self, event: Event) -> None: ...
    def outcome(self, outcome: Outcome[Published], failure: Failure | None) -> None: ...
    def end(self) -> Totals: ...


def screen_for(survey: Survey, *, as_json: bool) -> Screen:
    """The right one for where standard output goes."""
    if as_json:
        return _Json(survey)
    console = Output()
    return _Live(survey, console) if console.is_terminal else _Plain(survey, console)


class _Account:
    """What every screen keeps: the board, the counts, the log."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.board = Board(len(survey.works))
        self.begun = time.monotonic()
        self.built = 0
        self.unchanged = 0
        self.published = 0
        self.made = 0
        self.failed = 0
        self.lock = Lock()
        self.log = telemetry.log()
        self.down: set[str] = set()
        """The services that are said to be waited for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def is_new(self, news: News) -> bool:
        """Whether it is to be said: that a service is down is, once, and that it is back; not each try."""
        with self.lock:
            known = news.service in self.down
            if isinstance(news, Down):
                self.down.add(news.service)
                return not known
            self.down.discard(news.service)
            return known

    def taken(self, event: Event) -> list[str]:
        with self.lock:
            told = self.board.take(event)
        if event.kind in {Kind.MADE, Kind.STARTED} and event.step is not None:
            facts = {
                "episode": event.flow,
                "stage": stage_of(event.step.place),
                "step": event.step.label or event.step.place,
                "artifact": event.step.key[:16],
            }
            if event.kind is Kind.MADE:
                self.log.info("step_made", seconds=round(event.seconds, 3), **facts)
            else:
                self.log.info("step_started", why=event.why, **facts)
        elif event.kind is Kind.FAILED and event.step is not None:
            self.log.error(
                "step_failed", episode=event.flow, stage=stage_of(event.step.place), **telemetry.failure(event.error)
            )
        elif event.kind is Kind.CLOSED:
            self._closed(event)
        elif event.kind is Kind.DAMAGED:
            self.log.warning("artifact_damaged", episode=event.flow, why=str(event.error))
        return told

    def _closed(self, event: Event) -> None:
        error = event.error
        if error is None:
            self.log.info("episode_done", episode=event.flow, seconds=round(event.seconds, 3))
        elif isinstance(error, PipelineError):
            if not isinstance(error, Interrupted):
                self.log.error("episode_failed", episode=event.flow, **telemetry.failure(error))
        else:
            self.log.critical("episode_failed", episode=event.flow, exc_info=error, **telemetry.failure(error))

    def counted(self, outcome: Outcome[Published]) -> None:
        self.made += outcome.made
        error = outcome.error
        if error is None:
            again = outcome.result is not None and bool(outcome.result.written)
            self.built += bool(outcome.made)
            self.published += again and not outcome.made
            self.unchanged += not again and not outcome.made
        elif not isinstance(error, Interrupted):
            self.failed += 1

    def totals(self) -> Totals:
        ended = self.unchanged + self.built + self.published + self.failed
        return Totals(
            up_to_date=len(self.survey.finished) + self.unchanged,
            built=self.built,
            published=self.published,
            failed=self.failed,
            refused=len(self.survey.refused),
            interrupted=len(self.survey.works) - ended,
            made=self.made,
            seconds=time.monotonic() - self.begun,
        )


class _Plain(_Account):
    """One line for each thing worth knowing."""

    def __init__(self, survey: Survey, console: Output) -> None:
        super().__init__(survey)
        self.console = console
        self.chosen: dict[str, tuple[str, str, str]] = {}
        """Resource → what the engine that does it is called, which one was taken, and why."""
        self.introduced: set[str] = set()
        self.reasons: dict[str, str] = {}
        """What an episode failed for → the first that did."""

    def say(self, line: str) -> None:
        with self.lock:
            self.console.say(line)

    def begin(self, shop: Workshop) -> None:
        self.chosen = {"llm": ("writer", shop.writer.name, shop.writer.why)}
        self.chosen["speech"] = ("voice", shop.voice.name, shop.voice.why)
        self.chosen["image"] = ("pictures", shop.illustrator.name, shop.illustrator.why)
        for refused in self.survey.refused:
            self.say(f"refused: {refused}")
            self.log.error("topic_refused", **telemetry.failure(refused))

    def news(self, news: News) -> None:
        if not self.is_new(news):
            return
        if isinstance(news, Down):
            self.say(f"waiting for the {news.service}, {news.where}: {news.why}. {news.hint} All else goes on.")
        else:
            self.say(f"the {news.service} is back after {_seconds(news.after_seconds)}: {news.where}")

    def event(self, event: Event) -> None:
        self.introduce(event)
        for line in self.taken(event):
            self.say(line)

    def introduce(self, event: Event) -> None:
        """Say which engine works when it is first asked to; a run that needs none says nothing of it."""
        if event.kind is not Kind.STARTED or event.step is None:
            return
        resource = event.step.rule.resource
        with self.lock:
            if resource in self.introduced or resource not in self.chosen:
                return
            self.introduced.add(resource)
        role, name, why = self.chosen[resource]
        self.say(f"{role}: {name} ({_briefly(why)})")

    def outcome(self, outcome: Outcome[Published], failure: Failure | None) -> None:
        self.counted(outcome)
        if outcome.error is None:
            folder = _near(outcome.result.folder) if outcome.result is not None else ""
            if outcome.made:
                remark = remark_on(read_manifest(outcome.result.folder)) if outcome.result is not None else ""
                self.say(f"{outcome.name}: done in {_seconds(outcome.seconds)}: {folder}{remark and f' ({remark})'}")
            elif outcome.result is not None and outcome.result.written:
                self.say(f"{outcome.name}: published again: {', '.join(outcome.result.written)}")
        elif not isinstance(outcome.error, Interrupted):
            why = _why(outcome.error, failure)
            first = self.reasons.setdefault(why, outcome.name)
            self.say(f"{outcome.name}: FAILED: {why if first == outcome.name else f'for the same reason as {first}'}")

    def end(self) -> Totals:
        totals = self.totals()
        self.say(_summary(totals))
        return totals


class _Live(_Plain):
    """The same lines, above a table that moves."""

    def __init__(self, survey: Survey, console: Output) -> None:
        super().__init__(survey, console)
        self.live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._table)

    def __enter__(self) -> Self:
        if self.survey.works:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def event(self, event: Event) -> None:
        self.introduce(event)
        self.taken(event)  # the table tells it; the lines are for the outcomes

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, expand=False)
        table.add_column("episode", style="bold", max_width=36, no_wrap=True)
        for stage in STAGES:
            table.add_column(stage, justify="center", min_width=8)
        table.add_column("now", style="dim", no_wrap=True, max_width=40)
        with self.lock:
            lines = [line for line in self.board.lines.values() if not line.closed]
            for line in lines[:_ROWS]:
                table.add_row(escape(line.name), *(_cell(line.stages[name]) for name in STAGES), escape(line.now))
            waiting = self.board.total - len(self.board.lines)
            done = self.board.closed
        elapsed = time.monotonic() - self.begun
        footer = Text(f"{done} of {self.board.total} done, {waiting} waiting, {_seconds(elapsed)}", style="dim")
        return Group(table, footer)


class _Json(_Account):
    """For programs: one object a line; the last one is the run's account."""

    def say(self, event: str, **facts: object) -> None:
        with self.lock:
            write_json({"event": event, **facts}, indent=None)

    def begin(self, shop: Workshop) -> None:
        self.say(
            "run",
            topics=len(self.survey.finished) + len(self.survey.works),
            refused=len(self.survey.refused),
            writer={"engine": shop.writer.name, "why": shop.writer.why},
            voice={"engine": shop.voice.name, "why": shop.voice.why},
            illustrator={"engine": shop.illustrator.name, "why": shop.illustrator.why},
        )
        for refused in self.survey.refused:
            self.say("refused", **error_facts(refused))
            self.log.error("topic_refused", **telemetry.failure(refused))

    def news(self, news: News) -> None:
        if not self.is_new(news):
            return
        facts: dict[str, object] = {"service": news.service, "where": news.where}
        if isinstance(news, Down):
            since, next_try = (at.isoformat(timespec="seconds") for at in (news.since, news.next_try))
            self.say("waiting", **facts, what=news.why, hint=news.hint, since=since, next_try=next_try)
        else:
            self.say("back", **facts, seconds=round(news.after_seconds, 3))

    def event(self, event: Event) -> None:
        self.taken(event)
        if event.kind in {Kind.STARTED, Kind.MADE} and event.step is not None:
            self.say(
                event.kind,
                episode=event.flow,
                stage=stage_of(event.step.place),
                step=event.step.label or event.step.place,
                key=event.step.key,
                **({"seconds": round(event.seconds, 3)} if event.kind is Kind.MADE else {"why": event.why}),
            )

    def outcome(self, outcome: Outcome[Published], failure: Failure | None) -> None:
        self.counted(outcome)
        facts: dict[str, object] = {"episode": outcome.name, "made": outcome.made, "seconds": round(outcome.seconds, 3)}
        if outcome.error is None:
            published = outcome.result
            folder, written = (str(published.folder), list(published.written)) if published is not None else ("", [])
            remark = remark_on(read_manifest(published.folder)) if published is not None else ""
            self.say("done", **facts, folder=folder, written=written, remark=remark)
        elif isinstance(outcome.error, Interrupted):
            self.say("interrupted", **facts)
        else:
            self.say("failed", **facts, **error_facts(outcome.error), answer=failure.answer if failure else "")

    def end(self) -> Totals:
        totals = self.totals()
        self.say(
            "end",
            up_to_date=totals.up_to_date,
            built=totals.built,
            published_again=totals.published,
            failed=totals.failed,
            refused=totals.refused,
            interrupted=totals.interrupted,
            made=totals.made,
            seconds=round(totals.seconds, 3),
        )
        return totals


def error_facts(error: BaseException) -> dict[str, object]:
    """An error as plain facts."""
    if isinstance(error, PipelineError):
        return {"code": error.code, "what": error.what, "where": error.where, "hint": error.hint}
    return {"code": "bug", "what": f"{type(error).__name__}: {error}", "where": "", "hint": "Please report it."}


def _why(error: BaseException, failure: Failure | None) -> str:
    text = str(error) if isinstance(error, PipelineError) else f"a fault in the pipeline itself: {error!r}"
    return f"{text} What it answered is in {failure.answer}." if failure is not None and failure.answer else text


def _briefly(why: str) -> str:
    """The first sentence of a reason, without what stands in brackets at its end; `doctor` and `--json` have it all."""
    return re.sub(r" \([^()]*\)$", "", re.split(r"(?<=[^\d])\. (?=[A-Z])", why, maxsplit=1)[0])


def _cell(stage: Stage) -> Text:
    if stage.wanted == 0:
        return Text("·", style="dim")
    if stage.complete:
        return Text("done", style="green")
    return Text(f"{stage.done}/{stage.wanted}", style="yellow" if stage.running else "dim")


def _summary(totals: Totals) -> str:
    if not (totals.built or totals.published or totals.failed or totals.refused or totals.interrupted):
        count = totals.up_to_date
        return nothing_to_do(count) if count else "Nothing to do: there are no topics in input/."
    parts = []
    if totals.built:
        parts.append(f"{episodes(totals.built)} made")
    if totals.published:
        parts.append(f"{episodes(totals.published)} published again")
    if totals.up_to_date:
        parts.append(f"{totals.up_to_date} up to date")
    if totals.failed:
        parts.append(f"{totals.failed} failed")
    if totals.refused:
        parts.append(f"{totals.refused} refused")
    if totals.interrupted:
        parts.append(f"{totals.interrupted} not finished")
    artifacts = "1 artifact" if totals.made == 1 else f"{totals.made} artifacts"
    return f"{', '.join(parts)}; {artifacts} in {_seconds(totals.seconds)}."


def nothing_to_do(count: int) -> str:
    """What a run and a plan say where all is there."""
    return f"Nothing to do: {episodes(count)} {'is' if count == 1 else 'are'} up to date."


def episodes(count: int) -> str:
    return "1 episode" if count == 1 else f"{count} episodes"


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


__all__ = ["Line", "Screen", "Totals", "episodes", "error_facts", "nothing_to_do", "screen_for"]


def _near(folder: Path) -> str:
    """As it is typed from where the command was called; in a container that is the same as outside."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
