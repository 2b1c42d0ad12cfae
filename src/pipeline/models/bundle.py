"""Models in one file, for machines without a network: a manifest with the SHA-256 of every file, then the files.

    manifest.json                                  always first: what is in it, and how it must be
    manifest.json.sha256                           so that a flipped bit in the manifest is found too
    voices/en_US-joe-medium.onnx                   each file the manifest names, in its order
    checkpoints/stabilityai/sd-turbo/unet/…
    two empty blocks

It is plain tar, so that any `tar` reads it. Taking one in parses no names out of the archive: its bytes between the
files are compared with what they must be, so a link, a device or a spare file is not *handled* but simply not ours.
The manifest's digests find damage; against somebody who makes a bundle of their own stands the lock file alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from shutil import rmtree
from typing import Any, BinaryIO

from pipeline.errors import InputError, Interrupted, StoreError
from pipeline.files import PART_PREFIX, disk_error, drop, make_folder, open_plain, settle
from pipeline.models.catalogue import File, Model, model_from_json, model_to_json
from pipeline.models.fetching import install
from pipeline.models.installation import Installation
from pipeline.models.records import all_records
from pipeline.net.download import alone

FORMAT = "media-pipeline/models-bundle/1"
MANIFEST, SEAL = "manifest.json", "manifest.json.sha256"

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_CHUNK_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20
# A file takes some 200 bytes of it.
_LARGEST_MANIFEST_BYTES = 16 << 20
_MAKE_ANOTHER = "Make the bundle anew with `pipeline models export`, or copy it again."
_NOT_OURS = "It is not as `pipeline models export` writes one; nothing of it has been taken in."

Tick = Callable[[str, int], None]
"""Told a model's name and the bytes of it that were dealt with."""


@dataclass(frozen=True, slots=True)
class Contents:
    models: tuple[Model, ...]
    left_out: tuple[str, ...]
    """Models that the settings asked for where it was made, and that cannot be in a bundle: Ollama's."""

    @property
    def size(self) -> int:
        return sum(model.size for model in self.models)


# -- out ---------------------------------------------------------------------------------------------------------


def export(site: Installation, names: Sequence[str], bundle: Path, left_out: Sequence[str], tick: Tick) -> Contents:
    """Write these models, or all that are here where none is named, into a new file, which appears whole or not at
    all. What is damaged is found while it is copied, and no bundle is made then.

    Raises InputError (a model that is not here, a file of that name that is there already), StoreError, Interrupted.
    """
    records = all_records(site.places)
    for name in names:
        if name not in records:
            raise InputError(
                f"{name} is not here, or nobody has looked at it", hint=f"Have it first: pipeline models fetch {name}"
            )
    models = tuple(records[name].model for name in dict.fromkeys(names or sorted(records)))
    if not models:
        raise InputError("there are no models here to export", hint="Have some first: pipeline models fetch")
    if bundle.exists():
        raise InputError("there is such a file already", where=str(bundle), hint="Give the bundle another name.")
    contents = Contents(models, tuple(left_out))
    make_folder(bundle.parent)
    part = bundle.with_name(f"{PART_PREFIX}{os.getpid()}-{bundle.name}")
    _must_have_room(site, {bundle.parent: contents.size})
    try:
        with part.open("xb") as out:
            _write(site, contents, out, tick)
            out.flush()
            os.fsync(out.fileno())
        settle(part, bundle)
    except OSError as error:
        raise disk_error(error, bundle) from error
    finally:
        drop(part)
    return contents


def _write(site: Installation, contents: Contents, out: BinaryIO, tick: Tick) -> None:
    manifest = _manifest_of(contents)
    out.write(_head(manifest))
    for model in contents.models:
        for file in model.files:
            out.write(_header(_member(model, file), file.size))
            _copy_out(site, model, file, out, tick)
            out.write(_padding(file.size))
    out.write(_END)


def _copy_out(site: Installation, model: Model, file: File, out: BinaryIO, tick: Tick) -> None:
    path = site.places.home(model) / file.path
    digest, rest = hashlib.sha256(), file.size
    try:
        with open_plain(path) as content:
            while rest and (chunk := content.read(min(rest, _CHUNK_BYTES))):
                _must_go_on(site)
                digest.update(chunk)
                out.write(chunk)
                rest -= len(chunk)
                tick(model.name, len(chunk))
            whole = not rest and not content.read(1)
    except FileNotFoundError:
        whole = False
    if not whole or digest.hexdigest() != file.sha256:
        raise InputError(
            f"{file.path} of {model.name} is not as it was recorded",
            where=str(path),
            hint=f"No bundle was made. Mend it first: pipeline models fetch {model.name}",
        )


