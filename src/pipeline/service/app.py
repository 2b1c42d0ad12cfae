"""The application: the calls put together, every failure told as a problem, and the maker that lives as long as it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event, Thread

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pipeline import __version__
from pipeline.errors import PipelineError
from pipeline.service import certificates, problems, routes, spoken
from pipeline.service.door import Door, wants_page
from pipeline.service.guard import Guard
from pipeline.service.house import House, house_of
from pipeline.service.pages.routes import fault, pages
from pipeline.service.problems import Mistaken
from pipeline.service.project import Project
from pipeline.service.reference import described

# A topic file within JSON, where every sign may take six bytes, and what stands beside it.
_BYTES_A_BYTE, _BESIDE = 2, 65_536


@dataclass(frozen=True, slots=True)
class Service:
    """One service."""

    api: FastAPI
    door: Door
    """What a server is given: the API behind its door."""
    house: House


def make_service(project: Project, guard: Guard, *, grace_seconds: float = 20.0) -> Service:
    """Everything ready to be served; begins to work when the application starts."""
    house = house_of(project)
    over = Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        house.hub.open(asyncio.get_running_loop())
        await asyncio.to_thread(house.desk.promises.forget_old)
        await asyncio.to_thread(house.files.tidy)
        await asyncio.to_thread(api.openapi)  # half a second of work, which no request should wait for
        house.maker.start()
        looking = (project.addresses, house.metrics.certificate, over)
        Thread(target=certificates.keep_looking, args=looking, name="certificates", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            house.hub.close()
            house.maker.stop()
            await asyncio.to_thread(house.maker.wait, grace_seconds)

    api = FastAPI(
        title="Media Pipeline",
        version=__version__,
        description="Topics in, narrated episodes out.",
        lifespan=lifespan,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{routes.API}/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    api.include_router(routes.upkeep(house))
    for calls in (routes.topics, routes.episodes, routes.making, routes.installation):
        api.include_router(calls(house))
    api.include_router(spoken.calls(house, spoken.Booth(house.keeper)))
    api.include_router(pages(house, guard))
    api.add_exception_handler(PipelineError, _told)
    api.add_exception_handler(HTTPException, _told)
    api.add_exception_handler(RequestValidationError, _told)
    plain = api.openapi
    api.openapi = lambda: described(plain())  # type: ignore[method-assign]  # FastAPI's own way of changing it
    most = project.defaults().max_bytes * _BYTES_A_BYTE + _BESIDE
    return Service(api, Door(api, guard, house.metrics, most), house)


async def _told(request: Request, error: Exception) -> Response:
    if wants_page(request.url.path, request.headers):
        return fault(request, _as_ours(error))
    status, headers, body = problems.told(_as_ours(error), request_id=str(request.state.request_id))
    if isinstance(error, HTTPException):
        headers |= {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return Response(body, status, headers)


def _as_ours(error: Exception) -> PipelineError:
    if isinstance(error, RequestValidationError):
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        return Mistaken("; ".join(faults[:20]), hint="See /api/v1/openapi.json.")
    if isinstance(error, HTTPException):
        kinds = {404: problems.Missing, 413: problems.TooLarge}
        kind = kinds.get(error.status_code, Mistaken)
        return kind(str(error.detail), hint="See /api/v1/openapi.json.", status=error.status_code)
    if isinstance(error, PipelineError):
        return error
    raise error
