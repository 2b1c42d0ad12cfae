"""The command `pipeline-speech`: how the speech server starts, stops, and says whether it is ready."""

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
from importlib.util import find_spec
from threading import Event
from types import FrameType

from pipeline import __version__, telemetry
from pipeline.errors import SettingsError
from pipeline.speech_server import settings as speech_settings
from pipeline.speech_server.settings import SpeechSettings
from pipeline.telemetry import traces

# What the extra `speech-server` brings.
_NEEDED = ("fastapi", "uvicorn", "piper", "onnx", "onnxruntime")
_CHECK_SECONDS = 5.0
# Where a server listens that is asked from everywhere: no address to connect to.
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # nosec B104  # to compare with


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop. Exit status 0, 1 for a check that fails, 2 for unusable settings."""
    wanted = _arguments(arguments)
    try:
        settings = speech_settings.load()
    except SettingsError as error:
        sys.exit(_told(str(error), 2))
    if wanted.check_ready:
        sys.exit(check_ready(settings))
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(_told(f"not installed: {', '.join(missing)}. pip install 'media-pipeline[speech-server]'", 2))
    serve(settings)


def serve(settings: SpeechSettings) -> None:
    """Until SIGTERM or SIGINT: then nothing more is taken in, and what is being spoken has `grace_seconds`."""
    import uvicorn

    from pipeline.engines.piper import Piper
    from pipeline.speech_server.app import create_app
    from pipeline.speech_server.booth import Booth
    from pipeline.speech_server.singer import Piece, Said, Singer

    telemetry.configure(form=settings.log_format, level=settings.log_level)
    traces.configure(os.environ.get(traces.ENDPOINT_VARIABLE, ""), service="pipeline-speech", version=__version__)
    threads = settings.threads or len(os.sched_getaffinity(0))
    synthesizer = Piper([settings.voices_dir], threads=threads, stop=Event(), in_parts=True)
    singer = Singer(synthesizer, default=settings.voice, most_loaded=settings.max_loaded)
    booth: Booth[Piece, Said] = Booth(singer.sing, threads=threads, most=settings.max_waiting)

    class Server(uvicorn.Server):
        loop: asyncio.AbstractEventLoop | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """uvicorn lets what was begun finish; nothing new is begun."""
            # The signal may have come while this very thread holds the booth's lock.
            if self.loop is not None:
                self.loop.call_soon_threadsafe(booth.close)
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().startup(sockets)
            for listening in self.servers:
                for opened in listening.sockets:
                    host, port = opened.getsockname()[:2]
                    telemetry.log().info("listening", host=host, port=port, threads=threads, version=__version__)

    config = uvicorn.Config(
        create_app(singer, booth, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.grace_seconds),
        # One worker: the voices are in memory once, and the metrics are one page.
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


def check_ready(settings: SpeechSettings) -> int:
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
    parser = argparse.ArgumentParser(prog="pipeline-speech", description="Speak for whoever asks over HTTP.")
    parser.add_argument("--check-ready", action="store_true", help="ask whether the running server is ready, and exit")
    parser.add_argument("--version", action="version", version=f"pipeline-speech {__version__}")
    return parser.parse_args(arguments)


def _told(what: str, status: int) -> int:
    sys.stderr.write(f"pipeline-speech: {what}\n")
    return status


if __name__ == "__main__":
    main()
