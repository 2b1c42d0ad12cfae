"""Single sentences, spoken at once: how a voice sounds, and how an edit will. Beside the rounds, with their engines.

A sentence is spoken by the very step that a round would speak it by, so its sound lies in the store under the key that
the round will ask for: who hears an edit before keeping it has had that much of the episode made already.
"""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.build.recipe import digest_of
from pipeline.domain.sentence import Pause, Utterance
from pipeline.domain.topic import Source, Topic
from pipeline.errors import EngineUnavailable, InputError, Interrupted
from pipeline.service.problems import Busy, Missing
from pipeline.service.project import Keeper
from pipeline.service.routes import API, House, IfMatch
from pipeline.service.topics import changed_since
from pipeline.service.views import manifest_at
from pipeline.service.wire import Script
from pipeline.stages import casting, speech
from pipeline.stages.publish import SCRIPT
from pipeline.text import one_sentence, sentences, spoken
from pipeline.wiring import Workshop

T = TypeVar("T")

# Two, so that one person's long sentence does not keep another from hearing a short one; a round has the cores too.
_AT_ONCE = 2
_PATIENCE_SECONDS = 10.0
# A round that gives way has its engines give up what they do, for as long as that takes.
_GIVING_WAY_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_PAUSE_SECONDS = 0.3
_SAMPLE_KEPT_SECONDS = 3600

_SAMPLES: Mapping[str, str] = {
    "de": "Guten Tag. So klinge ich, wenn ich eine Geschichte erzähle.",
    "en": "Hello. This is how I sound when I tell a story.",
    "es": "Hola. Así sueno cuando cuento una historia.",
    "fr": "Bonjour. Voici ma voix quand je raconte une histoire.",
    "it": "Ciao. Questa è la mia voce quando racconto una storia.",
    "nl": "Hallo. Zo klink ik als ik een verhaal vertel.",
    "pt": "Olá. É assim que eu soo quando conto uma história.",
}
# Every voice says figures in its own language.
_ANY_LANGUAGE = "1, 2, 3, 4, 5, 6, 7."


@dataclass(frozen=True, slots=True)
class Sound:
    """A few spoken sentences."""

    wav: bytes
    """16-bit mono."""
    key: str
    """Names it: the same sound has the same key."""
    made: int
    """How many of its sentences were spoken for it; the others were there."""


@dataclass(slots=True)
class Booth:
    """Where single sentences are spoken. Thread-safe."""

    keeper: Keeper
    _room: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE))

    def sample(self, name: str, speaker: str = "") -> Sound:
        """A voice's own words. Raises Missing for one that is not installed, Busy, EngineError, StoreError."""
        shop = self._shop()
        identity = shop.studio.desk.voice.installed().get(name)
        if identity is None or (speaker and speaker not in identity.speakers):
            raise Missing(f"no such voice is installed: {name!r}", hint="GET /api/v1/voices lists them.")
        text = _SAMPLES.get(identity.language.partition("-")[0].lower(), _ANY_LANGUAGE)
        return self._say(shop, text, identity.language, casting.Casting(identity, speaker), 1.0)

    def say(self, words: str, manifest: Mapping[str, Any]) -> Sound:
        """Words as the episode of this manifest will have them, once they are in its script.

        Raises InputError for what cannot be said, Busy, EngineError, StoreError.
        """
        shop = self._shop()
        desk = shop.studio.desk
        told = _mapping(_mapping(manifest.get("engines")).get("voice"))
        language = str(manifest.get("language") or "en")
        installed = desk.voice.installed()
        before = installed.get(str(told.get("voice")))
        if before is not None:
            who = casting.Casting(before, str(told.get("speaker") or ""))
        else:
            topic = Topic(title=str(manifest.get("title")), source=Source(SCRIPT, 1), language=language)
            who = casting.cast(topic, installed, desk.voices)
        # Where the length was asked for, the pace was brought nearer to it; an edit is spoken at that pace again.
        fitted = told.get("speaking_rate") if manifest.get("length") else None
        rate = float(fitted) if isinstance(fitted, int | float) else desk.rate
        return self._say(shop, one_sentence.as_written(words), language, who, rate)

    def _shop(self) -> Workshop:
        """Raises EngineUnavailable where the voice is down: else its caller would wait for as long as it is."""
        shop = self.keeper.at_hand().shop
        down = shop.outages.down.get("voice")
        if down is not None:
            raise EngineUnavailable(down.why, where=down.where, hint=down.hint)
        return shop

    def _say(self, shop: Workshop, text: str, language: str, who: casting.Casting, rate: float) -> Sound:
        desk = shop.studio.desk
        every = [spoken.sentence(one, language, desk.pronunciations) for one in sentences.split(text, language)]
        said = [Utterance(one, 0, Pause.SENTENCE) for one in every if spoken.has_speech(one)]
        if not said:
            raise InputError("nothing in this can be spoken", hint="Write at least one word.")
        steps = next(speech.speak(said, desk.voice, who.voice, speaker=who.speaker, rate=rate))
        if not self._room.acquire(timeout=_PATIENCE_SECONDS):
            raise Busy("others are being listened to", hint="Ask again in a moment.")
        try:
            store = shop.studio.store
            made = [_unless_interrupted(partial(store.make_or_find, step)) for step in steps]
        finally:
            self._room.release()
        sounds = [speech.SpokenSentence(*pair).sound() for pair in zip(said, (one for one, _ in made), strict=True)]
        return Sound(_wav(sounds), digest_of([step.key for step in steps]), sum(new for _, new in made))


