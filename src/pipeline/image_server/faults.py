"""Every failure the image server names, and the HTTP status that says it.

Fault                500
├── Unknown          400   a sampler, scheduler or checkpoint that is not here
├── Undoable         422   something that this server does not do: nothing is left out in silence
├── TooLong          413   a request that is longer than any honest one
├── Foreign          403   a call that another site's page makes in somebody's browser
├── Interrupted      409   somebody called /interrupt or /skip: there is no finished picture
├── Busy             503   the queue is full, or the server is stopping: Retry-After says when to come back
├── NoModel          503   the model is not there, or cannot be loaded
├── OutOfMemoryError 500   named as PyTorch and AUTOMATIC1111 name it: clients look for that name
└── UnusablePicture  500   black, uniform, or not a number: such a picture is never sent
"""

from __future__ import annotations

from pipeline.errors import PipelineError


class Fault(PipelineError):
    """Its class name is what the answer's `error` says, `what` its `detail`."""

    code = "images"
    status = 500
    retry_after_seconds: int | None = None


class Unknown(Fault):
    status = 400


class Undoable(Fault):
    status = 422


class TooLong(Fault):
    status = 413


class Foreign(Fault):
    status = 403


class Interrupted(Fault):
    status = 409


class Busy(Fault):
    status = 503

    def __init__(self, what: str, *, hint: str = "", retry_after_seconds: int) -> None:
        super().__init__(what, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class NoModel(Fault):
    status = 503


class OutOfMemoryError(Fault):
    status = 500


class UnusablePicture(Fault):
    status = 500
