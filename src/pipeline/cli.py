"""The commands: what a person types, what they see, and how it ends.

Exit statuses: 0 all built, 1 some topic failed, 2 unusable settings or arguments, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from io import TextIOWrapper
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import __version__
from pipeline.errors import EngineError, InputError, Interrupted, PipelineError, SettingsError

if TYPE_CHECKING:  # these cost a tenth of a second each, and `--help` needs none of them
    from pipeline.settings import Loaded
    from pipeline.wiring import Workshop


class Status(IntEnum):
    """How a command ends, for the shell that called it."""

    DONE = 0
    SOME_FAILED = 1
    UNUSABLE = 2
    INTERRUPTED = 130


app = typer.Typer(
    name="pipeline",
    help="Topic files in `input/`, narrated episodes in `output/`: a build system for media.\n\n"
    "Example:  pipeline plan   then   pipeline run",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[
    bool, typer.Option("--json", help="Machine-readable: JSON on standard output, one value or one event a line.")
]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project", help="The project's folder; else the nearest one above with a config/ folder.", metavar="FOLDER"
    ),
]


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; every error ends here, said once."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a sign is shown its number, and nothing fails for it.
            stream.reconfigure(errors="backslashreplace")
    try:
        result = app(args=list(arguments), standalone_mode=False)
        return int(result) if isinstance(result, int) else Status.DONE
    except SettingsError as error:
        return _failed(error, Status.UNUSABLE)
    except Interrupted as error:
        return _failed(error, Status.INTERRUPTED)
    except PipelineError as error:
        return _failed(error, Status.SOME_FAILED)
    except BrokenPipeError:  # typer's own output; ours is hushed in `report.output`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.DONE
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except Exception as error:  # noqa: BLE001  # the last resort: said as what it is, with everything needed to mend it
        return _wrong_usage(error) or _bug(error)


def _failed(error: PipelineError, status: Status) -> int:
    typer.echo(f"pipeline: {error}", err=True)
    return status


def _wrong_usage(error: Exception) -> int:
    """Typer's own errors know how to show themselves; 0 for anything else."""
    show = getattr(error, "show", None)
    if show is None:
        return 0
    show()
    return Status.UNUSABLE


def _bug(error: Exception) -> int:
    traceback.print_exception(error)
    typer.echo(
        f"pipeline: a fault in the pipeline itself ({type(error).__name__}). Nothing finished is lost. "
        f"Please report it with the lines above; this is version {__version__}.",
        err=True,
    )
    return Status.SOME_FAILED


# -- making ------------------------------------------------------------------------------------------------------


@app.command(epilog="Example:  pipeline run --json | jq .")
def run(
    only: Annotated[
        list[str] | None, typer.Argument(help="Make only these: episode names or topic files.", metavar="[EPISODE]...")
    ] = None,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Make every episode that is not up to date."""
    from pipeline import report

    with _opened(project) as (place, loaded, shop, stop):
        studio = shop.studio
        survey = report.narrowed(studio.survey(), only or [])
        screen = report.screen_for(survey, as_json=as_json)
        screen.begin(shop)
        with _stopping(studio.interrupt), screen:
            for outcome in studio.run(survey, screen.event):
                screen.outcome(outcome, studio.failures.of(outcome.name))
        totals = screen.end()
        del place, loaded
        if stop.is_set():
            raise Interrupted
        return Status.SOME_FAILED if totals.failed else Status.DONE


@app.command(epilog="Example:  pipeline plan --json | jq '.episodes[].make'")
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

    with _opened(project) as (_, _, shop, _):
        drawn = shop.studio.plan(report.narrowed(shop.studio.survey(), only or []))
        report.show_plan(drawn, shop, as_json=as_json)
        return Status.SOME_FAILED if drawn.refused or any(episode.error for episode in drawn.episodes) else Status.DONE


@app.command(epilog="Example:  pipeline status")
def status(as_json: AsJson = False, project: Project = None) -> int:
    """Say how every episode stands: finished, to be made, edited by hand, failed and why."""
    from pipeline import report

    with _opened(project) as (_, _, shop, _):
        return report.show_status(shop.studio, as_json=as_json)


@app.command(epilog="Example:  pipeline verify && echo every file is as its manifest says")
def verify(as_json: AsJson = False, project: Project = None) -> int:
    """Read every published file and compare it with its episode's manifest."""
    from pipeline import report

    with _opened(project) as (_, _, shop, _):
        return report.show_verification(shop.studio, as_json=as_json)


@app.command(epilog="Example:  pipeline rewrite how-lighthouses-work")
def rewrite(
    episode: Annotated[str, typer.Argument(help="The episode's name: its folder in output/.")],
    project: Project = None,
) -> int:
    """Give up an edit by hand: the next run writes that script anew. The edit is put aside, not deleted."""
    with _opened(project) as (_, _, shop, _):
        kept = shop.studio.rewrite(episode)
        if kept is None:
            raise InputError(
                f"the script of {episode!r} was not edited by hand",
                hint="`pipeline status` shows which were.",
            )
        typer.echo(f"The next run writes {episode} anew. Your edit lies in {kept}.")
        return Status.DONE


@app.command(epilog="Example:  pipeline clean")
def clean(as_json: AsJson = False, project: Project = None) -> int:
    """Drop artifacts that no current topic needs. Never touches input/, output/ or edits by hand."""
    with _opened(project) as (_, _, shop, _):
        count, freed = shop.studio.clean()
        if as_json:
            typer.echo(json.dumps({"artifacts": count, "bytes": freed}))
        else:
            typer.echo(f"{count} artifacts dropped, {freed / 1e6:.1f} MB freed." if count else "Nothing to drop.")
        return Status.DONE


# -- looking after it --------------------------------------------------------------------------------------------


@app.command(epilog="Example:  pipeline doctor --json")
def doctor(as_json: AsJson = False, project: Project = None) -> int:
    """Check that everything can do its work: settings, folders, and each engine by having it produce something."""
    from pipeline import doctor as clinic
    from pipeline import report

    place = find_project(project)
    findings = clinic.examine(place, dict(os.environ))
    report.show_findings(findings, as_json=as_json)
    return Status.SOME_FAILED if any(finding.bad for finding in findings) else Status.DONE


@app.command(epilog="Example:  VOICE=en_GB-alan-medium pipeline settings")
def settings(
    as_json: AsJson = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write .env.example and docs/reference/settings.md anew.")
    ] = False,
    project: Project = None,
) -> int:
    """Show every setting, its value and where it comes from. Secrets are masked."""
    from pipeline import report
    from pipeline.files import write_whole
    from pipeline.settings import load
    from pipeline.settings import write_docs as write

    place = find_project(project)
    loaded = load(place, os.environ)
    if write_docs:
        write(place)
        write_whole(place / "docs" / "reference" / "commands.md", commands_reference().encode())
    report.show_settings(loaded, as_json=as_json)
    return Status.DONE


