"""What a process does to its files, call by call: counted, written down, and at a chosen call failed or cut short.

The calls are those of Python's `os` module, wrapped in a process that is there for it; nothing of the pipeline is
changed. What compiled libraries write by themselves (a film, while it is being coded) is seen when it is opened.
"""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class Kind(StrEnum):
    OPEN = "open"
    """For writing; reading changes nothing."""
    OPEN_FOLDER = "open folder"
    WRITE = "write"
    FSYNC = "fsync"
    RENAME = "rename"
    REMOVE = "remove"
    MAKE_FOLDER = "mkdir"


@dataclass(frozen=True, slots=True)
class Call:
    """One call, before it is carried out."""

    number: int
    kind: Kind
    path: str
    """Relative to the folder that is watched; a rename's new name."""
    source: str = ""
    """A rename's old name."""

    @property
    def place(self) -> tuple[Kind, str]:
        """What it does, in words that another run of the same project has for it too."""
        return self.kind, _OWN_NAME.sub("*", self.path)


_OWN_NAME = re.compile(r"\d+-[0-9a-f]{8}")
"""What a process calls its files while they are not finished."""


class Before(Protocol):
    """Called before each call: may raise OSError in its place, or end the process. `half` does half of a write."""

    def __call__(self, call: Call, half: Callable[[], None]) -> None: ...


class Killed:
    """Ends the process right before one call, or in the middle of it where it is a write: a call of that number, or
    the first one of that place.
    """

    def __init__(self, at: int | tuple[str, str], *, torn: bool = False) -> None:
        self._at = at
        self._torn = torn

    def __call__(self, call: Call, half: Callable[[], None]) -> None:
        if self._at in (call.number, call.place):
            if self._torn:
                half()
            os.kill(os.getpid(), signal.SIGKILL)


class Failing:
    """One call fails by name, or it and every later one of its kind. A write has then written half."""

    def __init__(self, at: int, code: int, *, for_good: bool = False) -> None:
        self._at = at
        self._code = code
        self._for_good = for_good
        self._kind: Kind | None = None

    def __call__(self, call: Call, half: Callable[[], None]) -> None:
        if call.number == self._at:
            self._kind = call.kind
            half()
        elif not (self._for_good and call.kind is self._kind):
            return
        raise OSError(self._code, os.strerror(self._code), call.path)


def nothing(call: Call, half: Callable[[], None]) -> None:
    """Lets every call pass."""


@dataclass
class Watched:
    """The calls that concern what is below `root`."""

    root: Path
    before: Before = nothing
    done: Callable[[Call], None] = lambda _: None
    """Told of each call once it has succeeded."""
    count: int = 0
    _paths: dict[int, str] = field(default_factory=dict)

    def begin(self) -> None:
        """From here on, for the rest of this process."""
        real_open, real_write, real_io_open = os.open, os.write, io.open

        def opened(path: Any, flags: int, *rest: Any, **more: Any) -> Any:
            writes = flags & (os.O_WRONLY | os.O_RDWR)
            kind = Kind.OPEN if writes else Kind.OPEN_FOLDER if flags & os.O_DIRECTORY else None
            descriptor = self._through(kind, path, lambda: real_open(path, flags, *rest, **more))
            name = self._below(path)
            if kind is not None and name is not None:
                self._paths[descriptor] = name
            else:
                self._paths.pop(descriptor, None)
            return descriptor

        def written(descriptor: int, data: Any) -> Any:
            def half() -> None:
                real_write(descriptor, bytes(data)[: len(data) // 2])

            return self._through(Kind.WRITE, descriptor, lambda: real_write(descriptor, data), half=half)

        def synced(fd: Any) -> None:
            # What a killed process wrote stays with the kernel, synced or not: here only the order counts.
            self._through(Kind.FSYNC, fd, lambda: None)

        def opened_as_file(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            kind = Kind.OPEN if set(mode) & set("wax+") and not isinstance(file, int) else None
            return self._through(kind, file, lambda: real_io_open(file, mode, *rest, **more))

        os.open, os.write, os.fsync = opened, written, synced
        io.open = opened_as_file  # pathlib opens by it
        os.replace, os.rename = self._moving(os.replace), self._moving(os.rename)
        os.unlink, os.remove = self._one(os.unlink, Kind.REMOVE), self._one(os.remove, Kind.REMOVE)
        os.mkdir = self._one(os.mkdir, Kind.MAKE_FOLDER)

    def _moving(self, real: Callable[..., None]) -> Callable[..., None]:
        def moved(source: Any, target: Any, **more: Any) -> None:
            self._through(Kind.RENAME, target, lambda: real(source, target, **more), source=source)

        return moved

    def _one(self, real: Callable[..., None], kind: Kind) -> Callable[..., None]:
        def acted(path: Any, *rest: Any, **more: Any) -> None:
            if kind is Kind.MAKE_FOLDER and os.path.isdir(path):  # noqa: PTH112  # may be bytes
                real(path, *rest, **more)
            else:
                self._through(kind, path, lambda: real(path, *rest, **more))

        return acted

    def _through(
        self,
        kind: Kind | None,
        at: Any,
        carry_out: Callable[[], Any],
        *,
        source: Any = None,
        half: Callable[[], None] = lambda: None,
    ) -> Any:
        name = self._paths.get(at) if isinstance(at, int) else self._below(at)
        if kind is None or name is None:
            return carry_out()
        call = Call(self.count, kind, name, (self._below(source) or "") if source is not None else "")
        self.count += 1
        self.before(call, half)
        result = carry_out()
        self.done(call)
        return result

    def _below(self, path: Any) -> str | None:
        if isinstance(path, int):
            return None
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # may be bytes
        root = str(self.root)
        if name == root:
            return "."
        return name[len(root) + 1 :] if name.startswith(f"{root}/") else None
