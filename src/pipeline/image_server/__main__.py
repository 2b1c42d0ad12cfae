"""The command `pipeline-images`: how the image server starts, stops, and says whether it is ready."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from types import FrameType

from pipeline import __version__, telemetry
from pipeline.errors import SettingsError
from pipeline.image_server import settings as image_settings
from pipeline.image_server.settings import ImageSettings
from pipeline.telemetry import traces

# What the extra `image-server` brings; PyTorch is installed apart, from the index of the hardware at hand.
_NEEDED = ("fastapi", "uvicorn", "torch", "diffusers", "transformers", "safetensors")
_CHECK_SECONDS = 5.0
# Where a server listens that is asked from everywhere: no address to connect to.
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # nosec B104  # to compare with


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop. Exit status 0, 1 for a check that fails, 2 for unusable settings."""
    wanted = _arguments(arguments)
    try:
        settings = image_settings.load()
    except SettingsError as error:
        sys.exit(_told(str(error), 2))
    if wanted.check_ready:
        sys.exit(check_ready(settings))
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(_told(f"not installed: {', '.join(missing)}. pip install 'media-pipeline[image-server]'", 2))
    serve(settings)


def serve(settings: ImageSettings) -> None:
    """Until SIGTERM or SIGINT: then nothing more is taken in, what waits is sent away, and the picture being drawn
    has `grace_seconds` to be finished.
    """
    if not settings.fetch:
        # Read by huggingface_hub as it is imported: no look-up, no telemetry, no waiting for a network.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Said while they are imported, about what this program does not use, and in no form that a log can read.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    import uvicorn

    from pipeline.image_server.app import create_app
    from pipeline.image_server.diffusion import load
    from pipeline.image_server.easel import Easel

    telemetry.configure(form=settings.log_format, level=settings.log_level)
    traces.configure(os.environ.get(traces.ENDPOINT_VARIABLE, ""), service="pipeline-images", version=__version__)
    easel = Easel(
        partial(load, settings),
        max_waiting=settings.max_waiting,
        idle_unload_seconds=settings.idle_unload_seconds,
    )

    class Server(uvicorn.Server):
        loop: asyncio.AbstractEventLoop | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """uvicorn lets what was begun finish; what only waits would be begun then."""
            # Not here: the signal may have come while this very thread holds the easel's lock.
            if self.loop is not None:
                self.loop.call_soon_threadsafe(easel.close)
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().startup(sockets)
            for listening in self.servers:
                for opened in listening.sockets:
                    host, port = opened.getsockname()[:2]
                    telemetry.log().info("listening", host=host, port=port, model=settings.model, version=__version__)

    config = uvicorn.Config(
        create_app(easel, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.grace_seconds),
        # One worker, one model, one metrics page.
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


def check_ready(settings: ImageSettings) -> int:
    """Ask the server on this machine's /ready, as the container's health check does: 0 where it is."""
    host = {_EVERYWHERE: "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_CHECK_SECONDS)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        said = json.loads(answer.read(65_536))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _told(f"no answer from {host}:{settings.port} ({error})", 1)
    finally:
        connection.close()
    why = said.get("why", "") if isinstance(said, dict) else ""
    if answer.status != 200:
        return _told(f"not ready: {why}", 1)
    sys.stdout.write(f"ready: {why}\n")
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pipeline-images", description="Draw pictures for whoever asks over HTTP.")
    parser.add_argument("--check-ready", action="store_true", help="ask whether the running server is ready, and exit")
    parser.add_argument("--version", action="version", version=f"pipeline-images {__version__}")
    return parser.parse_args(arguments)


def _told(what: str, status: int) -> int:
    sys.stderr.write(f"pipeline-images: {what}\n")
    return status


if __name__ == "__main__":
    main()
