"""Every failure the speech server names, and the HTTP status that says it.

Fault          500
├── Mistaken   400   a request that cannot be understood
├── Stranger   401   no key, or a wrong one, where one is asked for
├── Foreign    403   a call that another site's page makes in somebody's browser
├── Unknown    404   a voice or a speaker that is not here; the nearest are named
├── TooSlow    408   a request that does not come to its end
├── TooLong    413   more text than one request may have
├── Unspeakable 422  nothing in it can be said
└── Busy       503   the queue is full, or the server is stopping: Retry-After says when to come back
"""

from __future__ import annotations

from pipeline.errors import PipelineError


class Fault(PipelineError):
    """`kind` is what the answer's `error.code` says."""

    code = "speech"
    status = 500
    kind = "failed"
    retry_after_seconds: int | None = None


class Mistaken(Fault):
    status, kind = 400, "invalid_request"


class Stranger(Fault):
    status, kind = 401, "invalid_api_key"


class Foreign(Fault):
    status, kind = 403, "foreign_page"


class Unknown(Fault):
    status, kind = 404, "voice_not_found"


class TooSlow(Fault):
    status, kind = 408, "request_too_slow"


class TooLong(Fault):
    status, kind = 413, "text_too_long"


class Unspeakable(Fault):
    status, kind = 422, "nothing_to_say"


class Busy(Fault):
    status, kind = 503, "busy"

    def __init__(self, what: str, *, retry_after_seconds: int) -> None:
        """Seconds."""
        super().__init__(what, hint=f"Come back in {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds
