"""What every request to an engine's server passes: an id for the logs of both sides, a span, a line in the log.

A plain ASGI layer, because Starlette's own kind stands between a streaming answer and a client that goes away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, TypeAlias

from pipeline.telemetry import traces
from pipeline.telemetry.calls import REQUEST_HEADER, answering
from pipeline.telemetry.logs import log

Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Asked for several times a minute by whoever looks after the server; a line for each would be most of the log.
_QUIET = frozenset({"/health", "/ready", "/metrics"})
# nginx's number for a client that went away before it was answered.
_CLIENT_GONE = 499


class Requests:
    """Gives every request an id, or takes the caller's, goes on with the caller's trace, and logs how it ended."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        quiet = scope["path"] in _QUIET
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        begun, status = perf_counter(), _CLIENT_GONE
        with answering("upkeep" if quiet else _named(scope), headers, spans=not quiet) as (request, span):

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [
                        *message.get("headers", ()), (REQUEST_HEADER.lower().encode(), request.encode()),
                    ]  # fmt: skip
                await send(message)

            try:
                await self._app(scope, receive, sending)
            except Exception:
                status = 500
                log().exception("request_failed")
                raise
            finally:
                traces.tell(span, {"http.response.status_code": status})
                if not quiet:
                    seconds = round(perf_counter() - begun, 4)
                    log().info("request", method=scope["method"], path=scope["path"], status=status, seconds=seconds)


def _named(scope: MutableMapping[str, Any]) -> str:
    """A span's name is one of few; the routes of these servers hold no name of a thing."""
    return f"{scope['method']} {scope['path']}"
