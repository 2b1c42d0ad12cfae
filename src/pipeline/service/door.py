"""What every request passes on its way in, and every answer on its way out. A plain ASGI layer around the application.

In: who may call (`guard`), how much a body may hold and how long it may take to come. Out: an id, headers that leave
a browser no room, a count and a line in the log; and where the application failed, the problem that says so.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import PipelineError
from pipeline.service import problems
from pipeline.service.guard import SIGN_IN, Guard
from pipeline.service.metrics import METHODS, Metrics
from pipeline.service.problems import Mistaken, Stranger, TooLarge, TooSlow
from pipeline.telemetry import log

BODY_SECONDS = 30.0
_DISCARD_SECONDS, _DISCARD_BYTES = 2.0, 64 << 20
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

SECURE: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Of every answer that does not say otherwise itself."""


@dataclass(frozen=True, slots=True)
class Door:
    app: ASGIApp
    guard: Guard
    metrics: Metrics
    max_body_bytes: int
    body_seconds: float = BODY_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        answer = _Answer(send, given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8))
        scope.setdefault("state", {})["request_id"] = answer.request_id
        begun = perf_counter()
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.inside.inc()
        with structlog.contextvars.bound_contextvars(request=answer.request_id):
            try:
                await self._through(scope, headers, receive, answer)
            finally:
                self.metrics.inside.dec()
                seconds = perf_counter() - begun
                self.metrics.requests.labels(method, str(answer.status)).inc()
                self.metrics.request_seconds.labels(method).observe(seconds)
                log().debug(
                    "request", method=method, path=scope["path"], status=answer.status, seconds=round(seconds, 4)
                )

    async def _through(self, scope: Scope, headers: Mapping[str, str], receive: Receive, answer: _Answer) -> None:
        try:
            _refuse_doubled(scope)
            try:
                scope["state"]["known"] = self.guard.admit(scope["path"], headers)
            except Stranger:
                if not wants_page(scope["path"], headers):
                    raise
                scope = _to_sign_in(scope)
            if scope["method"] in _WITH_BODY:
                receive = await self._with_body(headers, receive)
            await self.app(scope, receive, answer)
        except PipelineError as error:
            await answer.tell(error)
        except Exception:  # noqa: BLE001  # a fault of ours: the log has all of it, the caller is told no more than that
            log().exception("request_failed")
            await answer.tell(
                PipelineError(
                    "a fault in the service itself", hint=f"The log has the whole of it, under {answer.request_id}."
                )
            )

    async def _with_body(self, headers: Mapping[str, str], receive: Receive) -> Receive:
        """The body, read whole within its bounds, and then what comes after it. Raises TooLarge, TooSlow, Mistaken."""
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self.max_body_bytes:
            if "expect" not in headers:
                await self._discard(receive)
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Mistaken("the client went away before its request was here", status=400)
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.max_body_bytes:
                        if more:
                            await self._discard(receive)
                        raise self._too_large()
        except TimeoutError as late:
            raise TooSlow(f"the request did not come to its end in {self.body_seconds:g} s") from late
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def rest() -> Message:
            return whole.pop() if whole else await receive()

        return rest

    async def _discard(self, receive: Receive) -> None:
        """Take in some more of a body that is refused: a connection that is closed on what was not read is reset, and
        the caller never sees why.
        """
        taken, more = 0, True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_DISCARD_SECONDS, self.body_seconds)):
                while more and taken < _DISCARD_BYTES:
                    message = await receive()
                    taken += len(message.get("body", b""))
                    more = message.get("more_body", False)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a request may hold {self.max_body_bytes:,} bytes", hint="See the setting max_topic_bytes.")


class _Answer:
    """Sends what the application answers, with the headers that every answer has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 499  # nginx's number for a client that went away before it was answered

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            for name, value in {**SECURE, "X-Request-Id": self.request_id}.items():
                if name.lower().encode() not in there:
                    headers.append((name.lower().encode(), value.encode()))
            message = {**message, "headers": headers}
        await self._send(message)

    async def tell(self, error: PipelineError) -> None:
        """Unless an answer was begun: then it is broken off, so that nobody takes a part for the whole."""
        if self.status != 499:
            return
        status, headers, body = problems.told(error, request_id=self.request_id)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        if status in {408, 413}:
            raw.append((b"connection", b"close"))  # what is left of the request is not read
        await self({"type": "http.response.start", "status": status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


def wants_page(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a person's browser goes there, so that even a refusal is to be a page."""
    return "text/html" in headers.get("accept", "") and not path.startswith("/api/")


def _to_sign_in(scope: Scope) -> Scope:
    """The same request, answered by the page that asks for the token; it leads back to what was asked for."""
    asked = scope["path"] if scope["method"] == "GET" else "/"
    state = {**scope["state"], "known": False, "asked": asked}
    return {**scope, "method": "GET", "path": SIGN_IN, "raw_path": SIGN_IN.encode(), "state": state}


def _refuse_doubled(scope: Scope) -> None:
    """Two names in one request: each reader of it may believe another. Raises Mistaken."""
    names = [name for name, _ in scope["headers"]]
    for name in (b"host", b"origin", b"authorization", b"content-length"):
        if names.count(name) > 1:
            raise Mistaken(f"the header {name.decode()} stands twice", status=400)
