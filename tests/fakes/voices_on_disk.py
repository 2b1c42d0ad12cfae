"""Piper voices on disk for tests: the bundled network under another name, language or state of health."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.engines.piper.folders import bundled_folders

PORTUGUESE = "pt_BR-test-medium"
BUNDLED = "en_US-joe-medium"


def bundled_model() -> Path:
    return bundled_folders()[0] / f"{BUNDLED}.onnx"


def bundled_config() -> dict[str, object]:
    config: dict[str, object] = json.loads(
        bundled_model().with_name(f"{BUNDLED}.onnx.json").read_text(encoding="utf-8")
    )
    return config


def make_voice(folder: Path, name: str = PORTUGUESE, *, code: str = "pt_BR", espeak: str = "pt-br") -> Path:
    """A voice that reads as espeak-ng's `espeak` does, with the bundled voice's timbre; the model's path.

    The network is a link to the bundled one, so that making a voice costs nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{name}.onnx"
    model.symlink_to(bundled_model())
    config = bundled_config() | {"espeak": {"voice": espeak}, "language": {"code": code}}
    write_config(model, config)
    return model


def write_config(model: Path, config: dict[str, object]) -> None:
    model.with_name(f"{model.name}.json").write_text(json.dumps(config), encoding="utf-8")
