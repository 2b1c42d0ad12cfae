"""Which episodes somebody called off, and whether the whole making rests: two small files that outlive a restart.

An episode is held as its topic was then: once somebody changes the topic, it is asked for anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pipeline.build.recipe import digest_of
from pipeline.domain.topic import Topic
from pipeline.errors import StoreError
from pipeline.files import make_folder, read_json, write_whole
from pipeline.inbox import topic_inputs


def wish_of(topic: Topic) -> str:
    """A digest of all that a topic asks for."""
    return digest_of(topic_inputs(topic))


@dataclass(slots=True)
class Held:
    """Thread-safe."""

    folder: Path
    _lock: Lock = field(default_factory=Lock)

    @property
    def paused(self) -> bool:
        return (self.folder / "paused").exists()

    def pause(self) -> None:
        """Raises StoreError."""
        make_folder(self.folder)
        write_whole(self.folder / "paused", b"")

    def resume(self) -> None:
        (self.folder / "paused").unlink(missing_ok=True)

    def all(self) -> Mapping[str, str]:
        """Episode → what its topic asked for when it was called off."""
        try:
            raw = read_json(self.folder / "held.json")
        except (OSError, StoreError, ValueError):
            return {}
        return {str(slug): str(wish) for slug, wish in raw.items()} if isinstance(raw, dict) else {}

    def hold(self, wishes: Mapping[str, str]) -> None:
        """Raises StoreError."""
        with self._lock:
            self._save({**self.all(), **wishes})

    def release(self, slugs: set[str]) -> None:
        """Raises StoreError."""
        with self._lock:
            before = self.all()
            if before.keys() & slugs:
                self._save({slug: wish for slug, wish in before.items() if slug not in slugs})

    def _save(self, held: Mapping[str, str]) -> None:
        make_folder(self.folder)
        write_whole(self.folder / "held.json", json.dumps(held).encode())
