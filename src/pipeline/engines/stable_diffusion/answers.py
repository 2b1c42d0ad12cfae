"""What a server answers to the question for a picture: refusals by name, the picture as sent, what is said of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pipeline.engines.stable_diffusion.setup import Checkpoint
from pipeline.engines.stable_diffusion.wire import API, IS_IT_SD, parsed
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.net.border import complaint
from pipeline.net.session import Answer

_NO_ROOM = (
    "Ask for smaller pictures, or free the GPU's memory: GPU_SHARED=true unloads the language model before pictures are"
    " drawn."
)


def check_status(answer: Answer, question: Mapping[str, object], *, where: str) -> None:
    """Raise what an answer that is no success means, where it is one that these servers give by name."""
    if answer.ok:
        return
    if answer.status in (404, 405):
        raise EngineRefused(f"it has no {API}/txt2img ({answer.status})", where=where, hint=IS_IT_SD)
    said = parsed(answer.body)
    name = said.get("error") if isinstance(said, dict) else None
    detail = str(said.get("errors") or said.get("detail") or "") if isinstance(said, dict) else ""
    if name == "OutOfMemoryError":
        size = f"{question['width']}×{question['height']}"
        raise EngineRefused(f"it has not enough memory to draw {size} pixels", where=where, hint=_NO_ROOM)
    if name == "UnusablePicture":
        raise EngineNonsense(f"it drew nothing to look at: {detail}", where=where, hint="Try another seed.")
    if name == "Interrupted":
        raise EngineUnavailable("somebody interrupted the picture", where=where, hint="It is asked for again.")


def sent(answer: Answer, *, where: str) -> tuple[bytes, Mapping[str, Any]]:
    """The picture as it was sent, and what the server says of it."""
    said = parsed(answer.body)
    images = said.get("images") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(images, list):
        raise EngineNonsense(
            f"it answers with something that is no picture: {complaint(answer.body) or 'nothing at all'}",
            where=where,
            hint=IS_IT_SD,
            answer=answer.body[:2000].decode("utf-8", "replace"),
        )
    info = parsed(said["info"]) if isinstance(said.get("info"), str) else said.get("info")
    info = info if isinstance(info, dict) else {}
    # Where grids are on, one comes before the picture.
    place = info.get("index_of_first_image")
    place = place if isinstance(place, int) and 0 <= place < len(images) else 0
    text = images[place] if images else None
    if not isinstance(text, str) or not text:
        raise EngineNonsense("its answer holds no picture", where=where, hint="See the server's log.")
    try:
        # Some servers send a data: address, which is not in the contract and does no harm.
        return base64.b64decode(text.rpartition(",")[2], validate=True), info
    except ValueError as error:
        raise EngineNonsense(
            f"its picture is not base64 ({error})", where=where, hint="See the server's log."
        ) from error


def check_info(info: Mapping[str, Any], seed: int, known: Checkpoint, *, where: str) -> None:
    """Raises EngineRefused where it says that it drew with something else than it was asked to."""
    told_seed = info.get("seed")
    if isinstance(told_seed, int) and told_seed not in (seed, -1):
        raise EngineRefused(
            f"it drew with the seed {told_seed} where {seed} was asked for",
            where=where,
            hint="Switch off what changes seeds there: a script, or a fixed seed in its settings.",
        )
    told_hash, told_name = str(info.get("sd_model_hash") or ""), str(info.get("sd_model_name") or "")
    if told_hash and known.sha256:
        same = known.sha256.startswith(told_hash) or told_hash.startswith(known.sha256)
    else:
        # AUTOMATIC1111 puts the sub-folder before `model_name`, and not before this one.
        same = not told_name or known.name.casefold().endswith(told_name.casefold())
    if not same:
        raise EngineRefused(
            f"it drew with the checkpoint {told_name} where {known.name} was asked for",
            where=where,
            hint="Somebody changed it there, or it is gone: run it again, or name one in the settings.",
        )
