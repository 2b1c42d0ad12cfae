"""How a model comes into the lock file: installed here from its source, by commit, and written down as it then is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.errors import EngineError
from pipeline.models.catalogue import File, Model
from pipeline.models.fetching import Wanted, fetch_exactly
from pipeline.models.installation import Installation, Watcher
from pipeline.models.records import read_record
from pipeline.models.upstream import Upstream, pinned


def locked_anew(site: Installation, wanted: Wanted, watcher: Watcher) -> Model | None:
    """The entry for a model, as its source has it now; None where it could not be had, of which the watcher was told.
    Other sources that the lock file names for the same bytes are kept, and tried first.

    Raises StoreError, Interrupted.
    """
    upstream = Upstream(site)
    try:
        there = pinned(site, upstream, upstream.model(wanted.name, wanted.kind, wanted.revision))
    except EngineError as error:
        watcher.failed(wanted.name, error)
        return None
    if not fetch_exactly(site, there, watcher):
        return None
    record = read_record(site.places, wanted.name, wanted.kind)
    if record is None:
        return None
    return _entry(record.model, there, site.lock)


def _entry(seen: Model, there: Model, lock: Mapping[str, Model]) -> Model:
    before = {file.path: file for file in lock[seen.name].files} if seen.name in lock else {}
    found = {file.path: file for file in there.files}
    files = []
    for file in seen.files:
        old = before.get(file.path)
        kept = [source for source in old.sources if old.digest == file.digest] if old is not None else []
        now = found[file.path].sources
        files.append(File(file.path, file.size, file.digest, tuple(dict.fromkeys([*kept, *now]))))
    return replace(seen, files=tuple(files), revision=there.revision)
