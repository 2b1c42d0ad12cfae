"""The command that keeps at it and answers: `pipeline serve`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project, watched
from pipeline.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from pipeline.service.app import Service
    from pipeline.service.guard import Guard
    from pipeline.settings import Settings

commands = typer.Typer()

# What the extra `service` brings and nothing works without.
_NEEDED = ("fastapi", "uvicorn")
_CHECK_SECONDS = 3.0


@commands.command(epilog="Example:  pipeline serve --port 8080")
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; else the setting service_host.")] = "",
    port: Annotated[int, typer.Option(help="The port; else the setting service_port.", min=-1, max=65_535)] = -1,
    check: Annotated[
        bool, typer.Option("--check", help="Say whether a service is at work here and answers; exit status 0 if so.")
    ] = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write the reference of API, metrics and log anew and end.")
    ] = False,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Stay, make what is new as `pipeline watch` does, and answer over HTTP: topics, episodes, events, metrics.

    Listens on this machine alone unless it is told otherwise, and then asks every caller for the service_token.
    """
    from pipeline import wiring
    from pipeline.settings import load

    place = find_project(project)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise SettingsError([f"not installed: {', '.join(missing)}"], hint="pip install 'media-pipeline[service]'")
    overrides: dict[str, object] = {}
    if host:
        overrides["service_host"] = host
    if port >= 0:
        overrides["service_port"] = port
    settings = load(place, os.environ, overrides).settings
    if check:
        return _check(wiring.folders(place, settings).data, settings.service_port, as_json=as_json)
    guard = _guard(settings)
    from pipeline.cli.serving import served
    from pipeline.service.app import make_service
    from pipeline.service.serving import listen
    from pipeline.service.serving import serve as answer

    service = make_service(served(place, settings), guard, grace_seconds=settings.service_grace_seconds)
    if write_docs:
        _write_docs(place / "docs" / "reference", service)
        return Status.DONE

    def told(address: str) -> None:
        if as_json:
            typer.echo(json.dumps({"listening": address}))
        elif settings.log_format == "text":  # else programs read what is said here, and the log says it
            typer.echo(f"Listening at {address}; Ctrl-C ends it.")

    form = "json" if as_json else settings.log_format
    with watched(place, settings, form=form, service="pipeline-serve"):
        listening = listen(settings.service_host, settings.service_port)
        answer(service, listening, grace_seconds=settings.service_grace_seconds, told=told)
    return Status.DONE


def _check(data: Path, port: int, *, as_json: bool) -> int:
    """Whether it has had a word written and a word spoken, still turns its rounds, and answers on its port."""
    from pipeline import watching
    from pipeline.net.border import Timeouts
    from pipeline.net.session import Service
    from pipeline.net.tls import Tls

    well, said = watching.health(data, datetime.now(UTC))
    if well:
        bounds = Timeouts(connect=_CHECK_SECONDS, read=_CHECK_SECONDS, total=_CHECK_SECONDS)
        itself = Service("the service", f"http://127.0.0.1:{port}", tls=Tls(), timeouts=bounds, connections=1)
        try:
            well = itself.ask("GET", "/health").ok
        except EngineError as error:
            well = False
            said = f"{said}, but does not answer: {error}"
    typer.echo(json.dumps({"ready": well, "state": said}) if as_json else said)
    return Status.DONE if well else Status.SOME_FAILED


def _write_docs(folder: Path, service: Service) -> None:
    from pipeline.files import write_whole
    from pipeline.metrics.reference import page as metrics
    from pipeline.service.reference import page as api
    from pipeline.telemetry import events

    pages = {
        "api.md": api(service.api.openapi()),
        "metrics.md": metrics(),
        "logs.md": events.page(),
        "logs.schema.json": json.dumps(events.schema(), indent=2, ensure_ascii=False) + "\n",
    }
    for name, text in pages.items():
        write_whole(folder / name, text.encode())


def _guard(settings: Settings) -> Guard:
    """Raises SettingsError where everybody could reach it."""
    from pipeline.service.guard import Guard, hosts_of, is_loopback

    closed = is_loopback(settings.service_host) or settings.service_network_is_private
    if settings.service_token is None and not closed:
        raise SettingsError(
            [f"service_token: not set, and {settings.service_host} can be reached from other machines"],
            hint="Set SERVICE_TOKEN to 16 or more random letters, or listen on 127.0.0.1.",
        )
    token = settings.service_token.get_secret_value() if settings.service_token is not None else None
    return Guard(hosts_of(settings.service_host, filter(None, settings.service_hosts.split(","))), token)