def _manifest_of(contents: Contents) -> bytes:
    facts = {
        "format": FORMAT,
        "not_included": list(contents.left_out),
        "models": {model.name: model_to_json(model) for model in contents.models},
    }
    return f"{json.dumps(facts, indent=2, ensure_ascii=False)}\n".encode()


# -- in ----------------------------------------------------------------------------------------------------------


def import_(site: Installation, bundle: Path, tick: Tick) -> Contents:
    """Install what a bundle holds: all of it is read, compared and hashed beside its place before the first file is
    where it is looked for. A model that the lock file names must be the one that it names.

    Raises InputError for what is no bundle of ours, with the first thing that is wrong; StoreError, Interrupted.
    """
    try:
        opened = open_plain(bundle)
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(bundle), hint="Name a bundle.") from None
    with opened as file, ExitStack() as held:
        reading = _Reading(file, bundle, site)
        contents = reading.contents()
        _must_be_as_locked(site, contents, bundle)
        rooms: dict[Path, int] = {}
        for model in contents.models:
            root = site.places.root(model.kind)
            make_folder(root)
            rooms[root] = rooms.get(root, 0) + model.size
        _must_have_room(site, rooms)
        staged = []
        for model in sorted(contents.models, key=lambda model: model.name):  # one order for all: no two wait in a ring
            hold = site.places.hold(model.name, model.kind)
            make_folder(hold.parent)
            held.enter_context(alone(hold, site.stop))
        for model in contents.models:
            # Beside what a download may have begun there, which is left as it is.
            staging = site.places.staging(f"import-{model.name}", model.kind)
            rmtree(staging, ignore_errors=True)
            held.callback(rmtree, staging, ignore_errors=True)
            staged.append((model, staging))
        reading.take(staged, tick)
        for model, staging in staged:
            install(site, model, [one.path for one in model.files], staging, f"the bundle {bundle.name}")
    return contents


@dataclass(frozen=True, slots=True)
class _Reading:
    file: BufferedReader
    bundle: Path
    site: Installation

    def contents(self) -> Contents:
        """What the manifest says, when the archive has the length that follows from it."""
        first = self._read(_BLOCK)
        try:
            found = tarfile.TarInfo.frombuf(first, "utf-8", "surrogateescape")
        except tarfile.TarError:
            raise self._bad("it is no bundle", _NOT_OURS) from None
        if found.name != MANIFEST or not 0 <= found.size <= _LARGEST_MANIFEST_BYTES:
            raise self._bad(f"it should begin with {MANIFEST}, and begins with {_described(first)}", _NOT_OURS)
        if first != _header(MANIFEST, found.size):
            raise self._bad(f"it begins with {_described(first)}, which is not as it must be", _NOT_OURS)
        text = self._read(found.size)
        head = _head(text)
        self._compare(head[_BLOCK + found.size :], f"after {MANIFEST}")
        contents = self._parsed(text)
        length = len(head) + len(_END)
        for model in contents.models:
            for file in model.files:
                length += len(_header(_member(model, file), file.size)) + file.size + len(_padding(file.size))
        there = os.fstat(self.file.fileno()).st_size
        if there != length:
            what = "it is cut off" if there < length else "there is more in it than its manifest names"
            raise self._bad(f"{what}: it has {there:,} bytes and should have {length:,}", _NOT_OURS)
        return contents

    def _parsed(self, text: bytes) -> Contents:
        try:
            raw: Any = json.loads(text, object_pairs_hook=_each_once)
            match raw:
                case {"format": found, "models": {}, "not_included": [*left_out]}:
                    if found != FORMAT:
                        raise self._bad(f"its format is {found!r}; this version reads {FORMAT!r}", _NOT_OURS)
                case _:
                    raise self._bad("its manifest is not one of a bundle", _NOT_OURS)
            models = tuple(model_from_json(name, entry) for name, entry in raw["models"].items())
        except (ValueError, RecursionError) as error:
            raise self._bad(f"its manifest cannot be used: {error}", _NOT_OURS) from error
        return Contents(models, tuple(str(name) for name in left_out))

    def take(self, staged: Sequence[tuple[Model, Path]], tick: Tick) -> None:
        """Every file into its staging folder, on the disk and proven; then the end."""
        for model, staging in staged:
            for file in model.files:
                self._compare(_header(_member(model, file), file.size), f"where {_member(model, file)} should begin")
                target = staging / file.path
                make_folder(target.parent)
                try:
                    with target.open("xb") as out:
                        for chunk in self._content(model, file):
                            out.write(chunk)
                            tick(model.name, len(chunk))
                        out.flush()
                        os.fsync(out.fileno())
                except OSError as error:
                    raise disk_error(error, target) from error
                self._compare(_padding(file.size), f"after {_member(model, file)}")
        self._compare(_END, "at the end")

    def _content(self, model: Model, file: File) -> Iterator[bytes]:
        digest, rest = hashlib.sha256(), file.size
        while rest:
            _must_go_on(self.site)
            chunk = self._read(min(rest, _CHUNK_BYTES))
            digest.update(chunk)
            rest -= len(chunk)
            yield chunk
        if digest.hexdigest() != file.sha256:
            raise self._bad(f"{_member(model, file)} is damaged: its SHA-256 is not what the manifest says")

    def _compare(self, expected: bytes, where: str) -> None:
        found = self._read(len(expected))
        if found != expected:
            other = next(
                at for at in range(0, len(found), _BLOCK) if found[at : at + _BLOCK] != expected[at : at + _BLOCK]
            )
            raise self._bad(f"{where} stands {_described(found[other : other + _BLOCK])}", _NOT_OURS)

    def _read(self, length: int) -> bytes:
        try:
            data = self.file.read(length)
        except OSError as error:
            raise disk_error(error, self.bundle) from error
        if len(data) != length:
            raise self._bad("it is cut off")
        return data

    def _bad(self, what: str, hint: str = _MAKE_ANOTHER) -> InputError:
        return InputError(what, where=str(self.bundle), hint=hint)


