"""What is here, whether it is as it should be, and how it goes: never more than the lock file and the records know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Literal

from pipeline.errors import Interrupted, StoreError
from pipeline.files import disk_error, make_folder
from pipeline.models.catalogue import Kind, Model, PackageFile
from pipeline.models.installation import Installation
from pipeline.models.records import Record, all_records, is_recorded, size_of
from pipeline.models.sources import installed_at
from pipeline.net.download import alone, digest_of

State = Literal["here", "bundled", "not here", "incomplete", "changed", "unchecked"]
"""By a look from outside: `verify` reads the bytes. `unchecked`: of the right size, and nobody has read it yet.
`bundled`: not among the models, but in a Python package that is installed, where the engine in this process finds it.
"""


@dataclass(frozen=True, slots=True)
class Holding:
    model: Model
    state: State
    basis: Literal["lock", "first seen"]
    """What says how it has to be."""
    origin: str


@dataclass(frozen=True, slots=True)
class Checked:
    name: str
    size: int
    """Bytes that were read."""
    faults: tuple[str, ...]


def known_kinds(site: Installation) -> Mapping[str, Kind]:
    """Every model that the lock file or a record names. Raises StoreError."""
    kinds = {name: record.model.kind for name, record in all_records(site.places).items()}
    return kinds | {name: model.kind for name, model in site.lock.items()}


def holdings(site: Installation) -> tuple[Holding, ...]:
    """Every model that is known here, by name. Reads no model. Raises StoreError."""
    records = all_records(site.places)
    found = []
    for name in sorted({*site.lock, *records}):
        record = records.get(name)
        locked = site.lock.get(name)
        model = locked or records[name].model
        state = _state(site, model, record)
        origin = record.origin if record is not None and state != "not here" else ""
        found.append(Holding(model, state, "first seen" if locked is None else "lock", origin))
    return tuple(found)


def strangers(site: Installation) -> tuple[str, ...]:
    """Voices that lie in the folder and that neither the lock file nor a record knows: put there by hand."""
    known = known_kinds(site)
    names = {path.name.removesuffix(".onnx") for path in site.places.voices.glob("*.onnx") if path.name[0] != "."}
    return tuple(sorted(names - known.keys()))


def verify(site: Installation, names: Iterable[str], tick: Callable[[str, int], None]) -> Iterator[Checked]:
    """Read every byte of these models, or of all that are here where none is named. Changes nothing. `tick` is told
    a model's name and the bytes of each file that was read. Raises StoreError, Interrupted.
    """
    held = {holding.model.name: holding for holding in holdings(site)}
    for name in tuple(names) or [name for name, holding in held.items() if holding.state != "not here"]:
        if name not in held:
            yield Checked(name, 0, ("neither the lock file nor a record knows it",))
            continue
        yield _read(site, held[name].model, held[name].state, tick)


def remove(site: Installation, name: str) -> int:
    """Remove a model's files, its record and what is on its way of it. Returns the bytes that came free. Raises
    StoreError, also for a name that neither the lock file nor a record knows; Interrupted.
    """
    record = all_records(site.places).get(name)
    models = [model for model in (site.lock.get(name), record.model if record else None) if model is not None]
    if not models:
        raise StoreError(
            f"neither the lock file nor a record knows a model {name!r}",
            where=str(site.places.voices),
            hint="What was put there by hand is removed by hand.",
        )
    model = models[0]
    home, hold = site.places.home(model), site.places.hold(name, model.kind)
    make_folder(hold.parent)
    freed = 0
    with alone(hold, site.stop):
        # What makes the others findable goes first: nothing finds half a model.
        for path in [home / path for path in dict.fromkeys(file.path for one in models for file in one.files)][::-1]:
            try:
                freed += size_of(path) or 0
                path.unlink(missing_ok=True)
            except OSError as error:
                raise disk_error(error, path) from error
        _remove_record(site, model)
        rmtree(site.places.staging(name, model.kind), ignore_errors=True)
        if model.kind == "checkpoint":
            _remove_empty(home, site.places.checkpoints)
    return freed


def _remove_record(site: Installation, model: Model) -> None:
    path = site.places.record(model.name, model.kind)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def _remove_empty(home: Path, root: Path) -> None:
    """The folders of a checkpoint that hold nothing any more; one that holds something else stays."""
    folders = sorted((path for path in home.rglob("*") if path.is_dir()), reverse=True)
    for folder in [*folders, home, home.parent]:
        if folder != root:
            with suppress(OSError):
                folder.rmdir()


def _state(site: Installation, model: Model, record: Record | None) -> State:
    home = site.places.home(model)
    sizes = [size_of(home / file.path) for file in model.files]
    if not any(size is not None for size in sizes):
        return "bundled" if bundled(model) else "not here"
    if any(size is None for size in sizes):
        return "incomplete"
    if any(size != file.size for size, file in zip(sizes, model.files, strict=True)):
        return "changed"
    return "here" if all(is_recorded(file, home, record) for file in model.files) else "unchecked"


def bundled(model: Model) -> Mapping[str, Path]:
    """Where an installed package holds the model's files, by their names; empty where none holds them all."""
    found = {}
    for file in model.files:
        places = (installed_at(source) for source in file.sources if isinstance(source, PackageFile))
        whole = next((place for place in places if place is not None and size_of(place) == file.size), None)
        if whole is None:
            return {}
        found[file.path] = whole
    return found


def _read(site: Installation, model: Model, state: State, tick: Callable[[str, int], None]) -> Checked:
    home = site.places.home(model)
    elsewhere = bundled(model) if state == "bundled" else {}
    faults, read = [], 0
    for file in model.files:
        if site.stop.is_set():
            raise Interrupted
        path = elsewhere.get(file.path, home / file.path)
        size = size_of(path)
        if size is None:
            faults.append(f"{file.path} is not here")
        elif size != file.size:
            faults.append(f"{file.path} has {size:,} bytes and should have {file.size:,}")
        else:
            read += size
            if digest_of(path, "sha256") != file.sha256:
                faults.append(f"{file.path} is damaged: its SHA-256 is not what it should be")
        tick(model.name, size or 0)
    return Checked(model.name, read, tuple(faults))
