"""The command that assistants start: `pipeline mcp`."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Annotated

import typer

from pipeline.cli.opening import Project, Status, find_project, watched
from pipeline.errors import SettingsError

commands = typer.Typer()


@commands.command(epilog="Example:  claude mcp add media-pipeline -- pipeline mcp --project ~/media")
def mcp(
    makes: Annotated[
        bool, typer.Option("--make/--leave-making", help="Make episodes where nobody else does, or leave it to others.")
    ] = True,
    project: Project = None,
) -> int:
    """Answer an assistant over standard input and output, by the Model Context Protocol: make episodes, follow them,
    read and edit scripts.

    It is started by the assistant, not by hand. Beside `pipeline serve` or `watch` it leaves the making to them.
    """
    from pipeline.settings import load

    place = find_project(project)
    if find_spec("mcp") is None:
        raise SettingsError(["not installed: mcp"], hint="pip install 'media-pipeline[mcp]'")
    settings = load(place, os.environ).settings
    from pipeline.cli.serving import served
    from pipeline.report.output import hush
    from pipeline.service.assistant import make_server
    from pipeline.service.house import house_of

    house = house_of(served(place, settings))
    # Standard output is the protocol's; the log goes to standard error.
    with watched(place, settings, form="json", service="assistant"):
        try:
            make_server(house, makes=makes).run("stdio")
        except* BrokenPipeError:
            hush()  # the assistant is gone, as assistants go
        finally:
            house.maker.stop()
            house.maker.wait(settings.service_grace_seconds)
    return Status.DONE
