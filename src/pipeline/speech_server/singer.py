"""Which voices speak: the default one, the unknown ones refused with the nearest names, the least used unloaded."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from pipeline.domain.sentence import Sentence, Word
from pipeline.errors import PipelineError
from pipeline.ports import Speech, SpeechRequest, VoiceIdentity
from pipeline.speech_server.booth import Booth
from pipeline.speech_server.faults import Unknown
from pipeline.telemetry import traces
from pipeline.text.alignment import Sound

_HELLO = Sentence((Word("Ready.", "Ready."),))


class Synthesizer(Protocol):
    """What `engines.piper.Piper` does, as far as it is used here."""

    def installed(self) -> Mapping[str, VoiceIdentity]: ...

    def configs(self) -> Mapping[str, Mapping[str, object]]: ...

    def speak_in_full(
        self,
        request: SpeechRequest,
        *,
        noise: float | None = None,
        noise_w: float | None = None,
        heard: Callable[[bytes], None] | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> tuple[Speech, tuple[Sound, ...]]: ...

    def loaded(self) -> tuple[str, ...]: ...

    def unload(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence spoken."""

    speech: Speech
    sounds: tuple[Sound, ...]
    sentence: Sentence
    took_seconds: float
    """How long the synthesizer worked at it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence to be spoken."""

    sentence: Sentence
    voice: str
    """A voice's name, or `name#speaker`."""
    rate: float = 1.0
    seed: int = 0
    noise: float | None = None
    noise_w: float | None = None
    heard: Callable[[bytes], None] | None = None
    """Given the sound as it is made, on the speaker's thread, before the whole of it is checked."""


Booths = Booth[Piece, Said]
"""Where it is spoken: one for all routes, so that none is served before its turn."""


class Singer:
    """Speaks pieces; thread-safe. `most_loaded` voices stay in memory."""

    def __init__(self, synthesizer: Synthesizer, *, default: str, most_loaded: int) -> None:
        self._synthesizer = synthesizer
        self._default = default
        self._most_loaded = most_loaded
        self._used: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._ready = False
        self._why = "no voice has spoken yet"

    def voices(self) -> Mapping[str, VoiceIdentity]:
        return self._synthesizer.installed()

    def configs(self) -> Mapping[str, Mapping[str, object]]:
        return self._synthesizer.configs()

    def loaded(self) -> tuple[str, ...]:
        return self._synthesizer.loaded()

    @property
    def standing(self) -> tuple[bool, str]:
        """Whether it has spoken, and what to say of it."""
        return self._ready, self._why

    def choose(self, name: str | None, speaker: str | None = None, *, lenient: bool = False) -> VoiceIdentity:
        """The voice asked for, or the default one where none is (or, `lenient`, where it is not here).

        Raises Unknown with the nearest names for a voice or a speaker that is not here.
        """
        voices = self.voices()
        wanted = name or self.default()
        if wanted not in voices and lenient:
            wanted = self.default()
        if wanted not in voices:
            near = get_close_matches(wanted, voices, n=3, cutoff=0.4)
            raise Unknown(
                f"there is no voice {wanted!r} here" if wanted else "there is no voice here",
                hint=f"The nearest: {', '.join(near)}."
                if near
                else f"There are: {', '.join(sorted(voices)) or 'none'}.",
            )
        identity = voices[wanted]
        if speaker is not None and speaker not in identity.speakers:
            near = get_close_matches(speaker, identity.speakers, n=3) or list(identity.speakers[:8])
            raise Unknown(
                f"the voice {wanted} has no speaker {speaker!r}",
                hint=f"The nearest: {', '.join(near)}." if near else "It has a single one: name none.",
            )
        return identity

    def default(self) -> str:
        """The voice of requests that name none; empty where there is none at all."""
        return self._default or min(self.voices(), default="")

    def warm(self) -> None:
        """Load the default voice and have it say something; `standing` tells how it went."""
        try:
            identity = self.choose(None)
            self.sing(Piece(_HELLO, identity.name))
        except PipelineError as error:
            self._why = f"{error.what}. {error.hint}".strip()

    def sing(self, piece: Piece, wanted: Callable[[], bool] | None = None) -> Said:
        """Raises PipelineError; Interrupted once it is not `wanted` any more."""
        name = piece.voice.partition("#")[0]
        begun = time.monotonic()
        with traces.span("speak", {"voice": piece.voice}) as span:
            speech, sounds = self._synthesizer.speak_in_full(
                SpeechRequest(piece.sentence, piece.voice, rate=piece.rate, seed=piece.seed),
                noise=piece.noise,
                noise_w=piece.noise_w,
                heard=piece.heard,
                wanted=wanted,
            )
            traces.tell(span, {"audio_seconds": round(speech.seconds, 3)})
        took = time.monotonic() - begun
        with self._lock:
            self._used[name] = None
            self._used.move_to_end(name)
            while len(self._used) > self._most_loaded:
                least, _ = self._used.popitem(last=False)
                self._synthesizer.unload(least)
            self._ready, self._why = True, f"{name} has spoken"
        return Said(speech, sounds, piece.sentence, took)
