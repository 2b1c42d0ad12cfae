"""How pictures are drawn by a Stable Diffusion server over the AUTOMATIC1111 routes: ours, and others that have them.

These servers draw one picture at a time and let everything else wait; a client that stops waiting does not stop the
work; a black picture comes with status 200, and so does one by another checkpoint than was asked for. So one call is
in flight, what was left running is interrupted and waited for before the next one, and every picture is judged by its
pixels and by what the server says it was made with.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread

from pipeline.engines.stable_diffusion.answers import check_info, check_status, sent
from pipeline.engines.stable_diffusion.looking import Lookout
from pipeline.engines.stable_diffusion.pixels import check_pixels, plain_png
from pipeline.engines.stable_diffusion.setup import Setup, Wishes
from pipeline.engines.stable_diffusion.wire import API, IS_IT_SD, parsed
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.border import Timeouts
from pipeline.net.session import Answer, Service, basic_auth
from pipeline.net.tls import Tls
from pipeline.ports import IllustratorIdentity, Picture, PictureRequest

_ENGINE = "stable-diffusion"
# A new seed at most twice: a model that gives three pictures of nothing is not helped by a fourth.
_ATTEMPTS = 3
# The latent picture is an eighth of the real one each way.
_SIZE_STEP = 8
# What there is (models, samplers) is told at once, also while a picture is being drawn.
_TELLING_SECONDS = 20.0
_KNOWN_HOLDS_SECONDS = 30.0
_LOOK_SECONDS = 0.5
# 2,048 × 2,048 pixels of noise are 13 MB, a third more in base64.
_MOST_ANSWER_BYTES = 24 << 20


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
        wishes = Wishes(checkpoint, sampler, scheduler, steps, guidance)
        self._lookout = Lookout(self._telling, wishes, holds_seconds=known_holds_seconds)
        self._settle_seconds = settle_seconds
        self._one_at_a_time = threading.Lock()
        self._left_running = False

    # -- the port ------------------------------------------------------------------------------------------------

    def describe(self) -> IllustratorIdentity:
        setup = self._lookout.setup()
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
            setup = self._lookout.setup()
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
            answer = self._drawing.ask("POST", f"{API}/unload-checkpoint")
            if answer.status in (404, 405):
                return False
            self._drawing.accept(answer)
            return True

    # -- one picture ---------------------------------------------------------------------------------------------

    def _picture(self, request: PictureRequest, setup: Setup, attempt: int) -> Picture:
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
        png, info = sent(self._answer(question), where=self._where)
        check_info(info, seed, setup.checkpoint, where=self._where)
        picture = check_pixels(png, request.width, request.height, where=self._where)
        details = {"model": setup.checkpoint.name, "sampler": setup.sampler, "steps": str(steps)}
        notes = info.get("comments")
        if isinstance(notes, list) and notes:
            details["notes"] = " ".join(map(str, notes))
        return Picture(plain_png(picture), request.width, request.height, seed, attempt, details)

    def _answer(self, question: Mapping[str, object]) -> Answer:
        try:
            with self._interrupted_when_stopped():
                answer = self._drawing.ask("POST", f"{API}/txt2img", body=question)
        except (EngineUnavailable, EngineNonsense):
            # It may well go on drawing: nobody listens to it any more, and the next request would wait for it.
            self._left_running = True
            self._interrupt()
            self._stop_if_asked()
            raise
        self._stop_if_asked()
        check_status(answer, question, where=self._where)
        return self._drawing.accept(answer)

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

    def _settle(self, setup: Setup) -> None:
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
        answer = self._telling.ask("GET", f"{API}/progress?skip_current_image=true")
        if answer.status in (404, 405):
            return True
        said = parsed(self._telling.accept(answer).body)
        state = said.get("state") if isinstance(said, dict) else None
        if not isinstance(said, dict):
            raise EngineNonsense("its progress is none", where=self._where, hint=IS_IT_SD)
        # At the very beginning and the very end of a picture the progress is 0 too, but a job is counted.
        return not said.get("progress") and not (isinstance(state, dict) and state.get("job_count"))

    def _interrupt(self) -> None:
        """A request, not a condition: where the route is not there, or nobody answers, the caller finds that out."""
        with suppress(EngineError):
            self._telling.ask("POST", f"{API}/interrupt")

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
            self._lookout.doubt()
            raise

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Interrupted


def seed_of(seed: int, attempt: int) -> int:
    """The seed of the first, second and third attempt: the first is the one asked for, the others follow from it."""
    if attempt == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{attempt}".encode()).digest()[:4], "big")