def _must_be_as_locked(site: Installation, contents: Contents, bundle: Path) -> None:
    for model in contents.models:
        locked = site.lock.get(model.name)
        if locked is None:
            continue
        wanted = {file.path: file.digest for file in locked.files}
        if wanted != {file.path: file.digest for file in model.files}:
            raise InputError(
                f"its {model.name} is another than the lock file names",
                where=str(bundle),
                hint="Nothing was taken in. Make the bundle with the same lock file.",
            )


def _must_have_room(site: Installation, rooms: Mapping[Path, int]) -> None:
    coming: dict[int, tuple[Path, int]] = {}
    for folder, size in rooms.items():
        try:
            device = folder.stat().st_dev
        except OSError as error:
            raise disk_error(error, folder) from error
        coming[device] = (folder, coming.get(device, (folder, 0))[1] + size)
    for folder, size in coming.values():
        free = site.free(folder)
        if size > free - _SPARE_BYTES:
            raise StoreError(
                f"{size / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free",
                where=str(folder),
                hint="Free some space and run it again; nothing has been written.",
            )


def _must_go_on(site: Installation) -> None:
    if site.stop.is_set():
        raise Interrupted


# -- the bytes between -------------------------------------------------------------------------------------------


def _member(model: Model, file: File) -> str:
    folder = PurePosixPath("voices") if model.kind == "voice" else PurePosixPath("checkpoints") / model.name
    return str(folder / file.path)


def _header(name: str, size: int) -> bytes:
    """What stands before a file's bytes; the same to the byte for the same name and size."""
    about = tarfile.TarInfo(name)
    about.size, about.mode = size, 0o644
    return about.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _head(manifest: bytes) -> bytes:
    """The manifest and its seal, as members."""
    seal = f"{hashlib.sha256(manifest).hexdigest()}\n".encode()
    return b"".join(
        _header(name, len(text)) + text + _padding(len(text)) for name, text in ((MANIFEST, manifest), (SEAL, seal))
    )


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XHDTYPE: "an extended header",
    tarfile.XGLTYPE: "a global header",
}


def _described(block: bytes) -> str:
    """What a block that is not the one expected seems to be, for people."""
    if len(block) == _BLOCK and not any(block):
        return "nothing"
    try:
        found = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return "no header, but other bytes"
    return f"{_KINDS.get(found.type, 'a file')} named {found.name!r} of {found.size:,} bytes"


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands in it twice")
    return dict(pairs)
