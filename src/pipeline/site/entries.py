"""What a published episode says of itself, read from its folder: the one source of page, index and feed.

A manifest is a file that anybody may have written: whatever in it is not as it should be makes the episode invisible
here, with its reason, and never a page that lies.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.files import open_plain

_FORMAT = "media-pipeline/manifest/1"
# The manifest of ten hours has 2 MB, most of it what each sentence rests on; more than this is no manifest.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file of an episode."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    start: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One episode, as far as a list needs it."""

    slug: str
    title: str
    language: str
    """BCP 47."""
    tags: tuple[str, ...]
    identity: str
    """What the episode is of; never changes while its topic stays where it is."""
    date: datetime
    """The topic's own date, else when it was made."""
    dated: bool
    """The topic itself gave the date."""
    seconds: float
    words: int
    notice: str
    """That a machine made it."""
    summary: str
    files: Mapping[str, File]
    chapters: tuple[Chapter, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The whole manifest, for what a page shows beside."""

    def has(self, name: str) -> bool:
        return name in self.files


@dataclass(frozen=True, slots=True)
class Hidden:
    """An episode's folder that cannot be shown."""

    slug: str
    why: str


class _Unfit(Exception):
    """What is wrong with a folder's files."""


def entries_of(output: Path, slugs: Iterable[str] | None = None) -> tuple[list[Entry], list[Hidden]]:
    """Every episode below `output`, newest first, and what cannot be shown.

    Reads the manifests and the small files beside them; never through a link, never anything outside.
    """
    found: list[Entry] = []
    hidden: list[Hidden] = []
    for slug in _folders(output) if slugs is None else slugs:
        folder = output / slug
        if not (folder / "manifest.json").is_file():
            continue  # somebody's own folder
        if folder.is_symlink():
            hidden.append(Hidden(slug, "its folder is a link, which is not followed; put the folder itself there"))
            continue
        try:
            found.append(_entry(slug, folder))
        except _Unfit as error:
            hidden.append(Hidden(slug, str(error)))
    found.sort(key=lambda entry: (entry.date, entry.slug), reverse=True)
    return found, hidden


def _folders(output: Path) -> list[str]:
    try:
        with os.scandir(output) as places:
            return sorted(place.name for place in places if place.is_dir() and not place.name.startswith("."))
    except FileNotFoundError:
        return []


def _entry(slug: str, folder: Path) -> Entry:
    facts = _json(folder / "manifest.json")
    if facts.get("format") != _FORMAT:
        raise _Unfit("its manifest is of another format")
    try:
        files = {
            name: File(name, _count(about["bytes"]), str(about["sha256"])) for name, about in facts["files"].items()
        }
        if "audio.mp3" not in files or any(Path(name).name != name for name in files):
            raise _Unfit("its manifest names no sound")
        given = facts.get("date")
        made = datetime.fromisoformat(str(facts["made_at"]))
        date = datetime.fromisoformat(given) if given else made
        return Entry(
            slug=slug,
            title=_text(facts["title"]),
            language=_text(facts["language"]),
            tags=tuple(_text(tag) for tag in facts.get("tags", ())),
            identity=_text(facts["identity"]),
            date=date if date.tzinfo else date.replace(tzinfo=UTC),
            dated=bool(given),
            seconds=_seconds(facts["audio"]["seconds"]),
            words=_count(facts["script"]["words"]),
            notice=_text(facts["ai_generated"]["notice"]),
            summary=_text(facts.get("summary", "")),
            files=files,
            chapters=_chapters(folder) if "chapters.json" in files else (),
            facts=facts,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _Unfit(f"its manifest cannot be understood ({error!r})") from error


def _chapters(folder: Path) -> tuple[Chapter, ...]:
    told = _json(folder / "chapters.json")
    return tuple(Chapter(_text(about.get("title", "")), _seconds(about["startTime"])) for about in told["chapters"])


def _seconds(value: float) -> float:
    """A time in a programme: JSON, as Python reads it, also has NaN and infinity."""
    seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is no time")
    return seconds


def _count(value: object) -> int:
    """How many there are of something."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no number of things")
    return value


def _text(value: object) -> str:
    """A string that can stand in XML: no control characters (XML 1.0, 2.2), no lone surrogates."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    kept = "".join(c for c in value if c in "\t\n" or (c >= " " and not "\x7f" <= c <= "\x9f"))
    return kept.encode("utf-8", "replace").decode().replace("\ufffe", "").replace("\uffff", "")


def _json(path: Path) -> dict[str, Any]:
    try:
        with open_plain(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise _Unfit(f"{path.name} is too large")
        told = json.loads(data)
    except (OSError, StoreError, ValueError, RecursionError) as error:
        raise _Unfit(f"{path.name} cannot be read ({error})") from error
    if not isinstance(told, dict):
        raise _Unfit(f"{path.name} is not what it should be")
    return told
