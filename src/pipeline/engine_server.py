"""How a server in an engine's container starts, stops, and says whether it is ready: for speech as for pictures."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline import __version__, telemetry
from pipeline.errors import SettingsError
from pipeline.telemetry import traces

if TYPE_CHECKING:
    from fastapi import FastAPI

_CHECK_SECONDS = 5.0
# Where a server listens that is asked from everywhere: no address to connect to.
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # nosec B104  # to compare with


class Served(Protocol):
    """The settings that every server has."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def grace_seconds(self) -> float: ...
    @property
    def log_format(self) -> str: ...
    @property
    def log_level(self) -> str: ...


S = TypeVar("S", bound=Served)


@dataclass(frozen=True, slots=True)
class Program:
    """A server's command, for people."""

    name: str
    about: str
    extra: str
    """What of this package's extras it needs, and the modules that come with it."""
    modules: tuple[str, ...]

    def told(self, what: str, status: int) -> int:
        sys.stderr.write(f"{self.name}: {what}\n")
        return status


def command(
    program: Program, load: Callable[[], S], serve: Callable[[S], None], arguments: Sequence[str] | None
) -> None:
    """Serve until told to stop. Exit status 0, 1 for a check that fails, 2 for unusable settings."""
    wanted = _arguments(program, arguments)
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(program.told(str(error), 2))
    if wanted.check_ready:
        sys.exit(_check_ready(program, settings))
    missing = [name for name in program.modules if find_spec(name) is None]
    if missing:
        sys.exit(program.told(f"not installed: {', '.join(missing)}. pip install 'media-pipeline[{program.extra}]'", 2))
    telemetry.configure(form=settings.log_format, level=settings.log_level)
    traces.configure(os.environ.get(traces.ENDPOINT_VARIABLE, ""), service=program.name, version=__version__)
    serve(settings)


def answer(app: FastAPI, settings: Served, *, close: Callable[[], None], **told: object) -> None:
    """Until SIGTERM or SIGINT: then `close` is called, so that nothing more is begun, and what was begun has
    `grace_seconds`. `told` is logged with the address.
    """
    import uvicorn

    class Server(uvicorn.Server):
        loop: asyncio.AbstractEventLoop | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """uvicorn lets what was begun finish; what only waits would be begun then."""
            # Not here: the signal may have come while this very thread holds a lock that `close` takes.
            if self.loop is not None:
                self.loop.call_soon_threadsafe(close)
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().startup(sockets)
            for listening in self.servers:
                for opened in listening.sockets:
                    host, port = opened.getsockname()[:2]
                    telemetry.log().info("listening", host=host, port=port, version=__version__, **told)

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.grace_seconds),
        # One worker: models are in memory once, and the metrics are one page.
        workers=1,
    )
    # uvicorn sends itself the signal again once it is done, which would end the process as a kill does.
    for told_to_stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told_to_stop, _leave)
    try:
        Server(config).run()
    finally:
        traces.end()
        telemetry.log().info("stopped")


def _leave(_: int, __: FrameType | None) -> None:
    sys.exit(0)


def _check_ready(program: Program, settings: Served) -> int:
    """Ask the server on this machine's /ready, as the container's health check does: 0 where it is."""
    host = {_EVERYWHERE: "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_CHECK_SECONDS)
    try:
        connection.request("GET", "/ready")
        response = connection.getresponse()
        said = json.loads(response.read(65_536))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return program.told(f"no answer from {host}:{settings.port} ({error})", 1)
    finally:
        connection.close()
    why = said.get("why", "") if isinstance(said, dict) else ""
    if response.status != 200:
        return program.told(f"not ready: {why}", 1)
    sys.stdout.write(f"ready: {why}\n")
    return 0


def _arguments(program: Program, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program.name, description=program.about)
    parser.add_argument("--check-ready", action="store_true", help="ask whether the running server is ready, and exit")
    parser.add_argument("--version", action="version", version=f"{program.name} {__version__}")
    return parser.parse_args(arguments)
