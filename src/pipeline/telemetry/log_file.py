"""A log in a file that does not grow for ever: put aside when it is full, and the oldest of those put aside removed.

Several processes may write it at once (a service, and a run beside it): a line is one write at the file's end, and
who finds the file full puts it aside while the others wait.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from threading import Lock

from pipeline.errors import SettingsError


class LogFile:
    """`log`, `log.1` (the one before), `log.2` … `log.<kept>`. Thread-safe."""

    def __init__(self, path: Path, *, most_bytes: int, kept: int) -> None:
        """Raises SettingsError where the file cannot be written."""
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._lock = Lock()
        self._file = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise SettingsError(
                [f"log_file: {path} cannot be written ({error.strerror or error})"],
                hint="Name a file in a folder that can be written to, or leave log_file unset.",
            ) from error

    def write(self, line: str) -> None:
        """Append a line. One that the disk does not take is lost: a log must not end what it tells of."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            try:
                self._make_room(len(data))
                os.write(self._file, data)
            except OSError:
                return

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _open(self) -> None:
        # For nobody's eyes but the owner's: what a log tells is not for everybody on the machine.
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if self._file >= 0:
            os.close(self._file)
        self._file = opened

    def _make_room(self, wanted: int) -> None:
        if not self._is_ours():
            self._open()
        if not self._is_full(wanted):
            return
        # The lock is on the full file itself: it dies with its process, and leaves nothing beside the logs.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if self._is_ours():
                for number in range(self._kept, 1, -1):
                    self._move(self._aside(number - 1), self._aside(number))
                self._move(self._path, self._aside(1))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._open()

    def _is_full(self, wanted: int) -> bool:
        size = os.fstat(self._file).st_size
        return size > 0 and size + wanted > self._most_bytes

    def _is_ours(self) -> bool:
        """Whether the file of that name is still the one that is open: another process may have put it aside."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    @staticmethod
    def _move(old: Path, new: Path) -> None:
        if old.exists():
            old.replace(new)
