"""A whole project at work with fake engines: everything but the models is the real thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

from pipeline import inbox
from pipeline.flow import Desk
from pipeline.media.credentials import Identity
from pipeline.net.outages import Outages
from pipeline.ports import Illustrator, Voice, Writer
from pipeline.stages.casting import Preferences
from pipeline.stages.mix import Sound
from pipeline.stages.pictures import Easel, Shape
from pipeline.stages.video import Spec
from pipeline.studio import Folders, SharedGpu, Studio
from pipeline.text import pronunciations
from pipeline.text.picture_prompts import Look
from pipeline.text.style_file import load_style
from tests.fakes.illustrator import FakeIllustrator

PROMPTS = Path(__file__).parents[2] / "config" / "prompts"


def smaller(shape: Shape) -> Shape:
    """What a model that draws is asked for, in multiples of 8 pixels."""
    return replace(shape, width=shape.width // 16 * 8, height=shape.height // 16 * 8)


def make_studio(
    project: Path,
    *,
    voice: Voice,
    writer: Writer,
    said: str = "",
    fingerprint: str = "test",
    sound: Sound | None = None,
    rate: float = 1.0,
    tries: int = 3,
    auto: bool = False,
    fails_unsupported: bool = False,
    illustrator: Illustrator | None = None,
    type_setter: Illustrator | None = None,
    shapes: tuple[Shape, ...] = (Shape("", 320, 176),),
    films: tuple[Spec, ...] = (),
    signer: Identity | None = None,
    voices: Preferences | None = None,
    shared_gpu: SharedGpu | None = None,
    outages: Outages | None = None,
    topic_tries: int = 5,
    open_at_once: int = 6,
    stop: Event | None = None,
    executors: Callable[[], Mapping[str, Executor]] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Studio:
    """A studio over `project` with an `input` folder; `said` is the text of a pronunciations file. It works in
    threads, unless it is given `executors`.
    """
    (project / "input").mkdir(parents=True, exist_ok=True)
    threads = {"llm": 2, "speech": 2, "cpu": 2, "image": 1}
    type_setter = type_setter or FakeIllustrator()

    def in_threads() -> Mapping[str, Executor]:
        return {name: ThreadPoolExecutor(count) for name, count in threads.items()}

    desk = Desk(
        writer=writer,
        voice=voice,
        style=partial(load_style, PROMPTS),
        pronunciations=pronunciations.parse(said, where="config/pronunciations.csv"),
        voices=voices or Preferences(),
        sound=sound or Sound(),
        easel=Easel(illustrator or type_setter, type_setter, shapes, tuple(map(smaller, shapes)), Look()),
        films=films,
        signer=signer,
        rate=rate,
        tries=tries,
        fingerprint=fingerprint + said + str(rate) + str(fails_unsupported),
        fails_unsupported=fails_unsupported,
        auto_writer=auto,
        auto_voice=auto,
        auto_illustrator=auto,
        provenance={"pipeline": {"version": "0", "tls_verified": True}},
    )
    return Studio(
        Folders(project, project / "input", project / "output", project / "data"),
        desk,
        inbox.TopicDefaults(language="en", style="explainer", words=150),
        executors=executors or in_threads,
        threads=threads,
        open_at_once=open_at_once,
        stop=stop or Event(),
        shared_gpu=shared_gpu,
        outages=outages,
        topic_tries=topic_tries,
        clock=clock,
    )


def run_all(studio: Studio) -> dict[str, BaseException | None]:
    """Run to the end; each episode's error, or None."""
    return {outcome.name: outcome.error for outcome in studio.run(studio.survey(), lambda _: None)}
