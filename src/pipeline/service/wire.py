"""What goes over the wire: every request and answer of the API, each with an example."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.inbox.fields import LARGEST_SEED, LONGEST_NOTES, LONGEST_TAG, LONGEST_TITLE, MOST_TAGS

MOST_ITEMS = 200
"""On one page of a list."""


def _like(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [value]})


_FAULT = {
    "code": "engine-unavailable",
    "detail": "no answer",
    "where": "http://127.0.0.1:11434",
    "hint": "Start it: ollama serve.",
}
_STANDING = {
    "episode": "why-the-sky-is-blue",
    "state": "making",
    "title": "Why the sky is blue",
    "topic": "why-the-sky-is-blue.md",
    "stage": "speech",
    "waits_for": None,
    "made": 9,
    "seconds": 0.0,
    "error": None,
}
_WAIT = {
    "service": "voice",
    "where": "Piper at http://piper:5000",
    "why": "nobody answers (connection refused)",
    "hint": "Start it.",
    "since": 1795262400.0,
    "next_try": 1795262460.0,
}
_TOPIC = {
    "name": "why-the-sky-is-blue.md",
    "bytes": 142,
    "modified": 1795262400.0,
    "state": "waiting",
    "episodes": [],
}
_ASKED: dict[str, Any] = {
    "title": "Why the sky is blue",
    "notes": "Air scatters blue light more than red.\nAt sunset the light comes a long way.",
    "words": 150,
    "tags": ["physics"],
}
_ENGINE = {
    "role": "voice",
    "name": "embedded",
    "why": "named in the settings",
    "ready": True,
    "checked": 1795262400.0,
    "model": None,
    "error": None,
    "waited_for": None,
}
_MODEL = {"role": "writer", "engine": "ollama", "name": "gemma3:4b", "sha256": "a2af6cc3eb7f", "licence": "Gemma"}
_VOICE = {"name": "en_US-joe-medium", "language": "en-US", "licence": "CC0", "speakers": []}
_SETTING = {"name": "voice", "value": "en_US-joe-medium", "origin": "default", "about": "The voice wherever it speaks."}
_MAKER = {
    "state": "making",
    "about": "",
    "paused": False,
    "waiting": 3,
    "oldest": 1795262400.0,
    "waits": [_WAIT],
    "set_aside": [],
    "held": [],
}
_PLANNED = {
    "episode": "why-the-sky-is-blue",
    "nothing_to_do": False,
    "whole": False,
    "edited_by_hand": False,
    "seconds": 41.5,
    "why": ["script: never made"],
    "publish": [],
    "error": None,
}
_FILE = {"name": "audio.mp3", "bytes": 812345, "sha256": "5e0c" * 16}
_EPISODE = {**_STANDING, "state": "finished", "stage": "", "published": True, "files": [_FILE]}


Service = Literal["writer", "voice", "illustrator"]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fault(_Wire):
    """A failure of an episode, a topic or an engine."""

    model_config = _like(_FAULT)
    code: str = Field(description="A stable name: input, store, engine-unavailable, engine-refused, …")
    detail: str = Field(description="What happened.")
    where: str = Field(description="The file with its line, the setting or the service; empty where there is none.")
    hint: str = Field(description="What to do.")


class Problem(_Wire):
    """What every refusal says (RFC 9457)."""

    model_config = _like(
        {
            "type": "urn:media-pipeline:problem:missing",
            "title": "Not Found",
            "status": 404,
            "code": "missing",
            "detail": "there is no topic file 'moon.md'",
            "where": "",
            "hint": "GET /api/v1/topics lists them.",
            "request_id": "9f2c41d07b5e83aa",
        }
    )
    type: str
    title: str
    status: int
    code: str
    detail: str
    where: str
    hint: str
    request_id: str = Field(description="Stands in the log, and in X-Request-Id.")


# -- topics ---------------------------------------------------------------------------------------------------------


class NewTopic(_Wire):
    """What a topic asks for; what is left out is as the settings say."""

    model_config = _like(_ASKED)
    title: Annotated[str, Field(min_length=1, max_length=LONGEST_TITLE)]
    notes: Annotated[str, Field(max_length=LONGEST_NOTES)] = Field(
        "", description="The facts to keep to; with mode read, the text itself."
    )
    language: str | None = Field(None, max_length=64, description="BCP 47.")
    voice: str | None = Field(None, max_length=100)
    style: str | None = Field(None, max_length=100)
    words: int | None = Field(None, ge=1, le=1_000_000)
    minutes: float | None = Field(None, gt=0, le=10_000, allow_inf_nan=False)
    mode: Literal["write", "read"] | None = None
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    tags: Annotated[list[Annotated[str, Field(max_length=LONGEST_TAG)]], Field(max_length=MOST_TAGS)] | None = None
    date: dt.date | None = None


class Replacement(_Wire):
    """What a topic file is to hold from now on: its whole text."""

    model_config = _like({"text": "---\ntitle: Why the sky is blue\nwords: 300\n---\n\nAir scatters blue light.\n"})
    text: str = Field(max_length=100 * 1_048_576)


class Standing(_Wire):
    """How one episode stands."""

    model_config = _like(_STANDING)
    episode: str
    state: Literal["waiting", "making", "finished", "failed", "set-aside", "held", "kept"] = Field(
        description="failed: it is tried again by itself after a while; set-aside: it failed too often, and is left "
        "until its topic changes or somebody retries it; held: called off; kept: published, and no topic asks for it "
        "now."
    )
    title: str
    topic: str = Field(description="The topic file below input/; empty where none asks for it.")
    stage: str = Field(description="What is being made of it now.")
    waits_for: Service | None = Field(
        description="The service that is down and without which nothing of it goes on; see `waits` of GET "
        "/api/v1/maker."
    )
    made: int = Field(description="Artifacts made in this round.")
    seconds: float
    error: Fault | None


class Topic(_Wire):
    model_config = _like(_TOPIC)
    name: str
    bytes: int
    modified: float = Field(description="Seconds since 1970.")
    state: Literal["new", "waiting", "making", "finished", "failed", "set-aside", "held", "refused"] = Field(
        description="new: not surveyed yet, because it lies still only since a moment."
    )
    episodes: list[Standing]


class WholeTopic(Topic):
    model_config = _like({**_TOPIC, "text": "---\ntitle: Why the sky is blue\n---\n", "titles": [], "refused": []})
    text: str
    titles: list[str]
    refused: list[Fault]


class Topics(_Wire):
    model_config = _like({"items": [_TOPIC], "next": None})
    items: list[Topic]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


class Trashed(_Wire):
    model_config = _like({"name": "moon.md", "kept_as": "20261121T104512000000-moon.md"})
    name: str
    kept_as: str = Field(description="Its name in the folder trash/ of the data folder.")


# -- episodes -------------------------------------------------------------------------------------------------------


class File(_Wire):
    model_config = _like(_FILE)
    name: str
    bytes: int
    sha256: str


class Episode(Standing):
    model_config = _like(_EPISODE)
    published: bool
    files: list[File]


class Episodes(_Wire):
    model_config = _like({"items": [_STANDING], "next": "why-the-sky-is-blue"})
    items: list[Standing]
    next: str | None


class Script(_Wire):
    """An edit that was taken: the next round makes the episode from it."""

    model_config = _like({"episode": "why-the-sky-is-blue", "bytes": 913})
    episode: str
    bytes: int


class Planned(_Wire):
    model_config = _like(_PLANNED)
    episode: str
    nothing_to_do: bool
    whole: bool = Field(description="false where more follows that cannot be told before the script is there.")
    edited_by_hand: bool
    seconds: float | None = Field(description="By what was measured; null where nothing was yet.")
    why: list[str]
    publish: list[str]
    error: Fault | None


class Plan(_Wire):
    model_config = _like({"items": [_PLANNED], "next": None, "finished": 12, "refused": [], "as_of": 1795262400.0})
    items: list[Planned]
    next: str | None
    finished: int = Field(description="Episodes of which nothing has changed since they were made.")
    refused: list[Fault]
    as_of: float = Field(description="When the topics were looked at, in seconds since 1970.")


# -- the maker and its engines --------------------------------------------------------------------------------------


class Wait(_Wire):
    """A service that is down and is waited for."""

    model_config = _like(_WAIT)
    service: Service
    where: str = Field(description="Who it is, and its address.")
    why: str
    hint: str = Field(description="What to do.")
    since: float = Field(description="Seconds since 1970; so is `next_try`.")
    next_try: float


class Maker(_Wire):
    model_config = _like(_MAKER)
    state: Literal["starting", "waiting", "idle", "making", "paused", "stopped"]
    about: str = Field(description="What it waits for.")
    paused: bool
    waiting: int = Field(description="Episodes that are still to be made.")
    oldest: float | None = Field(description="When the oldest of those was asked for, in seconds since 1970.")
    waits: list[Wait] = Field(description="The services that are down. What needs them waits; the rest goes on.")
    set_aside: list[str] = Field(description="Episodes that failed too often to be tried again by themselves.")
    held: list[str] = Field(description="Episodes that were called off.")


class CalledOff(_Wire):
    model_config = _like({"episodes": ["why-the-sky-is-blue"]})
    episodes: list[str]


class Model(_Wire):
    model_config = _like(_MODEL)
    role: str
    engine: str
    name: str
    sha256: str
    licence: str


class Engine(_Wire):
    model_config = _like(_ENGINE)
    role: Service
    name: str
    why: str = Field(description="Why this one was chosen.")
    ready: bool
    checked: float = Field(description="When, in seconds since 1970; 0 for not yet.")
    model: Model | None
    error: Fault | None
    waited_for: Wait | None = Field(description="Where it is down and an episode needs it.")


class Engines(_Wire):
    model_config = _like({"items": [_ENGINE]})
    items: list[Engine]


class Models(_Wire):
    model_config = _like({"items": [_MODEL]})
    items: list[Model]


class Voice(_Wire):
    model_config = _like(_VOICE)
    name: str
    language: str
    licence: str
    speakers: list[str]


class Voices(_Wire):
    model_config = _like({"items": [_VOICE]})
    items: list[Voice]


class Setting(_Wire):
    model_config = _like(_SETTING)
    name: str
    value: str = Field(description="As it is written; a secret is masked.")
    origin: str
    about: str


class Settings(_Wire):
    model_config = _like({"items": [_SETTING]})
    items: list[Setting]


class Health(_Wire):
    model_config = _like({"status": "ok", "service": "media-pipeline", "version": "0.1.0"})
    status: Literal["ok"]
    service: Literal["media-pipeline"]
    version: str


NOT_READY = {"ready": False, "why": "voice: no answer", "engines": [_ENGINE | {"ready": False}]}
"""An example of the other answer."""


class Ready(_Wire):
    """What the background checks last saw. `engines` and `why` only for callers who may see everything."""

    model_config = _like({"ready": True, "why": "", "engines": [_ENGINE]})
    ready: bool
    why: str
    engines: list[Engine]
