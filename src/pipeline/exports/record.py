"""What an export has put into a folder, so that the next one knows its own files from a person's.

The record lies in the folder itself and goes where the folder goes. A file that is no longer as it was made belongs to
whoever changed it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.files import read_json, write_whole

NAME = ".media-pipeline-exports.json"
_FORMAT = "media-pipeline/exports/1"


@dataclass(frozen=True, slots=True)
class Noted:
    """A file as it was when it was made."""

    key: str
    """What it was made of; another key, and it would be another file."""
    sha256: str


class Verdict(Enum):
    MAKE = "make it"
    UP_TO_DATE = "it is as it would be made"
    COMPARE = "nobody noted it: it is ours only if it is exactly what would be made"
    KEEP = "somebody changed it"


def judge(key: str, noted: Noted | None, there: str | None, *, force: bool) -> Verdict:
    """What to do about a file, by what is noted of it and the SHA-256 of what lies there."""
    ours = noted is not None and noted.sha256 == there
    if ours and noted is not None and noted.key == key:
        return Verdict.UP_TO_DATE
    if there is None or ours or force:
        return Verdict.MAKE
    return Verdict.COMPARE if noted is None else Verdict.KEEP


class Record:
    """The files that were made in a folder, by their names below it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def all(self) -> dict[str, Noted]:
        """Empty where there is no record that can be understood: then nothing there is known to be ours."""
        try:
            told = read_json(self._path)
            if told["format"] != _FORMAT:
                return {}
            return {str(name): Noted(str(one["key"]), str(one["sha256"])) for name, one in told["files"].items()}
        except (OSError, StoreError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def note(self, name: str, noted: Noted | None) -> None:
        """Remember a file, or forget it. Raises StoreError.

        Read anew each time: what another export notes meanwhile stays noted, but for the moment between.
        """
        files = self.all()
        if noted is None:
            files.pop(name, None)
        else:
            files[name] = noted
        told = {"format": _FORMAT, "files": {name: asdict(one) for name, one in sorted(files.items())}}
        write_whole(self._path, (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
