"""OpenAI's routes for speech: the sound is sent as it is made."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from pipeline.ports import VoiceIdentity
from pipeline.speech_server import sound, wire
from pipeline.speech_server.booth import Visit
from pipeline.speech_server.clients import body_of, parsed, refuse_long, unless_gone
from pipeline.speech_server.count import Count
from pipeline.speech_server.metrics import Metrics
from pipeline.speech_server.settings import SpeechSettings
from pipeline.speech_server.singer import Booths, Piece, Said, Singer


def openai(singer: Singer, booth: Booths, settings: SpeechSettings, metrics: Metrics) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "piper", "object": "model", "created": 0, "owned_by": "piper"}]}

    @router.get("/audio/models")
    async def audio_models() -> dict[str, Any]:
        return {"models": [{"id": "piper"}]}

    @router.get("/audio/voices")
    async def audio_voices() -> dict[str, Any]:
        identities = await asyncio.to_thread(singer.voices)
        return {
            "voices": [
                {"id": name, "name": name, "language": identity.language}
                for name, identity in sorted(identities.items())
            ]
        }

    @router.post("/audio/speech")
    async def speech(request: Request) -> Response:
        """OpenAI's request; the sound is sent as its sentences are finished."""
        count = Count(metrics, "openai")
        with count:
            wanted = parsed(wire.Speech, await body_of(request, settings))
            pieces, identity = await asyncio.to_thread(_pieces, wanted, singer, settings)
            stream = await asyncio.to_thread(sound.stream, wanted.response_format, identity.sample_rate)
            begun = _Beginning(pieces)
            visit = booth.enter(begun.pieces)
            try:
                # The first sound decides the answer's status; what follows can only break off.
                futures = visit.futures()
                first = await unless_gone(request, begun.listen(next(futures)))
            except BaseException:
                visit.close()
                raise
            if first is None:
                visit.close()
                return count.gone()
            count.hears()
            count.streams()
            sounds = _sounds(first, begun, futures, count)
            silence = bytes(2 * int(settings.pause_seconds * identity.sample_rate))
            parts = _encoded(visit, sounds, silence, stream, count)
            if wanted.stream_format == "sse":
                return StreamingResponse(_events(parts), media_type="text/event-stream")
            return StreamingResponse(parts, media_type=sound.MEDIA_TYPES[wanted.response_format])

    return router


def _pieces(wanted: wire.Speech, singer: Singer, settings: SpeechSettings) -> tuple[list[Piece], VoiceIdentity]:
    refuse_long(wanted.input, settings)
    name, _, speaker = (wanted.voice or "").partition("#")
    identity = singer.choose(name or None, speaker or None, lenient=settings.unknown_voice == "default")
    voice = f"{identity.name}#{speaker}" if speaker else identity.name
    sentences = wire.early(wire.pieces(wanted.input, identity.language))
    return [Piece(sentence, voice, wanted.speed) for sentence in sentences], identity


class _Beginning:
    """The first sentence, whose sound is taken as it is made; that of the others is taken sentence by sentence."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[bytes] = asyncio.Queue()
        self._said: asyncio.Future[Said] | None = None
        self.pieces = [replace(pieces[0], heard=self._hear), *pieces[1:]]

    def _hear(self, pcm: bytes) -> None:
        """On the speaker's thread."""
        self._loop.call_soon_threadsafe(self._made.put_nowait, pcm)

    async def listen(self, said: Future[Said]) -> bytes:
        """The first sound there is. Raises what speaking raised before there was one."""
        self._said = asyncio.wrap_future(said)
        self._said.add_done_callback(self._end)
        if pcm := await self._made.get():
            return pcm
        whole = await self._said
        self._made.put_nowait(b"")  # a synthesizer that gives all of it at the end
        return whole.speech.pcm

    def _end(self, said: asyncio.Future[Said]) -> None:
        """It is told on the same thread as the sound and after it, and so comes after it here too."""
        self._made.put_nowait(b"")
        if not said.cancelled():
            # Looked at, because asyncio logs a failure that nobody has: of a sentence given up with its client, say.
            said.exception()

    async def rest(self) -> AsyncIterator[bytes]:
        while pcm := await self._made.get():
            yield pcm

    async def said(self) -> Said:
        """Raises what speaking raised."""
        if self._said is None:
            raise RuntimeError("nobody has listened yet")
        return await self._said


async def _sounds(
    first: bytes, begun: _Beginning, futures: Iterator[Future[Said]], count: Count
) -> AsyncIterator[tuple[bytes, bool]]:
    """Samples, and whether a sentence begins with them."""
    yield first, False
    async for pcm in begun.rest():
        yield pcm, False
    count.spoken([await begun.said()])
    for future in futures:
        said = await asyncio.wrap_future(future)
        count.spoken([said])
        yield said.speech.pcm, True


async def _encoded(
    visit: Visit[Piece, Said],
    sounds: AsyncIterator[tuple[bytes, bool]],
    silence: bytes,
    stream: sound.Stream,
    count: Count,
) -> AsyncIterator[bytes]:
    try:
        async for pcm, begins in sounds:
            if data := await asyncio.to_thread(stream.add, silence + pcm if begins else pcm):
                yield data
        if data := await asyncio.to_thread(stream.end):
            yield data
    except BaseException as error:
        # The status has been sent: the connection is broken off, so that nobody takes a part for the whole.
        count.end(error)
        raise
    else:
        count.end(None)
    finally:
        visit.close()


async def _events(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """OpenAI's server-sent events."""
    async for part in parts:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(value: Mapping[str, object]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()
