"""An episode's folder: each file whole, the manifest last, and a script that a person edited never overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.build.recipe import Artifact
from pipeline.errors import InputError
from pipeline.files import disk_error, make_folder, write_whole

MANIFEST = "manifest.json"
MANIFEST_FORMAT = "media-pipeline/manifest/1"
SCRIPT = "script.md"


@dataclass(frozen=True, slots=True)
class Piece:
    """A published file's bytes: one part of an artifact."""

    artifact: Artifact
    part: str


@dataclass(frozen=True, slots=True)
class Edition:
    """Everything that is published of one topic."""

    slug: str
    files: Mapping[str, Piece]
    """File name → its bytes; the manifest comes by itself."""
    about: Mapping[str, object]
    """What the manifest says beside the files."""
    fixed: Mapping[str, bytes] = field(default_factory=dict)
    """Files whose bytes are not an artifact's: a script edited by hand, kept to the byte."""


def publish(edition: Edition, folder: Path, *, ours: Collection[str]) -> tuple[str, ...]:
    """Bring `folder` to what the edition says; files that are already so are left alone. Returns the file names.

    `ours` holds the SHA-256 of every script.md that the pipeline itself has put there. Raises InputError when
    script.md holds anything else (it was edited while the episode was being made), StoreError, and Damaged
    when an artifact turns out not to be what it was.
    """
    make_folder(folder)
    entries: dict[str, dict[str, object]] = {}
    made_at = ""
    for name in sorted(edition.files.keys() | edition.fixed.keys()):
        piece = edition.files.get(name)
        data = edition.fixed[name] if piece is None else piece.artifact.read(piece.part)
        digest = hashlib.sha256(data).hexdigest()
        _put(folder / name, data, digest, ours)
        entries[name] = {"bytes": len(data), "sha256": digest}
        if piece is not None:
            entries[name] |= {"key": piece.artifact.key, "made_at": piece.artifact.made_at}
            made_at = max(made_at, piece.artifact.made_at)
    before = read_manifest(folder)
    manifest = {"format": MANIFEST_FORMAT, **edition.about, "made_at": made_at, "files": entries}
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    _put(folder / MANIFEST, text.encode(), hashlib.sha256(text.encode()).hexdigest(), ours)
    _withdraw(folder, before, entries)
    return (*entries, MANIFEST)


def read_manifest(folder: Path) -> dict[str, object]:
    """What the manifest in `folder` says; empty where there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def digest_on_disk(path: Path) -> str | None:
    """SHA-256 of a file, or None where there is none. Raises StoreError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, path) from error


def _put(path: Path, data: bytes, digest: str, ours: Collection[str]) -> None:
    found = digest_on_disk(path)
    if found == digest:
        return
    if path.name == SCRIPT and found is not None and found not in ours:
        raise InputError(
            "the script was edited while its episode was being made",
            where=str(path),
            hint="Nothing of the edit is lost: run it again, and the episode is made from it.",
        )
    write_whole(path, data)


def _withdraw(folder: Path, before: Mapping[str, object], entries: Mapping[str, object]) -> None:
    """Remove files that an earlier edition published and this one does not have (FLAC switched off), as long as
    they are still what was published.
    """
    files = before.get("files")
    for name, entry in (files if isinstance(files, dict) else {}).items():
        if name in entries or name in {SCRIPT, MANIFEST} or not isinstance(entry, dict) or Path(name).name != name:
            continue
        if digest_on_disk(folder / name) == entry.get("sha256"):
            with suppress(OSError):
                (folder / name).unlink()
