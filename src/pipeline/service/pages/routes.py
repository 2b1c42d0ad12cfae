"""Which page answers what, and what a form does: a deed, and then 303 to where its outcome is to be seen."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pipeline.errors import InputError, PipelineError
from pipeline.service import spoken
from pipeline.service.guard import SESSION_COOKIE, SESSION_SECONDS, SIGN_IN, Guard
from pipeline.service.pages import looks, rendering
from pipeline.service.pages.forecast import Forecast
from pipeline.service.pages.forms import TOPIC_FIELDS, fields_of, topic_of
from pipeline.service.pages.looks import Looks
from pipeline.service.pages.shelf import Shelf
from pipeline.service.pages.words import LANGUAGES, Words, words_for
from pipeline.service.problems import Missing, Mistaken, Stale, facts, status_of
from pipeline.service.routes import House

_LANGUAGE_COOKIE = "language"
_YEAR_SECONDS = 365 * 86_400
# A path of ours with its query, and nothing that a browser would read as another site.
_HERE = re.compile(r"/(?![/\\])[A-Za-z0-9._~%/-]{0,300}(?:\?[A-Za-z0-9._~%=&+-]{0,300})?(?:#[A-Za-z0-9-]{0,40})?")
_LONGEST_NAME = 200

Name = Annotated[str, Query(max_length=_LONGEST_NAME)]


def pages(house: House, guard: Guard) -> APIRouter:
    """Every page and form."""
    shown = Looks(house, Shelf(house.project.folders.output), Forecast(house.keeper, house.files))
    router = APIRouter(include_in_schema=False)
    for of in (_seen, _asked, _episodes, _signing):
        router.include_router(of(shown, guard))
    return router


def fault(request: Request, error: PipelineError) -> Response:
    """A failure as a page."""
    values = {"title": "", "here": "", "error": facts(error), "token": False}
    return rendering.page("fault.html", _words(request), values, status=status_of(error))


def _words(request: Request) -> Words:
    return words_for(request.cookies.get(_LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def _local(path: str) -> str:
    """A path to lead somebody to; the first page's for whatever could lead elsewhere."""
    return path if _HERE.fullmatch(path) else "/"


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(_local(path), 303)


# -- what is looked at ----------------------------------------------------------------------------------------------


