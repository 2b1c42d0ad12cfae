"""The installation that models are for: its folders, its lock file, and how the world outside is reached."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol
from urllib.parse import urlsplit

from pipeline.engines.voice_catalogue import PUBLIC
from pipeline.errors import PipelineError
from pipeline.files import disk_error
from pipeline.models.catalogue import Model, Places
from pipeline.net.download import PATIENCE
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls

HUB = "https://huggingface.co"


def free_bytes(folder: Path) -> int:
    """What the disk under a folder has left. Raises StoreError."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise disk_error(error, folder) from error


@dataclass(frozen=True, slots=True)
class Installation:
    places: Places
    lock: Mapping[str, Model]
    tls: Tls
    stop: Event
    mirror: str = ""
    """An address that stands in for the beginning (`https://huggingface.co`) of every other; empty for none."""
    catalogue_url: str = PUBLIC
    """Where Piper's `voices.json` lies, and the voices beside it; one that is not the public one is not mirrored."""
    hub_url: str = HUB
    policy: Policy = PATIENCE
    free: Callable[[Path], int] = field(default=free_bytes)

    def reached(self, url: str) -> str:
        """The address that is asked for a file that is at `url`."""
        own = self.catalogue_url != PUBLIC and url.startswith(self.catalogue_url)
        if own or not self.mirror:
            return url
        parts = urlsplit(url)
        return f"{self.mirror.rstrip('/')}{parts.path}{f'?{parts.query}' if parts.query else ''}"


class Watcher(Protocol):
    """Is told how it goes, from the thread that fetches."""

    def begins(self, name: str, size: int | None, note: str) -> None:
        """`size` in bytes of all that is to come; None where nobody says. `note` is empty, or for a person to know."""
        ...

    def moved(self, name: str, done: int, total: int | None) -> None: ...

    def ended(self, name: str, how: str) -> None:
        """`how`: from where it came, or that it was here."""
        ...

    def failed(self, name: str, error: PipelineError) -> None: ...
