"""A voice without a network: a tone for each word, as long as the word would take, with exact spans."""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pipeline.domain.timeline import Span
from pipeline.errors import EngineRefused, InputError, PipelineError
from pipeline.ports import Speech, SpeechRequest, VoiceIdentity

SECONDS_A_LETTER = 0.07
GAP_SECONDS = 0.03
"""Silence before, between and after words."""


def identity(
    name: str = "en_US-fake-medium", *, language: str = "en-US", speakers: tuple[str, ...] = ()
) -> VoiceIdentity:
    return VoiceIdentity(
        engine="fake",
        name=name,
        digest=hashlib.sha256(name.encode()).hexdigest(),
        licence="CC0",
        language=language,
        sample_rate=16_000,
        speakers=speakers,
    )


class FakeVoice:
    """Fulfils `ports.Voice`. The pitch comes from the word, the voice and the seed: equal requests, equal bytes."""

    def __init__(
        self, voices: Sequence[VoiceIdentity] | None = None, *, failures: Mapping[int, PipelineError] | None = None
    ) -> None:
        """`failures` names the calls of `speak` that fail, counted from 1, and what each of them raises."""
        self._voices = {voice.name: voice for voice in (voices if voices is not None else [identity()])}
        self._failures = dict(failures or {})
        self._lock = threading.Lock()
        self.calls: list[SpeechRequest] = []
        """Every request that reached `speak`, in order, those that failed too."""

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return dict(self._voices)

    def check(self) -> None:
        if not self._voices:
            raise EngineRefused("no voice is installed", where="fake")

    def speak(self, request: SpeechRequest) -> Speech:
        with self._lock:
            self.calls.append(request)
            failure = self._failures.get(len(self.calls))
        if failure is not None:
            raise failure
        name, _, speaker = request.voice.partition("#")
        voice = self._voices.get(name)
        if voice is None or (speaker and speaker not in voice.speakers):
            raise EngineRefused(f"the voice {request.voice!r} is not installed", where="fake")
        if not request.sentence.spoken.strip():
            raise InputError(f"there is nothing to say in “{request.sentence.shown}”")
        return _tones(request, voice.sample_rate)


def _tones(request: SpeechRequest, sample_rate: int) -> Speech:
    gap = bytes(2 * round(GAP_SECONDS * sample_rate))
    pcm = bytearray(gap)
    spans: list[Span] = []
    for word in request.sentence.words:
        start = len(pcm) // 2 / sample_rate
        if not word.spoken:
            spans.append(Span(start, start))
            continue
        samples = round(max(2, len(word.spoken)) * SECONDS_A_LETTER / request.rate * sample_rate)
        pcm += _tone(f"{request.seed}/{request.voice}/{word.spoken}", samples, sample_rate)
        spans.append(Span(start, len(pcm) // 2 / sample_rate))
        pcm += gap
    return Speech(bytes(pcm), sample_rate, tuple(spans), exact=True)


@lru_cache(maxsize=4096)
def _tone(named: str, samples: int, sample_rate: int) -> bytes:
    """A square wave of 100 to 355 Hz at a fifth of full scale."""
    pitch = 100 + hashlib.sha256(named.encode()).digest()[0]
    half = max(1, sample_rate // pitch // 2)
    period = array("h", [6_500] * half + [-6_500] * half)
    wave = (period * (samples // len(period) + 1))[:samples]
    return wave.tobytes()
