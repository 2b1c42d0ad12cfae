"""The application: Piper's routes and OpenAI's, and health, readiness and metrics beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response

from pipeline import __version__
from pipeline.errors import PipelineError
from pipeline.speech_server.clients import asks_for, refuse_foreign
from pipeline.speech_server.complaints import say_bug, say_fault
from pipeline.speech_server.metrics import Metrics
from pipeline.speech_server.openai_routes import openai
from pipeline.speech_server.piper_routes import piper
from pipeline.speech_server.settings import SpeechSettings
from pipeline.speech_server.singer import Booths, Singer
from pipeline.telemetry.asgi import Requests

SERVICE = "media-pipeline speech"
"""What /health says of itself."""

# How often it is looked whether a voice has come, until one has spoken.
_WARM_SECONDS = 1.0


def create_app(singer: Singer, booth: Booths, settings: SpeechSettings) -> FastAPI:
    """The application. It begins to load the default voice when it starts, and answers /health at once."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm(singer))
        try:
            yield
        finally:
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming
            booth.close()

    app = FastAPI(title="Media Pipeline speech server", version=__version__, lifespan=lifespan)
    app.add_exception_handler(PipelineError, say_fault)
    app.add_exception_handler(Exception, say_bug)
    app.add_middleware(Requests)
    app.include_router(_upkeep(singer, booth, metrics))
    guarded = [Depends(refuse_foreign), Depends(asks_for(settings))]
    app.include_router(piper(singer, booth, settings, metrics), dependencies=guarded)
    app.include_router(openai(singer, booth, settings, metrics), dependencies=guarded)
    return app


def _upkeep(singer: Singer, booth: Booths, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, str]:
        """The process answers; nothing else is touched."""
        return {"status": "ok", "service": SERVICE, "version": __version__}

    @router.get("/ready")
    async def ready(response: Response) -> dict[str, Any]:
        """200 once a voice is loaded and has spoken, 503 with the reason until then."""
        is_ready, why = singer.standing
        response.status_code = 200 if is_ready else 503
        return {"ready": is_ready, "why": why, "loaded": list(singer.loaded())}

    @router.get("/metrics")
    async def counted() -> Response:
        text = metrics.text(
            inside=booth.inside,
            waiting=booth.waiting_sentences,
            loaded=len(singer.loaded()),
            ready=singer.standing[0],
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    return router


async def _warm(singer: Singer) -> None:
    while not singer.standing[0]:
        await asyncio.to_thread(singer.warm)
        if not singer.standing[0]:
            await asyncio.sleep(_WARM_SECONDS)
