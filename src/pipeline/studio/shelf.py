"""What lies in `output/`: which episodes, whose their scripts are, and what was never ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.edits import Edits
from pipeline.errors import InputError
from pipeline.flow import Edited, Origin
from pipeline.records import Record
from pipeline.stages.publish import MANIFEST, SCRIPT, digest_on_disk, read_manifest, strangers


class Shelf:
    """A project's episodes, as they lie there."""

    def __init__(self, output: Path, edits: Edits) -> None:
        self._output = output
        self._edits = edits

    def episodes(self) -> Iterable[str]:
        """The folders in `output/` that hold a manifest."""
        if self._output.is_dir():
            for folder in sorted(self._output.iterdir()):
                if (folder / MANIFEST).is_file():
                    yield folder.name

    def ours(self, slug: str, record: Record) -> frozenset[str]:
        """The digests of scripts that are the pipeline's own, in the episode's folder: what its manifest says, and
        what a run was about to publish when it was killed.
        """
        manifest = read_manifest(self._output / slug)
        script, files = manifest.get("script"), manifest.get("files")
        entry = files.get(SCRIPT) if isinstance(files, dict) else None
        if isinstance(script, dict) and script.get("edited_by_hand") is False and isinstance(entry, dict):
            return frozenset({*record.scripts, str(entry.get("sha256"))})
        return frozenset(record.scripts)

    def edited(self, slug: str, record: Record) -> Edited | None:
        """The script as a person left it, and what it was made from; None where the pipeline's own stands."""
        text = self._edits.current(slug, self.ours(slug, record))
        if text is None:
            return None
        return Edited(text, _origin_of(record, read_manifest(self._output / slug)))

    def published_edit(self, slug: str) -> str | None:
        """The digest of a person's script that is kept and stands in the episode's folder as it is kept."""
        text = self._edits.of(slug)
        there = digest_on_disk(self._output / slug / SCRIPT)
        return there if text is not None and there == hashlib.sha256(text).hexdigest() else None

    def keep_off_strangers(self, slug: str, record: Record) -> None:
        """Raises InputError where a folder that was never an episode's holds files of the names that an episode has."""
        folder = self._output / slug
        if record.manifests or read_manifest(folder) or not folder.is_dir():
            return
        names = strangers(folder)
        if names:
            raise InputError(
                f"the folder holds files that the pipeline did not put there: {', '.join(names)}",
                where=str(folder),
                hint="Move them elsewhere, or give the topic another title; nothing of them was touched.",
            )


def _origin_of(record: Record, manifest: Mapping[str, Any]) -> Origin | None:
    """How a model came to write the script that a person then edited; None where none did, as far as is known."""
    if record.origin is not None:
        return record.origin or None
    made, script, engines = (manifest.get(name) for name in ("ai_generated", "script", "engines"))
    if isinstance(made, dict) and isinstance(script, dict) and isinstance(engines, dict) and made.get("script") is True:
        told = {name: script.get(name) for name in ("style", "style_sha256", "how")}
        return {"writer": engines.get("writer"), **told}
    return None