voices_app = typer.Typer(
    help="The voices that can speak.\n\nExample:  pipeline voices get pt_BR-faber-medium",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(voices_app, name="voices")


@voices_app.command("list", epilog="Example:  pipeline voices list --json")
def voices_list(as_json: AsJson = False, project: Project = None) -> int:
    """List the installed voices."""
    from pipeline import report

    with _opened(project) as (_, _, shop, _):
        report.show_voices(shop.voice.engine.installed(), as_json=as_json)
        return Status.DONE


@voices_app.command("get", epilog="Example:  pipeline voices get pt_BR-faber-medium")
def voices_get(
    names: Annotated[list[str], typer.Argument(help="Voices by their Piper name.", metavar="VOICE...")],
    project: Project = None,
) -> int:
    """Fetch voices from Piper's public catalogue; needs the network. Checked, resumed after a cut."""
    from pipeline import report, wiring

    place = find_project(project)
    loaded = _settings(place)
    stop = Event()
    with _stopping(stop.set):
        for name in names:
            report.fetch_voice(name, place / loaded.settings.voices_dir, wiring.tls_of(loaded.settings), stop)
    return Status.DONE


@voices_app.command("available", epilog="Example:  pipeline voices available pt")
def voices_available(
    language: Annotated[str, typer.Argument(help="Only the voices of this language: en, pt-BR.")] = "",
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """List the voices of Piper's public catalogue; needs the network."""
    from pipeline import report, wiring

    place = find_project(project)
    loaded = _settings(place)
    stop = Event()
    with _stopping(stop.set):
        report.show_catalogue(language, wiring.tls_of(loaded.settings), stop, as_json=as_json)
    return Status.DONE


@app.command(epilog="Example:  pipeline version")
def version() -> int:
    """Print the version."""
    typer.echo(__version__)
    return Status.DONE


def commands_reference() -> str:
    """The page of all commands, from what they say of themselves."""
    lines = [
        "# Commands",
        "",
        "Made by `pipeline settings --write-docs` from the commands themselves. Every command also has `--help` and",
        "`--project FOLDER`. Exit status: 0 all built, 1 some topic failed, 2 unusable settings or arguments,",
        "130 interrupted.",
    ]
    for prefix, commands in (
        ("pipeline", app.registered_commands),
        ("pipeline voices", voices_app.registered_commands),
    ):
        for command in commands:
            called = command.callback
            about = (called.__doc__ or "").strip() if called is not None else ""
            name = command.name or (called.__name__ if called is not None else "")
            example = (command.epilog or "").removeprefix("Example:").strip()
            lines += ["", f"## {prefix} {name}", "", about, "", "```sh", example, "```"]
    return "\n".join(lines) + "\n"


# -- opening a project -------------------------------------------------------------------------------------------


def find_project(given: Path | None) -> Path:
    """The project's folder: the one given, else the nearest one above that holds `config/`. Raises SettingsError."""
    if given is not None:
        if not given.is_dir():
            raise SettingsError([f"--project {given}: there is no such folder"])
        return given.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "config").is_dir() and (folder / "input").is_dir():
            return folder
    raise SettingsError(
        [f"{here}: no project here or above (a folder with config/ and input/)"],
        hint="Go to the project's folder, or name it: --project FOLDER.",
    )


def _settings(place: Path) -> Loaded:
    from pipeline import telemetry
    from pipeline.settings import load

    loaded = load(place, os.environ)
    chosen = loaded.settings
    # A person who reads text sees the run itself, failures and all; its log is for those who ask for one.
    unasked = chosen.log_format == "text" and loaded.origins["log_level"] == "default"
    telemetry.configure(form=chosen.log_format, level="critical" if unasked else chosen.log_level)
    return loaded


@contextmanager
def _opened(project: Path | None) -> Iterator[tuple[Path, Loaded, Workshop, Event]]:
    """A project with its settings read and its engines chosen."""
    place = find_project(project)
    loaded = _settings(place)
    from pipeline import wiring

    stop = Event()
    try:
        yield place, loaded, wiring.workshop(place, loaded, stop=stop), stop
    except EngineError:
        if stop.is_set():
            raise Interrupted from None
        raise


@contextmanager
def _stopping(stop: object) -> Iterator[None]:
    """While it lasts, the first Ctrl-C or SIGTERM stops what runs in good order, the second at once."""
    asked = 0

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(Status.INTERRUPTED)
        os.write(2, b"\npipeline: stopping; what is being made is finished first (again to stop at once)\n")
        stop()  # type: ignore[operator]
        del number

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
