"""An episode's folder: each file whole, the manifest last, and a script that a person edited never overwritten."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.build.recipe import Artifact
from pipeline.domain import manifest
from pipeline.domain.manifest import Proof
from pipeline.errors import InputError, StoreError
from pipeline.files import disk_error, drop, make_folder, open_plain, read_plain, remove_parts, settle, stage_chunks
from pipeline.ports import IllustratorIdentity, VoiceIdentity, WriterIdentity

MANIFEST = "manifest.json"
MANIFEST_FORMAT = manifest.FORMAT
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
    pieces: Mapping[str, Piece]
    """File name → its bytes; the manifest comes by itself."""
    about: Callable[[], Mapping[str, object]]
    """What the manifest says beside the files; asked for once everything is made, because it holds what was
    measured on it."""
    voice: VoiceIdentity | None = None
    writer: WriterIdentity | None = None
    """Who wrote the script; None where a person did."""
    illustrator: IllustratorIdentity | None = None
    """Who drew the segments' pictures."""
    fixed: Mapping[str, bytes] = field(default_factory=dict)
    """Files whose bytes are not an artifact's: a script edited by hand, kept to the byte."""
    origin: Mapping[str, object] | None = None
    """How the script came about that a model wrote, also where a person has edited it since; None where none did."""

    @property
    def entries(self) -> dict[str, dict[str, object]]:
        """File name → length, SHA-256, and the artifact it is."""
        entries: dict[str, dict[str, object]] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in self.fixed.items()
        }
        for name, piece in self.pieces.items():
            entries[name] = {
                "bytes": piece.artifact.part_length(piece.part),
                "sha256": piece.artifact.part_digest(piece.part),
                "key": piece.artifact.key,
                "made_at": piece.artifact.made_at,
            }
        return dict(sorted(entries.items()))

    @property
    def manifest(self) -> bytes:
        """The manifest's text. It says when things were made, never when they were published, so that publishing
        the same artifacts again gives the same bytes.
        """
        made_at = max((piece.artifact.made_at for piece in self.pieces.values()), default="")
        return manifest.dump({**self.about(), "made_at": made_at, "files": self.entries})

    @property
    def manifest_sha256(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()

    def read(self, name: str) -> Iterable[bytes]:
        """A file's bytes, some at a time. Raises Damaged when the artifact is not what it was."""
        piece = self.pieces.get(name)
        return (self.fixed[name],) if piece is None else piece.artifact.chunks(piece.part)


@dataclass(frozen=True, slots=True)
class Published:
    folder: Path
    files: tuple[str, ...]
    """All that the episode consists of, the manifest too."""
    written: tuple[str, ...]
    """Those that were not as they should be, and were written now."""


def stale(edition: Edition, folder: Path) -> tuple[str, ...]:
    """The files in `folder` that are not what the edition says. Reads, changes nothing."""
    wanted = {name: str(entry["sha256"]) for name, entry in edition.entries.items()}
    wanted[MANIFEST] = edition.manifest_sha256
    return tuple(name for name, sha256 in wanted.items() if _is_stale(folder / name, sha256))


def _is_stale(path: Path, sha256: str) -> bool:
    """A link is no published file, whatever it leads to: what is carried away with the folder is the link. A person may
    keep a script elsewhere.
    """
    return digest_on_disk(path) != sha256 or (path.is_symlink() and path.name != SCRIPT)


def withdrawn(edition: Edition, folder: Path) -> tuple[str, ...]:
    """The files that publishing would remove: an earlier edition has them and this one has not (a film that is no
    longer asked for), and they are as they were published. Reads, changes nothing; also of an edition that is yet to
    be made. Raises StoreError.
    """
    return tuple(_going(folder, _trusted_manifest(folder), {*edition.pieces, *edition.fixed}))


def publish(edition: Edition, folder: Path, *, ours: Collection[str]) -> Published:
    """Bring `folder` to what the edition says; files that are already so are left alone.

    `ours` holds the SHA-256 of every script.md that the pipeline itself has put there. Raises InputError when
    script.md holds anything else (it was edited while the episode was being made), StoreError, and Damaged
    when an artifact turns out not to be what it was. The caller sees to it that no two publish here at once.
    """
    make_folder(folder)
    before = _trusted_manifest(folder)
    owner = before.get("identity")
    if owner not in {None, edition.about().get("identity")}:
        raise InputError(
            f"the folder {folder.name} belongs to the episode of {owner}",
            where=str(folder),
            hint="Run it again, and this episode gets a folder of its own.",
        )
    wrong = stale(edition, folder)
    if SCRIPT in wrong:
        _keep_off_edits(folder / SCRIPT, ours)
    remove_parts((folder,), older_than=math.inf)  # a killed run's; nobody else publishes here at the same time
    staged: dict[str, Path] = {}
    try:
        # Everything is on the disk before the first name changes: a disk that is full is found out while the old
        # episode still stands.
        for name in wrong:
            chunks = (edition.manifest,) if name == MANIFEST else edition.read(name)
            staged[name] = stage_chunks(folder / name, chunks)
        if SCRIPT in wrong:
            _keep_off_edits(folder / SCRIPT, ours)
        for name in sorted(staged, key=lambda name: (name == MANIFEST, name != SCRIPT, name)):
            if name == MANIFEST:
                # While the old manifest still stands: it alone says what was published once and is no more.
                for gone in _going(folder, before, edition.entries.keys()):
                    with suppress(OSError):
                        (folder / gone).unlink()
            try:
                settle(staged[name], folder / name)
            except OSError as error:
                raise disk_error(error, folder / name) from error
            del staged[name]
    finally:
        for part in staged.values():
            drop(part)
    return Published(folder, (*edition.entries, MANIFEST), wrong)


# What an episode's folder is known by; script.md is not here, because one without the rest is a person's edit.
_PUBLISHED = ("audio.*", "video*.mp4", "cover.png", "picture-*.png", "index.html", "captions.*", "*.json")


def strangers(folder: Path) -> tuple[str, ...]:
    """The names of files in a folder that publishing would replace, or might. Raises StoreError."""
    try:
        found = {path.name for pattern in _PUBLISHED for path in folder.glob(pattern)}
    except OSError as error:
        raise disk_error(error, folder) from error
    return tuple(sorted(found))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest in `folder` says; empty where there is none that can be read."""
    try:
        return dict(manifest.read(read_plain(folder / MANIFEST)).facts)
    except (OSError, StoreError, ValueError, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class Look:
    """A published episode as it lies there, compared with its manifest."""

    files: int
    """How many files the manifest lists."""
    faults: tuple[str, ...]
    """What is wrong, one line each; nothing when every file is as the manifest says."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing and not wrong: files of somebody's own, a manifest that has no digest."""


def verify(folder: Path, *, but: Collection[str] = ()) -> tuple[str, ...]:
    """What is wrong with a published episode, one line each; see `look_at`."""
    return look_at(folder, but=but).faults


def look_at(folder: Path, *, but: Collection[str] = (), published: Collection[str] = ()) -> Look:
    """Read every file of a published episode, and compare it with its manifest, and that with its own digest.

    The files named in `but` are passed over. `published` holds the SHA-256 of every manifest that is known from
    elsewhere to have been published here: by it a manifest is found out whose digest was formed anew. None of them
    is no knowledge.
    """
    if folder.is_symlink():
        return Look(0, ("its folder is a link, which is not followed; put the folder itself there",))
    if (folder / MANIFEST).is_symlink():
        return Look(0, (f"{MANIFEST} is a link, and not the file itself",))
    try:
        data = read_plain(folder / MANIFEST)
        found = manifest.read(data)
    except FileNotFoundError:
        return Look(0, (f"{MANIFEST} is missing",))
    except StoreError as error:
        return Look(0, (f"{MANIFEST} cannot be read: {error.what}",))
    except (OSError, ValueError, RecursionError):
        return Look(0, (f"{MANIFEST} cannot be read: it is damaged",))
    files = found.facts.get("files")
    if found.facts.get("format") != MANIFEST_FORMAT or not isinstance(files, dict) or not files:
        return Look(0, (f"{MANIFEST} cannot be read: it is damaged, or of another version",))
    faults = [f"{MANIFEST} names {name} twice" for name in found.twice]
    remarks = []
    # A record of the manifest is as good as a digest in it, and better.
    known = hashlib.sha256(data).hexdigest() in published
    if found.proof is Proof.BROKEN:
        faults.append(f"{MANIFEST} was changed after it was published: its own digest does not fit")
    elif published and not known:
        but_holds = ", although its own digest fits" if found.proof is Proof.HOLDS else ""
        faults.append(f"{MANIFEST} is not the one that was published last{but_holds}")
    elif found.proof is Proof.ABSENT and not known:
        remarks.append(f"{MANIFEST} has no digest of its own (an earlier version wrote it): what it says is not proven")
    faults += [fault for name, entry in files.items() if name not in but for fault in _faults_of(folder, name, entry)]
    remarks += [f"{name} is none of the episode's files" for name in _others(folder, {*files, MANIFEST})]
    return Look(len(files), tuple(faults), tuple(remarks))


def _trusted_manifest(folder: Path) -> Mapping[str, Any]:
    """What the manifest says, unless it is not as it was written: by it a folder is refused, and files are removed."""
    try:
        found = manifest.read(read_plain(folder / MANIFEST))
    except (OSError, StoreError, ValueError, RecursionError):
        return {}
    return {} if found.proof is Proof.BROKEN else found.facts


def _faults_of(folder: Path, name: str, entry: object) -> Iterable[str]:
    if not _is_file_name(name):
        yield f"{MANIFEST} names {name!r}, which is no name of a file here"
        return
    try:
        found = digest_on_disk(folder / name)
        length = (folder / name).stat().st_size if found is not None else 0
    except StoreError as error:
        yield f"{name} cannot be read: {error.what}"
        return
    except OSError:  # gone between one look and the next
        found = None
    if (folder / name).is_symlink() and name != SCRIPT:
        yield f"{name} is a link, and not the file itself"
    elif found is None:
        yield f"{name} is missing"
    elif not isinstance(entry, dict) or (found, length) != (entry.get("sha256"), entry.get("bytes")):
        yield f"{name} is not what the manifest says"


def _others(folder: Path, known: Collection[str]) -> list[str]:
    """What else lies in the folder, but for what systems and unfinished runs hide there."""
    return sorted(one.name for one in folder.iterdir() if one.name not in known and not one.name.startswith("."))


def digest_on_disk(path: Path) -> str | None:
    """SHA-256 of a file, or None where there is none. Raises StoreError when it cannot be read."""
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, path) from error


