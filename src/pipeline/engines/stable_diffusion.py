"""How pictures are drawn by a Stable Diffusion server over the AUTOMATIC1111 routes: ours, and others that have them.

These servers draw one picture at a time and let everything else wait; a client that stops waiting does not stop the
work; a black picture comes with status 200, and so does one by another checkpoint than was asked for. So one call is
in flight, what was left running is interrupted and waited for before the next one, and every picture is judged by its
pixels and by what the server says it was made with.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.border import Timeouts, complaint
from pipeline.net.session import Answer, Service, basic_auth
from pipeline.net.tls import Tls
from pipeline.ports import IllustratorIdentity, Picture, PictureRequest

if TYPE_CHECKING:
    from PIL import Image

_ENGINE = "stable-diffusion"
_API = "/sdapi/v1"
_IS_IT_SD = "Is this a Stable Diffusion server, started with its API (--api)? See SD_BASE_URL, and what listens there."
_NO_ROOM = (
    "Ask for smaller pictures, or free the GPU's memory: GPU_SHARED=true unloads the language model before pictures are"
    " drawn."
)
# How /health of our own server names itself (image_server/app.py).
_OURS = "media-pipeline images"

# A new seed at most twice: a model that gives three pictures of nothing is not helped by a fourth.
_ATTEMPTS = 3
# The latent picture is an eighth of the real one each way.
_SIZE_STEP = 8
# Of 255 levels. Not-a-number is written down as black by most servers; the plainest real picture is well above.
_LEAST_SPREAD = 2.0
# The spread is that of so many fields each way: a speck on black spreads the levels of the pixels, not of the picture.
_FIELDS = 32
# Of zlib-ng, as for cards: 6 makes a file a tenth smaller and takes half as long again.
_COMPRESSION = 3
# What there is (models, samplers) is told at once, also while a picture is being drawn.
_TELLING_SECONDS = 20.0
_KNOWN_HOLDS_SECONDS = 30.0
_LOOK_SECONDS = 0.5
# 2,048 × 2,048 pixels of noise are 13 MB, a third more in base64.
_MOST_ANSWER_BYTES = 24 << 20
# AUTOMATIC1111's own defaults for its API are 50 steps and 7; its page draws with 20. Half-way is indistinguishable
# from 50 with its default sampler, in half the time.
_STEPS, _GUIDANCE = 25, 7.0
# What AUTOMATIC1111's page offers at most.
_MOST_STEPS, _MOST_GUIDANCE = 150, 30
# The sampler that AUTOMATIC1111's API takes where none is named; the others have it too.
_SAMPLER = "Euler"
# Ours draws with the sampler that the model was published with.
_OUR_SAMPLER = "Default"
_PNG = b"\x89PNG\r\n\x1a\n"


class Contract(StrEnum):
    """Who speaks the routes. All have txt2img and sd-models; the rest differs."""

    OURS = "Media Pipeline"
    A1111 = "AUTOMATIC1111"
    FORGE = "Forge"
    SDNEXT = "SD.Next"
    SDCPP = "stable-diffusion.cpp"
    """No progress, no interrupt, one model."""
    OTHER = "AUTOMATIC1111-compatible"

    @property
    def takes_checkpoint(self) -> bool:
        """Whether a request can name the checkpoint that draws it."""
        return self not in (Contract.SDCPP, Contract.OTHER)


# Routes that only one of them has; asked in this order.
_TELLTALES = (
    ("/sdapi/v1/version", Contract.SDNEXT),
    ("/sdapi/v1/sd-modules", Contract.FORGE),
    ("/sdcpp/v1/capabilities", Contract.SDCPP),
    ("/sdapi/v1/memory", Contract.A1111),
)


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    title: str
    name: str
    sha256: str
    """Or less of it, or nothing: AUTOMATIC1111 computes it when a checkpoint is first loaded."""

    def called(self, wanted: str) -> bool:
        return wanted in (self.title, self.name, _without_hash(self.title))


@dataclass(frozen=True, slots=True)
class _Setup:
    """What a server is, and what it draws with: all that a request spells out."""

    contract: Contract
    checkpoint: _Checkpoint
    sampler: str
    scheduler: str
    steps: int
    guidance: float
    tells_progress: bool

    def digest(self) -> str:
        """What stands for the model in keys. The checkpoint is told by its SHA-256 where the server knows it."""
        told = [
            self.contract.value,
            self.checkpoint.sha256 or self.checkpoint.name,
            self.sampler,
            self.scheduler,
            self.steps,
            self.guidance,
        ]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


class StableDiffusion:
    """An Illustrator behind the AUTOMATIC1111 API. Thread-safe: one picture is asked for at a time."""

    def __init__(
        self,
        url: str,
        *,
        tls: Tls,
        stop: Event,
        checkpoint: str = "",
        sampler: str = "",
        scheduler: str = "",
        steps: int | None = None,
        guidance: float | None = None,
        user: str = "",
        password: str = "",
        connect_seconds: float = 5.0,
        read_seconds: float = 600.0,
        settle_seconds: float = 30.0,
        known_holds_seconds: float = _KNOWN_HOLDS_SECONDS,
    ) -> None:
        """Asks nothing yet. `checkpoint` "" is the one that is loaded, `sampler`, `scheduler`, `steps` and `guidance`
        (cfg_scale) left out are the server's own where it is ours, and AUTOMATIC1111's usual ones elsewhere.

        `read_seconds` is for one picture: the server is silent while it draws. `settle_seconds`: how long one that was
        given up may go on before the server is taken to hang. `user` and `password` are for --api-auth.

        Raises SettingsError for an address that is none.
        """
        headers = {"Authorization": basic_auth(f"{user}:{password}")} if user else {}

        def service(read: float) -> Service:
            return Service(
                "Stable Diffusion",
                url,
                tls=tls,
                timeouts=Timeouts(connect=connect_seconds, read=read, total=read + connect_seconds),
                headers=headers,
                hint="See that the Stable Diffusion server runs and that SD_BASE_URL is its address.",
                max_answer_bytes=_MOST_ANSWER_BYTES,
            )

        self._drawing = service(read_seconds)
        self._telling = service(min(read_seconds, _TELLING_SECONDS))
        self._where = self._drawing.where
        self._stop = stop
        self._wanted_checkpoint = checkpoint
        self._wanted_sampler = sampler
        self._wanted_scheduler = scheduler
        self._wanted_steps = steps
        self._wanted_guidance = guidance
        self._settle_seconds = settle_seconds
        self._known_holds_seconds = known_holds_seconds
        self._one_at_a_time = threading.Lock()
        self._left_running = False
        self._looking = threading.Lock()
        self._known: _Setup | None = None
        self._known_at = -math.inf

    # -- the port ------------------------------------------------------------------------------------------------

    def describe(self) -> IllustratorIdentity:
        setup = self._setup()
        return IllustratorIdentity(
            engine=_ENGINE,
            name=setup.checkpoint.name,
            digest=setup.digest(),
            details={
                "server": self._drawing.base_url,
                "contract": setup.contract.value,
                "checkpoint_sha256": setup.checkpoint.sha256,
                "sampler": setup.sampler,
                "scheduler": setup.scheduler,
                "steps": str(setup.steps),
                "guidance": f"{setup.guidance:g}",
            },
            size_step=_SIZE_STEP,
        )

    def check(self) -> None:
        self.draw(PictureRequest("a lighthouse by the sea", width=64, height=64, seed=1, steps=1))

    def draw(self, request: PictureRequest) -> Picture:
        if request.width % _SIZE_STEP or request.height % _SIZE_STEP:
            raise EngineRefused(
                f"it cannot draw {request.width}×{request.height} pixels",
                where=self._where,
                hint=f"Width and height must be multiples of {_SIZE_STEP}.",
            )
        with self._turn(), self._doubt_after_failure():
            setup = self._setup()
            self._settle(setup)
            for attempt in range(1, _ATTEMPTS):
                with suppress(EngineNonsense):
                    return self._picture(request, setup, attempt)
                self._stop_if_asked()
            return self._picture(request, setup, _ATTEMPTS)

    def unload(self) -> bool:
        """Have the server give the GPU's memory back; False where it cannot be asked to. It loads again by itself.

        Raises EngineUnavailable.
        """
        with self._turn():
            answer = self._drawing.ask("POST", f"{_API}/unload-checkpoint")
            if answer.status in (404, 405):
                return False
            self._drawing.accept(answer)
            return True

    # -- one picture ---------------------------------------------------------------------------------------------

    def _picture(self, request: PictureRequest, setup: _Setup, attempt: int) -> Picture:
        seed = seed_of(request.seed, attempt)
        steps = request.steps or setup.steps
        question: dict[str, object] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative,
            "seed": seed,
            "width": request.width,
            "height": request.height,
            # Everything is spelled out: what the server would choose can change, and no key would know.
            "steps": steps,
            "cfg_scale": setup.guidance,
            "sampler_name": setup.sampler,
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
        }
        if setup.scheduler:
            question["scheduler"] = setup.scheduler
        if setup.contract.takes_checkpoint:
            question["override_settings"] = {"sd_model_checkpoint": setup.checkpoint.title}
        png, info = self._parsed(self._answer(question))
        self._check_info(info, seed, setup)
        picture = check_pixels(png, request.width, request.height, where=self._where)
        details = {"model": setup.checkpoint.name, "sampler": setup.sampler, "steps": str(steps)}
        notes = info.get("comments")
        if isinstance(notes, list) and notes:
            details["notes"] = " ".join(map(str, notes))
        return Picture(_plain_png(picture), request.width, request.height, seed, attempt, details)

    def _answer(self, question: Mapping[str, object]) -> Answer:
        try:
            with self._interrupted_when_stopped():
                answer = self._drawing.ask("POST", f"{_API}/txt2img", body=question)
        except (EngineUnavailable, EngineNonsense):
            # It may well go on drawing: nobody listens to it any more, and the next request would wait for it.
            self._left_running = True
            self._interrupt()
            self._stop_if_asked()
            raise
        self._stop_if_asked()
        if answer.ok:
            return answer
        if answer.status in (404, 405):
            raise EngineRefused(f"it has no {_API}/txt2img ({answer.status})", where=self._where, hint=_IS_IT_SD)
        said = _json(answer.body)
        name = said.get("error") if isinstance(said, dict) else None
        detail = str(said.get("errors") or said.get("detail") or "") if isinstance(said, dict) else ""
        if name == "OutOfMemoryError":
            size = f"{question['width']}×{question['height']}"
            raise EngineRefused(f"it has not enough memory to draw {size} pixels", where=self._where, hint=_NO_ROOM)
        if name == "UnusablePicture":
            raise EngineNonsense(f"it drew nothing to look at: {detail}", where=self._where, hint="Try another seed.")
        if name == "Interrupted":
            raise EngineUnavailable(
                "somebody interrupted the picture", where=self._where, hint="It is asked for again."
            )
        self._drawing.accept(answer)
        raise AssertionError("accept raises for what is no success")

    def _parsed(self, answer: Answer) -> tuple[bytes, Mapping[str, Any]]:
        """The picture as it was sent, and what the server says of it."""
        said = _json(answer.body)
        images = said.get("images") if isinstance(said, dict) else None
        if not isinstance(said, dict) or not isinstance(images, list):
            raise EngineNonsense(
                f"it answers with something that is no picture: {complaint(answer.body) or 'nothing at all'}",
                where=self._where,
                hint=_IS_IT_SD,
                answer=answer.body[:2000].decode("utf-8", "replace"),
            )
        info = _json(said["info"]) if isinstance(said.get("info"), str) else said.get("info")
        info = info if isinstance(info, dict) else {}
        # Where grids are on, one comes before the picture.
        place = info.get("index_of_first_image")
        place = place if isinstance(place, int) and 0 <= place < len(images) else 0
        text = images[place] if images else None
        if not isinstance(text, str) or not text:
            raise EngineNonsense("its answer holds no picture", where=self._where, hint="See the server's log.")
        try:
            # Some servers send a data: address, which is not in the contract and does no harm.
            return base64.b64decode(text.rpartition(",")[2], validate=True), info
        except ValueError as error:
            raise EngineNonsense(
                f"its picture is not base64 ({error})", where=self._where, hint="See the server's log."
            ) from error

    def _check_info(self, info: Mapping[str, Any], seed: int, setup: _Setup) -> None:
        told_seed = info.get("seed")
        if isinstance(told_seed, int) and told_seed not in (seed, -1):
            raise EngineRefused(
                f"it drew with the seed {told_seed} where {seed} was asked for",
                where=self._where,
                hint="Switch off what changes seeds there: a script, or a fixed seed in its settings.",
            )
        told_hash, told_name = str(info.get("sd_model_hash") or ""), str(info.get("sd_model_name") or "")
        known = setup.checkpoint
        if told_hash and known.sha256:
            same = known.sha256.startswith(told_hash) or told_hash.startswith(known.sha256)
        else:
            # AUTOMATIC1111 puts the sub-folder before `model_name`, and not before this one.
            same = not told_name or known.name.casefold().endswith(told_name.casefold())
        if not same:
            self._known_at = -math.inf
            raise EngineRefused(
                f"it drew with the checkpoint {told_name} where {known.name} was asked for",
                where=self._where,
                hint="Somebody changed it there, or it is gone: run it again, or name one in the settings.",
            )

    # -- one at a time, and nothing left behind ------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._stop_if_asked()
        while not self._one_at_a_time.acquire(timeout=_LOOK_SECONDS):
            self._stop_if_asked()
        try:
            self._stop_if_asked()
            yield
        finally:
            self._one_at_a_time.release()

    def _settle(self, setup: _Setup) -> None:
        """After a call that was given up: the server is told to stop, and is done when it says so."""
        if not self._left_running:
            return
        self._interrupt()
        until = time.monotonic() + self._settle_seconds
        while setup.tells_progress and not self._is_idle():
            if time.monotonic() >= until:
                raise EngineUnavailable(
                    f"it still draws an earlier picture {self._settle_seconds:g} s after it was told to stop",
                    where=self._where,
                    hint="If it stays so, it hangs: restart it.",
                )
            if self._stop.wait(_LOOK_SECONDS):
                raise Interrupted
        self._left_running = False

    def _is_idle(self) -> bool:
        answer = self._telling.ask("GET", f"{_API}/progress?skip_current_image=true")
        if answer.status in (404, 405):
            return True
        said = _json(self._telling.accept(answer).body)
        state = said.get("state") if isinstance(said, dict) else None
        if not isinstance(said, dict):
            raise EngineNonsense("its progress is none", where=self._where, hint=_IS_IT_SD)
        # At the very beginning and the very end of a picture the progress is 0 too, but a job is counted.
        return not said.get("progress") and not (isinstance(state, dict) and state.get("job_count"))

    def _interrupt(self) -> None:
        """A request, not a condition: where the route is not there, or nobody answers, the caller finds that out."""
        with suppress(EngineError):
            self._telling.ask("POST", f"{_API}/interrupt")

    @contextmanager
    def _interrupted_when_stopped(self) -> Iterator[None]:
        """A run that is to stop does not wait for a picture that nobody wants any more."""
        finished = Event()

        def watch() -> None:
            while not finished.is_set():
                if self._stop.wait(_LOOK_SECONDS):
                    self._interrupt()
                    return

        watching = Thread(target=watch, name="stable-diffusion-stop", daemon=True)
        watching.start()
        try:
            yield
        finally:
            finished.set()

    @contextmanager
    def _doubt_after_failure(self) -> Iterator[None]:
        """After a failure nothing is believed that was known of the server: it may come back as another one."""
        try:
            yield
        except EngineError:
            self._known_at = -math.inf
            raise

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    # -- which server it is, and what it draws with --------------------------------------------------------------

    def _setup(self) -> _Setup:
        with self._looking:
            if self._known is None or time.monotonic() - self._known_at >= self._known_holds_seconds:
                self._known = self._look()
                self._known_at = time.monotonic()
            return self._known

    def _look(self) -> _Setup:
        ours = self._is_ours()
        checkpoints = self._checkpoints(ours=ours)
        contract = Contract.OURS if ours else self._telltale()
        options = self._optional("/options")
        options = options if isinstance(options, dict) else {}
        defaults = options.get("media_pipeline") if ours else None
        defaults = defaults if isinstance(defaults, dict) else {}
        guidance = self._wanted_guidance
        if guidance is None:
            guidance = self._recommended(defaults, "cfg_scale", _GUIDANCE, most=_MOST_GUIDANCE)
        return _Setup(
            contract=contract,
            checkpoint=self._checkpoint(checkpoints, options, contract),
            sampler=self._named("/samplers", self._wanted_sampler or (_OUR_SAMPLER if ours else _SAMPLER), "sampler"),
            scheduler=self._named("/schedulers", self._wanted_scheduler, "scheduler"),
            steps=self._wanted_steps or int(self._recommended(defaults, "steps", _STEPS, most=_MOST_STEPS)),
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
        answer = self._telling.ask("GET", path)
        # What stands before a server that is away says so of every path: it would be taken for another kind of server.
        if answer.status in (502, 503, 504):
            self._telling.accept(answer)
        return answer

    def _is_ours(self) -> bool:
        answer = self._told("/health")
        said = _json(answer.body) if answer.ok else None
        return isinstance(said, dict) and said.get("service") == _OURS

    def _telltale(self) -> Contract:
        for path, contract in _TELLTALES:
            if self._told(path).ok:
                return contract
        return Contract.OTHER

    def _checkpoints(self, *, ours: bool) -> tuple[_Checkpoint, ...]:
        answer = self._telling.ask("GET", f"{_API}/sd-models")
        if answer.status in (404, 405):
            raise EngineRefused(f"it has no {_API}/sd-models ({answer.status})", where=self._where, hint=_IS_IT_SD)
        listed = _json(self._telling.accept(answer).body)
        if not isinstance(listed, list) or not all(isinstance(model, dict) for model in listed):
            raise EngineRefused(
                f"its list of models is none: {complaint(answer.body)}", where=self._where, hint=_IS_IT_SD
            )
        if not listed and ours:
            said = _json(self._telling.ask("GET", "/ready").body)
            why = said.get("why", "") if isinstance(said, dict) else ""
            raise EngineUnavailable(f"it is not ready: {why}", where=self._where, hint="See the server's log.")
        if not listed:
            raise EngineRefused("it has no checkpoint", where=self._where, hint="Put one into its models folder.")
        return tuple(
            _Checkpoint(
                title=str(model.get("title") or model.get("model_name") or ""),
                name=str(model.get("model_name") or _without_hash(str(model.get("title") or ""))),
                sha256=str(model.get("sha256") or model.get("hash") or ""),
            )
            for model in listed
        )

    def _checkpoint(
        self, checkpoints: tuple[_Checkpoint, ...], options: Mapping[str, Any], contract: Contract
    ) -> _Checkpoint:
        """The one that is wanted; else the one that is loaded; else the only one."""
        loaded = str(options.get("sd_model_checkpoint") or "")
        wanted = self._wanted_checkpoint
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
        return _Checkpoint(checkpoint.title, checkpoint.name, sha256)

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
        answer = self._telling.ask("GET", f"{_API}{route}")
        if answer.status in (404, 405, 501):
            return None
        return _json(self._telling.accept(answer).body)


def seed_of(seed: int, attempt: int) -> int:
    """The seed of the first, second and third attempt: the first is the one asked for, the others follow from it."""
    if attempt == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{attempt}".encode()).digest()[:4], "big")


def check_pixels(png: bytes, width: int, height: int, *, where: str) -> Image.Image:
    """What is to be seen, in RGB. Raises EngineNonsense for what is no PNG of that size, in colour and opaque, with
    something to see on it, and EngineRefused for a picture in another format, which it will stay.
    """
    from PIL import Image

    if not png.startswith(_PNG):
        kind = _other_format(png)
        if kind:
            raise EngineRefused(
                f"it sends pictures as {kind}", where=where, hint="Set the format of its saved pictures to png."
            )
        raise EngineNonsense("its picture is no PNG", where=where, hint="See the server's log.")
    # Looked at before it is unpacked: a few kilobytes can claim to be gigabytes.
    drawn = struct.unpack(">II", png[16:24]) if len(png) >= 24 else (0, 0)
    _check_size(drawn, (width, height), where)
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            # A second header says something else than the first one, and it is the one that counts.
            _check_size(picture.size, (width, height), where)
            _check_mode(picture, where)
            seen = picture.convert("RGB")
    # What Pillow raises for a broken PNG depends on where it is broken.
    except (
        OSError,
        SyntaxError,
        ValueError,
        IndexError,
        EOFError,
        zlib.error,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise EngineNonsense(
            f"its picture is broken or cut off ({error})", where=where, hint="See the server's log."
        ) from error
    spread, light = _spread_and_light(seen)
    if spread < _LEAST_SPREAD:
        shade = "black" if light < _LEAST_SPREAD else "one colour all over"
        raise EngineNonsense(
            f"it drew a picture that is {shade}",
            where=where,
            hint="Its model may need full precision (--no-half), or its safety filter may withhold the picture.",
        )
    return seen


def _check_size(drawn: tuple[int, int], asked: tuple[int, int], where: str) -> None:
    if drawn != asked:
        raise EngineNonsense(
            f"it drew {drawn[0]}×{drawn[1]} pixels where {asked[0]}×{asked[1]} were asked for",
            where=where,
            hint="See that nothing there scales pictures or puts them on a grid.",
        )


def _check_mode(picture: Image.Image, where: str) -> None:
    """Grey of 16 bits would be cut to white by what reads it next, and what lies under transparency is no picture."""
    if picture.mode not in ("RGB", "RGBA"):
        raise EngineNonsense(
            f"its picture is not in colour, of 8 bits a channel ({picture.mode})",
            where=where,
            hint="See that nothing there changes pictures before they are sent.",
        )
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
        raise EngineNonsense(
            "its picture can be seen through", where=where, hint="Switch off what takes backgrounds away there."
        )


def _spread_and_light(picture: Image.Image) -> tuple[float, float]:
    from PIL import Image, ImageStat

    fields = min(picture.width, _FIELDS), min(picture.height, _FIELDS)
    levels = ImageStat.Stat(picture.resize(fields, Image.Resampling.BOX))
    return max(levels.stddev), max(levels.mean)


def _plain_png(picture: Image.Image) -> bytes:
    """The pixels and nothing else: every program reads the same in them, and nobody's notes are published."""
    # Pillow writes what it read: profiles, transparency.
    picture.info.clear()
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def _other_format(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return ""


def _without_hash(title: str) -> str:
    """`model.safetensors [6ce0161689]` without what AUTOMATIC1111 adds once it knows it."""
    return title.partition(" [")[0]


def _json(text: str | bytes) -> Any:  # noqa: ANN401  # parsed by the caller
    """What is said, in characters that can be written down; None where it is no JSON, or nested too deeply."""
    try:
        said = json.loads(text)
        # JSON can spell one half of a surrogate pair (\ud800), which no file and no other server takes.
        return json.loads(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
