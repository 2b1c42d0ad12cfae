"""The routes: AUTOMATIC1111's for pictures, and health, readiness and metrics beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from pipeline import __version__
from pipeline.image_server import wire
from pipeline.image_server.easel import VERSION, Easel
from pipeline.image_server.faults import (
    Busy,
    Fault,
    Foreign,
    Interrupted,
    NoModel,
    OutOfMemoryError,
    TooLong,
    Undoable,
    Unknown,
    UnusablePicture,
)
from pipeline.image_server.memory import memory
from pipeline.image_server.metrics import Metrics
from pipeline.image_server.samplers import SAMPLERS, SCHEDULERS
from pipeline.image_server.settings import ImageSettings
from pipeline.telemetry import failure, log
from pipeline.telemetry.asgi import Requests

SERVICE = "media-pipeline images"
"""What /health says of itself, by which clients know this server from the others that speak the same routes."""

# A prompt of 20,000 characters of four bytes each, twice, and room for the rest.
_MOST_BODY_BYTES = 256 << 10
_TEND_SECONDS = 1.0
# nginx's number for a client that went away: nobody reads it but the log.
_CLIENT_GONE = 499

_OUTCOMES: Mapping[type[Fault], str] = {
    Unknown: "refused",
    Undoable: "refused",
    TooLong: "refused",
    Busy: "busy",
    Interrupted: "interrupted",
    OutOfMemoryError: "out_of_memory",
    UnusablePicture: "unusable",
    NoModel: "no_model",
}

_OPTIONS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def create_app(easel: Easel, settings: ImageSettings) -> FastAPI:
    """The application. It begins to load the model when it starts, and answers /health at once."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        easel.load()
        tending = asyncio.create_task(_tend(easel))
        try:
            yield
        finally:
            tending.cancel()
            with suppress(asyncio.CancelledError):
                await tending
            easel.close(at_once=True)

    app = FastAPI(title="Media Pipeline image server", version=__version__, lifespan=lifespan)
    app.add_exception_handler(Fault, _say_fault)
    app.add_exception_handler(Exception, _say_bug)
    app.add_middleware(Requests)
    app.include_router(_upkeep(easel, metrics))
    app.include_router(_drawing(easel, settings, metrics))
    app.include_router(_steering(easel, settings))
    app.include_router(_facts(easel, settings))
    return app


# -- routes ------------------------------------------------------------------------------------------------------


def _upkeep(easel: Easel, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, str]:
        """The process answers; nothing else is touched."""
        return {"status": "ok", "service": SERVICE, "version": __version__}

    @router.get("/ready")
    async def ready(response: Response) -> dict[str, Any]:
        """200 once the model is loaded and a step has run, 503 with the reason until then."""
        standing = easel.standing()
        response.status_code = 200 if standing.ready else 503
        facts = standing.facts
        return {
            "ready": standing.ready,
            "why": standing.why,
            "loaded": standing.loaded,
            "model": facts.name if facts else None,
            "device": facts.device if facts else None,
            "dtype": facts.dtype if facts else None,
        }

    @router.get("/metrics")
    async def counted() -> Response:
        return Response(metrics.text(easel.standing(), easel.progress()), media_type="text/plain; version=0.0.4")

    return router


def _drawing(easel: Easel, settings: ImageSettings, metrics: Metrics) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", dependencies=[Depends(_refuse_foreign)])

    async def draw(request: Request) -> Response:
        wanted = _parsed(await _body(request))
        checkpoint = wire.checkpoint_wanted(wanted.override_settings or {})
        wire.refuse_another(checkpoint, easel.standing().facts, settings)
        job = easel.draw(wire.orders(wanted, settings))
        done: asyncio.Future[Any] = asyncio.wrap_future(job.done)
        gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                metrics.requests.labels("interrupted").inc()
                log().info("client_gone", seed=job.orders[0].seed)
                return Response(status_code=_CLIENT_GONE)
            pictures, facts = done.result()
        finally:
            easel.give_up(job)
            gone.cancel()
            done.cancel()
        metrics.requests.labels("drawn").inc()
        metrics.pictures.inc(len(pictures))
        return JSONResponse(wire.answer(wanted, pictures, facts, VERSION))

    @router.post("/txt2img")
    async def text_to_image(request: Request) -> Response:
        """AUTOMATIC1111's txt2img: JSON in, pictures as base64 out."""
        begun = time.monotonic()
        try:
            return await draw(request)
        except Fault as fault:
            metrics.requests.labels(_OUTCOMES.get(type(fault), "failed")).inc()
            raise
        except RequestValidationError:
            metrics.requests.labels("refused").inc()
            raise
        finally:
            metrics.seconds.observe(time.monotonic() - begun)

    return router


