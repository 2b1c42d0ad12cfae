"""Which ids go with a call from one program to another, so that the logs and spans of both can be laid side by side."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from pipeline.telemetry import traces

REQUEST_HEADER = "X-Request-ID"
# What stands in a log must not break its lines, nor fill it.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def headers() -> Mapping[str, str]:
    """What a call made now on this thread says of itself: `X-Request-ID` and, with traces on, `traceparent`."""
    request = structlog.contextvars.get_contextvars().get("request")
    return {**({REQUEST_HEADER: str(request)} if request else {}), **traces.going_out()}


def request_id(given: str) -> str:
    """The id that a caller gave, where it is 1 to 64 letters, digits, dots, dashes and underscores; else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def current_request() -> str:
    """The request that this thread or task works for; empty for none."""
    return str(structlog.contextvars.get_contextvars().get("request", ""))


@contextmanager
def answering(name: str, given: Mapping[str, str], *, spans: bool = True) -> Iterator[tuple[str, object]]:
    """While it lasts, log lines and spans are of the request with these headers (names in lower case): its id, and its
    span, where there is one.

    `name` is the span's: `POST /synthesize`. Without `spans` there is none.
    """
    request = request_id(given.get(REQUEST_HEADER.lower(), ""))
    with structlog.contextvars.bound_contextvars(request=request):
        if not (spans and traces.on()):
            yield request, None
            return
        with traces.coming_in(given), traces.span(name, {"request": request}, kind="server") as span:
            yield request, span
