"""The API: each call, what it takes and what it answers. What a call does is done elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from pipeline import __version__
from pipeline.service import views, wire
from pipeline.service.house import House as House  # the pages know it from here
from pipeline.service.problems import Busy, Missing
from pipeline.service.promises import LONGEST_KEY
from pipeline.service.sending import SentFile
from pipeline.stages.publish import MANIFEST

API = "/api/v1"
_PLAN_SECONDS = 60.0
_PLANNED_AT_ONCE = 100
_MARKDOWN = "text/markdown; charset=utf-8"

After = Annotated[str, Query(max_length=500, description="The last name of the page before.")]
Limit = Annotated[int, Query(ge=1, le=wire.MOST_ITEMS)]
IfMatch = Annotated[str | None, Header(description="The ETag of what was read, or *.")]
Key = Annotated[
    str | None,
    Header(min_length=1, max_length=LONGEST_KEY, description="Calls with the same key make one topic; kept for a day."),
]


def upkeep(house: House) -> APIRouter:
    """Health, readiness and metrics: for who looks after the service."""
    router = APIRouter(tags=["upkeep"])

    @router.get("/health", response_model=wire.Health)
    async def health() -> Mapping[str, str]:
        """The process answers. Touches nothing."""
        return {"status": "ok", "service": "media-pipeline", "version": __version__}

    not_ready = {"model": wire.Ready, "content": {"application/json": {"example": wire.NOT_READY}}}

    @router.get("/ready", response_model=wire.Ready, responses={503: not_ready})
    async def ready(request: Request) -> JSONResponse:
        """200 where the maker turns its rounds and every engine last did what it was asked for, else 503.

        Who has no token is told only which of the two.
        """
        why = _unready(house)
        told = wire.Ready(ready=not why, why="", engines=[])
        if request.state.known:
            told = wire.Ready(ready=not why, why=why, engines=_engines(house))
        return JSONResponse(told.model_dump(mode="json"), 503 if why else 200)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": "pipeline_queue_topics 3.0\n"}}}},
    )
    def metrics() -> Response:
        """Prometheus's text format."""
        text = house.metrics.text(
            queue=house.board.surveyed_queue(),
            listeners=house.hub.listeners,
            dropped=house.hub.dropped,
            set_aside=len(house.board.slugs("set-aside")),
        )
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _unready(house: House) -> str:
    """Why not; empty where there is no reason."""
    if not house.maker.alive:
        return "the maker is not at work"
    if house.checks.fault is not None:
        return str(house.checks.fault)
    engines = _engines(house)
    if not engines:
        return "the engines have not been asked yet"
    return "; ".join(f"{one.role}: {_why_not(one)}" for one in engines if not one.ready)


def _engines(house: House) -> list[wire.Engine]:
    down = house.board.down
    return [views.engine_of(sight, down) for sight in house.checks.sights()]


def _why_not(engine: wire.Engine) -> str:
    if engine.waited_for is not None:
        return engine.waited_for.why
    return engine.error.detail if engine.error is not None else "not asked yet"


def _queue(house: House) -> tuple[int, float | None]:
    return house.board.queue((one.name, one.signature) for one in house.files.found().values())


def topics(house: House) -> APIRouter:
    router = APIRouter(prefix=API, tags=["topics"])
    files = house.files

    @router.get("/topics", response_model=wire.Topics)
    def list_topics(after: After = "", limit: Limit = 50) -> wire.Topics:
        """The topic files in the order of their names, and how each of them stands."""
        found = files.found()
        names, more = views.page_of(found, after, limit)
        items = [views.topic_of(name, found[name], house.board, files.prefix) for name in names]
        return wire.Topics(items=items, next=more)

    @router.post("/topics", response_model=wire.WholeTopic, status_code=201)
    def create_topic(asked: wire.NewTopic, response: Response, idempotency_key: Key = None) -> wire.WholeTopic:
        """Ask for an episode. The topic is a file in `input/`, whole and on the disk, before this answers."""
        made, again = house.desk.create(asked, idempotency_key)
        response.headers["Location"] = f"{API}/topics/{quote(made.name)}"
        response.headers["ETag"] = made.etag
        if again:
            response.headers["Idempotency-Replayed"] = "true"
        return views.whole_topic_of(made, files, house.board)

    @router.get("/topics/{name:path}", response_model=wire.WholeTopic)
    def get_topic(name: str, response: Response) -> wire.WholeTopic:
        """A topic file: its text, what was read in it and what was refused."""
        topic = files.read(name)
        response.headers["ETag"] = topic.etag
        return views.whole_topic_of(topic, files, house.board)

    @router.put("/topics/{name:path}", response_model=wire.WholeTopic)
    def replace_topic(
        name: str, asked: wire.Replacement, response: Response, if_match: IfMatch = None
    ) -> wire.WholeTopic:
        """Put another text in a file's place. 412 where it was changed since it was read, 428 without If-Match."""
        topic = house.desk.replace(name, asked.text, if_match)
        response.headers["ETag"] = topic.etag
        return views.whole_topic_of(topic, files, house.board)

    @router.delete("/topics/{name:path}", response_model=wire.Trashed)
    def delete_topic(name: str, if_match: IfMatch = None) -> wire.Trashed:
        """Move a topic file to the trash. Its episodes stay; nothing makes them anew."""
        return wire.Trashed(name=name, kept_as=house.desk.delete(name, if_match).name)

    return router


