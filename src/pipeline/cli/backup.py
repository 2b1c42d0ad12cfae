"""The commands that keep a project safe: `pipeline backup` and `pipeline restore`."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project, settings_of, stopping
from pipeline.errors import Interrupted, SettingsError

if TYPE_CHECKING:
    from pipeline.backup import OpenBackup, Places, Secrets
    from pipeline.settings import Settings

commands = typer.Typer()

# A settings file is a page or two; a larger one is not read to learn where folders are.
_LARGEST_SETTINGS_BYTES = 1 << 20


@commands.command(epilog="Example:  pipeline backup --verify --keep 7")
def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder to write it into; else backups/.", metavar="FOLDER")
    ] = None,
    with_store: Annotated[
        bool, typer.Option("--with-store", help="Take the artifacts in as well, though they can be made again.")
    ] = False,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Take .env in, and settings files with the secrets in them.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read it all back before it gets its name.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, metavar="N", help="Then remove all but the newest N; never the last one that is whole."
        ),
    ] = None,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Keep input, settings, edits, records and episodes in one file. Safe while a run is at work."""
    from pipeline import backup as backups
    from pipeline.digests import Digests
    from pipeline.report import backups as report

    place = find_project(project)
    settings = settings_of(place).settings
    places = _places(place, settings)
    into = place / "backups" if to is None else to.absolute()
    stop = Event()
    with stopping(stop.set), report.meter(stop, shown=not as_json) as progress:
        made = backups.make_backup(
            places,
            into,
            wanted=backups.Wanted(store=with_store, secrets=with_secrets),
            secret=_secrets_of(settings),
            models=backups.Models(
                place / settings.voices_dir, settings.ollama_model, Digests(places.data / "digests.json")
            ),
            verify=verify,
            now=datetime.now(UTC),
            pause=_pause(stop),
            progress=progress,
        )
        kept = None
        if keep is not None:
            kept = backups.keep(into, keep, just_made=made.path, known_whole=verify, progress=progress)
    report.show_backup(made, kept, as_json=as_json)
    return Status.SOME_FAILED if made.manifest.left_out or (kept and kept.damaged) else Status.DONE


@commands.command(epilog="Example:  pipeline restore backups/pipeline-20260101T030000Z.tar")
def restore(
    file: Annotated[
        Path | None,
        typer.Argument(help="The backup. Without one, a restore that was cut off is finished.", metavar="[FILE]"),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what is there aside, and say where; nothing is deleted.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="PART", help="Only this: input, config/prompts, output/EPISODE. May be repeated."
        ),
    ] = None,
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="Bring .env back as well.")] = False,
    list_it: Annotated[bool, typer.Option("--list", help="Say what the backup holds. Writes nothing.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read all of the backup. Writes nothing.")] = False,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Bring a backup back. All of it is verified before anything is written; what is there is never overwritten."""
    from pipeline import backup as backups
    from pipeline.report import backups as report

    stop = Event()
    if file is None:
        done = backups.finish_interrupted(_places(*_here(project)))
        if done is None:
            raise typer.BadParameter("name a backup: pipeline restore backups/pipeline-….tar")
        report.show_restored(done, None, as_json=as_json)
        return Status.DONE
    with backups.open_backup(file) as opened:
        if list_it:
            report.show_contents(opened.manifest, as_json=as_json)
            return Status.DONE
        with stopping(stop.set), report.meter(stop, shown=not as_json) as progress:
            if verify:
                opened.verify(progress("verifying", opened.manifest.payload_bytes))
                report.show_verified(opened, as_json=as_json)
                return Status.DONE
            place, settings = _here(project)
            places = _places(place, settings, _settings_in(opened, place) if not only else settings)
            done = backups.restore(
                opened,
                places,
                replace=replace,
                only=only or (),
                with_secrets=with_secrets,
                now=datetime.now(UTC),
                progress=progress,
            )
        report.show_restored(done, places, as_json=as_json)
    return Status.DONE


def _here(given: Path | None) -> tuple[Path, Settings]:
    """The project to restore into: as for every command, and where all of it is gone, the folder we stand in."""
    try:
        place = find_project(given)
    except SettingsError:
        if given is not None:
            raise
        place = Path.cwd()
    return place, settings_of(place).settings


def _settings_in(opened: OpenBackup, place: Path) -> Settings | None:
    """The settings as they will be once the backup's own settings file is back: they say where other folders are."""
    from pipeline.settings import load

    toml = opened.read("config/pipeline.toml", limit_bytes=_LARGEST_SETTINGS_BYTES)
    if toml is None:
        return None
    with TemporaryDirectory() as folder:
        (Path(folder) / "pipeline.toml").write_bytes(toml)
        try:
            return load(place, os.environ, {"config_dir": folder}).settings
        except SettingsError:
            return None  # it was written for another version; the folders are then where they are now


def _places(place: Path, settings: Settings, folders: Settings | None = None) -> Places:
    """Where everything is; `folders` tells of all but the configuration itself."""
    from pipeline.backup import Places

    told = folders or settings
    return Places(
        project=place,
        input=place / told.input_dir,
        config=place / settings.config_dir,
        output=place / told.output_dir,
        data=place / told.data_dir,
    )


def _secrets_of(settings: Settings) -> Secrets:
    """What is secret by its type, wherever its value was written."""
    from pipeline.backup import Secrets
    from pipeline.settings.facts import all_facts

    names = [facts.name for facts in all_facts().values() if facts.secret]
    held = [value for name in names if (value := getattr(settings, name)) is not None]
    return Secrets(names, [value.get_secret_value() for value in held])


def _pause(stop: Event) -> Callable[[float], None]:
    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Interrupted

    return pause
