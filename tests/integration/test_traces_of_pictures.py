"""The image server goes on with the trace and the request of whoever asks it for a picture."""

from __future__ import annotations

from threading import Event

import structlog

from pipeline import telemetry
from pipeline.engines.observed import ObservedIllustrator
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.net.tls import Tls
from pipeline.ports import PictureRequest
from pipeline.telemetry import traces
from pipeline.telemetry.work import Work
from tests.fakes.collector import collector
from tests.integration.test_image_server import SECONDS, Running, running


def test_a_picture_is_drawn_in_the_trace_of_who_asks_for_it() -> None:
    lines: list[dict[str, object]] = []
    with collector() as taken, telemetry.watching(lambda line: lines.append(dict(line))):
        traces.configure(taken.url, service="test", version="0")
        work = Work((1.0,))
        try:
            # Its span ends, and its line is written, after its answer has left: so the server is let end first.
            with running(Running(max_waiting=1)) as server:
                server.easel.load().result(SECONDS)
                engine = StableDiffusion(server.url, tls=Tls(), stop=Event())
                illustrator = ObservedIllustrator(engine, "stable-diffusion", work=work)
                with structlog.contextvars.bound_contextvars(request="asked-1"), traces.span("picture"):
                    illustrator.draw(PictureRequest("a moon", width=64, height=64))
        finally:
            traces.end()
    (step,), (call,) = taken.named("picture"), taken.named("illustrator stable-diffusion")
    (answer,) = taken.named("POST /sdapi/v1/txt2img")
    assert (call.parent, answer.parent) == (step.id, call.id)
    assert call.facts["pictures"] == 1
    assert work.snapshot()["illustrator"].amount == 1
    (line,) = [line for line in lines if line.get("path") == "/sdapi/v1/txt2img"]
    assert (line["request"], line["status"], line["trace_id"]) == ("asked-1", 200, step.trace)
