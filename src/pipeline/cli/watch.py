"""The command that keeps at it: `pipeline watch`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project, stopping, watched
from pipeline.errors import EngineUnavailable, Interrupted, StoreError

if TYPE_CHECKING:
    from pipeline.watching import Made

commands = typer.Typer()


@commands.command(epilog="Example:  pipeline watch")
def watch(
    check: Annotated[
        bool, typer.Option("--check", help="Say whether a watch is at work here; exit status 0 where it is.")
    ] = False,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Stay, and make what is new whenever input/ or config/ has changed and lies still. Logs to standard error."""
    from pipeline import telemetry, watching, wiring
    from pipeline.settings import load

    place = find_project(project)
    settings = load(place, os.environ).settings
    folders = wiring.folders(place, settings)
    if check:
        return _check(folders.data, as_json=as_json)
    stop = Event()
    log = telemetry.log()
    form = "json" if as_json else settings.log_format
    with watched(place, settings, form=form, service="pipeline-watch"), stopping(stop.set):
        watching.Watch(
            [folders.input, place / settings.config_dir],
            folders.data,
            prove=lambda: _prove(place, stop),
            make=lambda: _make(place, stop),
            log=lambda event, facts: log.info(event, **facts),
            stop=stop,
            seconds=settings.watch_seconds,
            clock=monotonic,
        ).keep_at_it()
    return Status.DONE


def _check(data: Path, *, as_json: bool) -> int:
    from pipeline import watching

    well, said = watching.health(data, datetime.now(UTC))
    typer.echo(json.dumps({"ready": well, "state": said}) if as_json else said)
    return Status.DONE if well else Status.SOME_FAILED


def _prove(place: Path, stop: Event) -> None:
    """Have a word written and a word spoken. Raises PipelineError."""
    from pipeline import wiring
    from pipeline.settings import load

    shop = wiring.workshop(place, load(place, os.environ), stop=stop)
    shop.voice.engine.check()
    shop.writer.engine.check()


def _make(place: Path, stop: Event) -> Made:
    """Make all there is to make, with the settings as they are now; each episode is logged as it ends."""
    from pipeline import site, telemetry, wiring
    from pipeline.settings import load
    from pipeline.watching import Made

    log = telemetry.log()
    loaded = load(place, os.environ)
    studio = wiring.workshop(place, loaded, stop=stop).studio
    survey = studio.rested(studio.survey())
    for refused in survey.refused:
        log.warning("topic_refused", **telemetry.failure(refused))
    made, failed = 0, []
    for outcome in studio.run(survey, lambda _: None):
        if outcome.error is None:
            made += bool(outcome.made)
            if outcome.made:
                seconds = round(outcome.seconds, 3)
                log.info("episode_done", episode=outcome.name, made=outcome.made, seconds=seconds)
        elif not isinstance(outcome.error, Interrupted):
            failed.append(outcome.error)
            log.error("episode_failed", episode=outcome.name, **telemetry.failure(outcome.error))
            if studio.is_set_aside(outcome.name):
                log.error("episode_set_aside", episode=outcome.name, todo=f"pipeline retry {outcome.name}")
    above = site.bring_up_to_date(studio.folders.output, wiring.channel_of(loaded.settings))
    if made or failed:
        for hidden in above.hidden:
            log.warning("episode_not_shown", episode=hidden.slug, what=hidden.why)
        for remark in above.remarks:
            log.warning("site_remark", what=remark)
        log.info("round_done", made=made, failed=len(failed), refused=len(survey.refused))
    return Made(made, len(failed), any(isinstance(error, EngineUnavailable | StoreError) for error in failed))
