"""Where the model lies, whether it may be loaded, and the digest of what will be.

Weights are read from safetensors alone: the other formats are pickles, and a pickle runs whatever code it holds. The
parts of a model come from diffusers and transformers alone: code that lies beside the weights is never run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.files import open_plain, read_json
from pipeline.image_server.faults import NoModel
from pipeline.image_server.settings import ImageSettings

KINDS = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
"""What `_class_name` of a model_index.json may be."""

# "stable_diffusion" is how Stable Diffusion 1.x names the module of its own safety checker, inside diffusers.
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# What is fetched of a repository: everything that is loaded, and no second copy of the weights in other formats.
_FETCHED = ["model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors"]
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model that may be loaded."""

    path: Path
    name: str
    revision: str
    kind: str
    variant: str | None
    """`fp16` where those are the files to load, by diffusers' naming; None for the plain ones."""
    files: tuple[Path, ...]
    """What will be loaded, relative to `path`, sorted."""

    def sha256(self) -> str:
        """Over the names and contents of the files. Reads them all: some seconds for a large model."""
        whole = hashlib.sha256()
        for file in self.files:
            content = hashlib.sha256()
            with open_plain(self.path / file) as source:
                while piece := source.read(_CHUNK_BYTES):
                    content.update(piece)
            whole.update(f"{file.as_posix()}\0{content.hexdigest()}\n".encode())
        return whole.hexdigest()


def find(settings: ImageSettings, *, half: bool) -> ModelFolder:
    """The folder of `settings.model`; `half`: files in half precision are preferred where there are both.

    Raises NoModel where it is not here, or must not be loaded.
    """
    for path in _candidates(settings):
        if (path / "model_index.json").is_file():
            return examine(path, name=settings.model.rstrip("/").rpartition("/")[2], revision="", half=half)
    path = _from_hub(settings)
    return examine(path, name=settings.model, revision=path.name, half=half)


def examine(path: Path, *, name: str, revision: str, half: bool) -> ModelFolder:
    """The model in a folder. Raises NoModel where something is missing, or must not be loaded."""
    index = _index(path)
    kind = str(index.get("_class_name"))
    if kind not in KINDS:
        raise NoModel(f"a model of the kind {kind} cannot be used", where=str(path), hint=f"Take one of {KINDS}.")
    parts = [part for part, made_of in _parts(index, path) if made_of]
    weights = [file for part in parts for file in sorted((path / part).glob("*.safetensors"))]
    for part in parts:
        pickled = [file for file in (path / part).glob("*") if file.suffix in _PICKLES]
        if pickled and not any(file.parent.name == part for file in weights):
            raise NoModel(
                f"{part} has its weights as {pickled[0].name} alone, which may hold code",
                where=str(path),
                hint="Take a revision of the model with .safetensors files.",
            )
    if not any(file.parent.name == "unet" for file in weights):
        raise NoModel("there are no weights in unet/", where=str(path), hint="Fetch the model again.")
    variant = _variant(weights, half=half)
    loaded = [file for file in weights if (".fp16." in file.name) == (variant == "fp16")]
    described = [
        file for part in parts for file in (path / part).glob("*") if file.suffix in (".json", ".txt", ".model")
    ]
    files = [path / "model_index.json", *described, *loaded]
    return ModelFolder(path, name, revision, kind, variant, tuple(sorted(file.relative_to(path) for file in files)))


def _candidates(settings: ImageSettings) -> Iterator[Path]:
    if settings.models_dir is not None:
        yield settings.models_dir / settings.model
    yield Path(settings.model)


def _from_hub(settings: ImageSettings) -> Path:
    hub: Any = import_module("huggingface_hub")  # comes with diffusers

    try:
        return Path(
            hub.snapshot_download(
                settings.model,
                revision=settings.revision or None,
                cache_dir=settings.models_dir,
                local_files_only=not settings.fetch,
                allow_patterns=_FETCHED,
            )
        )
    except (OSError, ValueError) as error:  # what it raises of its own are kinds of these
        which = f"the model {settings.model}{f' at {settings.revision}' if settings.revision else ''}"
        place = str(settings.models_dir or "the Hub's cache")
        if settings.fetch:
            raise NoModel(
                f"{which} could not be fetched ({type(error).__name__}: {error})",
                where=place,
                hint="See its name, and this machine's network.",
            ) from error
        raise NoModel(
            f"{which} is not here",
            where=place,
            hint="Fetch it with `pipeline models fetch`, or put its folder there; IMAGES_FETCH=true fetches it.",
        ) from error


def _index(path: Path) -> Mapping[str, object]:
    try:
        index = read_json(path / "model_index.json")
    except (OSError, StoreError, ValueError) as error:
        raise NoModel(
            f"its model_index.json cannot be read ({error})", where=str(path), hint="Fetch the model again."
        ) from error
    if not isinstance(index, dict):
        raise NoModel("its model_index.json is no object", where=str(path), hint="Fetch the model again.")
    return index


def _parts(index: Mapping[str, object], path: Path) -> Iterator[tuple[str, bool]]:
    """Each part's folder, and whether the model has it."""
    for part, value in index.items():
        match value:
            case [None, None]:
                yield part, False
            case [str(library), str(made_of)]:
                if library not in _LIBRARIES:
                    raise NoModel(
                        f"its part {part} is {library}.{made_of}, which is code of its own",
                        where=str(path),
                        hint="Take a model that is made of diffusers and transformers alone.",
                    )
                if not (path / part).is_dir():
                    raise NoModel(f"its folder {part} is missing", where=str(path), hint="Fetch the model again.")
                yield part, True


def _variant(weights: list[Path], *, half: bool) -> str | None:
    units = [file for file in weights if file.parent.name == "unet"]
    in_half = any(".fp16." in file.name for file in units)
    plain = any(".fp16." not in file.name for file in units)
    return "fp16" if in_half and (half or not plain) else None
