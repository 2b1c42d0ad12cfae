"""Which voice speaks a topic, and what to do when none is installed for its language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from pipeline.domain.topic import Topic
from pipeline.errors import InputError
from pipeline.ports import VoiceIdentity

# A good voice of Piper's public catalogue for the languages asked for most; named in messages, never fetched unasked.
SUGGESTED = {
    "cs": "cs_CZ-jirka-medium",
    "de": "de_DE-thorsten-medium",
    "el": "el_GR-rapunzelina-low",
    "en": "en_US-lessac-medium",
    "es": "es_ES-davefx-medium",
    "fr": "fr_FR-siwis-medium",
    "it": "it_IT-paola-medium",
    "nl": "nl_NL-mls-medium",
    "pl": "pl_PL-darkman-medium",
    "pt": "pt_BR-faber-medium",
    "pt-PT": "pt_PT-tugão-medium",
    "ru": "ru_RU-irina-medium",
    "tr": "tr_TR-dfki-medium",
    "uk": "uk_UA-ukrainian_tts-medium",
    "zh": "zh_CN-huayan-medium",
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the settings say about voices."""

    voice: str = ""
    """The voice to take wherever it speaks the language; empty for no preference."""
    named: bool = False
    """Whether a person chose that voice; then its absence is said, and no other speaks in its place."""
    by_language: Mapping[str, str] = field(default_factory=dict)
    """Language (`pt` or `pt-BR`) → voice; goes before `voice`."""


@dataclass(frozen=True, slots=True)
class Casting:
    """Who speaks."""

    voice: VoiceIdentity
    speaker: str = ""
    """One of a multi-speaker voice's speakers; empty for its first."""


def cast(topic: Topic, installed: Mapping[str, VoiceIdentity], preferences: Preferences) -> Casting:
    """The voice for a topic: its own wish, the settings' for its language, the settings' voice, the first that
    speaks its language in its region, the first that speaks it at all.

    Raises InputError, with the command that fetches a voice, rather than let another language's voice speak.
    """
    if topic.voice is not None:
        return _wanted(topic.voice, topic, installed)
    for language in (topic.language, topic.primary_language):
        named = preferences.by_language.get(language)
        if named:
            return _wanted(named, topic, installed, "VOICES")
    if preferences.voice:
        preferred = installed.get(_model(preferences.voice))
        speaks_it = preferred is not None and _primary(preferred.language) == topic.primary_language
        if speaks_it or (preferred is None and preferences.named):
            return _wanted(preferences.voice, topic, installed, "VOICE")
    speaks = sorted(name for name, voice in installed.items() if _primary(voice.language) == topic.primary_language)
    same_region = [name for name in speaks if installed[name].language == topic.language]
    if same_region or speaks:
        return Casting(installed[(same_region or speaks)[0]])
    raise InputError(
        f"no voice is installed for {topic.language}",
        where=str(topic.source),
        hint=f"{_how_to_fetch(topic)} Installed: {_names(installed)}.",
    )


def _wanted(name: str, topic: Topic, installed: Mapping[str, VoiceIdentity], setting: str = "") -> Casting:
    """`setting` asks for the voice; without one the topic does. What is wrong with a setting is the same for every
    topic, and names none.
    """
    model, _, speaker = name.partition("#")
    voice = installed.get(model)
    if voice is None:
        near = get_close_matches(model, installed, n=1)
        raise InputError(
            f"the voice {model!r}, asked for in {'the settings' if setting else 'its topic file'}, is not installed",
            where=setting or str(topic.source),
            hint=f"{f'Did you mean {near[0]}? ' if near else ''}Fetch it with: pipeline voices get {model}. "
            f"Installed: {_names(installed)}.",
        )
    if _primary(voice.language) != topic.primary_language:
        raise InputError(
            f"the voice {model} speaks {voice.language}, and the topic is in {topic.language}",
            where=str(topic.source),
            hint=f"Leave out the voice, or set the language. {_how_to_fetch(topic)}",
        )
    if speaker and speaker not in voice.speakers:
        raise InputError(
            f"the voice {model} has no speaker {speaker!r}",
            where=setting or str(topic.source),
            hint=f"Its speakers: {', '.join(voice.speakers) or 'one, without a name'}.",
        )
    return Casting(voice, speaker)


def _how_to_fetch(topic: Topic) -> str:
    suggested = SUGGESTED.get(topic.language) or SUGGESTED.get(topic.primary_language)
    if suggested is None:
        return f"See which there are with: pipeline voices available {topic.primary_language}."
    return f"Fetch one with: pipeline voices get {suggested}."


def _primary(language: str) -> str:
    return language.replace("_", "-").split("-", 1)[0].lower()


def _model(voice: str) -> str:
    return voice.partition("#")[0]


def _names(installed: Mapping[str, VoiceIdentity]) -> str:
    names = sorted(installed)
    if len(names) > 8:
        return f"{', '.join(names[:8])} and {len(names) - 8} more"
    return ", ".join(names) or "none"
