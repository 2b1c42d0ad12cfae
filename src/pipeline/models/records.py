"""What was put here: for each model its files with the SHA-256 they had, so that later looks cost no reading.

A model that is in no lock file is known by its record alone: what was seen first is what it has to be from then on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.files import disk_error, make_folder, read_json, write_whole
from pipeline.models.catalogue import File, Kind, Model, Places, model_from_json, model_to_json
from pipeline.net.download import digest_of

FORMAT = "media-pipeline/model-record/1"


@dataclass(frozen=True, slots=True)
class Record:
    model: Model
    """Every file with its SHA-256, without sources."""
    origin: str
    """Where it came from, for people."""
    modified: Mapping[str, int]
    """Path → modification time in nanoseconds: while that and the size are the same, the bytes are taken to be."""


def read_record(places: Places, name: str, kind: Kind) -> Record | None:
    """None where there is none. Raises StoreError for one that cannot be used."""
    path = places.record(name, kind)
    try:
        raw: Any = read_json(path)
        match raw:
            case {"format": found, "name": str(named), "from": str(origin), "modified_ns": {}} if (
                found == FORMAT and named == name
            ):
                modified = {str(key): int(at) for key, at in raw["modified_ns"].items()}
                return Record(model_from_json(name, raw), origin, modified)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        pass
    raise StoreError(
        "it is no record of a model", where=str(path), hint="Remove that file; the model is then looked through anew."
    )


def all_records(places: Places) -> dict[str, Record]:
    """By name. Raises StoreError."""
    found: dict[str, Record] = {}
    kinds: tuple[Kind, ...] = ("voice", "checkpoint")
    for kind in kinds:
        for path in sorted(places.records(kind).glob("*.json")):
            name = path.name.removesuffix(".json").replace("--", "/")
            record = read_record(places, name, kind)
            if record is not None and record.model.kind == kind:
                found[name] = record
    return found


def write_record(places: Places, model: Model, origin: str) -> Record:
    """Record files that are known to be right; those whose SHA-256 is not known yet are read. Raises StoreError."""
    home = places.home(model)
    files = tuple(
        File(file.path, file.size, file.digest if file.sha256 else f"sha256:{digest_of(home / file.path, 'sha256')}")
        for file in model.files
    )
    seen = replace(model, files=files)
    record = Record(seen, origin, {file.path: _modified(home / file.path) for file in files})
    facts = {"format": FORMAT, "name": model.name, "from": origin} | model_to_json(seen)
    text = json.dumps(facts | {"modified_ns": dict(record.modified)}, indent=2, ensure_ascii=False)
    make_folder(places.records(model.kind))
    write_whole(places.record(model.name, model.kind), f"{text}\n".encode())
    return record


def is_recorded(file: File, home: Path, record: Record | None) -> bool:
    """Whether a file lies there as it was when it was recorded as this very file."""
    if record is None or not file.sha256:
        return False
    known = {one.path: one for one in record.model.files}.get(file.path)
    if known is None or (known.size, known.digest) != (file.size, file.digest):
        return False
    path = home / file.path
    return size_of(path) == file.size and _modified(path) == record.modified.get(file.path)


def size_of(path: Path) -> int | None:
    """In bytes; None where there is no plain file. Raises StoreError."""
    try:
        return path.stat().st_size if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, path) from error


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise disk_error(error, path) from error
