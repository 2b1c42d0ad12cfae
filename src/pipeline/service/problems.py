"""Every failure as RFC 9457's `application/problem+json`, with the code of the error catalogue.

Problem          500
├── Mistaken     400, 422   a request that cannot be understood, or means nothing
├── Stranger     401        no token, or a wrong one, where one is asked for
├── Foreign      403        a call by a foreign name, or from another site's page
├── Missing      404        no such topic, episode, file or route
├── TooSlow      408        a request that does not come to its end
├── Stale        412        it was changed since it was read; 428 where the request does not say what it read
├── TooLarge     413        more than one request may bring
├── OutOfRange   400, 416   a part of a file that there is not
└── Busy         503        too many at once, or the service is stopping: Retry-After says when to come back
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from pipeline.errors import (
    EngineNonsense,
    EngineRefused,
    EngineUnavailable,
    InputError,
    Interrupted,
    PipelineError,
    StoreError,
)

MEDIA_TYPE = "application/problem+json"

# What the other errors of the pipeline come to where a request meets them.
_STATUS: tuple[tuple[type[PipelineError], int], ...] = (
    (InputError, 422),
    (EngineUnavailable, 503),
    (EngineRefused, 502),
    (EngineNonsense, 502),
    (Interrupted, 503),
    (StoreError, 507),
)


class Problem(PipelineError):
    """A request that is not answered as it asked. `status` may be another of the same kind."""

    code = "service"
    status = 500
    retry_after_seconds: int | None = None

    def __init__(self, what: str, *, where: str = "", hint: str = "", status: int | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        if status is not None:
            self.status = status


class Mistaken(Problem):
    code, status = "request", 422


class Stranger(Problem):
    code, status = "token", 401


class Foreign(Problem):
    code, status = "foreign", 403


class Missing(Problem):
    code, status = "missing", 404


class TooSlow(Problem):
    code, status = "too-slow", 408


class Stale(Problem):
    code, status = "stale", 412


class TooLarge(Problem):
    code, status = "too-large", 413


class OutOfRange(Problem):
    code, status = "range", 416

    def __init__(self, whole: str, *, status: int) -> None:
        """`whole` is the file's Content-Range, where it is known."""
        super().__init__("there is no such part of the file", where="Range", status=status)
        self.headers = {"Content-Range": whole} if whole else {}


class Busy(Problem):
    code, status = "busy", 503
    retry_after_seconds = 5


def status_of(error: PipelineError) -> int:
    """The HTTP status that says it."""
    if isinstance(error, Problem):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def told(error: PipelineError, *, request_id: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer that says it."""
    status = status_of(error)
    headers = {"Content-Type": MEDIA_TYPE}
    if isinstance(error, OutOfRange):
        headers |= error.headers
    if isinstance(error, Problem) and error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return status, headers, body_of(status, facts(error), request_id=request_id)


def facts(error: PipelineError) -> dict[str, str]:
    """What every failure says of itself."""
    return {"code": error.code, "detail": error.what, "where": error.where, "hint": error.hint}


def body_of(status: int, said: Mapping[str, str], *, request_id: str) -> bytes:
    """The JSON of a problem."""
    value = {
        "type": f"urn:media-pipeline:problem:{said['code']}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **said,
        "request_id": request_id,
    }
    # A lone surrogate of somebody's request must not turn its refusal into a failure of ours.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
