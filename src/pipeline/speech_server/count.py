"""How each request ends, counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Self

from fastapi import Response

from pipeline.errors import InputError
from pipeline.speech_server.faults import Fault
from pipeline.speech_server.metrics import Metrics
from pipeline.speech_server.singer import Said

# nginx's number for a client that went away: nobody reads it but the log.
_CLIENT_GONE = 499


class Count:
    """Counts one request, by how it ends."""

    def __init__(self, metrics: Metrics, route: str) -> None:
        self._metrics = metrics
        self._route = route
        self._begun = time.monotonic()
        self._heard = False
        self._streams = False
        self._gone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None or not self._streams:
            self.end(error)

    def streams(self) -> None:
        """The request goes on after this block; `end` is called then."""
        self._streams = True

    def end(self, error: BaseException | None) -> None:
        if isinstance(error, Fault):
            outcome = "busy" if error.status == 503 else "refused"
        elif isinstance(error, InputError):
            outcome = "refused"
        elif isinstance(error, asyncio.CancelledError | GeneratorExit) or self._gone:
            outcome = "gone"
        else:
            outcome = "spoken" if error is None else "failed"
        self._metrics.requests.labels(self._route, outcome).inc()
        self._metrics.seconds.observe(time.monotonic() - self._begun)

    def hears(self) -> None:
        """The first sound is there."""
        if not self._heard:
            self._heard = True
            self._metrics.first.observe(time.monotonic() - self._begun)

    def spoken(self, said: Sequence[Said]) -> None:
        self.hears()
        self._metrics.audio.inc(sum(one.speech.seconds for one in said))
        self._metrics.busy.inc(sum(one.took_seconds for one in said))
        self._metrics.characters.inc(sum(len(one.sentence.shown) for one in said))

    def gone(self) -> Response:
        self._gone = True
        return Response(status_code=_CLIENT_GONE)
