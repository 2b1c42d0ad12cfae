"""Two models that share one GPU."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.engines.choice import Choice
from pipeline.errors import EngineError
from pipeline.ports import Illustrator, Unloads, Writer
from pipeline.settings import Settings
from pipeline.studio import SharedGpu
from pipeline.telemetry import failure, log
from pipeline.wiring.engines import CARDS


def shared_gpu(settings: Settings, writer: Choice[Writer], illustrator: Choice[Illustrator]) -> SharedGpu | None:
    """How one GPU is shared, where there are two models to share it."""
    if not settings.gpu_shared or illustrator.name == CARDS or writer.name == "embedded":
        return None

    def freed(engine: object, role: str) -> Callable[[], None]:
        def free() -> None:
            try:
                done = isinstance(engine, Unloads) and engine.unload()
            except EngineError as error:
                # What follows may run out of memory, and will say so; that the other model is in the way is said here.
                log().warning("model_not_unloaded", role=role, **failure(error))
            else:
                log().info("model_unloaded" if done else "model_cannot_be_unloaded", role=role)

        return free

    return SharedGpu(freed(writer.engine, "writer"), freed(illustrator.engine, "illustrator"))
