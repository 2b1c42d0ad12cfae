"""What every command shares: how it ends, its common options, and a project opened for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import EngineError, Interrupted, SettingsError

if TYPE_CHECKING:  # these cost a tenth of a second each, and `--help` needs none of them
    from pipeline.settings import Loaded, Settings
    from pipeline.telemetry.log_file import LogFile
    from pipeline.wiring import Workshop


class Status(IntEnum):
    """How a command ends, for the shell that called it."""

    DONE = 0
    SOME_FAILED = 1
    UNUSABLE = 2
    INTERRUPTED = 130


AsJson = Annotated[
    bool, typer.Option("--json", help="Machine-readable: JSON on standard output, one value or one event a line.")
]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project", help="The project's folder; else the nearest one above with a config/ folder.", metavar="FOLDER"
    ),
]


def find_project(given: Path | None) -> Path:
    """The project's folder: the one given, else the nearest one above that holds `config/`. Raises SettingsError."""
    try:
        here = Path.cwd()
    except OSError as error:
        if given is None or not given.is_absolute():
            raise SettingsError(
                ["the folder that this was called in is not there any more"],
                hint="Go to the project's folder, or name it in full: --project /…",
            ) from error
        here = given
        os.chdir("/")  # what asks for the folder it is in is told one
    if given is not None:
        if not given.is_dir():
            raise SettingsError([f"--project {given}: there is no such folder"])
        return given.resolve()
    for folder in (here, *here.parents):
        if (folder / "config").is_dir() and (folder / "input").is_dir():
            return folder
    raise SettingsError(
        [f"{here}: no project here or above (a folder with config/ and input/)"],
        hint="Go to the project's folder, or name it: --project FOLDER.",
    )


def settings_of(place: Path) -> Loaded:
    from pipeline import telemetry
    from pipeline.settings import load

    loaded = load(place, os.environ)
    chosen = loaded.settings
    # A person who reads text sees the run itself, failures and all; its log is for those who ask for one.
    unasked = chosen.log_format == "text" and loaded.origins["log_level"] == "default"
    file = _log_file(place, chosen)
    level = "critical" if unasked and file is None else chosen.log_level
    screen_level = "critical" if unasked else None
    telemetry.configure(form=chosen.log_format, level=level, screen_level=screen_level, file=file)
    return loaded


def watched(place: Path, settings: Settings, *, form: str, service: str) -> AbstractContextManager[None]:
    """While it lasts, a command that stays logs and sends traces as the settings say. Raises SettingsError."""
    from pipeline import telemetry

    telemetry.configure(form=form, level=settings.log_level, file=_log_file(place, settings))
    return traced(settings, service=service)


@contextmanager
def traced(settings: Settings, *, service: str) -> Iterator[None]:
    """While it lasts, spans are sent where the settings say; nowhere else. Raises SettingsError."""
    from pipeline.telemetry import traces

    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        yield
        return
    from pipeline import __version__, wiring
    from pipeline.net.session import open_session

    with open_session(wiring.tls_of(settings), connections=1) as session:
        traces.configure(endpoint, service=service, version=__version__, session=session)
        try:
            yield
        finally:
            traces.end()


def _log_file(place: Path, settings: Settings) -> LogFile | None:
    from pipeline.telemetry.log_file import LogFile

    if settings.log_file is None:
        return None
    most_bytes = int(settings.log_file_megabytes * 1_000_000)
    return LogFile(place / settings.log_file, most_bytes=most_bytes, kept=settings.log_files_kept)


@contextmanager
def opened(project: Path | None) -> Iterator[tuple[Path, Loaded, Workshop, Event]]:
    """A project with its settings read and its engines chosen."""
    place = find_project(project)
    loaded = settings_of(place)
    from pipeline import wiring

    stop = Event()
    try:
        with traced(loaded.settings, service="pipeline"):
            yield place, loaded, wiring.workshop(place, loaded, stop=stop), stop
    except EngineError:
        if stop.is_set():
            raise Interrupted from None
        raise


@contextmanager
def stopping(stop: object) -> Iterator[None]:
    """While it lasts, the first Ctrl-C or SIGTERM stops what runs in good order, the second at once."""
    asked = 0

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(Status.INTERRUPTED)
        stop()  # type: ignore[operator]
        with suppress(OSError):  # whoever read it is gone, perhaps by the same Ctrl-C
            os.write(2, b"\npipeline: stopping; what is finished is kept, and the next run goes on (again: at once)\n")
        del number

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
