"""Installations without settings: models of a few bytes, and a watcher that keeps what it is told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.errors import PipelineError
from pipeline.models.catalogue import Address, File, Model, Places, Source
from pipeline.models.installation import Installation
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from tests.fakes.file_server import Site, md5

QUICK = Policy(attempts=2, first_wait_seconds=0.001, longest_wait_seconds=0.001)
"""Two tries, and no waiting."""
JOE = "en_US-joe-medium"
FILES = {
    f"{JOE}.MODEL_CARD": b"# Joe\n\n* License: CC0\n",
    f"{JOE}.onnx.json": b'{"audio": {}}',
    f"{JOE}.onnx": b"network" * 9000,
}
"""A voice's files by their names here."""
TURBO = "stabilityai/sd-turbo"
COMMIT = "b261bac6fd2cf515557d5d0707481eafa0485ec2"
CHECKPOINT = {
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"weights" * 5000,
    "tokenizer/merges.txt": b"a b\n",
    "model_index.json": b'{"_class_name": "StableDiffusionPipeline"}',
}


@dataclass
class Watched:
    """Keeps what it is told."""

    begun: dict[str, int | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    failures: dict[str, PipelineError] = field(default_factory=dict)

    def begins(self, name: str, size: int | None, note: str) -> None:
        self.begun[name] = size
        self.notes += [note] if note else []

    def moved(self, name: str, done: int, total: int | None) -> None:
        self.moves.append(done)

    def ended(self, name: str, how: str) -> None:
        self.ends[name] = how

    def failed(self, name: str, error: PipelineError) -> None:
        self.failures[name] = error


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def locked_voice(*sources: Source, url: str = "", files: dict[str, bytes] = FILES, name: str = JOE) -> Model:
    """A voice as a lock file has it: from these sources, or each file at `url`/its name."""
    return Model(
        name,
        "voice",
        tuple(
            File(path, len(content), f"sha256:{sha256(content)}", sources or (Address(f"{url}/{path}"),))
            for path, content in files.items()
        ),
        "CC0",
    )


def installation(folder: Path, site: Site | None = None, *models: Model, **changed: Any) -> Installation:
    """Whose world outside is that server alone."""
    url = f"http://127.0.0.1:{site.port}" if site is not None else "http://127.0.0.1:9"
    facts: dict[str, Any] = {
        "places": Places(folder / "voices", folder / "checkpoints"),
        "lock": {model.name: model for model in models},
        "tls": Tls(),
        "stop": Event(),
        "catalogue_url": f"{url}/rhasspy/piper-voices/resolve/main",
        "hub_url": url,
        "policy": QUICK,
    }
    return Installation(**(facts | changed))


def put_voices(site: Site, voices: dict[str, dict[str, bytes]], at: str = "main") -> None:
    """Have the server offer voices as Piper's catalogue does."""
    base = f"/rhasspy/piper-voices/resolve/{at}"
    catalogue = {}
    for name, files in voices.items():
        code, voice, quality = name.split("-")
        folder = f"{code[:2]}/{code}/{voice}/{quality}"
        named = {file.removeprefix(f"{name}.") if "CARD" in file else file: content for file, content in files.items()}
        site.files |= {f"{base}/{folder}/{file}": content for file, content in named.items()}
        catalogue[name] = {
            "key": name,
            "name": voice,
            "language": {"code": code, "family": code[:2], "region": code[3:]},
            "quality": quality,
            "num_speakers": 1,
            "files": {
                f"{folder}/{file}": {"size_bytes": len(content), "md5_digest": md5(content)}
                for file, content in named.items()
            },
            "aliases": ["en-us-joe-medium"] if name == JOE else [],
        }
    site.files[f"{base}/voices.json"] = json.dumps(catalogue).encode()


def put_repository(site: Site, name: str, files: dict[str, bytes], *, revision: str = COMMIT) -> None:
    """Have the server hold a repository as the Hugging Face Hub does."""
    siblings: list[dict[str, object]] = []
    for path, content in files.items():
        about: dict[str, object] = {"rfilename": path, "size": len(content)}
        blob = b"blob %d\0" % len(content) + content
        about["blobId"] = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
        if path.endswith(".safetensors"):
            about["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
        siblings.append(about)
        site.files[f"/{name}/resolve/{COMMIT}/{path}"] = content
    listing = {"id": name, "sha": COMMIT, "cardData": {"license": "other"}, "siblings": siblings}
    site.files[f"/api/models/{name}/revision/{revision}"] = json.dumps(listing).encode()


def seen(folder: Path) -> dict[str, bytes]:
    """What an engine finds in a folder: every file that is not hidden, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
