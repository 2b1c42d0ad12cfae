"""The commands about voices."""

from __future__ import annotations

from threading import Event
from typing import Annotated

import typer

from pipeline.cli.models import fetch_named, installation_of
from pipeline.cli.opening import AsJson, Project, Status, find_project, opened, settings_of, stopping

commands = typer.Typer(
    help="The voices that can speak.\n\nExample:  pipeline voices get pt_BR-faber-medium",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("list", epilog="Example:  pipeline voices list --json")
def voices_list(as_json: AsJson = False, project: Project = None) -> int:
    """List the installed voices."""
    from pipeline import report

    with opened(project) as (_, _, shop, _):
        report.show_voices(shop.voice.engine.installed(), as_json=as_json)
        return Status.DONE


@commands.command("get", epilog="Example:  pipeline voices get pt_BR-faber-medium")
def voices_get(
    names: Annotated[list[str], typer.Argument(help="Voices by their Piper name.", metavar="VOICE...")],
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Have voices, as `pipeline models fetch` does: from the lock file's sources, or from Piper's public catalogue."""
    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        return Status.DONE if fetch_named(names, place, loaded, stop, as_json=as_json) else Status.SOME_FAILED


@commands.command("available", epilog="Example:  pipeline voices available pt")
def voices_available(
    language: Annotated[str, typer.Argument(help="Only the voices of this language: en, pt-BR.")] = "",
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """List the voices of Piper's public catalogue; needs the network."""
    from pipeline import report

    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        site = installation_of(place, loaded, stop)
        report.show_catalogue(language, site.tls, stop, site.reached(site.catalogue_url), as_json=as_json)
    return Status.DONE
