"""What a file says of itself: which kind of machine made it, with which models, out of which other files.

The words are those of the C2PA Technical Specification 2.1 (18.12 Actions, 18.13 Ingredient) and, for what a file
springs from, of the vocabulary that it takes them from: IPTC's digital source types
(https://cv.iptc.org/newscodes/digitalsourcetype/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pipeline import __version__

GENERATOR = "Media Pipeline"

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

# IPTC: "created algorithmically using a model derived from sampled content"; shown as "created using generative AI".
_MODEL_MADE = f"{_IPTC}trainedAlgorithmicMedia"
# IPTC: "created purely by an algorithm not based on any sampled training data".
_COMPUTED = f"{_IPTC}algorithmicMedia"
# IPTC: "mix or composite of several elements, at least one of which is synthetic" (since 2024: generative AI).
_MIXED = f"{_IPTC}compositeSynthetic"

# 18.13: the ingredient was put into this asset; or it was what a process worked with, such as a model.
_COMPONENT, _INPUT = "componentOf", "inputTo"
_A_MODEL = "c2pa.types.model"


class Kind(Enum):
    """How a file comes about, which decides what it may be called."""

    SPEECH = "speech"
    """Spoken by a trained model, whoever wrote the words."""
    DRAWN = "drawn"
    """A picture from a diffusion model."""
    TYPESET = "typeset"
    """A card: type and shapes, laid out by rules."""
    FILM = "film"
    """Pictures and speech put together."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, as its engine names it."""

    engine: str
    name: str
    digest: str = ""
    """SHA-256 in hexadecimal; empty where the engine does not tell it."""


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What an episode is made by: the same for all its files."""

    notice: str
    """The sentence for people, in the episode's language."""
    voice: Model
    writer: Model | None = None
    """None where no model wrote the script."""
    illustrator: Model | None = None
    """None where the pictures are set in type."""


@dataclass(frozen=True, slots=True)
class Component:
    """Another file of the episode that went into this one."""

    name: str

    @property
    def media_type(self) -> str:
        """Raises ValueError for a file that credentials are not put into."""
        return _media_type(self.name)


@dataclass(frozen=True, slots=True)
class _Input:
    model: Model
    did: str


@dataclass(frozen=True, slots=True)
class Claim:
    """All that is said of one file. Equal claims say the same."""

    name: str
    source_type: str
    """A term of IPTC's vocabulary."""
    agent: str
    """The software that made it."""
    notice: str
    inputs: tuple[_Input, ...] = ()
    components: tuple[Component, ...] = ()

    @property
    def media_type(self) -> str:
        """Raises ValueError for a file that credentials are not put into."""
        return _media_type(self.name)

    @property
    def plain(self) -> Mapping[str, str | Sequence[str] | Sequence[Sequence[str]]]:
        """For a key. The pipeline's version is not in it: a new one would sign every file there is anew."""
        return {
            "name": self.name,
            "source": self.source_type,
            "agent": self.agent,
            "notice": self.notice,
            "inputs": [[one.model.engine, one.model.name, one.model.digest, one.did] for one in self.inputs],
            "components": [one.name for one in self.components],
        }


def claim_of(name: str, kind: Kind, by: MadeBy, components: tuple[Component, ...] = ()) -> Claim:
    """What a file named `name` says. Raises ValueError for a picture that nobody is said to have drawn."""
    wrote = (_Input(by.writer, "wrote the script"),) if by.writer is not None else ()
    match kind:
        case Kind.SPEECH:
            inputs = (_Input(by.voice, "spoke"), *wrote)
            return Claim(name, _MODEL_MADE, by.voice.engine, by.notice, inputs)
        case Kind.DRAWN:
            if by.illustrator is None:
                raise ValueError(f"{name} is drawn, and nobody is said to draw")
            inputs = (_Input(by.illustrator, "drew"), *wrote)
            return Claim(name, _MODEL_MADE, by.illustrator.engine, by.notice, inputs)
        case Kind.TYPESET:
            # The layout is computed; the words on it may be a language model's, and then it is no pure algorithm's.
            return Claim(name, _MIXED if wrote else _COMPUTED, GENERATOR, by.notice, wrote)
        case Kind.FILM:
            # The models stand in the claims of the files it is made of.
            return Claim(name, _MIXED, GENERATOR, by.notice, components=components)


def manifest(claim: Claim, *, made_at: str) -> dict[str, object]:
    """The definition that the library builds a C2PA manifest from. `made_at` is when the file was made, unsigned: RFC
    3339 in UTC.
    """
    created: dict[str, object] = {
        "action": "c2pa.created",  # 18.12: what is new begins with this, and with its source type
        "when": made_at,
        "digitalSourceType": claim.source_type,
        "softwareAgent": {"name": claim.agent} | ({"version": __version__} if claim.agent == GENERATOR else {}),
        "description": claim.notice,
    }
    if claim.inputs:
        created["parameters"] = {"ingredientIds": [_label(one) for one in claim.inputs]}
    placed = [
        {"action": "c2pa.placed", "when": made_at, "parameters": {"ingredientIds": [one.name]}}
        for one in claim.components
    ]
    return {
        "claim_generator_info": [{"name": GENERATOR, "version": __version__}],
        "title": claim.name,
        "format": claim.media_type,
        "ingredients": [
            {
                "label": _label(one),
                "title": one.model.name,
                "format": "application/octet-stream",
                "relationship": _INPUT,
                "data_types": [{"type": _A_MODEL}],
                "description": _told(one),
            }
            for one in claim.inputs
        ],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created, *placed]}}],
    }


def ingredient(component: Component) -> dict[str, object]:
    """What is said of another file that went into this one, for the library, which adds that file's own claim."""
    return {"label": component.name, "title": component.name, "relationship": _COMPONENT}


def _label(one: _Input) -> str:
    return f"model that {one.did}"


def _told(one: _Input) -> str:
    digest = f", SHA-256 {one.model.digest}" if one.model.digest else ""
    return f"The model that {one.did}, by {one.model.engine}{digest}"


_MEDIA_TYPES = {"mp3": "audio/mpeg", "mp4": "video/mp4", "png": "image/png"}


def _media_type(name: str) -> str:
    try:
        return _MEDIA_TYPES[name.rpartition(".")[2]]
    except KeyError:
        raise ValueError(f"credentials are put into MP3, MP4 and PNG, not into {name}") from None
