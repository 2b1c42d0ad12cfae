"""The routes: Piper's, OpenAI's, and health, readiness and metrics beside them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from pipeline import __version__
from pipeline.engines.piper.engine import FASTEST, SLOWEST
from pipeline.errors import EngineUnavailable, InputError, PipelineError
from pipeline.ports import VoiceIdentity
from pipeline.speech_server import sound, wire
from pipeline.speech_server.booth import Booth, Visit
from pipeline.speech_server.faults import Busy, Fault, Foreign, Mistaken, Stranger, TooLong, TooSlow, Unspeakable
from pipeline.speech_server.metrics import Metrics
from pipeline.speech_server.settings import SpeechSettings
from pipeline.speech_server.singer import Piece, Said, Singer
from pipeline.telemetry import failure, log
from pipeline.telemetry.asgi import Requests

SERVICE = "media-pipeline speech"
"""What /health says of itself."""
OURS = "media_pipeline"
"""The key of /voices that only this server has: digest and licence of each voice."""

# How often it is looked whether a voice has come, until one has spoken.
_WARM_SECONDS = 1.0
_BODY_SECONDS = 30.0
_BYTES_A_CHARACTER = 8
_BODY_BESIDE_TEXT = 64 << 10
# nginx's number for a client that went away: nobody reads it but the log.
_CLIENT_GONE = 499

B = TypeVar("B", bound=BaseModel)
Booths = Booth[Piece, Said]


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
    app.add_exception_handler(PipelineError, _say_fault)
    app.add_exception_handler(Exception, _say_bug)
    app.add_middleware(Requests)
    app.include_router(_upkeep(singer, booth, metrics))
    guarded = [Depends(_refuse_foreign), Depends(_asks_for(settings))]
    app.include_router(_piper(singer, booth, settings, metrics), dependencies=guarded)
    app.include_router(_openai(singer, booth, settings, metrics), dependencies=guarded)
    return app


# -- health ---------------------------------------------------------------------------------------------------------


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


# -- Piper's routes -------------------------------------------------------------------------------------------------


def _piper(singer: Singer, booth: Booths, settings: SpeechSettings, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/voices")
    async def voices() -> dict[str, Any]:
        """Piper's own configuration of each voice, and what only this server tells: digest and licence."""
        identities = await asyncio.to_thread(singer.voices)
        configs = singer.configs()
        return {
            name: {**configs[name], OURS: {"digest": identity.digest, "licence": identity.licence}}
            for name, identity in sorted(identities.items())
            if name in configs
        }

    @router.get("/info")
    async def info() -> dict[str, Any]:
        """As upstream's, but for `last`: what another client sent is nobody's business."""
        identity = await asyncio.to_thread(singer.choose, None)
        speakers = max(1, len(identity.speakers))
        return {
            "voice": {"name": identity.name, "language": identity.language, "num_speakers": speakers},
            "last": None,
            "version": __version__,
        }

    @router.post("/synthesize")
    async def synthesize(request: Request) -> Response:
        """Piper's request; a WAV file, or with `timings` JSON with the sound and the time of each word."""
        with _Count(metrics, "synthesize") as count:
            wanted = _parsed(wire.Synthesize, await _body(request, settings))
            pieces, rate = await asyncio.to_thread(_piper_pieces, wanted, singer, settings)
            with booth.enter(pieces) as visit:
                said = await _unless_gone(request, _all(visit))
            if said is None:
                return count.gone()
            count.spoken(said)
            if wanted.timings:
                return JSONResponse(await asyncio.to_thread(_with_times, said, rate))
            pcm = b"".join(one.speech.pcm for one in said)
            return Response(sound.wav(pcm, rate), media_type="audio/wav")

    # Upstream's own place for it until 1.4.
    router.add_api_route("/", synthesize, methods=["POST"], include_in_schema=False)
    return router


def _piper_pieces(wanted: wire.Synthesize, singer: Singer, settings: SpeechSettings) -> tuple[list[Piece], int]:
    identity = singer.choose(wanted.voice, _speaker(wanted, singer))
    speaker = _speaker(wanted, singer)
    voice = f"{identity.name}#{speaker}" if speaker else identity.name
    _refuse_long(wanted.text, settings)
    sentences = wire.pieces(wanted.text, identity.language) if wanted.words is None else [wire.given(wanted.words)]
    pace = wanted.rate or 1.0
    if wanted.rate is None and wanted.length_scale is not None:
        inference = singer.configs()[identity.name].get("inference")
        own = float(inference.get("length_scale", 1.0)) if isinstance(inference, Mapping) else 1.0
        pace = own / wanted.length_scale
        if not SLOWEST <= pace <= FASTEST:
            raise Mistaken(
                f"length_scale: this voice's own is {own:g}, and it speaks at {SLOWEST:g} to {FASTEST:g} times its pace"
            )
    pieces = [
        Piece(sentence, voice, pace, wanted.seed, wanted.noise_scale, wanted.noise_w_scale) for sentence in sentences
    ]
    return pieces, identity.sample_rate


