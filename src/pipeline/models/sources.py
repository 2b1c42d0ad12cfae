"""How one file comes from one of its sources, and which is tried when one fails: never under its final name here."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.files import PART_PREFIX, disk_error, make_folder, open_plain
from pipeline.models.catalogue import Address, File, Model, PackageFile, Source, WheelMember
from pipeline.models.installation import Installation, Watcher
from pipeline.net import download
from pipeline.net.download import digest_of

_CHUNK_BYTES = 1 << 20
_LOCK_ANEW = "Try again; if it stays so, what is locked has changed there: pipeline models lock looks at it anew."


def bring(file: File, staged: Path, site: Installation, wheels: Path, meter: Meter) -> str:
    """Have a file as `staged`, whole and checked; the next source is tried where one fails for good. `wheels` is
    where wheels lie while members are taken out of them. Returns where it came from, for people.

    Raises EngineError when no source has it, StoreError, Interrupted.
    """
    failed: list[EngineError] = []
    for source in usable(file.sources):
        try:
            return _brought(source, file, staged, site, wheels, meter)
        except EngineError as error:
            failed.append(error)
    if not failed:
        raise EngineRefused(
            f"nothing is known of where {file.path} can be had",
            hint="`pipeline models import` takes it from a bundle that was made where it is.",
        )
    if len(failed) == 1:
        raise failed[0]
    kind = EngineUnavailable if any(isinstance(error, EngineUnavailable) for error in failed) else EngineRefused
    said = "; ".join(f"{error.where or 'a source'}: {error.what}" for error in failed)
    raise kind(f"none of the {len(failed)} sources of {file.path} gives it ({said})", hint=failed[-1].hint)


class Meter:
    """How much of a model is here, counted in its own bytes, wherever they are taken from."""

    def __init__(self, model: Model, watcher: Watcher) -> None:
        self._model = model
        self._watcher = watcher
        self._files: dict[str, int] = {}
        self._wheel = 0.0
        self._told = -1

    def file(self, file: File, done: int) -> None:
        self._files[file.path] = done
        self._tell()

    def wheel(self, share: float) -> None:
        """0 to 1: a wheel holds all of a model's files."""
        self._wheel = share
        self._tell()

    def _tell(self) -> None:
        done = max(sum(self._files.values()), int(self._wheel * self._model.size))
        if done > self._told:  # a source that begins again, or another one, takes nothing back
            self._told = done
            self._watcher.moved(self._model.name, done, self._model.size)


def usable(sources: Sequence[Source]) -> list[Source]:
    """Those that can be tried on this machine: all but files of packages that are not installed."""
    return [source for source in sources if not isinstance(source, PackageFile) or installed_at(source) is not None]


def installed_at(source: PackageFile) -> Path | None:
    """Where a package's file lies. Imports nothing of the package."""
    found = importlib.util.find_spec(source.package)
    for place in (found.submodule_search_locations or []) if found else []:
        path = Path(place).parent / source.member
        if path.is_file():
            return path
    return None


def wheel_at(source: WheelMember, wheels: Path) -> Path:
    return wheels / f"{source.sha256}.whl"


def _brought(source: Source, file: File, staged: Path, site: Installation, wheels: Path, meter: Meter) -> str:
    match source:
        case Address(url):
            reached = site.reached(url)
            _fetch(reached, staged, site, size=file.size, digest=file.digest, tell=lambda done: meter.file(file, done))
            return urlsplit(reached).hostname or reached
        case WheelMember(url, size, sha256, _):
            reached, wheel = site.reached(url), wheel_at(source, wheels)
            _fetch(
                reached,
                wheel,
                site,
                size=size,
                digest=f"sha256:{sha256}",
                tell=lambda done: meter.wheel(done / max(size, 1)),
            )
            _take_out(source, wheel, file, staged, site)
            return f"a wheel of {urlsplit(reached).hostname}"
        case PackageFile(package, _):
            path = installed_at(source)
            if path is None:
                raise EngineRefused(
                    f"the package {package} is not installed here",
                    hint=f"Install it: pip install {package}.",
                )
            try:
                with open_plain(path) as content:
                    _copy(content, file, staged, site, where=str(path))
            except OSError as error:
                raise disk_error(error, path) from error
            return f"the package {package}"


def _fetch(url: str, target: Path, site: Installation, *, size: int, digest: str, tell: Callable[[int], None]) -> None:
    download.fetch(
        url,
        target,
        tls=site.tls,
        stop=site.stop,
        size=size,
        digest=digest,
        progress=lambda done, _: tell(done),
        policy=site.policy,
    )


def _take_out(source: WheelMember, wheel: Path, file: File, staged: Path, site: Installation) -> None:
    """One member's bytes. Nothing in the archive says where they are written, or how many are."""
    where = f"{source.member} in {source.url.rpartition('/')[2]}"
    try:
        with zipfile.ZipFile(wheel) as archive:
            try:
                member = archive.getinfo(source.member)
            except KeyError:
                raise EngineNonsense("the wheel has no such member", where=where, hint=_LOCK_ANEW) from None
            if member.file_size != file.size or member.flag_bits & 1:
                raise EngineNonsense(
                    f"it has {member.file_size:,} bytes and should have {file.size:,}, or is encrypted",
                    where=where,
                    hint=_LOCK_ANEW,
                )
            with archive.open(member) as content:
                _copy(content, file, staged, site, where=where)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise EngineNonsense(f"the wheel cannot be read ({error})", where=where, hint=_LOCK_ANEW) from error
    except OSError as error:
        raise disk_error(error, wheel) from error


def _copy(content: IO[bytes], file: File, staged: Path, site: Installation, *, where: str) -> None:
    """Write no more than the file's length, and give the result its name only when it is right."""
    make_folder(staged.parent)
    part = staged.with_name(f"{PART_PREFIX}{os.getpid()}")
    digest, rest = hashlib.sha256(), file.size
    try:
        with part.open("wb") as out:
            while rest and (chunk := content.read(min(rest, _CHUNK_BYTES))):
                if site.stop.is_set():
                    raise Interrupted
                digest.update(chunk)
                out.write(chunk)
                rest -= len(chunk)
            whole = not rest and not content.read(1)
            out.flush()
            os.fsync(out.fileno())
        known = digest.hexdigest() if file.sha256 else digest_of(part, file.digest.partition(":")[0])
        if not whole or known != file.digest.partition(":")[2]:
            raise EngineNonsense("it is not the file that was meant", where=where, hint=_LOCK_ANEW)
        part.replace(staged)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
