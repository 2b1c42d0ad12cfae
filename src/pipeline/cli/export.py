"""The command that takes episodes elsewhere: `pipeline export`."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project, settings_of, stopping

if TYPE_CHECKING:
    from pipeline.exports import Exported

commands = typer.Typer()


@commands.command(epilog="Example:  pipeline export why-the-sky-is-blue --format m4b,opus --to ~/Audiobooks")
def export(
    to: Annotated[
        Path, typer.Option("--to", help="The folder to write into; made where there is none.", metavar="FOLDER")
    ],
    episodes: Annotated[
        list[str] | None, typer.Argument(help="Episode names: their folders in output/.", metavar="[EPISODE]...")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every episode there is.")] = False,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="KIND,...", help="Sound: m4b (chapters, for audiobook players), mp3, opus, flac."
        ),
    ] = None,
    pack: Annotated[bool, typer.Option("--pack", help="All files of an episode, in one ZIP each.")] = False,
    unzipped: Annotated[bool, typer.Option("--unzipped", help="With --pack: a folder each, no ZIP.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over files of these names that were not made here.")
    ] = False,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Take finished episodes elsewhere: other kinds of sound, or all files of an episode in a ZIP."""
    kinds = _kinds(form or [])
    if bool(kinds) == pack:
        example = " ".join(["pipeline export", "--all" if all_ else episodes[0] if episodes else "EPISODE"])
        raise typer.BadParameter(
            f"say what to make, either a kind of sound ({example} --format m4b --to {to}) or all files in a ZIP "
            f"({example} --pack --to {to}). Kinds: m4b, mp3, opus, flac"
        )
    if unzipped and not pack:
        raise typer.BadParameter("--unzipped goes with --pack")
    if bool(episodes) == all_:
        raise typer.BadParameter("name the episodes, or say --all")

    from pipeline import exports, wiring
    from pipeline.report import exports as report
    from pipeline.report.backups import meter
    from pipeline.settings import at_home

    place = find_project(project)
    settings = settings_of(place).settings
    folders = wiring.folders(place, settings)
    output = folders.output
    try:
        folder = at_home(str(to)).absolute()
    except ValueError as error:
        raise typer.BadParameter(f"--to {error}") from error
    taken = {
        folders.output: "where the episodes themselves are",
        folders.input: "where everything is a topic",
        folders.data: "where the pipeline keeps what it has made",
        place / settings.config_dir: "where the settings are",
    }
    for own, why in taken.items():
        if folder.resolve().is_relative_to(own.resolve()):
            raise typer.BadParameter(f"--to {to} is inside {own}, {why}; choose another folder")
    channel = wiring.channel_of(settings)
    wish = exports.Wish(
        sounds=kinds,
        pack="" if not pack else "folder" if unzipped else "zip",
        artist=channel.author or channel.title,
        album=channel.title,
        force=force,
    )
    slugs = exports.found(output) if all_ else tuple(dict.fromkeys(episodes or ()))
    stop = Event()
    done: list[Exported] = []
    try:
        with stopping(stop.set), meter(stop, shown=not as_json) as progress:
            for one in exports.export(output, slugs, folder, wish, now=time.time(), show=progress):
                done.append(one)  # noqa: PERF402  # one by one: what is finished is told, whatever comes then
    finally:
        report.show_exports(done, folder, as_json=as_json)
    return Status.DONE if all(one.whole for one in done) else Status.SOME_FAILED


def _kinds(given: list[str]) -> tuple[str, ...]:
    """The kinds of sound that `--format` names, each once, however it was given."""
    from pipeline.exports.names import SOUNDS

    kinds = tuple(dict.fromkeys(kind.strip().lower() for one in given for kind in one.split(",") if kind.strip()))
    for kind in kinds:
        if kind not in SOUNDS:
            raise typer.BadParameter(f"--format {kind}: there are {', '.join(SOUNDS)}")
    return kinds
