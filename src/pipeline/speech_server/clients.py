"""Who asks: what they may, what they send, and whether they are still there."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from pipeline.speech_server import wire
from pipeline.speech_server.faults import Foreign, Mistaken, Stranger, TooLong, TooSlow
from pipeline.speech_server.settings import SpeechSettings

_BODY_SECONDS = 30.0
_BYTES_A_CHARACTER = 8
_BODY_BESIDE_TEXT = 64 << 10

B = TypeVar("B", bound=BaseModel)
R = TypeVar("R")


def asks_for(settings: SpeechSettings) -> Callable[[Request], Awaitable[None]]:
    """A route's condition: the key, where the settings have one. It raises Stranger."""

    async def asks(request: Request) -> None:
        if settings.api_key is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, settings.api_key.get_secret_value().encode()):
            raise Stranger("a key is asked for here", hint="Send it as Authorization: Bearer …")

    return asks


async def refuse_foreign(request: Request) -> None:
    """A page of another site can have a person's browser post here, though not read the answer: it says so itself.

    Raises Foreign.
    """
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Foreign(f"calls from pages of {origin} are not taken")


async def body_of(request: Request, settings: SpeechSettings) -> bytes:
    """All of what was sent, as far as a text that is taken can need. Raises TooLong, TooSlow, Mistaken."""
    most = settings.max_characters * _BYTES_A_CHARACTER + _BODY_BESIDE_TEXT
    pieces, length = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                length += len(piece)
                if length > most:
                    raise TooLong(f"the request is longer than {most:,} bytes", hint="Send the text in parts.")
                pieces.append(piece)
    except TimeoutError as late:
        raise TooSlow(f"the request did not come to its end in {_BODY_SECONDS:g} s") from late
    except ClientDisconnect as gone:
        # Nobody reads the answer; without this it would be logged as a fault of the server.
        raise Mistaken("the client went away before its request was here") from gone
    return b"".join(pieces)


def parsed(model: type[B], body: bytes) -> B:
    """Whatever the content type says, as upstream does. Raises Mistaken."""
    try:
        # Python's own parser takes half a character (a lone surrogate), which clients do send; it becomes a blank.
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Mistaken(f"the request is no JSON: {error}", hint='Send {"text": "…"}.') from error
    try:
        return model.model_validate(_tuples(value))
    except ValidationError as error:
        faults: list[Any] = list(error.errors(include_url=False, include_context=False, include_input=False))
        raise Mistaken(wire.told(faults), hint="See /docs.") from error


def refuse_long(text: str, settings: SpeechSettings) -> None:
    """Raises TooLong."""
    if len(text) > settings.max_characters:
        raise TooLong(
            f"the text has {len(text):,} characters, and {settings.max_characters:,} are taken at once",
            hint="Send it in parts, or raise SPEECH_MAX_CHARACTERS.",
        )


async def unless_gone(request: Request, work: Awaitable[R]) -> R | None:
    """The work's result; None when the client went away first."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await doing if doing.done() else None
    finally:
        leaving.cancel()
        doing.cancel()


def _tuples(value: object) -> object:
    """JSON has no tuples: `words` come as lists of two."""
    if isinstance(value, dict) and isinstance(value.get("words"), list):
        return {**value, "words": [tuple(word) if isinstance(word, list) else word for word in value["words"]]}
    return value


async def _gone(request: Request) -> None:
    """Returns when the client has gone away. Only once its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
