"""What a request may say, in Piper's shape and in OpenAI's, and what it means: sentences for one voice."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from pipeline.domain.sentence import Sentence, Word
from pipeline.speech_server.faults import TooLong, Unspeakable
from pipeline.text import sentences as sentence_splitter
from pipeline.text import spoken
from pipeline.text.pronunciations import parse

_NO_PRONUNCIATIONS = parse("", where="request")
# Nothing that can be heard: control characters and what stands for half a character (a lone surrogate).
_UNHEARD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PHONEMES = re.compile(r"(\S*\[\[.*?\]\]\S*)")
# No word of any language is as long; what is (a key, a URL, a hostile text) is spoken in parts, because the
# synthesizer's memory grows with what it is given at once.
_ENDLESS_WORD = re.compile(r"\S{100}(?=\S)")
# The words of one sentence, as they are spoken: some 100 s.
MOST_GIVEN_CHARACTERS = 1500
# The first piece of a long text is kept short, because its sound is the first that is heard.
_FIRST_PIECE_WORDS = 6

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _voice_name(value: object) -> object:
    """OpenAI's newer form of a voice is an object with an id."""
    return value.get("id") if isinstance(value, dict) else value


class Synthesize(BaseModel):
    """`POST /synthesize`, as upstream's server takes it (piper1-gpl, http_server.py), and more.

    `words` and `seed` come from a client that has split and normalised the text itself and wants the time of each of
    its own words; `timings` asks for them.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    text: str
    voice: str | None = None
    speaker: str | None = None
    speaker_id: int | None = None
    length_scale: Annotated[float | None, Field(ge=0.25, le=4.0)] = None
    noise_scale: Annotated[float | None, Field(ge=0, le=2)] = None
    noise_w_scale: Annotated[float | None, Field(ge=0, le=2)] = None
    timings: bool = False
    words: Annotated[list[tuple[str, str]] | None, Field(min_length=1, max_length=2000)] = None
    """Each word as it is shown and as it is spoken."""
    rate: Annotated[float | None, Field(ge=0.25, le=4.0)] = None
    """1 is the voice's own pace; before `length_scale`, of which it is the inverse."""
    seed: int = 0


class Speech(BaseModel):
    """`POST /v1/audio/speech`, as OpenAI's clients send it."""

    model_config = ConfigDict(extra="ignore")

    model: str = "piper"
    input: Annotated[str, StringConstraints(strict=True)]
    voice: Annotated[str | None, BeforeValidator(_voice_name)] = None
    response_format: Format = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    instructions: str | None = None
    """Piper takes none; clients send it all the same."""
    stream_format: Literal["audio", "sse"] = "audio"


def clean(text: str) -> str:
    """The text without what nobody can hear."""
    return _UNHEARD.sub(" ", text)


def pieces(text: str, language: str) -> list[Sentence]:
    """The sentences of a text in the voice's language, the first one short. Raises Unspeakable."""
    found = []
    for paragraph in re.split(r"\n\s*\n", clean(text)):
        whole = _ENDLESS_WORD.sub(r"\g<0> ", paragraph)
        for shown in sentence_splitter.split(" ".join(whole.split()), language):
            said = _read(shown, language)
            if spoken.has_speech(said):
                found.append(said)
    if not found:
        raise Unspeakable("there is nothing to say in it", hint="Send words, with letters or digits in them.")
    return found


def _read(shown: str, language: str) -> Sentence:
    """A sentence as it is said; what is given in phonemes stays as it is."""
    if "[[" not in shown:
        return spoken.sentence(shown, language, _NO_PRONUNCIATIONS)
    words: list[Word] = []
    # The odd parts are given in phonemes.
    for number, part in enumerate(_PHONEMES.split(shown)):
        words += [Word(part, part)] if number % 2 else spoken.sentence(part, language, _NO_PRONUNCIATIONS).words
    return Sentence(tuple(words))


def early(found: list[Sentence]) -> list[Sentence]:
    """The same with a long first sentence cut at a clause, so that something is heard early."""
    first = found[0]
    if len(first.words) <= 2 * _FIRST_PIECE_WORDS:
        return found
    for place in range(_FIRST_PIECE_WORDS // 2, min(len(first.words) - 2, 2 * _FIRST_PIECE_WORDS)):
        if first.words[place].spoken.endswith((",", ";", ":")):
            return [Sentence(first.words[: place + 1]), Sentence(first.words[place + 1 :]), *found[1:]]
    return found


def given(words: list[tuple[str, str]]) -> Sentence:
    """The sentence of a client that names its own words. Raises Unspeakable and TooLong."""
    said = Sentence(tuple(Word(clean(shown), clean(said)) for shown, said in words))
    if len(said.spoken) > MOST_GIVEN_CHARACTERS:
        raise TooLong(
            f"the words of one sentence have {len(said.spoken):,} characters, and {MOST_GIVEN_CHARACTERS:,} are taken",
            hint="Send each sentence by itself.",
        )
    if not spoken.has_speech(said):
        raise Unspeakable("there is nothing to say in it", hint="Send words, with letters or digits in them.")
    return said


def told(faults: list[Any]) -> str:
    """Pydantic's faults as one sentence for a person."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
        for fault in faults[:5]
    )
