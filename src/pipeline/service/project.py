"""The project that a service is for: where its things lie, and how it is opened with its settings as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from pipeline.inbox import TopicDefaults
from pipeline.ports import Identity, VoiceIdentity
from pipeline.site import Channel
from pipeline.studio import Folders
from pipeline.wiring import Workshop


@dataclass(frozen=True, slots=True)
class Opened:
    """A project opened: with engines ready to work, and what its settings say beside them."""

    shop: Workshop
    channel: Channel
    settings: object
    """What was read; only ever compared. Engines are kept for as long as it stays the same."""


@dataclass(frozen=True, slots=True)
class Project:
    folders: Folders
    config: Path
    open: Callable[[Event, Opened | None], Opened]
    """Reads the settings anew. Given what was opened before, the engines that would be chosen again are kept, with
    the models they hold. Raises SettingsError, EngineError."""
    defaults: Callable[[], TopicDefaults]
    settings: Callable[[], Sequence[Mapping[str, str]]]
    """`name`, `value`, `origin` and `about` of every setting, secrets masked. Raises SettingsError."""
    watch_seconds: float = 5.0
    backups: Path | None = None
    """Where backups are written; None where nobody says."""
    addresses: Callable[[], Mapping[str, str]] = dict
    """The engines' addresses by role, as far as they have one. Raises SettingsError."""


class Keeper:
    """Opens the project, and keeps its engines warm from one time to the next. Thread-safe."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = Lock()
        self._last: Opened | None = None
        self.halt = Event()
        """The engines give up what they do once it is set."""

    def open(self) -> Opened:
        """Raises SettingsError, EngineError."""
        with self._lock:
            self._last = self._project.open(self.halt, self._last)
            return self._last

    def at_hand(self) -> Opened:
        """The project as it was opened last, without a look at the settings or at who answers: for what must be quick.

        Raises SettingsError, EngineError where it was not opened yet.
        """
        last = self._last
        return last if last is not None else self.open()


@dataclass(frozen=True, slots=True)
class Engine:
    """One of the three that work, as it was chosen."""

    role: str
    """`writer`, `voice`, `illustrator`."""
    name: str
    why: str
    check: Callable[[], None]
    describe: Callable[[], Identity | None]
    installed: Callable[[], Mapping[str, VoiceIdentity]]


def engines_of(shop: Workshop) -> tuple[Engine, ...]:
    def none() -> Mapping[str, VoiceIdentity]:
        return {}

    writer, voice, illustrator = shop.writer, shop.voice, shop.illustrator
    return (
        Engine("writer", writer.name, writer.why, writer.engine.check, writer.engine.describe, none),
        Engine("voice", voice.name, voice.why, voice.engine.check, lambda: None, voice.engine.installed),
        Engine(
            "illustrator",
            illustrator.name,
            illustrator.why,
            illustrator.engine.check,
            illustrator.engine.describe,
            none,
        ),
    )
