"""The protocols that engines fulfil, and the values that cross them.

A *writer* answers questions in text; a *voice* turns a sentence into sound with the time of each word. Each can
`describe()` itself (what enters keys and the manifest) and `check()` that it can produce, not merely answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.domain.sentence import Sentence
from pipeline.domain.timeline import Span


@dataclass(frozen=True, slots=True)
class Identity:
    """What an engine works with. `engine`, `name` and `digest` enter keys; the rest is for the manifest."""

    engine: str
    """`ollama`, `llama`, `piper`, `piper-server`."""
    name: str
    """The model's or voice's name: `gemma3:4b`, `en_US-joe-medium`."""
    digest: str
    """SHA-256 of the model or voice, in hex; what changes the bytes that come out."""
    licence: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """For the manifest alone: server version, address, quantization."""


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