def _speaker(wanted: wire.Synthesize, singer: Singer) -> str | None:
    """The speaker's name: the one given, else the one of the number given. Raises Unknown."""
    if wanted.speaker is not None or wanted.speaker_id is None:
        return wanted.speaker or None
    identity = singer.choose(wanted.voice)
    numbers = singer.configs()[identity.name].get("speaker_id_map")
    names = {int(number): str(name) for name, number in numbers.items()} if isinstance(numbers, Mapping) else {}
    if wanted.speaker_id in names:
        return names[wanted.speaker_id]
    if wanted.speaker_id == 0 and not names:
        return None
    singer.choose(wanted.voice, str(wanted.speaker_id))
    return None


def _with_times(said: Sequence[Said], rate: int) -> dict[str, Any]:
    words, phonemes = [], []
    start = 0.0
    for one in said:
        for word, span in zip(one.sentence.words, one.speech.spans, strict=True):
            words.append({"word": word.shown, "start": start + span.start, "end": start + span.end})
        place = start
        for heard in one.sounds:
            phonemes.append({"phoneme": heard.symbol, "start": round(place, 6), "seconds": round(heard.seconds, 6)})
            place += heard.seconds
        start += one.speech.seconds
    pcm = b"".join(one.speech.pcm for one in said)
    return {
        "sample_rate": rate,
        "seconds": round(start, 6),
        "exact": all(one.speech.exact for one in said),
        "audio": base64.b64encode(sound.wav(pcm, rate)).decode(),
        "words": words,
        "phonemes": phonemes,
    }


# -- OpenAI's routes ------------------------------------------------------------------------------------------------


def _openai(singer: Singer, booth: Booths, settings: SpeechSettings, metrics: Metrics) -> APIRouter:
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
        count = _Count(metrics, "openai")
        with count:
            wanted = _parsed(wire.Speech, await _body(request, settings))
            pieces, identity = await asyncio.to_thread(_openai_pieces, wanted, singer, settings)
            stream = await asyncio.to_thread(sound.stream, wanted.response_format, identity.sample_rate)
            begun = _Beginning(pieces)
            visit = booth.enter(begun.pieces)
            try:
                # The first sound decides the answer's status; what follows can only break off.
                futures = visit.futures()
                first = await _unless_gone(request, begun.listen(next(futures)))
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


def _openai_pieces(wanted: wire.Speech, singer: Singer, settings: SpeechSettings) -> tuple[list[Piece], VoiceIdentity]:
    _refuse_long(wanted.input, settings)
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
    first: bytes, begun: _Beginning, futures: Iterator[Future[Said]], count: _Count
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
    count: _Count,
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


# -- details ----------------------------------------------------------------------------------------------------------


class _Count:
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


async def _all(visit: Visit[Piece, Said]) -> list[Said]:
    return [await asyncio.wrap_future(future) for future in visit.futures()]


R = TypeVar("R")


async def _unless_gone(request: Request, work: Awaitable[R]) -> R | None:
    """The work's result; None when the client went away first."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await doing if doing.done() else None
    finally:
        leaving.cancel()
        doing.cancel()


async def _gone(request: Request) -> None:
    """Returns when the client has gone away. Only once its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request, settings: SpeechSettings) -> bytes:
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


def _parsed(model: type[B], body: bytes) -> B:
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


def _tuples(value: object) -> object:
    """JSON has no tuples: `words` come as lists of two."""
    if isinstance(value, dict) and isinstance(value.get("words"), list):
        return {**value, "words": [tuple(word) if isinstance(word, list) else word for word in value["words"]]}
    return value


def _refuse_long(text: str, settings: SpeechSettings) -> None:
    if len(text) > settings.max_characters:
        raise TooLong(
            f"the text has {len(text):,} characters, and {settings.max_characters:,} are taken at once",
            hint="Send it in parts, or raise SPEECH_MAX_CHARACTERS.",
        )


def _asks_for(settings: SpeechSettings) -> Callable[[Request], Awaitable[None]]:
    async def asks(request: Request) -> None:
        if settings.api_key is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, settings.api_key.get_secret_value().encode()):
            raise Stranger("a key is asked for here", hint="Send it as Authorization: Bearer …")

    return asks


async def _refuse_foreign(request: Request) -> None:
    """A page of another site can have a person's browser post here, though not read the answer: it says so itself."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Foreign(f"calls from pages of {origin} are not taken")


async def _say_fault(_: Request, error: Exception) -> Response:
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


async def _say_bug(_: Request, error: Exception) -> Response:
    # The server below logs it with its traceback.
    return JSONResponse(_complaint(f"a fault in the server itself: {type(error).__name__}", "", "failed", 500), 500)


def _complaint(what: str, hint: str, kind: str, status: int) -> dict[str, Any]:
    """OpenAI's error object, which its clients show; `detail` is for people with curl."""
    message = f"{what}. {hint}".strip() if hint else what
    sort = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": sort, "param": None, "code": kind}}
