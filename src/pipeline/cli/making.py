"""The commands that make episodes, and that say what would be made and how everything stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.figures import figures
from pipeline.cli.opening import AsJson, Project, Status, opened, stopping
from pipeline.errors import Interrupted, NotKept

if TYPE_CHECKING:
    from pipeline.build.runner import Event

commands = typer.Typer()


@commands.command(epilog="Example:  pipeline run --json | jq .")
def run(
    only: Annotated[
        list[str] | None, typer.Argument(help="Make only these: episode names or topic files.", metavar="[EPISODE]...")
    ] = None,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Make every episode that is not up to date.

    With --json, the first line says how many `topics` the run is for and how many are `refused`; in the last one
    `up_to_date`, `built`, `published_again`, `failed` and `interrupted` add up to those topics.
    """
    from pipeline import report, site, watching, wiring

    with (
        opened(project) as (_, loaded, shop, stop),
        watching.giving_notice(shop.studio.folders.data),
        figures(loaded.settings.metrics_textfile, shop.studio.folders) as counted,
    ):
        studio = shop.studio
        survey = report.narrowed(studio.survey(), only or [])
        screen = report.screen_for(survey, as_json=as_json)
        screen.begin(shop)
        counted.begin(survey)

        def take(event: Event) -> None:
            counted.event(event)
            screen.event(event)

        forgotten: NotKept | None = None
        with stopping(studio.interrupt), shop.outages.told_to(screen.news), screen:
            try:
                for outcome in studio.run(survey, take):
                    counted.outcome(outcome)
                    screen.outcome(outcome, studio.failures.of(outcome.name))
            except NotKept as error:  # after the last of them
                forgotten = error
        totals = screen.end()
        report.show_site(site.bring_up_to_date(studio.folders.output, wiring.channel_of(loaded.settings)))
        if stop.is_set():
            raise Interrupted
        if forgotten is not None:
            raise forgotten
        counted.status = Status.SOME_FAILED if totals.failed or totals.refused else Status.DONE
        return counted.status


@commands.command(epilog="Example:  pipeline plan --json | jq '.episodes[].make'")
def plan(
    only: Annotated[
        list[str] | None,
        typer.Argument(help="Look only at these: episode names or topic files.", metavar="[EPISODE]..."),
    ] = None,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Say what would be made, why, and how long it would take. Makes nothing."""
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        drawn = shop.studio.plan(report.narrowed(shop.studio.survey(), only or []))
        report.show_plan(drawn, shop, as_json=as_json)
        return Status.SOME_FAILED if drawn.refused or any(episode.error for episode in drawn.episodes) else Status.DONE


@commands.command(epilog="Example:  pipeline status")
def status(as_json: AsJson = False, project: Project = None) -> int:
    """Say how every episode stands: finished, to be made, edited by hand, failed and why."""
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        return report.show_status(shop.studio, as_json=as_json)


@commands.command(epilog="Example:  pipeline verify && echo every file is as its manifest says")
def verify(as_json: AsJson = False, project: Project = None) -> int:
    """Read every published file and compare it with its episode's manifest, and that with what was published.

    Finds every changed, damaged or missing file, the manifest too, and says what brings it back. Changes nothing.
    """
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        return report.show_verification(shop.studio, as_json=as_json)


@commands.command(epilog="Example:  pipeline rewrite why-the-sky-is-blue")
def rewrite(
    episode: Annotated[str, typer.Argument(help="The episode's name: its folder in output/.")],
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Give up an edit by hand: the next run puts the topic's own script in its place. The edit is put aside, not
    deleted.

    The script as the model wrote it comes back where it is still kept; else it is written anew.
    """
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        report.show_rewritten(episode, shop.studio.rewrite(episode), as_json=as_json)
        return Status.DONE


@commands.command(epilog="Example:  pipeline retry why-the-sky-is-blue")
def retry(
    episodes: Annotated[
        list[str] | None,
        typer.Argument(help="The episodes' names, as `pipeline status` has them.", metavar="EPISODE..."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every episode that is set aside.")] = False,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Have the next run try again what was set aside, because it failed too often or took its process down.

    A topic that has changed is tried again without this.
    """
    from pipeline import report

    if bool(episodes) == everything:
        raise typer.BadParameter("name the episodes, or give --all")
    with opened(project) as (_, _, shop, _):
        report.show_retried(shop.studio.retry(episodes or ()), as_json=as_json)
        return Status.DONE


@commands.command(epilog="Example:  pipeline clean")
def clean(as_json: AsJson = False, project: Project = None) -> int:
    """Drop artifacts that no current topic needs. Never touches input/, output/ or edits by hand.

    What was made within the last hour stays: another run may be about to use it.
    """
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        report.show_cleaned(*shop.studio.clean(), as_json=as_json)
        return Status.DONE
