"""What a client is told when it cannot have what it asked for."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pipeline.errors import EngineUnavailable, InputError, PipelineError
from pipeline.speech_server.faults import Busy, Fault, Unspeakable
from pipeline.telemetry import failure, log


async def say_fault(_: Request, error: Exception) -> Response:
    """Of a PipelineError: with the status that its kind has here."""
    if isinstance(error, InputError):
        fault: Fault = Unspeakable(error.what, hint=error.hint)
    elif isinstance(error, Fault):
        fault = error
    elif isinstance(error, EngineUnavailable):  # short of memory
        fault = Busy(error.what, retry_after_seconds=5)
    else:
        known = error if isinstance(error, PipelineError) else PipelineError(str(error))
        fault = Fault(known.what, where=known.where, hint=known.hint)
        log().warning("request_refused", **failure(known))
    headers = {} if fault.retry_after_seconds is None else {"Retry-After": str(fault.retry_after_seconds)}
    return JSONResponse(_complaint(fault.what, fault.hint, fault.kind, fault.status), fault.status, headers)


async def say_bug(_: Request, error: Exception) -> Response:
    """Of anything else. The server below logs it with its traceback."""
    return JSONResponse(_complaint(f"a fault in the server itself: {type(error).__name__}", "", "failed", 500), 500)


def _complaint(what: str, hint: str, kind: str, status: int) -> dict[str, Any]:
    """OpenAI's error object, which its clients show; `detail` is for people with curl."""
    message = f"{what}. {hint}".strip() if hint else what
    sort = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": sort, "param": None, "code": kind}}
