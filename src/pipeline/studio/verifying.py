"""Every published episode, its files read and compared with its manifest."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

from pipeline.build.store import Damaged, Store, held, is_key
from pipeline.edits import Edits
from pipeline.errors import StoreError
from pipeline.records import Records
from pipeline.stages.publish import MANIFEST, SCRIPT, digest_on_disk, is_one_bit_off, look_at, read_manifest
from pipeline.studio.plans import Checked, Folders
from pipeline.studio.shelf import Shelf


class Verifier:
    """Reads what was published, and what is remembered of it."""

    def __init__(self, folders: Folders, store: Store, edits: Edits, records: Records, shelf: Shelf) -> None:
        self._output = folders.output
        self._store = store
        self._edits = edits
        self._records = records
        self._shelf = shelf

    def check(self, asked: Collection[str]) -> Iterator[Checked]:
        """Each episode, also where its manifest is gone; `asked` are those that a topic asks for."""
        lost = {slug for slug in self._records.slugs() if self._has_lost_its_manifest(slug, asked)}
        for slug in sorted({*self._shelf.episodes(), *lost}):
            with self._nobody_publishing(slug):
                checked = self._checked(slug, left=slug not in asked)
            yield checked

    @contextmanager
    def _nobody_publishing(self, slug: str) -> Iterator[None]:
        """Else a run at work would be taken for damage. A project that is only there to be read has no run at work."""
        locks = self._store.folder / "locks"
        if locks.is_dir() and os.access(locks, os.W_OK):
            with held(locks / f"episode-{slug}"):
                yield
        else:
            yield

    def _has_lost_its_manifest(self, slug: str, asked: Collection[str]) -> bool:
        folder = self._output / slug
        # A folder that is gone and that no topic asks for was done away with by a person.
        missed = not (folder / MANIFEST).is_file() and (folder.is_dir() or slug in asked)
        return missed and bool(self._records.load(slug).manifests)

    def _checked(self, slug: str, *, left: bool) -> Checked:
        folder = self._output / slug
        record = self._records.load(slug)
        mine, on_disk = None, None
        with suppress(StoreError):  # which is said with the files
            mine = self._edits.current(slug, self._shelf.ours(slug, record))
            on_disk = digest_on_disk(folder / SCRIPT)
        files = read_manifest(folder).get("files")
        entry = files.get(SCRIPT) if isinstance(files, dict) else None
        listed = entry if isinstance(entry, dict) else {}
        edited = mine is not None and on_disk == hashlib.sha256(mine).hexdigest() and on_disk != listed.get("sha256")
        found = look_at(folder, but=(SCRIPT,) if edited else (), published=record.manifests)
        damage = self._damage(mine, slug, listed) if edited and mine is not None else ()
        return Checked(slug, found.files, (*found.faults, *damage), edited, left, found.remarks)

    def _damage(self, script: bytes, slug: str, listed: Mapping[str, object]) -> Iterator[str]:
        """What looks like an edit and is rather damage, as far as what was published is still kept."""
        artifact = self._store.find(str(listed["key"])) if is_key(listed.get("key")) else None
        with suppress(Damaged, KeyError):
            kept = self._edits.of(slug) if artifact is None else artifact.read(SCRIPT)
            if kept is not None and is_one_bit_off(script, kept):
                copied = shlex.join(["cp", f"{self._edits.folder / slug}.md", str(self._output / slug / SCRIPT)])
                way = copied if artifact is None else f"pipeline rewrite {slug}"
                what = f"{SCRIPT} is one bit off what was published"
                yield f"{what}. If you did not edit it, bring it back before the next run: {way}"
