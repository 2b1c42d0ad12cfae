"""A project's settings → its workshop, ready to plan and run."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from pipeline import inbox
from pipeline.digests import Digests
from pipeline.engines.choice import Choice
from pipeline.net.outages import Outages
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice, Writer
from pipeline.settings import Loaded, Settings
from pipeline.studio import Folders, Studio
from pipeline.wiring.engines import (
    CARDS,
    available_cores,
    choose_illustrator,
    choose_voice,
    choose_writer,
    tls_of,
    writer_slots_of,
)
from pipeline.wiring.outfit import desk
from pipeline.wiring.pictures import easel_of
from pipeline.wiring.sharing import shared_gpu
from pipeline.wiring.texts import read_look

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Workshop:
    """A studio, and what was decided in making it."""

    studio: Studio
    writer: Choice[Writer]
    voice: Choice[Voice]
    illustrator: Choice[Illustrator]
    tls: Tls
    outages: Outages = field(default_factory=Outages)
    """Which of its services are down."""


def _lent(before: Choice[E], now: Choice[E]) -> Choice[E]:
    return replace(now, engine=before.engine) if before.name == now.name else now


def folders(project: Path, settings: Settings) -> Folders:
    """The project's folders, absolute."""
    return Folders(
        project=project,
        input=project / settings.input_dir,
        output=project / settings.output_dir,
        data=project / settings.data_dir,
    )


def workshop(project: Path, loaded: Loaded, *, stop: Event, earlier: Workshop | None = None) -> Workshop:
    """Everything ready to plan and run. Loads no model and asks nobody to work.

    `earlier`, of the same settings and the same `stop`, lends those engines that are chosen again, with the models
    that they hold. Raises SettingsError (pronunciations with faults in them), EngineRefused where an engine is not
    installed.
    """
    settings = loaded.settings
    places = folders(project, settings)
    tls = tls_of(settings)
    digests = Digests(places.data / "digests.json")
    outages = earlier.outages if earlier is not None else Outages()
    writer = choose_writer(settings, tls, digests, stop, outages.take)
    voice = choose_voice(project, settings, tls, digests, stop, outages.take)
    if earlier is not None:
        writer, voice = _lent(earlier.writer, writer), _lent(earlier.voice, voice)
    look = read_look(project, settings)
    illustrator = choose_illustrator(project, settings, tls, look, stop, outages.take)
    cores = settings.cores or available_cores()
    slots = writer_slots_of(settings, writer)
    # A Stable Diffusion server draws one picture at a time; cards are set as many at once as there are cores.
    threads = {"llm": slots, "speech": cores, "cpu": cores, "image": 1 if illustrator.name != CARDS else cores}

    def executors() -> Mapping[str, Executor]:
        return {name: ThreadPoolExecutor(count, thread_name_prefix=name) for name, count in threads.items()}

    studio = Studio(
        places,
        desk(project, loaded, writer, voice, easel_of(project, settings, illustrator, look), tls),
        defaults_of(settings),
        executors=executors,
        threads=threads,
        # Enough episodes open that every slot and core has work from one while another waits.
        open_at_once=slots + 2 * cores,
        stop=stop,
        shared_gpu=shared_gpu(settings, writer, illustrator),
        outages=outages,
        topic_tries=settings.topic_tries,
    )
    return Workshop(studio, writer, voice, illustrator, tls, outages)


def defaults_of(settings: Settings) -> inbox.TopicDefaults:
    """What topics have that do not say otherwise."""
    return inbox.TopicDefaults(
        settings.language, settings.style, settings.words, settings.minutes, settings.max_topic_bytes
    )
