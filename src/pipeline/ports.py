"""The protocols that engines fulfil, and the values that cross them.

A *writer* answers questions in text; a *voice* turns a sentence into sound with the time of each word; an
*illustrator* turns a prompt, or a heading, into a picture. Each can `describe()` itself (what enters keys and the
manifest) and `check()` that it can produce, not merely answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pipeline.domain.sentence import Sentence
from pipeline.domain.timeline import Span


@dataclass(frozen=True, slots=True)
class Identity:
    """What an engine works with. `engine`, `name` and `digest` enter keys; the rest is for the manifest."""

    engine: str
    """`ollama`, `llama`, `piper`, `piper-server`, `stable-diffusion`, `cards`."""
    name: str
    """The model's or voice's name: `gemma3:4b`, `en_US-joe-medium`."""
    digest: str
    """SHA-256 of the model or voice, in hex; what changes the bytes that come out."""
    licence: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """For the manifest alone: server version, address, quantization."""


@runtime_checkable
class Unloads(Protocol):
    """An engine that can give its model's memory back."""

    def unload(self) -> bool:
        """Have the model unloaded; it is loaded again when it is next asked. False where the server cannot be asked to.

        Raises EngineUnavailable.
        """
        ...


# -- writing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriterIdentity(Identity):
    parameters: int | None = None
    """How many weights the model has; None where the server does not say."""
    context_tokens: int = 4096
    languages: frozenset[str] | None = None
    """Primary languages (`en`) that it can write; None where it is not known to be limited."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a language model."""

    system: str
    prompt: str
    seed: int
    max_tokens: int
    """The bound of the answer; never unlimited (Ollama's `num_predict` is endless when left out)."""
    temperature: float = 0.7
    schema: Mapping[str, object] | None = None
    """A JSON schema that the answer must follow, for models that can hold one."""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    complete: bool
    """False where `max_tokens` cut the text off."""
    tokens: int
    seconds: float


class Writer(Protocol):
    """Answers questions in text. Thread-safe: several are asked at once."""

    def describe(self) -> WriterIdentity:
        """Who answers. Raises EngineUnavailable or EngineRefused (model missing, with the nearest names)."""
        ...

    def check(self) -> None:
        """Have it produce a few tokens. Raises EngineError with what to do."""
        ...

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        """Ask; `on_text` is called with each piece as it comes, on the calling thread.

        Raises EngineUnavailable, EngineRefused, EngineNonsense (a stream that broke off, no text), or
        Interrupted when the run is stopping.
        """
        ...


# -- speaking --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceIdentity(Identity):
    language: str = ""
    """BCP 47: `en-US`."""
    sample_rate: int = 22050
    speakers: tuple[str, ...] = ()
    """The names of a multi-speaker voice's speakers; empty for one speaker."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    sentence: Sentence
    voice: str
    rate: float = 1.0
    """1 is the voice's own pace, 1.1 a tenth faster."""
    seed: int = 0
    """The same request with the same seed gives the same bytes, where the engine can (`piper` does)."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken sentence: 16-bit signed little-endian mono PCM, and the time of each of its words."""

    pcm: bytes
    sample_rate: int
    spans: tuple[Span, ...]
    """One span for each word of the sentence, in order, in seconds from the first sample."""
    exact: bool
    """True where the spans come from the synthesizer's own phoneme lengths."""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate


class Voice(Protocol):
    """Speaks sentences with any of its installed voices. Thread-safe: several are spoken at once."""

    def installed(self) -> Mapping[str, VoiceIdentity]:
        """The voices there are, by name. Raises EngineUnavailable."""
        ...

    def check(self) -> None:
        """Have a voice say a word. Raises EngineError with what to do."""
        ...

    def speak(self, request: SpeechRequest) -> Speech:
        """Speak one sentence, checked: right length for its text, not silent, a span for every word.

        Raises EngineRefused for a voice that is not installed (naming the nearest), InputError for a sentence
        with nothing to say, EngineUnavailable, EngineNonsense, Interrupted.
        """
        ...


# -- illustrating ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IllustratorIdentity(Identity):
    size_step: int = 1
    """Width and height must be multiples of this many pixels: 8 for Stable Diffusion."""
    reads_prompts: bool = True
    """False where the picture is set from the request's words (`title` to `sentence`); its prompt is not looked at."""


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """One picture: what is to be seen, and the words it stands for."""

    prompt: str
    """What is to be seen, with the style; only for engines that read prompts."""
    negative: str = ""
    """What is not to be seen; only for engines that read prompts."""
    width: int = 1280
    """Pixels."""
    height: int = 720
    """Pixels."""
    seed: int = 0
    """0 to 2**32 - 1. The same request with the same seed gives the same bytes, where the engine can."""
    steps: int | None = None
    """How many steps a diffusion model takes; None is what the engine was set up with."""
    title: str = ""
    """The episode's title."""
    heading: str = ""
    """The segment's heading; empty for a cover, and where the script gives none."""
    number: int = 0
    """The segment's number from 1; 0 for a cover; one more than there are segments for a closing picture."""
    segments: int = 0
    """How many segments the episode has."""
    language: str = "en"
    """BCP 47; of `title`, `heading`, `figure` and `sentence`."""
    figure: str = ""
    """The segment's striking number with its unit, as the script has it: `384,000 kilometres`; empty for none."""
    sentence: str = ""
    """What `figure` is said in, or a sentence that stands for the segment; empty for none."""


@dataclass(frozen=True, slots=True)
class Picture:
    png: bytes
    width: int
    """Pixels: as asked for."""
    height: int
    seed: int
    """The seed it was drawn with: another than the request's where the first ones gave nothing to look at."""
    attempts: int = 1
    """How many pictures were drawn until one could be used."""
    details: Mapping[str, str] = field(default_factory=dict)
    """For the manifest alone: the model as the server names it, sampler, steps."""


class Illustrator(Protocol):
    """Draws pictures. Thread-safe; an engine that can draw only one at a time lets the others wait."""

    def describe(self) -> IllustratorIdentity:
        """Who draws. Raises EngineUnavailable or EngineRefused (not there, wrong service, model missing)."""
        ...

    def check(self) -> None:
        """Have it draw something small. Raises EngineError with what to do."""
        ...

    def draw(self, request: PictureRequest) -> Picture:
        """Draw one picture, checked by its pixels: decodable, of the size asked for, not black or uniform.

        Raises EngineRefused (a size or a model it cannot do, out of memory), EngineUnavailable, EngineNonsense, or
        Interrupted when the run is stopping.
        """
        ...
