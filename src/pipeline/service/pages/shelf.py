"""The finished episodes, the newest first: what their manifests say, read only for those that are shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from pipeline.service.views import manifest_at
from pipeline.stages.publish import MANIFEST
from pipeline.text.summary import brief

_COVER = "cover.png"
# Ten thousand episodes take some 60 ms to look at, a hundred one.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One episode on the shelf."""

    slug: str
    title: str
    language: str
    seconds: float
    summary: str
    cover: bool


@dataclass(slots=True)
class Shelf:
    """Thread-safe."""

    output: Path
    _lock: Lock = field(default_factory=Lock)
    _seen: tuple[tuple[str, int], ...] = ()
    """Episodes, the newest first, each with when its manifest was written."""
    _seen_at: float = float("-inf")
    _items: dict[str, tuple[int, Item | None]] = field(default_factory=dict)

    def items(self, first: int, count: int) -> tuple[list[Item], int]:
        """So many from the `first` on, counted from 0, and how many there are in all."""
        seen = self._look()
        items = (self._item(slug, at) for slug, at in seen[first : first + count])
        return [item for item in items if item is not None], len(seen)

    def _look(self) -> tuple[tuple[str, int], ...]:
        with self._lock:
            if monotonic() - self._seen_at > _LOOK_SECONDS:
                self._seen = tuple(sorted(_manifests(self.output), key=lambda one: (-one[1], one[0])))
                self._seen_at = monotonic()
            return self._seen

    def _item(self, slug: str, at: int) -> Item | None:
        known = self._items.get(slug)
        if known is None or known[0] != at:
            known = self._items[slug] = at, _item_of(slug, manifest_at(slug, self.output))
        return known[1]


def _manifests(output: Path) -> list[tuple[str, int]]:
    found = []
    with suppress(FileNotFoundError), os.scandir(output) as entries:
        for entry in entries:
            with suppress(OSError):
                found.append((entry.name, os.stat(f"{entry.path}/{MANIFEST}").st_mtime_ns))  # noqa: PTH116  # thrice as quick
    return found


def _item_of(slug: str, manifest: Mapping[str, Any]) -> Item | None:
    if not manifest:
        return None
    files = manifest.get("files")
    return Item(
        slug=slug,
        title=str(manifest.get("title") or slug),
        language=str(manifest.get("language") or "en"),
        seconds=seconds_of(manifest),
        summary=brief(str(manifest.get("summary") or ""), str(manifest.get("language") or "en")),
        cover=isinstance(files, Mapping) and _COVER in files,
    )


def seconds_of(manifest: Mapping[str, Any]) -> float:
    """How long an episode is; 0 where its manifest does not say."""
    audio = manifest.get("audio")
    seconds = audio.get("seconds") if isinstance(audio, Mapping) else None
    return float(seconds) if isinstance(seconds, int | float) else 0.0
