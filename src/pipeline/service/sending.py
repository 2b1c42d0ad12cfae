"""A file as an answer, whole or in parts; a range that cannot be had is told as a problem, like every refusal."""

from __future__ import annotations

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from pipeline.service.problems import OutOfRange

_RANGE_REFUSED = frozenset({400, 416})


class SentFile(FileResponse):
    """Starlette's, which refuses a range in plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def checked(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _RANGE_REFUSED:
                whole = dict(message["headers"]).get(b"content-range", b"").decode("latin-1")
                raise OutOfRange(whole, status=message["status"])
            await send(message)

        await super().__call__(scope, receive, checked)
