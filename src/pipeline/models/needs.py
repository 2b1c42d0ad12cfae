"""Which models the settings ask for, and why each; decided from their values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.models.catalogue import Kind, must_be_name

# Where a language is asked for and no voice for it is named; both have licences that let the sound be published.
VOICES_BY_LANGUAGE: Mapping[str, str] = {"en": "en_US-joe-medium", "pt": "pt_BR-faber-medium"}


@dataclass(frozen=True, slots=True)
class Need:
    name: str
    kind: Kind | Literal["ollama"]
    why: str
    """The setting that asks for it, by its name."""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the settings say, as far as models go."""

    language: str
    voice: str
    voices: Mapping[str, str]
    writer: str
    ollama_model: str
    pictures: bool
    checkpoint: str
    revision: str


def needs_of(asked: Asked) -> tuple[Need, ...]:
    """In the order in which they are fetched, the smallest kind first; each name once."""
    needs: dict[str, Need] = {}
    for why, name in (("voice", asked.voice), *((f"voices.{tag}", name) for tag, name in asked.voices.items())):
        plain = name.partition("#")[0]  # behind it stands one of the voice's speakers
        if plain:
            needs.setdefault(plain, Need(plain, "voice", why))
    primary = asked.language.split("-")[0]
    spoken = {name.split("_")[0] for name in needs} | {tag.split("-")[0] for tag in asked.voices}
    default = VOICES_BY_LANGUAGE.get(primary)
    if primary not in spoken and default is not None:
        needs.setdefault(default, Need(default, "voice", "language"))
    if asked.writer == "ollama":
        needs[asked.ollama_model] = Need(asked.ollama_model, "ollama", "ollama_model")
    if asked.pictures:
        needs[asked.checkpoint] = Need(asked.checkpoint, "checkpoint", "sd_model", asked.revision)
    return tuple(needs.values())


def speechless(asked: Asked) -> str:
    """The language of the settings where no voice for it is named or known; empty where there is one."""
    primary = asked.language.split("-")[0]
    spoken = {need.name.split("_")[0] for need in needs_of(asked) if need.kind == "voice"}
    spoken |= {tag.split("-")[0] for tag in asked.voices}
    return "" if primary in spoken else asked.language


def need_from(text: str, known: Mapping[str, Kind], asked: Asked) -> Need:
    """What a name on the command line means: `en_US-joe-medium`, `stabilityai/sd-turbo@COMMIT`, `gemma3:4b`.

    Raises ValueError for what no model can be called.
    """
    name, _, revision = text.partition("@")
    need = _named(name, known, asked)
    if revision and need.kind != "checkpoint":
        raise ValueError(f"{text!r}: only a checkpoint has a revision")
    return replace(need, revision=revision) if revision else need


def _named(name: str, known: Mapping[str, Kind], asked: Asked) -> Need:
    for need in needs_of(asked):
        if name == need.name:
            return need
    if name in known:
        return Need(name, known[name], "")
    if ":" in name or name == asked.ollama_model:
        return Need(name, "ollama", "")
    kind: Kind = "checkpoint" if "/" in name else "voice"
    must_be_name(name, kind)
    return Need(name, kind, "", asked.revision if name == asked.checkpoint else "")
