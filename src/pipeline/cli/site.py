"""The command about what stands above the episodes: their page and the podcast feed."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project
from pipeline.errors import SettingsError

commands = typer.Typer()


@commands.command(epilog="Example:  pipeline feed --base-url https://example.org/podcast")
def feed(
    base_url: Annotated[
        str, typer.Option("--base-url", help="Where output/ will lie for the world; else FEED_BASE_URL.", metavar="URL")
    ] = "",
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Write output/feed.xml, index.html and cover.png for where they will be published. Every run does so too."""
    from pipeline import report, site, wiring
    from pipeline.records import Home
    from pipeline.settings import load

    place = find_project(project)
    overrides = {"feed_base_url": base_url} if base_url else {}
    loaded = load(place, os.environ, overrides)
    channel = wiring.channel_of(loaded.settings)
    if fault := site.check_base_url(channel.base_url):
        raise SettingsError([f"{channel.base_url}: {fault}"])
    folders = wiring.folders(place, loaded.settings)
    Home(folders.data / "output.json").check(folders.output)
    done = site.bring_up_to_date(folders.output, channel)
    lasting = load(place, os.environ).settings.feed_base_url if base_url else channel.base_url
    if as_json:
        hidden = {one.slug: one.why for one in done.hidden}
        facts = {
            "feed_url": channel.feed_url,
            "episodes": done.episodes,
            "written": list(done.written),
            "hidden": hidden,
            "remarks": list(done.remarks),
            "until_the_next_run": channel.base_url != lasting,
        }
        typer.echo(json.dumps(facts))
    else:
        noun = "episode" if done.episodes == 1 else "episodes"
        typer.echo(f"{channel.feed_url}: {done.episodes} {noun}; {', '.join(done.written) or 'nothing had changed'}.")
        report.show_site(done)
        if channel.base_url != lasting:
            typer.echo(
                f"The next run writes it for {lasting} again. To keep this address, put it into .env: "
                f"FEED_BASE_URL={channel.base_url}",
                err=True,
            )
    return Status.SOME_FAILED if done.hidden else Status.DONE