def _steering(easel: Easel, settings: ImageSettings) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", dependencies=[Depends(_refuse_foreign)])

    @router.post("/interrupt")
    async def interrupt() -> None:
        """End the current request after its step."""
        easel.interrupt()

    @router.post("/skip")
    async def skip() -> None:
        """End the current picture after its step, and go on with the request's next one."""
        easel.skip()

    @router.post("/unload-checkpoint")
    async def unload() -> dict[str, Any]:
        """Give the model's memory back once the current request is done; the next one loads it again."""
        await asyncio.wrap_future(easel.unload())
        return {}

    @router.post("/reload-checkpoint")
    async def reload() -> dict[str, Any]:
        """Load the model, if it is not."""
        await asyncio.wrap_future(easel.load())
        return {}

    @router.post("/options")
    async def set_options(request: Request) -> None:
        """`sd_model_checkpoint` may be set to the one that is here; nothing else can be changed."""
        try:
            changes = _OPTIONS.validate_json(await _body(request))
        except ValidationError as error:
            raise RequestValidationError(_located(error)) from error
        wanted = wire.checkpoint_wanted(changes)
        wire.refuse_another(wanted, easel.standing().facts, settings)
        if wanted is not None:
            await asyncio.wrap_future(easel.load())

    return router


def _facts(easel: Easel, settings: ImageSettings) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1")

    @router.get("/options")
    async def options() -> dict[str, Any]:
        facts = easel.standing().facts
        return {
            "samples_format": "png",
            "sd_model_checkpoint": facts.title if facts else None,
            "sd_checkpoint_hash": facts.sha256 if facts else "",
            "media_pipeline": {
                "steps": settings.steps,
                "cfg_scale": settings.guidance,
                "device": facts.device if facts else None,
                "dtype": facts.dtype if facts else None,
            },
        }

    @router.get("/sd-models")
    async def models() -> list[dict[str, Any]]:
        """The one model; none until it has been loaded."""
        facts = easel.standing().facts
        if facts is None:
            return []
        return [
            {
                "title": facts.title,
                "model_name": facts.name,
                "hash": facts.sha256[:10],
                "sha256": facts.sha256,
                "filename": facts.folder,
                "config": None,
            }
        ]

    @router.get("/samplers")
    async def samplers() -> list[dict[str, Any]]:
        return [{"name": name, "aliases": [], "options": {}} for name in SAMPLERS]

    @router.get("/schedulers")
    async def schedulers() -> list[dict[str, Any]]:
        return [{"name": name.casefold(), "label": name, "aliases": [], "default_rho": -1} for name in SCHEDULERS]

    @router.get("/progress")
    async def progress() -> dict[str, Any]:
        now = easel.progress()
        return {
            "progress": round(now.share, 4),
            "eta_relative": round(now.seconds_left, 2),
            "state": {
                "skipped": False,
                "interrupted": now.stopping,
                "job": f"picture {now.picture + 1} of {now.pictures}" if now.busy else "",
                "job_count": now.pictures,
                "job_no": now.picture,
                "sampling_step": now.step,
                "sampling_steps": now.steps,
            },
            "current_image": None,
            "textinfo": f"{now.waiting} waiting" if now.waiting else None,
        }

    @router.get("/memory")
    async def used() -> dict[str, Any]:
        return memory()

    return router


# -- details -----------------------------------------------------------------------------------------------------


async def _tend(easel: Easel) -> None:
    while True:
        await asyncio.sleep(_TEND_SECONDS)
        easel.tend()


async def _gone(request: Request) -> None:
    """Returns when the client has gone away. Only once its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> bytes:
    pieces, length = [], 0
    async for piece in request.stream():
        length += len(piece)
        if length > _MOST_BODY_BYTES:
            raise TooLong(f"the request is longer than {_MOST_BODY_BYTES:,} bytes", hint="Shorten the prompt.")
        pieces.append(piece)
    return b"".join(pieces)


def _parsed(body: bytes) -> wire.TextToImage:
    try:
        return wire.TextToImage.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error


def _located(error: ValidationError) -> list[Any]:
    return [
        {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False, include_context=False)
    ]


async def _refuse_foreign(request: Request) -> None:
    """A page of another site can have a person's browser post here, though not read the answer: it says so itself."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Foreign(f"calls from pages of {origin} are not taken")


async def _say_fault(_: Request, error: Exception) -> Response:
    fault = error if isinstance(error, Fault) else Fault(str(error))
    headers = {} if fault.retry_after_seconds is None else {"Retry-After": str(fault.retry_after_seconds)}
    log().warning("request_refused", **failure(fault))
    return JSONResponse(_complaint(fault, fault.what, str(fault)), status_code=fault.status, headers=headers)


async def _say_bug(_: Request, error: Exception) -> Response:
    # The server below logs it with its traceback.
    return JSONResponse(_complaint(error, "", str(error)), status_code=500)


def _complaint(error: Exception, detail: str, errors: str) -> dict[str, str]:
    """As AUTOMATIC1111 words it (modules/api/api.py, api_middleware)."""
    return {"error": type(error).__name__, "detail": detail, "body": "", "errors": errors}