def episodes(house: House) -> APIRouter:
    router = APIRouter(prefix=API, tags=["episodes"])
    output, prefix = house.project.folders.output, house.files.prefix

    @router.get("/episodes", response_model=wire.Episodes)
    def list_episodes(after: After = "", limit: Limit = 50) -> wire.Episodes:
        """Every episode that a topic asks for, and those published that none asks for now."""
        names, more = views.page_of({*house.board.names(), *views.slugs_on_disk(output)}, after, limit)
        found = (views.episode_at(name, output, house.board, prefix) for name in names)
        fields = set(wire.Standing.model_fields)
        items = [wire.Standing(**one.model_dump(include=fields)) for one in found if one is not None]
        return wire.Episodes(items=items, next=more)

    @router.get("/episodes/{episode}", response_model=wire.Episode)
    def get_episode(episode: str) -> wire.Episode:
        """How an episode stands, and its published files."""
        found = views.episode_at(episode, output, house.board, prefix)
        if found is None:
            raise Missing(f"there is no episode {episode!r}", hint="GET /api/v1/episodes lists them.")
        return found

    @router.get(
        "/episodes/{episode}/manifest",
        response_class=Response,
        responses={200: {"content": {"application/json": {"example": {"format": "media-pipeline/manifest/1"}}}}},
    )
    def get_manifest(episode: str) -> Response:
        """The episode's manifest, to the byte."""
        return SentFile(views.file_at(episode, MANIFEST, output), media_type="application/json")

    about_range = "A part: `bytes=0-999`; several are parted by commas."
    ranged = {"name": "Range", "in": "header", "schema": {"type": "string"}, "description": about_range}
    binary = {"schema": {"type": "string", "format": "binary"}, "example": "(the file's bytes)"}

    @router.api_route(
        "/episodes/{episode}/files/{name}",
        methods=["GET"],
        response_class=Response,
        responses={
            200: {"description": "By its own media type", "content": {"*/*": binary}},
            206: {"description": "A part of it, as Range asked", "content": {"*/*": binary}},
        },
        openapi_extra={"parameters": [ranged]},
    )
    def get_file(episode: str, name: str) -> Response:
        """A published file, whole or the ranges that are asked for."""
        return SentFile(views.file_at(episode, name, output))

    @router.head("/episodes/{episode}/files/{name}", include_in_schema=False)
    def head_file(episode: str, name: str) -> Response:
        return SentFile(views.file_at(episode, name, output))

    example = "---\ntitle: Why the sky is blue\nlanguage: en\n---\n\nAir scatters blue light.\n"

    @router.get(
        "/episodes/{episode}/script",
        response_class=Response,
        responses={200: {"content": {"text/markdown": {"example": example}}}},
    )
    def get_script(episode: str) -> Response:
        """The script as it is published, or as a person left it."""
        text, etag = house.desk.script(episode)
        return Response(text, media_type=_MARKDOWN, headers={"ETag": etag})

    body = {"required": True, "content": {"text/markdown": {"schema": {"type": "string"}, "example": example}}}

    @router.put(
        "/episodes/{episode}/script",
        response_model=wire.Script,
        openapi_extra={"requestBody": body},
    )
    async def put_script(episode: str, request: Request, response: Response, if_match: IfMatch = None) -> wire.Script:
        """Edit a script by hand: it stays this person's, and what the edit touches is made anew at once.

        412 where it was changed since it was read, 428 without If-Match.
        """
        text = await request.body()
        response.headers["ETag"] = await asyncio.to_thread(house.desk.edit, episode, text, if_match)
        return wire.Script(episode=episode, bytes=len(text))

    @router.post("/episodes/{episode}/retry", response_model=wire.CalledOff, status_code=202)
    def retry_episode(episode: str) -> wire.CalledOff:
        """Make it before all others, also where it failed or was called off."""
        house.desk.retry(episode)
        return wire.CalledOff(episodes=[episode])

    @router.post("/episodes/{episode}/cancel", response_model=wire.CalledOff, status_code=202)
    def cancel_episode(episode: str) -> wire.CalledOff:
        """Call it off until its topic changes or somebody retries it. What is finished of it is kept."""
        house.desk.call_off(episode)
        return wire.CalledOff(episodes=[episode])

    return router