def _is_file_name(name: str) -> bool:
    """Whether a name in a manifest can be a file in its folder; a manifest is a file that anybody may have written."""
    return Path(name).name == name and name not in {"", ".", ".."} and "\0" not in name


def is_one_bit_off(found: bytes, kept: bytes) -> bool:
    """Whether two texts differ in a single bit: what a failing disk or a bad copy does, and a person hardly ever."""
    if len(found) != len(kept):
        return False
    return sum((one ^ other).bit_count() for one, other in zip(found, kept, strict=True)) == 1


def _keep_off_edits(script: Path, ours: Collection[str]) -> None:
    found = digest_on_disk(script)
    if found is not None and found not in ours:
        raise InputError(
            "the script was edited while its episode was being made",
            where=str(script),
            hint="Nothing of the edit is lost: run it again, and the episode is made from it.",
        )


def _going(folder: Path, before: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """The files that an earlier edition published and this one does not have (FLAC switched off), as long as they are
    still what was published.
    """
    files = before.get("files")
    for name, entry in (files if isinstance(files, dict) else {}).items():
        if name in names or name in {SCRIPT, MANIFEST} or not isinstance(entry, dict) or not _is_file_name(name):
            continue
        if digest_on_disk(folder / name) == entry.get("sha256"):
            yield name