def _seen(shown: Looks, guard: Guard) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home(request: Request, asked: Name = "") -> Response:
        return _home(shown, guard, request, _titles(shown, asked))

    @router.get("/episodes")
    def shelf(request: Request, page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> Response:
        items, count = shown.items((page - 1) * looks.ON_SHELF, looks.ON_SHELF)
        pages = max(1, -(-count // looks.ON_SHELF))
        values = {"items": items, "count": count, "page": page, "pages": pages}
        return _page(request, guard, "shelf.html", "episodes", values)

    @router.get("/plan")
    def plan(request: Request, after: Annotated[str, Query(max_length=500)] = "") -> Response:
        return _page(request, guard, "plan.html", "plan", {"plan": shown.plan(after)})

    @router.get("/engines")
    def engines(request: Request) -> Response:
        values = {"engines": shown.engines(), "disks": shown.disks(), "choices": shown.choices()}
        return _page(request, guard, "engines.html", "engines", values)

    @router.get("/assets/{name}")
    def get_asset(name: str, request: Request) -> Response:
        found = rendering.asset(name)
        if found is None:
            raise Missing(f"there is no file {name!r}")
        data, kind, etag = found
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(data, headers={**headers, "Content-Type": kind})

    @router.get("/language/{code}")
    def choose_language(code: str, request: Request, to: Annotated[str, Query(max_length=700)] = "/") -> Response:
        answer = _to(to)
        if code in LANGUAGES:
            secure = request.url.scheme == "https"
            answer.set_cookie(
                _LANGUAGE_COOKIE, code, max_age=_YEAR_SECONDS, httponly=True, samesite="strict", secure=secure
            )
        return answer

    return router


def _page(
    request: Request,
    guard: Guard,
    template: str,
    at: str,
    values: Mapping[str, object],
    *,
    title: str = "",
    status: int = 200,
) -> Response:
    words = _words(request)
    path = request.url.path + (f"?{request.url.query}" if request.url.query and request.method == "GET" else "")
    here = quote(_local(path), safe="")
    given = {"title": title or words[at], "at": at, "here": here, "token": guard.token is not None}
    return rendering.page(template, words, {**given, **values}, status=status)


def _home(
    shown: Looks,
    guard: Guard,
    request: Request,
    asked: str = "",
    fields: Mapping[str, str] | None = None,
    error: PipelineError | None = None,
) -> Response:
    items, count = shown.items(0, looks.ON_HOME)
    values = {
        "now": shown.now(),
        "steps": looks.STEPS,
        "until": looks.seconds_until,
        "engines": shown.engines(),
        "disks": shown.disks(),
        "choices": shown.choices(),
        "items": items,
        "count": count,
        "asked": asked,
        "fields": {**dict.fromkeys(TOPIC_FIELDS, ""), **(fields or {})},
        "key": (fields or {}).get("key") or secrets.token_hex(16),
        "error": facts(error) if error is not None else None,
    }
    return _page(request, guard, "home.html", "now", values, status=status_of(error) if error is not None else 200)


def _titles(shown: Looks, name: str) -> str:
    """What a topic file asks for; empty where it is gone."""
    try:
        return ", ".join(topic.title for topic in shown.house.files.read(name).topics[:3]) if name else ""
    except Missing:
        return ""


# -- what is asked for ----------------------------------------------------------------------------------------------


def _asked(shown: Looks, guard: Guard) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    house = shown.house

    @router.post("/topics")
    async def make_topic(request: Request) -> Response:
        fields = await fields_of(request)
        try:
            made, _ = await asyncio.to_thread(house.desk.create, topic_of(fields), fields.get("key") or None)
        except InputError as error:
            return await asyncio.to_thread(_home, shown, guard, request, "", fields, error)
        return _to(f"/?asked={quote(made.name)}")

    @router.post("/maker/pause")
    async def pause(request: Request) -> Response:
        await fields_of(request)
        await asyncio.to_thread(house.maker.pause)
        return _to("/#works")

    @router.post("/maker/resume")
    async def resume(request: Request) -> Response:
        await fields_of(request)
        await asyncio.to_thread(house.maker.resume)
        return _to("/#works")

    @router.post("/episodes/{episode}/retry")
    async def retry(episode: str, request: Request) -> Response:
        fields = await fields_of(request)
        await asyncio.to_thread(house.desk.retry, episode)
        return _to(fields.get("to", "/#works"))

    @router.post("/episodes/{episode}/cancel")
    async def cancel(episode: str, request: Request) -> Response:
        fields = await fields_of(request)
        await asyncio.to_thread(house.desk.call_off, episode)
        return _to(fields.get("to", "/#works"))

    return router


# -- an episode -----------------------------------------------------------------------------------------------------


def _episodes(shown: Looks, guard: Guard) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    house = shown.house

    def look(
        request: Request,
        episode: str,
        *,
        edit: int = 0,
        kept: bool = False,
        sentence: str | None = None,
        script: str | None = None,
        error: PipelineError | None = None,
    ) -> Response:
        """`sentence` and `script` are what somebody wrote and could not keep, for the reason `error`."""
        one = shown.episode(episode)
        values = {
            "one": one,
            "steps": looks.STEPS,
            "edit": edit,
            "kept": kept,
            "sentence": sentence,
            "written": script,
            "error": facts(error) if error is not None else None,
            "stale": isinstance(error, Stale),
        }
        status = status_of(error) if error is not None else 200
        return _page(request, guard, "episode.html", "episodes", values, title=one.title, status=status)

    @router.get("/episodes/{episode}")
    def see(
        episode: str, request: Request, edit: Annotated[int, Query(ge=0, le=100_000)] = 0, kept: bool = False
    ) -> Response:
        return look(request, episode, edit=edit, kept=kept)

    @router.post("/episodes/{episode}/sentences/{number}")
    async def keep_sentence(episode: str, number: int, request: Request) -> Response:
        fields = await fields_of(request)
        words, etag = fields.get("text", ""), fields.get("etag", "")

        def keep() -> Response:
            try:
                house.desk.edit(episode, spoken.edited(house, episode, number, words, etag), etag)
            except (Stale, InputError) as error:
                return look(request, episode, edit=number, sentence=words, error=error)
            return _to(f"/episodes/{quote(episode)}?kept=true#s{number}")

        return await asyncio.to_thread(keep)

    @router.post("/episodes/{episode}/script")
    async def keep_script(episode: str, request: Request) -> Response:
        fields = await fields_of(request)
        text = fields.get("script", "")

        def keep() -> Response:
            try:
                house.desk.edit(episode, text.encode("utf-8", "surrogatepass"), fields.get("etag", ""))
            except (Stale, InputError) as error:
                return look(request, episode, script=text, error=error)
            return _to(f"/episodes/{quote(episode)}?kept=true")

        return await asyncio.to_thread(keep)

    return router


# -- signing in -----------------------------------------------------------------------------------------------------


def _signing(_: Looks, guard: Guard) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN)
    def sign_in(request: Request) -> Response:
        """Also what somebody without a token is answered wherever a page is asked for."""
        if request.state.known:
            return _to("/")
        return _sign_in(request, _local(getattr(request.state, "asked", "/")))

    @router.post(SIGN_IN)
    async def signed_in(request: Request) -> Response:
        try:
            fields = await fields_of(request)
        except Mistaken:  # whoever has no token is told no more than that
            fields = {}
        to = _local(fields.get("to", "/"))
        if not guard.is_token(fields.get("token", "").strip()):
            return _sign_in(request, to, wrong=True)
        answer = _to(to)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            SESSION_COOKIE, guard.session(), max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await fields_of(request)
        answer = _to("/")
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def _sign_in(request: Request, to: str, *, wrong: bool = False) -> Response:
    words = _words(request)
    values = {"title": words["sign_in"], "at": "", "here": "", "token": False, "to": to, "wrong": wrong}
    return rendering.page("sign-in.html", words, values, status=401, headers={"WWW-Authenticate": "Bearer"})
