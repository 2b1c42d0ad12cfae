"""How the service listens, starts and ends: one process, one socket, one signal to stop in good order."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from pipeline import __version__
from pipeline.errors import StoreError
from pipeline.service.app import Service
from pipeline.telemetry import log

# A peer that takes nothing for so long is given up by the system, and what was kept for it with it.
_GIVEN_UP_AFTER_MILLISECONDS = 30_000
_IDLE_SECONDS = 15
_WAITING_CONNECTIONS = 256
# Each open stream of events is one; what is above gets 503 at once.
_MOST_CONNECTIONS = 512


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StoreError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio does not turn Nagle's waiting off, which costs every answer 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections have it from the socket that took them. It also ends those whose peer reads no more.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GIVEN_UP_AFTER_MILLISECONDS)
        listening.bind((host, port))
        listening.listen(_WAITING_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise StoreError(
            f"cannot listen there: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="Another program may: choose another service_port, or end that one.",
        ) from error
    return listening


def serve(service: Service, listening: socket.socket, *, grace_seconds: float, told: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT: then nothing more is taken in or begun, and what was begun has `grace_seconds`."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host

    class Server(uvicorn.Server):
        loop: asyncio.AbstractEventLoop | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            service.house.maker.stop()
            if self.loop is not None:
                self.loop.call_soon_threadsafe(service.house.hub.close)
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().startup(sockets)
            log().info("listening", host=host, port=port, version=__version__)
            told(f"http://{shown}:{port}")

    config = uvicorn.Config(
        service.door,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=int(grace_seconds),
        limit_concurrency=_MOST_CONNECTIONS,
        workers=1,  # the maker is one, and the metrics are one page
        proxy_headers=False,
    )
    # uvicorn sends itself the signal again once it has ended: that is for whoever had it before, who would end at once.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        Server(config).run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    log().info("stopped")
