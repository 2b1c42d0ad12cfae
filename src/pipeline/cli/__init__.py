"""The commands: what a person types, what they see, and how it ends.

Exit statuses: 0 all built, 1 some topic failed, 2 unusable settings or arguments, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, TextIO

import typer

from pipeline import __version__
from pipeline.cli import backup, export, making, mcp, models, serve, site, upkeep, voices, watch
from pipeline.cli.opening import Status
from pipeline.errors import Interrupted, PipelineError, SettingsError
from pipeline.files import named

app = typer.Typer(
    name="pipeline",
    help="Topic files in `input/`, narrated episodes in `output/`: a build system for media.\n\n"
    "Example:  pipeline plan   then   pipeline run",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

GROUPS: tuple[tuple[str, typer.Typer], ...] = (
    ("", making.commands),
    ("", watch.commands),
    ("", serve.commands),
    ("", mcp.commands),
    ("", site.commands),
    ("", export.commands),
    ("", backup.commands),
    ("", upkeep.commands),
    ("voices", voices.commands),
    ("models", models.commands),
)
"""Every group of commands under its name; without one, its commands stand at the top."""

for _name, _group in GROUPS:
    app.add_typer(_group, name=_name or None)


def _show_version(asked: bool) -> None:  # typer gives an option's value so
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # its callback does all there is to do
        bool, typer.Option("--version", help="Print the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before any command."""


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; every error ends here, said once."""
    _have_streams()
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
        _hush(sys.stdout)
        return Status.DONE
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except Exception as error:  # noqa: BLE001  # the last resort: said as what it is, with everything needed to mend it
        failure = named(error)
        if isinstance(failure, PipelineError):
            return _failed(failure, Status.SOME_FAILED)
        return _wrong_usage(error) or _bug(error)


def _have_streams() -> None:
    """Where a standard stream was closed before we began (`2>&-`), what would go there goes nowhere: else the next file
    that is opened had its number, and got what libraries write to it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    # For as long as the process lasts, and so without a warning that they are not closed.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _hush(stream: TextIO) -> None:
    from pipeline.report.output import hush

    hush(stream)


def _failed(error: PipelineError, status: Status) -> int:
    from pipeline.report.called import as_typed

    try:
        typer.echo(as_typed(f"pipeline: {error}"), err=True)
    except OSError:  # whoever read it is gone, and the status says what it can
        _hush(sys.stderr)
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
