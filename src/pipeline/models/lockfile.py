"""The lock file: which files a model is, by SHA-256, and where each may be had. Written by hand or by `models lock`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.files import read_json, write_whole
from pipeline.models.catalogue import Model, model_from_json, model_to_json

FORMAT = "media-pipeline/models-lock/1"
NAME = "models.lock"
"""In the folder of settings."""


def read_lock(path: Path) -> dict[str, Model]:
    """The models that are locked, by name; none where there is no such file. Raises SettingsError with every fault,
    and StoreError where it cannot be read.
    """
    try:
        raw: Any = read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SettingsError([f"{path}: not JSON ({error})"]) from error
    match raw:
        case {"format": str(found), "models": {**entries}}:
            if found != FORMAT:
                raise SettingsError([f"{path}: its format is {found!r}; this version reads {FORMAT!r}"])
        case _:
            raise SettingsError([f'{path}: no lock file: it needs "format": "{FORMAT}" and "models"'])
    models: dict[str, Model] = {}
    faults = []
    for name, entry in ((str(name), entry) for name, entry in entries.items()):
        try:
            models[name] = model_from_json(name, entry)
            if any(not file.sources for file in models[name].files):
                faults.append(f"{path}: {name}: a file without a source")
        except ValueError as error:
            faults.append(f"{path}: {error}")
    if faults:
        raise SettingsError(faults)
    return models


def write_lock(path: Path, models: Mapping[str, Model]) -> None:
    """Names in order and one fact a line, so that a change is seen as what it is. Raises StoreError."""
    entries = {name: model_to_json(model) for name, model in sorted(models.items())}
    text = json.dumps({"format": FORMAT, "models": entries}, indent=2, ensure_ascii=False)
    write_whole(path, f"{text}\n".encode())
