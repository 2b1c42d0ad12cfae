"""Scripts that a person has edited: found in `output/`, kept apart from everything that can be made again.

A script.md in an episode's folder is ours as long as its SHA-256 is one that the pipeline itself published.
Anything else is a person's, is copied to `<data>/edits/<slug>.md` before anything else happens, and from then on
the episode is made from it. The manifest says so too, so that an edit outlives the data folder.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.files import disk_error, make_folder, read_plain, write_whole
from pipeline.stages.publish import SCRIPT, digest_on_disk, read_manifest


@dataclass(frozen=True, slots=True)
class Edits:
    """The hand-edited scripts of one project."""

    folder: Path
    output: Path

    def of(self, slug: str) -> bytes | None:
        """The edited script of an episode, to the byte, or None where the pipeline's own stands. Raises StoreError."""
        path = self._path(slug)
        try:
            return read_plain(path)
        except FileNotFoundError:
            return None

    def current(self, slug: str, ours: Collection[str]) -> bytes | None:
        """The script that a person wants, whether kept here already or not; None where the pipeline's own stands.
        Reads, changes nothing.
        """
        newer = self.newer(slug, ours)
        return self.of(slug) if newer is None else newer

    def newer(self, slug: str, ours: Collection[str]) -> bytes | None:
        """The script in the episode's folder, if it is a person's and not yet kept here. Reads, changes nothing."""
        published = self.output / slug / SCRIPT
        found = digest_on_disk(published)
        if found is None or found in ours or found == digest_on_disk(self._path(slug)):
            return None
        manifest = read_manifest(self.output / slug)
        if not manifest and not ours:
            # A folder that the pipeline knows nothing of: someone put a script there, and it is theirs.
            return read_plain(published)
        script = manifest.get("script")
        edited = isinstance(script, dict) and script.get("edited_by_hand") is True
        if not edited and _published_digest(manifest) == found:
            return None
        return read_plain(published)

    def adopt(self, slug: str, ours: Collection[str]) -> bool:
        """Keep a person's newer script; True if there was one. Raises StoreError."""
        text = self.newer(slug, ours)
        if text is None:
            return False
        make_folder(self.folder)
        write_whole(self._path(slug), text)
        return True

    def discard(self, slug: str) -> Path | None:
        """Put an edit aside, so that the topic's own script stands again; returns where it lies. Raises StoreError.

        What is published stays as it is until it is replaced; that it is no edit any more, `ours` must say.
        """
        path = self._path(slug)
        if not path.exists():
            return None
        aside = self.folder / "discarded"
        make_folder(aside)
        kept = aside / f"{slug}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.md"
        try:
            path.replace(kept)
        except OSError as error:
            raise disk_error(error, path) from error
        return kept

    def slugs(self) -> frozenset[str]:
        """The episodes that have an edited script."""
        with suppress(FileNotFoundError):
            return frozenset(path.stem for path in self.folder.glob("*.md"))
        return frozenset()

    def _path(self, slug: str) -> Path:
        return self.folder / f"{slug}.md"


def _published_digest(manifest: dict[str, object]) -> object:
    files = manifest.get("files")
    entry = files.get(SCRIPT) if isinstance(files, dict) else None
    return entry.get("sha256") if isinstance(entry, dict) else None
