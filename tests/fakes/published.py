"""An episode as it lies in `output/`, every file as its manifest says, without any engine or store."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.domain.timeline import Chapter, Span
from pipeline.media import encode, mp3
from pipeline.media.pcm import FRAME_SECONDS, as_wave
from tests.unit.sound import RATE, speech

STARTS = (0.0, 1.234, 2.001)
TITLES = ("Begin & <b>", "Maré; é = alta", "The end")
NOTICE = "Voice synthesised by a machine."


def cover(kind: str = "PNG", side: int = 120) -> bytes:
    """A picture that is the same each time."""
    random = np.random.default_rng(side)
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


@cache
def sounds(seconds: float, *, lossless: bool) -> Mapping[str, bytes]:
    """The programme, and the same without loss."""
    wave = as_wave(speech(seconds))
    made = mp3.encode(wave, RATE, kbits=96)
    tags = encode.Tags("As it was published", comment=NOTICE)
    files = {"audio.mp3": encode.mp3([(0, b"".join(made))], len(made), tags=tags)}
    if lossless:
        files["audio.flac"] = encode.flac([(0.0, wave)], RATE, len(made) * FRAME_SECONDS, tags=tags)
    return files


def publish(
    output: Path,
    slug: str,
    *,
    title: str = "",
    seconds: float = 4.0,
    lossless: bool = False,
    files: Mapping[str, bytes | None] | None = None,
    **changes: Any,
) -> Path:
    """`files` come beside or instead of what there is by itself; None leaves one out."""
    folder = output / slug
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"startTime": start, "title": name} for start, name in zip(STARTS, TITLES, strict=True)]
    parts: dict[str, bytes | None] = {
        **sounds(seconds, lossless=lossless),
        "cover.png": cover(),
        "chapters.json": json.dumps({"version": "1.2.0", "chapters": listed}).encode(),
        "captions.vtt": b"WEBVTT\n",
        "index.html": b"<!doctype html>\n",
        "script.md": b"# It\n",
        **(files or {}),
    }
    held = {name: data for name, data in sorted(parts.items()) if data is not None}
    for name, data in held.items():
        (folder / name).write_bytes(data)
    manifest = {
        "format": "media-pipeline/manifest/1", "title": title or slug.capitalize(), "slug": slug, "language": "pt-BR",
        "tags": [], "date": "2026-11-03", "identity": f"input/{slug}.md", "ai_generated": {"notice": NOTICE},
        "script": {"words": 6}, "audio": {"seconds": seconds, "loudness_lufs": -16.0},
        "made_at": "2026-11-21T06:45:11.039Z",
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in held.items()
        },
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def chapters(seconds: float) -> tuple[Chapter, ...]:
    """What the chapters of a published episode of that length are."""
    ends = (*STARTS[1:], seconds)
    return tuple(Chapter(title, Span(*span)) for title, *span in zip(TITLES, STARTS, ends, strict=True))
