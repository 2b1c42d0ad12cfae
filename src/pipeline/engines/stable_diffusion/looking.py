"""Looking at a server before it is asked for a picture: which one it is, and what it would draw with."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pipeline.engines.stable_diffusion.setup import Checkpoint, Contract, Setup, Wishes, without_hash
from pipeline.engines.stable_diffusion.wire import API, IS_IT_SD, parsed
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.net.border import complaint
from pipeline.net.session import Answer, Service

# How /health of our own server names itself (image_server/app.py).
_OURS = "media-pipeline images"
# AUTOMATIC1111's own defaults for its API are 50 steps and 7; its page draws with 20. Half-way is indistinguishable
# from 50 with its default sampler, in half the time.
_STEPS, _GUIDANCE = 25, 7.0
# What AUTOMATIC1111's page offers at most.
_MOST_STEPS, _MOST_GUIDANCE = 150, 30
# The sampler that AUTOMATIC1111's API takes where none is named; the others have it too.
_SAMPLER = "Euler"
# Ours draws with the sampler that the model was published with.
_OUR_SAMPLER = "Default"

# Routes that only one of them has; asked in this order.
_TELLTALES = (
    ("/sdapi/v1/version", Contract.SDNEXT),
    ("/sdapi/v1/sd-modules", Contract.FORGE),
    ("/sdcpp/v1/capabilities", Contract.SDCPP),
    ("/sdapi/v1/memory", Contract.A1111),
)


class Lookout:
    """What is known of a server: it is looked at again after a while, and when in doubt. Thread-safe."""

    def __init__(self, service: Service, wishes: Wishes, *, holds_seconds: float) -> None:
        """Asks nothing yet. What was seen holds for so many seconds."""
        self._service = service
        self._where = service.where
        self._wishes = wishes
        self._holds_seconds = holds_seconds
        self._looking = threading.Lock()
        self._known: Setup | None = None
        self._known_at = -math.inf

    def setup(self) -> Setup:
        """Raises EngineUnavailable, EngineNonsense; EngineRefused where what is wished for is not there."""
        with self._looking:
            if self._known is None or time.monotonic() - self._known_at >= self._holds_seconds:
                self._known = self._look()
                self._known_at = time.monotonic()
            return self._known

    def doubt(self) -> None:
        """Believe no more what was seen: after a failure it may come back as another one."""
        self._known_at = -math.inf

    def _look(self) -> Setup:
        ours = self._is_ours()
        checkpoints = self._checkpoints(ours=ours)
        contract = Contract.OURS if ours else self._telltale()
        options = self._optional("/options")
        options = options if isinstance(options, dict) else {}
        defaults = options.get("media_pipeline") if ours else None
        defaults = defaults if isinstance(defaults, dict) else {}
        guidance = self._wishes.guidance
        if guidance is None:
            guidance = self._recommended(defaults, "cfg_scale", _GUIDANCE, most=_MOST_GUIDANCE)
        return Setup(
            contract=contract,
            checkpoint=self._checkpoint(checkpoints, options, contract),
            sampler=self._named("/samplers", self._wishes.sampler or (_OUR_SAMPLER if ours else _SAMPLER), "sampler"),
            scheduler=self._named("/schedulers", self._wishes.scheduler, "scheduler"),
            steps=self._wishes.steps or int(self._recommended(defaults, "steps", _STEPS, most=_MOST_STEPS)),
            guidance=guidance,
            tells_progress=isinstance(self._optional("/progress?skip_current_image=true"), dict),
        )

    def _recommended(self, defaults: Mapping[str, Any], name: str, usual: float, *, most: float) -> float:
        """What our own server says that its model is drawn with. Raises EngineNonsense for what no picture can be."""
        value = defaults.get(name)
        if value is None or (name == "steps" and value == 0):
            return usual
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return value
        raise EngineNonsense(
            f"it recommends {value!r} as {name}, which is none",
            where=self._where,
            hint="See that server's settings and log.",
        )

    def _told(self, path: str) -> Answer:
        """What a server says at a path that it need not have. Raises EngineUnavailable where nobody is behind it."""
        answer = self._service.ask("GET", path)
        # What stands before a server that is away says so of every path: it would be taken for another kind of server.
        if answer.status in (502, 503, 504):
            self._service.accept(answer)
        return answer

    def _is_ours(self) -> bool:
        answer = self._told("/health")
        said = parsed(answer.body) if answer.ok else None
        return isinstance(said, dict) and said.get("service") == _OURS

    def _telltale(self) -> Contract:
        for path, contract in _TELLTALES:
            if self._told(path).ok:
                return contract
        return Contract.OTHER

    def _checkpoints(self, *, ours: bool) -> tuple[Checkpoint, ...]:
        answer = self._service.ask("GET", f"{API}/sd-models")
        if answer.status in (404, 405):
            raise EngineRefused(f"it has no {API}/sd-models ({answer.status})", where=self._where, hint=IS_IT_SD)
        listed = parsed(self._service.accept(answer).body)
        if not isinstance(listed, list) or not all(isinstance(model, dict) for model in listed):
            raise EngineRefused(
                f"its list of models is none: {complaint(answer.body)}", where=self._where, hint=IS_IT_SD
            )
        if not listed and ours:
            said = parsed(self._service.ask("GET", "/ready").body)
            why = said.get("why", "") if isinstance(said, dict) else ""
            raise EngineUnavailable(f"it is not ready: {why}", where=self._where, hint="See the server's log.")
        if not listed:
            raise EngineRefused("it has no checkpoint", where=self._where, hint="Put one into its models folder.")
        return tuple(
            Checkpoint(
                title=str(model.get("title") or model.get("model_name") or ""),
                name=str(model.get("model_name") or without_hash(str(model.get("title") or ""))),
                sha256=str(model.get("sha256") or model.get("hash") or ""),
            )
            for model in listed
        )

    def _checkpoint(
        self, checkpoints: tuple[Checkpoint, ...], options: Mapping[str, Any], contract: Contract
    ) -> Checkpoint:
        """The one that is wanted; else the one that is loaded; else the only one."""
        loaded = str(options.get("sd_model_checkpoint") or "")
        wanted = self._wishes.checkpoint
        for checkpoint in checkpoints:
            if checkpoint.called(wanted or loaded) or (len(checkpoints) == 1 and not wanted):
                break
        else:
            names = [checkpoint.name for checkpoint in checkpoints]
            near = get_close_matches(wanted or loaded, names, n=1)
            raise EngineRefused(
                f"it has no checkpoint {wanted!r}" if wanted else "it does not say which checkpoint it would draw with",
                where=self._where,
                hint=f"{f'Did you mean {near[0]}? ' if near else ''}There: {', '.join(names[:20])}.",
            )
        if wanted and not contract.takes_checkpoint and not checkpoint.called(loaded) and len(checkpoints) > 1:
            raise EngineRefused(
                f"it draws with {loaded or 'a checkpoint it does not name'} and cannot be asked for {wanted!r}",
                where=self._where,
                hint="Start it with that checkpoint.",
            )
        # The dummy that stable-diffusion.cpp gives for a hash is the same for every model.
        told = options.get("sd_checkpoint_hash") if checkpoint.called(loaded) else ""
        sha256 = "" if contract is Contract.SDCPP else checkpoint.sha256 or str(told or "")
        return Checkpoint(checkpoint.title, checkpoint.name, sha256)

    def _named(self, route: str, wanted: str, what: str) -> str:
        """The server's own spelling of a name; "" for none."""
        if not wanted:
            return ""
        listed = self._optional(route)
        if not isinstance(listed, list):
            return wanted
        names = {str(entry.get("name")): str(entry.get("label") or "") for entry in listed if isinstance(entry, dict)}
        for name, label in names.items():
            if wanted.casefold() in (name.casefold(), label.casefold()):
                return name
        near = get_close_matches(wanted, names, n=1)
        raise EngineRefused(
            f"it has no {what} {wanted!r}",
            where=self._where,
            hint=f"{f'Did you mean {near[0]}? ' if near else ''}There: {', '.join(names)}.",
        )

    def _optional(self, route: str) -> Any:  # noqa: ANN401  # JSON, looked at by the caller
        """What a route says that not every server has; None where it is not there."""
        answer = self._service.ask("GET", f"{API}{route}")
        if answer.status in (404, 405, 501):
            return None
        return parsed(self._service.accept(answer).body)