def making(house: House) -> APIRouter:
    router = APIRouter(prefix=API, tags=["making"])
    maker = house.maker
    one_plan = asyncio.Semaphore(1)

    def told() -> wire.Maker:
        waiting, oldest = _queue(house)
        return wire.Maker(
            state=maker.state,  # type: ignore[arg-type]  # one of the states that the maker has
            about=maker.about,
            paused=maker.paused,
            waiting=waiting,
            oldest=oldest,
            waits=[views.wait_of(one) for _, one in sorted(house.board.down.items())],
            set_aside=house.board.slugs("set-aside"),
            held=house.board.slugs("held"),
        )

    def plan(after: str, limit: int) -> wire.Plan:
        return views.plan_of(house.surveys.look(len(house.files.found())), after, limit)

    @router.get("/maker", response_model=wire.Maker)
    def get_maker() -> wire.Maker:
        """What is being done, what waits and since when."""
        return told()

    @router.post("/maker/pause", response_model=wire.Maker)
    def pause() -> wire.Maker:
        """Begin nothing more, also after a restart. What is being made is ended in good order and kept."""
        maker.pause()
        return told()

    @router.post("/maker/resume", response_model=wire.Maker)
    def resume() -> wire.Maker:
        """Go on."""
        maker.resume()
        return told()

    @router.post("/maker/cancel", response_model=wire.CalledOff)
    def cancel() -> wire.CalledOff:
        """Call off all that is being made now; what waits goes on."""
        return wire.CalledOff(episodes=list(maker.hold_all()))

    @router.get("/plan", response_model=wire.Plan)
    async def get_plan(after: After = "", limit: Annotated[int, Query(ge=1, le=_PLANNED_AT_ONCE)] = 20) -> wire.Plan:
        """What the next round would make and why, in the order of the episodes' names. Makes nothing.

        Where there are more than a few hundred topics, as of the last look at them, some seconds ago.
        """
        try:
            async with asyncio.timeout(_PLAN_SECONDS), one_plan:
                return await asyncio.to_thread(plan, after, limit)
        except TimeoutError as late:
            raise Busy(f"the plan was not drawn up in {_PLAN_SECONDS:g} s", hint="Ask for fewer at once.") from late

    @router.get(
        "/events",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {
                    "text/event-stream": {
                        "example": 'id: 7\nevent: done\ndata: {"episode": "moon", "seconds": 9.1}\n\n'
                    }
                }
            }
        },
    )
    async def events(
        last_event_id: Annotated[str, Header(max_length=20, description="Told by browsers that come back.")] = "",
    ) -> StreamingResponse:
        """What happens, as server-sent events: `maker`, `round`, `opened`, `started`, `made`, `step_failed`, `done`,
        `failed`, `set_aside`, `interrupted`, `held`, `waiting` (a service is down; again at each try), `back`,
        `engine`, `round_done`. Who reads too slowly is dropped, and told so.
        """
        after = int(last_event_id) if last_event_id.isdecimal() and last_event_id.isascii() else None
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(house.hub.listen(after), media_type="text/event-stream", headers=headers)

    return router


def installation(house: House) -> APIRouter:
    router = APIRouter(prefix=API, tags=["installation"])

    @router.get("/engines", response_model=wire.Engines)
    async def list_engines() -> Mapping[str, Any]:
        """Who writes, speaks and draws, and whether each did what it was last asked for."""
        return {"items": _engines(house)}

    @router.get("/models", response_model=wire.Models)
    async def list_models() -> Mapping[str, Any]:
        """The models that the engines work with, as last seen."""
        return {"items": views.models_of(house.checks.sights())}

    @router.get("/voices", response_model=wire.Voices)
    async def list_voices() -> Mapping[str, Any]:
        """The voices that can speak, as last seen."""
        return {"items": views.voices_of(house.checks.sights())}

    @router.get("/settings", response_model=wire.Settings)
    def list_settings() -> Mapping[str, Any]:
        """Every setting, its value and where it comes from. Secrets are masked."""
        return {"items": list(house.project.settings())}

    return router
