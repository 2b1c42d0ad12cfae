"""The SHA-256 of large files, remembered as long as the file stays as it was: hashing a model costs seconds."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from threading import Lock

from pipeline.errors import StoreError
from pipeline.files import disk_error, make_folder, open_plain, read_json, write_whole


class Digests:
    """Digests of files by path, size, modification time and inode. Thread-safe; a cache that may be lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._known: dict[str, list[object]] = {}
        with suppress(OSError, StoreError, ValueError):
            known = read_json(path)
            if isinstance(known, dict):
                self._known = known

    def __call__(self, file: Path) -> str:
        """The file's SHA-256 in hex. Raises StoreError when it cannot be read."""
        try:
            found = file.stat()
            state: list[object] = [found.st_size, found.st_mtime_ns, found.st_ino]
            name = str(file.resolve())
            with self._lock:
                match self._known.get(name):
                    case [*known, str(digest)] if known == state:
                        return digest
            with open_plain(file) as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise disk_error(error, file) from error
        with self._lock:
            self._known[name] = [*state, digest]
            # A cache that cannot be written costs time at the next start, and is no reason to fail.
            with suppress(StoreError):
                make_folder(self._path.parent)
                write_whole(self._path, json.dumps(self._known).encode())
        return digest
