"""Engines that made something before and are not the ones at hand: they can be named, and asked for nothing.

`auto` takes whatever server answers today. An episode that another engine finished yesterday is none the worse for
that, so it is looked at with yesterday's engines first: their keys find its artifacts. Only what is missing is made,
by the engines at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pipeline.errors import EngineUnavailable
from pipeline.ports import (
    Answer,
    Identity,
    IllustratorIdentity,
    Picture,
    PictureRequest,
    Question,
    Speech,
    SpeechRequest,
    VoiceIdentity,
    WriterIdentity,
)


@dataclass(frozen=True, slots=True)
class RememberedWriter:
    """A `Writer` that only knows who it was."""

    identity: WriterIdentity

    def describe(self) -> WriterIdentity:
        return self.identity

    def check(self) -> None:
        raise _gone(self.identity.engine)

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        del question, on_text
        raise _gone(self.identity.engine)


@dataclass(frozen=True, slots=True)
class RememberedVoice:
    """A `Voice` that only knows which voice it was."""

    identity: VoiceIdentity

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return {self.identity.name: self.identity}

    def check(self) -> None:
        raise _gone(self.identity.engine)

    def speak(self, request: SpeechRequest) -> Speech:
        del request
        raise _gone(self.identity.engine)


@dataclass(frozen=True, slots=True)
class RememberedIllustrator:
    """An `Illustrator` that only knows who it was."""

    identity: IllustratorIdentity

    def describe(self) -> IllustratorIdentity:
        return self.identity

    def check(self) -> None:
        raise _gone(self.identity.engine)

    def draw(self, request: PictureRequest) -> Picture:
        del request
        raise _gone(self.identity.engine)


def to_plain(identity: Identity) -> dict[str, Any]:
    """An identity as JSON can hold it."""
    plain = asdict(identity)
    if plain.get("languages") is not None:
        plain["languages"] = sorted(plain["languages"])
    return plain


def writer_from(plain: Mapping[str, Any]) -> WriterIdentity:
    """Raises TypeError for what `to_plain` did not write."""
    known = _known(plain, WriterIdentity)
    if known.get("languages") is not None:
        known["languages"] = frozenset(known["languages"])
    return WriterIdentity(**known)


def voice_from(plain: Mapping[str, Any]) -> VoiceIdentity:
    """Raises TypeError for what `to_plain` did not write."""
    known = _known(plain, VoiceIdentity)
    known["speakers"] = tuple(known.get("speakers", ()))
    return VoiceIdentity(**known)


def illustrator_from(plain: Mapping[str, Any]) -> IllustratorIdentity:
    """Raises TypeError for what `to_plain` did not write."""
    return IllustratorIdentity(**_known(plain, IllustratorIdentity))


def _known(
    plain: Mapping[str, Any], kind: type[WriterIdentity | VoiceIdentity | IllustratorIdentity]
) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in plain.items() if name in names}


def _gone(engine: str) -> EngineUnavailable:
    return EngineUnavailable("it is not the engine of this run", where=engine)
