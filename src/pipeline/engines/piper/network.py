"""A voice's network ready to run, and kept so between runs.

Making a network ready (reading it, changing it, having onnxruntime optimise its 2,800 nodes) takes 0.9 s, most of what
it costs to speak one changed sentence. onnxruntime can write down what it arrived at; read back, that takes a fifth of
the time and gives the same samples to the bit. It fits one release of onnxruntime on one kind of processor, and is
named for both.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engines.piper.folders import VoiceFiles
from pipeline.engines.piper.windows import Windows
from pipeline.errors import StoreError
from pipeline.files import drop, make_folder, read_plain, settle

if TYPE_CHECKING:
    import onnxruntime

NOISE_START = "noise_start"
"""The graph's added input: one int64, at least 0, the place in the pool where the noise of this call begins."""

# Bumped by hand when `graph.prepare` changes a network in another way.
_GRAPH_VERSION = 1
# A high-quality voice has 114 MB.
_MOST_MODEL_BYTES = 2 << 30


@dataclass(frozen=True)
class Network:
    session: onnxruntime.InferenceSession
    tells_lengths: bool
    """Whether the second output holds the length of each phoneme, in frames."""
    repeatable: bool
    """Whether equal inputs give equal bytes."""
    takes_noise_start: bool
    windows: Windows | None = None
    """Makes the sound, where `session` gives the frames for it; None where `session` does it all."""


def opened(
    files: VoiceFiles,
    options: Callable[[], onnxruntime.SessionOptions],
    folder: Path | None,
    *,
    in_parts: bool = False,
) -> Network:
    """The network of a voice, from `folder` where it is kept there, else made ready and kept. Without a folder, or
    where that cannot be written to, nothing is kept; nor is one that is loaded `in_parts`.

    Raises what onnx and onnxruntime raise for a network that cannot be used, ModuleNotFoundError without them.
    """
    if in_parts:
        return _in_parts(files, options())
    if folder is None:
        return _made_ready(files, options())
    name = f"{files.name}-{_fitting(files)}"
    found = _kept(folder, name, options())
    if found is not None:
        return found
    part = folder / f".part-{name}-{os.getpid()}"
    writing = options()
    given_up: tuple[type[Exception], ...] = (OSError, StoreError, *_unusable())
    try:
        make_folder(folder)
        writing.optimized_model_filepath = str(part)
        made = _made_ready(files, writing)
    except given_up:
        # A folder or a disk that takes nothing costs a second at each start, and is no reason to be silent. Where it
        # is the network that cannot be used, it is said now.
        drop(part)
        return _made_ready(files, options())
    try:
        if made.repeatable:
            _keep(part, folder, name, older=f"{escape(files.name)}-*.onnx")
    finally:
        drop(part)
    return made


def _made_ready(files: VoiceFiles, options: onnxruntime.SessionOptions) -> Network:
    import onnx
    import onnxruntime

    from pipeline.engines.piper import graph

    prepared = graph.prepare(onnx.load(str(files.model)))
    session = onnxruntime.InferenceSession(prepared.model, options, providers=["CPUExecutionProvider"])
    return Network(session, prepared.tells_lengths, prepared.repeatable, prepared.takes_noise_start)


def _in_parts(files: VoiceFiles, options: onnxruntime.SessionOptions) -> Network:
    import onnx
    import onnxruntime

    from pipeline.engines.piper import graph

    prepared = graph.prepare(onnx.load(str(files.model)), in_parts=True)
    windows = None
    if prepared.decoder is not None:
        second = onnxruntime.InferenceSession(prepared.decoder.model, options, providers=["CPUExecutionProvider"])
        windows = Windows(prepared.decoder, second)
    session = onnxruntime.InferenceSession(prepared.model, options, providers=["CPUExecutionProvider"])
    return Network(session, prepared.tells_lengths, prepared.repeatable, prepared.takes_noise_start, windows)


def _unusable() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a network that it cannot load, and for a file that it cannot write."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    return (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.RuntimeException, errors.NotImplemented)


def _kept(folder: Path, name: str, options: onnxruntime.SessionOptions) -> Network | None:
    """What is kept under a name, if it is whole: the rest of its name is its SHA-256."""
    import onnxruntime

    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for path in folder.glob(f"{escape(name)}-*.onnx"):
        # A disk that was full when onnxruntime wrote leaves what cannot be loaded: the voice is made ready anew.
        with suppress(OSError, StoreError, *_unusable()):
            model = read_plain(path, most_bytes=_MOST_MODEL_BYTES)
            if hashlib.sha256(model).hexdigest() == path.stem.rpartition("-")[2]:
                session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
                takes_noise_start = any(given.name == NOISE_START for given in session.get_inputs())
                # Only repeatable ones are kept.
                return Network(session, len(session.get_outputs()) > 1, True, takes_noise_start)
    return None


def _keep(part: Path, folder: Path, name: str, *, older: str) -> None:
    """Give what onnxruntime wrote its name, and let go of what it replaces."""
    with suppress(OSError), part.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        kept = folder / f"{name}-{digest}.onnx"
        settle(part, kept)
        for path in folder.glob(older):
            if path != kept:
                drop(path)


def _fitting(files: VoiceFiles) -> str:
    """Names the voice, and everything that an optimised network of it fits."""
    import onnxruntime

    what = (files.identity.digest, str(_GRAPH_VERSION), onnxruntime.__version__, _processor())
    return hashlib.sha256("\0".join(what).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _processor() -> str:
    """The kind of processor: what it can do decides how onnxruntime lays out a network's weights."""
    told = {platform.machine(), platform.processor()}
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        told |= {line for line in lines if line.startswith(("flags", "Features", "model name"))}
    return "\n".join(sorted(told))
