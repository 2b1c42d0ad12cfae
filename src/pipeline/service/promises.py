"""A call that is made twice is done once: what an `Idempotency-Key` was used for, kept as a file a key.

The promise of a name is on the disk before the topic is: a service that is killed between the two finds, when the
caller asks again, which name it promised, and whether the file came to be. It is kept for a day.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.files import make_folder, read_json, write_whole
from pipeline.service.problems import Mistaken

_DAY_SECONDS = 86_400.0
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Promise:
    request: str
    """SHA-256 of what was asked for."""
    name: str
    """The file that it was promised."""
    kept: bool
    """The file was there."""


@dataclass(frozen=True, slots=True)
class Promises:
    folder: Path
    now: Callable[[], float] = time.time

    def of(self, key: str, request: bytes) -> Promise | None:
        """What was promised for a key. Raises Mistaken where it was used for something else."""
        try:
            promise = Promise(**read_json(self._path(key)))
        except (OSError, StoreError, ValueError, TypeError):
            return None
        if promise.request != _digest(request):
            raise Mistaken(
                "this Idempotency-Key was used for another request",
                where="Idempotency-Key",
                hint="Take a new key for a new topic.",
            )
        return promise

    def make(self, key: str, request: bytes, name: str, *, kept: bool) -> None:
        """Raises StoreError."""
        make_folder(self.folder)
        write_whole(self._path(key), json.dumps(asdict(Promise(_digest(request), name, kept))).encode())

    def forget_old(self) -> None:
        """Those of more than a day ago."""
        with suppress(FileNotFoundError):
            for path in self.folder.glob("*.json"):
                with suppress(OSError):
                    if self.now() - path.stat().st_mtime > _DAY_SECONDS:
                        path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{_digest(key.encode('utf-8', 'replace'))}.json"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
