"""What each engine did when it was last asked to work. Looked at in the background; a request only reads it.

Each look has a thread of its own and a deadline: an engine that hangs is said to, and holds up nobody. One that made
something for an episode a moment ago is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread

from pipeline.errors import EngineUnavailable, Interrupted, PipelineError
from pipeline.ports import Identity, VoiceIdentity
from pipeline.service.problems import facts
from pipeline.service.project import Engine

DEADLINE_SECONDS = 120.0
"""A large model may have to be loaded first."""
_WELL_SECONDS = 300.0
_ILL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What was last seen of one engine."""

    role: str
    name: str = ""
    why: str = ""
    """Why it was chosen."""
    ready: bool = False
    at: float = 0.0
    """When, in seconds since 1970; 0 for never."""
    error: Mapping[str, str] | None = None
    identity: Identity | None = None
    voices: Mapping[str, VoiceIdentity] = field(default_factory=dict)


class Checks:
    """`engines` opens the project and says who works in it; it may raise PipelineError and may take long."""

    def __init__(
        self,
        engines: Callable[[], Sequence[Engine]],
        *,
        seen: Callable[[Sight], None],
        deadline_seconds: float = DEADLINE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engines = engines
        self._seen = seen
        self._deadline = deadline_seconds
        self._now = now
        self._lock = Lock()
        self._sights: dict[str, Sight] = {}
        self._under_way: dict[str, Thread] = {}
        self._fault: PipelineError | None = None
        self._wake = Event()

    # -- what was seen ---------------------------------------------------------------------------------------------

    def sights(self) -> tuple[Sight, ...]:
        with self._lock:
            return tuple(self._sights.values())

    @property
    def fault(self) -> PipelineError | None:
        """Why nobody can be asked at all: the settings."""
        return self._fault

    @property
    def ready(self) -> bool:
        """Every engine did what it was asked for."""
        sights = self.sights()
        return self._fault is None and bool(sights) and all(sight.ready for sight in sights)

    def worked(self, role: str) -> None:
        """An engine has just made something for an episode."""
        with self._lock:
            before = self._sights.get(role)
            if before is None:
                return
            now = self._sights[role] = replace(before, ready=True, at=self._now(), error=None)
        if not before.ready:
            self._seen(now)

    def soon(self) -> None:
        """Look again at once."""
        self._wake.set()

    # -- looking -----------------------------------------------------------------------------------------------------

    def keep_at_it(self, stop: Event) -> None:
        """Look again and again until stopped."""
        while not stop.is_set():
            self.look(stop)
            if self._wake.wait(1.0):
                self._wake.clear()
                with self._lock:
                    self._sights = {role: replace(one, at=0.0) for role, one in self._sights.items()}

    def look(self, stop: Event) -> None:
        """At each engine whose time it is; waits for none beyond the deadline."""
        if self._fault is None and self._sights and not any(self._is_due(sight) for sight in self.sights()):
            return
        try:
            engines = self._engines()
        except PipelineError as error:
            self._fault = error
            return
        self._fault = None
        with self._lock:
            for engine in engines:  # what was not asked yet is not ready either
                self._sights.setdefault(engine.role, Sight(engine.role, engine.name, engine.why))
        looks = []
        for engine in engines:
            known = self._sights.get(engine.role)
            if known is not None and known.name == engine.name and not self._is_due(known):
                continue
            under_way = self._under_way.get(engine.role)
            if under_way is None or not under_way.is_alive():
                under_way = Thread(target=self._look_at, args=(engine,), name=f"check {engine.role}", daemon=True)
                self._under_way[engine.role] = under_way
                under_way.start()
            looks.append((engine, under_way))
        until = time.monotonic() + self._deadline
        for engine, thread in looks:
            while thread.is_alive() and time.monotonic() < until and not stop.is_set():
                thread.join(0.2)
            if thread.is_alive() and not stop.is_set():
                late = EngineUnavailable(
                    f"it was asked to work, and had not answered after {self._deadline:g} s",
                    where=engine.name,
                    hint="See its log; it is asked again and again.",
                )
                self._put(Sight(engine.role, engine.name, engine.why, error=facts(late), at=self._now()))

    def prove(self, stop: Event) -> None:
        """Have every engine work, or say why one does not. Raises PipelineError."""
        self.look(stop)
        if self._fault is not None:
            raise self._fault
        for sight in self.sights():
            if not sight.ready:
                said = sight.error or {"detail": "it was not asked yet", "hint": ""}
                raise EngineUnavailable(said["detail"], where=said.get("where") or sight.name, hint=said["hint"])

    def _is_due(self, sight: Sight) -> bool:
        return self._now() - sight.at >= (_WELL_SECONDS if sight.ready else _ILL_SECONDS)

    def _look_at(self, engine: Engine) -> None:
        sight = Sight(engine.role, engine.name, engine.why)
        try:
            sight = replace(sight, identity=engine.describe(), voices=engine.installed())
            engine.check()
        except Interrupted:
            return  # the round was called off, and says nothing of the engine
        except PipelineError as error:
            sight = replace(sight, error=facts(error))
        except Exception as error:  # noqa: BLE001  # a fault of ours in one engine is said, and the others are asked too
            said = f"this check itself failed: {type(error).__name__}"
            sight = replace(sight, error={"code": "bug", "detail": said, "where": "", "hint": "Please report it."})
        else:
            sight = replace(sight, ready=True)
        self._put(replace(sight, at=self._now()))

    def _put(self, sight: Sight) -> None:
        with self._lock:
            self._sights[sight.role] = sight
        self._seen(sight)
