"""What a backup says it holds, and which names it may not say.

A manifest is read from a file that anybody may have made, and its names become paths. So what exists as a `Manifest`
has been checked: every name lies below one of the project's own folders, none occurs twice, none is both a file and a
folder.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.files import PART_PREFIX

ROOTS = ("input", "config", "output", "data", "project")
"""The first part of every name: the folders of a project by what they are for, wherever its settings put them."""

SECTIONS: Mapping[str, frozenset[str]] = {
    "data": frozenset({"edits", "records", "failures", "measured.json", "store"}),
    "project": frozenset({".env"}),
}
"""The only entries of these roots that are ever backed up. The rest of the data folder are caches of this machine."""

STAGING_PREFIX, ASIDE_PREFIX = ".restore-", ".before-restore-"
"""What a restore calls its own folders, inside each root."""

# Linux's PATH_MAX and the NAME_MAX of every common file system.
_LONGEST_PATH_BYTES, _LONGEST_NAME_BYTES = 4096, 255
# Eleven octal digits of seconds: the year 2242.
LATEST_SECONDS = 8**11 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BadBackup(InputError):
    """A file is no backup, or not one that can be trusted; nothing has been written."""

    code = "backup"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the roots are in one project. All absolute."""

    project: Path
    input: Path
    config: Path
    output: Path
    data: Path

    def of(self, root: str) -> Path:
        return {
            "project": self.project,
            "input": self.input,
            "config": self.config,
            "output": self.output,
            "data": self.data,
        }[root]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a backup."""

    path: str
    """`input/moon.md`, `output/moon/audio.mp3`, `data/edits/moon.md`."""
    bytes: int
    mode: int
    """Permission bits alone: no setuid, setgid or sticky bit."""
    modified: int
    """Seconds since 1970."""
    sha256: str

    @property
    def root(self) -> str:
        return self.path.partition("/")[0]

    @property
    def child(self) -> str:
        """What stands directly in the root: `moon.md`, `moon`, `edits`."""
        return self.path.split("/", 2)[1]

    @property
    def below(self) -> str:
        """The path inside its root."""
        return self.path.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Manifest:
    made_at: int
    """Seconds since 1970: the moment the backup was begun."""
    version: str
    """The pipeline's own."""
    holds: tuple[str, ...]
    """What was asked for: `input`, `data`, and `store` or `secrets` where those were included."""
    entries: tuple[Entry, ...]
    """In the order of the archive."""
    left_out: tuple[tuple[str, str], ...] = ()
    """A path, and why it is not here."""
    models: Mapping[str, Any] = field(default_factory=dict)
    """Names and digests of models; their files are not backed up, they are fetched again."""

    @property
    def payload_bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    def to_json(self) -> bytes:
        facts = {
            "made_at": shown_time(self.made_at),
            "made_at_seconds": self.made_at,
            "pipeline": self.version,
            "holds": self.holds,
            "left_out": [{"path": path, "why": why} for path, why in self.left_out],
            "models": self.models,
        }
        # A line for each file, for people and `grep`.
        head = json.dumps(facts, indent=1, ensure_ascii=False)[:-2]
        lines = ",\n".join("  " + json.dumps(_plain(entry), ensure_ascii=False) for entry in self.entries)
        return f'{head},\n "files": [\n{lines}\n ]\n}}\n'.encode()

    @classmethod
    def from_json(cls, data: bytes, *, where: str) -> Manifest:
        """Raises BadBackup, naming the first thing that may not be so."""
        try:
            raw = json.loads(data)
            manifest = cls(
                made_at=_whole(raw["made_at_seconds"], LATEST_SECONDS),
                version=str(raw["pipeline"]),
                holds=tuple(str(name) for name in raw["holds"]),
                entries=tuple(_entry(one) for one in raw["files"]),
                left_out=tuple((str(one["path"]), str(one["why"])) for one in raw["left_out"]),
                models=dict(raw["models"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadBackup(f"its manifest cannot be understood ({error})", where=where, hint=ANOTHER) from error
        for entry in manifest.entries:
            fault = fault_of_name(entry.path)
            if fault:
                raise BadBackup(f"it names {entry.path!r}: {fault}", where=where, hint=NOT_OURS)
        for first, second, what in clashes(entry.path for entry in manifest.entries):
            raise BadBackup(f"it names {first!r} and {second!r}: {what}", where=where, hint=NOT_OURS)
        return manifest


ANOTHER = "Nothing was written. Take another backup."
NOT_OURS = "Nothing was written. A backup made by `pipeline backup` holds no such thing; do not trust this file."


def shown_time(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fault_of_name(path: str) -> str:
    """Why a path may not stand in a backup; empty where it may."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "its name has a line break or another control character"
    if path.startswith("/"):
        return "an absolute path"
    parts = path.split("/")
    if ".." in parts:
        return "it leads out of its folder"
    if "" in parts or "." in parts:
        return "not a plain path"
    if parts[0] not in ROOTS or len(parts) == 1:
        return f"it does not lie in {', '.join(ROOTS)}"
    if len(encoded) > _LONGEST_PATH_BYTES or any(len(part.encode()) > _LONGEST_NAME_BYTES for part in parts):
        return "a name longer than file systems allow"
    if is_ours(parts[1]) or any(part.startswith(PART_PREFIX) for part in parts):
        return "a name that the pipeline keeps for its unfinished work"
    sections = SECTIONS.get(parts[0])
    if sections is not None and parts[1] not in sections:
        return f"nothing of that name belongs in a backup of {parts[0]}/"
    return ""


def is_ours(child: str) -> bool:
    """Whether a root's child is a folder that a restore made for itself."""
    return child.startswith((STAGING_PREFIX, ASIDE_PREFIX))


def clashes(paths: Iterable[str], *, folds_case: bool = False) -> Iterator[tuple[str, str, str]]:
    """Pairs of paths that cannot both be files, and why; on a disk where `folds_case`, also those that differ in
    case, or in how an accent is written, alone.
    """

    def key(path: str) -> str:
        return unicodedata.normalize("NFC", path).casefold() if folds_case else path

    files: dict[str, str] = {}
    listed = list(paths)
    for path in listed:
        other = files.get(key(path), "")
        if other:
            yield other, path, "one name, twice" if other == path else "this disk takes both for one file"
        files[key(path)] = path
    for path in listed:
        end = path.rfind("/")
        while end > 0:
            other = files.get(key(path[:end]), "")
            if other:
                yield other, path, "a file where a folder must be"
            end = path.rfind("/", 0, end)


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "path": entry.path,
        "bytes": entry.bytes,
        "mode": f"{entry.mode:03o}",
        "modified": entry.modified,
        "sha256": entry.sha256,
    }


def _entry(raw: Any) -> Entry:  # noqa: ANN401 whatever JSON holds
    mode, sha256, path = raw["mode"], raw["sha256"], raw["path"]
    if not isinstance(path, str):
        raise TypeError(f"a path is {path!r}")
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{3}", mode):
        raise ValueError(f"the mode of {path!r} is {mode!r}, not three octal digits")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"the digest of {path!r} is {sha256!r}")
    return Entry(path, _whole(raw["bytes"], 2**62), int(mode, 8), _whole(raw["modified"], LATEST_SECONDS), sha256)


def _whole(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is not a whole number from 0 to {most}")
    return value
