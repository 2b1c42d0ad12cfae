"""Piper's routes, as upstream's own server has them, and the times of the words, which it has not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pipeline import __version__
from pipeline.engines.piper.engine import FASTEST, SLOWEST
from pipeline.speech_server import sound, wire
from pipeline.speech_server.booth import Visit
from pipeline.speech_server.clients import body_of, parsed, refuse_long, unless_gone
from pipeline.speech_server.count import Count
from pipeline.speech_server.faults import Mistaken
from pipeline.speech_server.metrics import Metrics
from pipeline.speech_server.settings import SpeechSettings
from pipeline.speech_server.singer import Booths, Piece, Said, Singer

OURS = "media_pipeline"
"""The key of /voices that only this server has: digest and licence of each voice."""


def piper(singer: Singer, booth: Booths, settings: SpeechSettings, metrics: Metrics) -> APIRouter:
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
        with Count(metrics, "synthesize") as count:
            wanted = parsed(wire.Synthesize, await body_of(request, settings))
            pieces, rate = await asyncio.to_thread(_pieces, wanted, singer, settings)
            with booth.enter(pieces) as visit:
                said = await unless_gone(request, _all(visit))
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


def _pieces(wanted: wire.Synthesize, singer: Singer, settings: SpeechSettings) -> tuple[list[Piece], int]:
    identity = singer.choose(wanted.voice, _speaker(wanted, singer))
    speaker = _speaker(wanted, singer)
    voice = f"{identity.name}#{speaker}" if speaker else identity.name
    refuse_long(wanted.text, settings)
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


async def _all(visit: Visit[Piece, Said]) -> list[Said]:
    return [await asyncio.wrap_future(future) for future in visit.futures()]


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
