"""How a picture is drawn with diffusers; the only module that knows PyTorch.

PyTorch, diffusers and transformers are imported by name when a model is loaded: they take seconds, and whoever reads
or checks this program need not have them.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from pipeline.image_server import folder
from pipeline.image_server.faults import NoModel, OutOfMemoryError, UnusablePicture
from pipeline.image_server.folder import ModelFolder
from pipeline.image_server.painter import ModelFacts, Order, Painted
from pipeline.image_server.samplers import OWN, SAMPLERS, SCHEDULERS
from pipeline.image_server.settings import ImageSettings

_SMALLER = "Ask for a smaller picture, or free memory: unload the language model, or stop what else uses it."


class Diffusion:
    """A Stable Diffusion model, loaded. A Painter."""

    def __init__(self, found: ModelFolder, sha256: str, *, device: str, dtype: str) -> None:
        """Raises NoModel where its files are broken or do not belong together, OutOfMemoryError."""
        self._torch: Any = import_module("torch")
        self._diffusers: Any = import_module("diffusers")
        with _memory_named(self._torch):
            self._pipe: Any = _load(self._torch, self._diffusers, found, device, dtype)
        self._own: Any = self._pipe.scheduler
        self._facts = ModelFacts(found.name, found.revision, sha256, str(found.path), found.kind, device, dtype)

    @property
    def facts(self) -> ModelFacts:
        return self._facts

    def paint(self, order: Order, on_step: Callable[[int], None]) -> Painted:
        torch = self._torch

        def stepped(pipe: Any, index: int, _: object, __: object) -> dict[str, object]:  # noqa: ANN401  # diffusers' own
            # Some samplers look twice at a step: what counts is the share of their looks.
            on_step((index + 1) * order.steps // max(1, pipe.num_timesteps))
            return {}

        self._pipe.scheduler = self._scheduler(order)
        guided = order.guidance > 1
        with _memory_named(torch), torch.inference_mode():
            result = self._pipe(
                prompt=order.prompt,
                negative_prompt=order.negative if guided else None,
                num_inference_steps=order.steps,
                guidance_scale=order.guidance,
                width=order.width,
                height=order.height,
                # Noise from the processor is the same on every device.
                generator=torch.Generator("cpu").manual_seed(order.seed),
                output_type="np",
                callback_on_step_end=stepped,
                callback_on_step_end_tensor_inputs=[],
            )
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise UnusablePicture(
                "the model's own safety checker withheld the picture", hint="Try another seed, or another prompt."
            )
        return Painted(np.asarray(result.images[0], dtype=np.float32), tuple(self._notes(order, guided=guided)))

    def close(self) -> None:
        del self._pipe, self._own
        _give_back(self._torch)

    def _scheduler(self, order: Order) -> Any:  # noqa: ANN401  # one of diffusers' classes
        """A fresh one for each picture: they keep state. Its noise schedule is the model's own."""
        sampler = SAMPLERS[order.sampler]
        kind = type(self._own) if order.sampler == OWN else getattr(self._diffusers, sampler.diffusers_class)
        return kind.from_config(self._own.config, **sampler.settings, **SCHEDULERS[order.scheduler])

    def _notes(self, order: Order, *, guided: bool) -> Iterator[str]:
        tokenizer = self._pipe.tokenizer
        for name, text in (("prompt", order.prompt), ("negative prompt", order.negative if guided else "")):
            length = len(tokenizer(text, truncation=False, verbose=False).input_ids)
            if length > tokenizer.model_max_length:
                yield f"The {name} has {length} tokens; the model reads the first {tokenizer.model_max_length}."


def load(settings: ImageSettings) -> Diffusion:
    """The model of the settings, ready to draw. Raises NoModel and OutOfMemoryError."""
    torch: Any = import_module("torch")
    _quiet()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = _device(torch, settings.device)
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "float16" if device.startswith("cuda") else "float32"
    found = folder.find(settings, half=dtype != "float32")
    try:
        sha256 = _sha256(found, tuple((found.path / file).stat().st_mtime_ns for file in found.files))
    except OSError as error:
        raise NoModel(f"its files cannot be read ({error})", where=str(found.path), hint="See their owner.") from error
    return Diffusion(found, sha256, device=device, dtype=dtype)


@lru_cache(maxsize=1)
def _sha256(found: ModelFolder, _changed_at: tuple[int, ...]) -> str:
    """A model that is only unloaded and loaded again is not read twice."""
    return found.sha256()


def _device(torch: Any, wanted: str) -> str:  # noqa: ANN401  # a module
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and not there):
        return "cpu"
    number = int(wanted.partition(":")[2] or 0)
    if number >= there:
        raise NoModel(
            f"{wanted} was asked for, and PyTorch {torch.__version__} sees {there} GPUs",
            where="IMAGES_DEVICE",
            hint="See that the container is given the GPU and that its PyTorch is a CUDA build; or set it to cpu.",
        )
    # Of several ways to the same sum cuDNN would take the quickest at the moment: other bytes from run to run.
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    return f"cuda:{number}"


def _load(torch: Any, diffusers: Any, found: ModelFolder, device: str, dtype: str) -> Any:  # noqa: ANN401  # modules
    broken = import_module("safetensors").SafetensorError
    try:
        pipe = diffusers.AutoPipelineForText2Image.from_pretrained(
            str(found.path),
            dtype=getattr(torch, dtype),
            variant=found.variant,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
        pipe.to(device)
    except torch.OutOfMemoryError:
        raise
    except (broken, OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError) as error:
        if _is_of_memory(error, torch):
            raise
        raise NoModel(
            f"the model cannot be loaded ({type(error).__name__}: {error})",
            where=str(found.path),
            hint="Its files may be cut off or of different models: fetch it again.",
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _quiet() -> None:
    """What these libraries print are bars and hints for people at a prompt; what matters comes as an exception."""
    import_module("diffusers").utils.logging.set_verbosity_error()
    quiet: Any = import_module("transformers").utils.logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    import_module("diffusers").utils.logging.disable_progress_bar()
    # What their own code will have to change one day is nothing that this log's reader can do anything about.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"diffusers\.")


@contextmanager
def _memory_named(torch: Any) -> Iterator[None]:  # noqa: ANN401  # a module
    """Too little memory comes out as our OutOfMemoryError, after what can be given back was."""
    full: str | None = None
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_of_memory(error, torch):
            raise
        full = str(error).splitlines()[0]
    if full is not None:
        # Out here: the exception would hold on to the frames, and these to what fills the memory.
        _give_back(torch)
        raise OutOfMemoryError(f"there is not enough memory: {full}", hint=_SMALLER)


def _is_of_memory(error: Exception, torch: Any) -> bool:  # noqa: ANN401  # a module
    # For the processor's memory PyTorch has no class of its own, only the name of its allocator in a RuntimeError
    # (c10/core/impl/alloc_cpu.cpp).
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def _give_back(torch: Any) -> None:  # noqa: ANN401  # a module
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