def _unless_interrupted(make: Callable[[], T]) -> T:
    """What `make` gives; where a round gives way, and every engine with it, once that is over. Raises Busy."""
    until = time.monotonic() + _GIVING_WAY_SECONDS
    while True:
        try:
            return make()
        except Interrupted:
            if time.monotonic() > until:
                raise Busy("the engines are being stopped", hint="Ask again in a moment.") from None
            time.sleep(_LOOK_SECONDS)


def _wav(sounds: list[tuple[bytes, int]]) -> bytes:
    """Sounds of one sample rate as a file, with a short silence between them."""
    rate = sounds[0][1]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(sounds[0][0])
        for pcm, _ in sounds[1:]:
            out.writeframes(bytes(2 * round(_PAUSE_SECONDS * rate)) + pcm)
    return file.getvalue()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# -- the calls ------------------------------------------------------------------------------------------------------

_WORDS: dict[str, Any] = {"text": "Air scatters blue light more than red."}


class Words(BaseModel):
    """A sentence as somebody would have it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_WORDS]})
    text: Annotated[str, Field(min_length=1, max_length=one_sentence.LONGEST_CHARACTERS)]


_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "audio/wav": {
                "schema": {"type": "string", "format": "binary"},
                "example": "(16-bit mono PCM, as a WAV file)",
            }
        }
    }
}


def calls(house: House, booth: Booth) -> APIRouter:
    """Samples of voices, sentences to be heard, sentences to be kept."""
    router = APIRouter(prefix=API, tags=["speech"])
    output = house.project.folders.output

    @router.get("/voices/{voice}/sample", response_class=Response, responses=_AUDIO)
    def get_sample(
        voice: str,
        speaker: Annotated[str, Query(max_length=100, description="One of a voice's speakers.")] = "",
        if_none_match: Annotated[str, Header(max_length=200)] = "",
    ) -> Response:
        """How a voice sounds: a sentence or two in its own language."""
        sound = booth.sample(voice, speaker)
        headers = {"ETag": f'"{sound.key[:32]}"', "Cache-Control": f"private, max-age={_SAMPLE_KEPT_SECONDS}"}
        if if_none_match == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(sound.wav, media_type="audio/wav", headers=headers)

    @router.post("/episodes/{episode}/speech", response_class=Response, responses=_AUDIO)
    def speak(episode: str, words: Words) -> Response:
        """Hear a sentence as the episode would have it. Changes nothing; when an edit with it is kept, the episode is
        made with this very sound.
        """
        sound = booth.say(words.text, _manifest(episode))
        return Response(sound.wav, media_type="audio/wav", headers={"X-Sentences-Spoken": str(sound.made)})

    @router.put("/episodes/{episode}/sentences/{number}", response_model=Script)
    def put_sentence(episode: str, number: int, words: Words, response: Response, if_match: IfMatch = None) -> Script:
        """Put other words in the place of a script's sentence, counted from 1, and leave the rest of the file as it is.

        412 where the script was changed since it was read, 428 without If-Match. `ETag` is that of the changed script.
        """
        text = edited(house, episode, number, words.text, if_match)
        response.headers["ETag"] = house.desk.edit(episode, text, if_match)
        return Script(episode=episode, bytes=len(text))

    def _manifest(episode: str) -> Mapping[str, Any]:
        manifest = manifest_at(episode, output)
        if not manifest:
            raise Missing(f"there is no episode {quote(episode)!r} yet", hint="GET /api/v1/episodes lists them.")
        return manifest

    return router


def edited(house: House, episode: str, number: int, words: str, if_match: str | None) -> bytes:
    """An episode's script with other words in a sentence's place. Raises Missing, Stale, InputError, StoreError."""
    text, etag = house.desk.script(episode)
    where = f"{episode}/{SCRIPT}"
    if if_match is not None and if_match not in {etag, "*"}:
        raise changed_since(where)
    try:
        return one_sentence.changed(text.decode("utf-8-sig"), number, words, where=where).encode()
    except UnicodeDecodeError as error:
        raise InputError("the script is not UTF-8 text", where=where, hint="Edit the whole script.") from error
