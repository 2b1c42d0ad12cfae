"""Engines whose every call is counted and has a span of its own: around any engine, in this process or behind a server.

What was asked and what came of it (texts, sound, pictures) is in neither; only how much, how long and how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pipeline.ports import (
    Answer,
    Illustrator,
    IllustratorIdentity,
    Picture,
    PictureRequest,
    Question,
    Speech,
    SpeechRequest,
    Unloads,
    Voice,
    VoiceIdentity,
    Writer,
    WriterIdentity,
)
from pipeline.telemetry import traces
from pipeline.telemetry.work import WORK, Work


class ObservedWriter:
    """A Writer that counts what another one writes."""

    def __init__(self, writer: Writer, name: str, *, work: Work = WORK) -> None:
        """`name` is the engine's, for spans: `ollama`, `embedded`."""
        self._writer = writer
        self._name = name
        self._work = work

    def describe(self) -> WriterIdentity:
        return self._writer.describe()

    def check(self) -> None:
        self._writer.check()

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        with _call(self._work, "writer", self._name, "tokens") as came:
            answer = self._writer.answer(question, on_text)
            came(answer.tokens)
        return answer

    def unload(self) -> bool:
        """See `ports.Unloads`; False where it is not one."""
        return isinstance(self._writer, Unloads) and self._writer.unload()


class ObservedVoice:
    """A Voice that counts what another one speaks."""

    def __init__(self, voice: Voice, name: str, *, work: Work = WORK) -> None:
        self._voice = voice
        self._name = name
        self._work = work

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return self._voice.installed()

    def check(self) -> None:
        self._voice.check()

    def speak(self, request: SpeechRequest) -> Speech:
        with _call(self._work, "voice", self._name, "audio_seconds") as came:
            speech = self._voice.speak(request)
            came(speech.seconds)
        return speech


class ObservedIllustrator:
    """An Illustrator that counts what another one draws."""

    def __init__(self, illustrator: Illustrator, name: str, *, work: Work = WORK) -> None:
        self._illustrator = illustrator
        self._name = name
        self._work = work

    def describe(self) -> IllustratorIdentity:
        return self._illustrator.describe()

    def check(self) -> None:
        self._illustrator.check()

    def draw(self, request: PictureRequest) -> Picture:
        with _call(self._work, "illustrator", self._name, "pictures") as came:
            picture = self._illustrator.draw(request)
            came(1)
        return picture

    def unload(self) -> bool:
        """See `ports.Unloads`; False where it is not one."""
        return isinstance(self._illustrator, Unloads) and self._illustrator.unload()


@contextmanager
def _call(work: Work, role: str, name: str, unit: str) -> Iterator[Callable[[float], None]]:
    facts = {"engine": role, "engine.name": name}
    with traces.span(f"{role} {name}", facts, kind="client") as span, work.call(role) as came:

        def told(amount: float) -> None:
            came(amount)
            traces.tell(span, {unit: round(amount, 3)})

        yield told
