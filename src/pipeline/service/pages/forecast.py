"""How long what waits will take, by what was measured here. Worked out beside the pages, which never wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic

from pipeline.errors import PipelineError
from pipeline.service.board import Standing
from pipeline.service.project import Keeper
from pipeline.service.topics import TopicFile, TopicFiles
from pipeline.studio import EpisodePlan, Survey, Work

# A topic costs a few milliseconds to look through, one that is half made some more.
_OLD_SECONDS = 5.0
_MOST_KNOWN = 5_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was worked out for one episode."""

    seconds: float | None
    """What was left then; None where nothing was measured."""
    whole: float
    """What was left when it was first looked at: all of it."""
    at: float
    state: str

    def left(self, now: float) -> float | None:
        """What is left now, at least a second."""
        if self.seconds is None:
            return None
        return max(1.0, self.seconds - (now - self.at)) if self.state == "making" else self.seconds


@dataclass(slots=True)
class Forecast:
    """Thread-safe."""

    keeper: Keeper
    files: TopicFiles
    _lock: Lock = field(default_factory=Lock)
    _known: dict[str, Estimate] = field(default_factory=dict)
    _wanted: dict[str, Standing] = field(default_factory=dict)
    _at_it: bool = False

    def of(self, standings: Iterable[Standing]) -> Mapping[str, Estimate]:
        """What is known of these; what is not, or was long ago, is worked out for whoever asks next."""
        now = monotonic()
        found: dict[str, Estimate] = {}
        with self._lock:
            for one in standings:
                known = self._known.get(one.slug)
                if known is not None:
                    found[one.slug] = known
                if known is None or known.state != one.state or (
                    one.state == "making" and now - known.at > _OLD_SECONDS
                ):  # fmt: skip
                    self._wanted[one.slug] = one
            begin = bool(self._wanted) and not self._at_it
            self._at_it = self._at_it or begin
        if begin:
            Thread(target=self._work, name="forecast", daemon=True).start()
        return found

    def _work(self) -> None:
        read: dict[str, TopicFile] = {}
        while True:
            with self._lock:
                if not self._wanted:
                    self._at_it = False
                    return
                slug, standing = next(iter(self._wanted.items()))
                del self._wanted[slug]
            seconds = None
            with suppress(PipelineError):  # told where it is being made
                seconds = self._seconds(standing, read)
            with self._lock:
                before = self._known.get(slug)
                goes_on = before is not None and standing.state == "making" and before.whole >= (seconds or 0.0)
                whole = before.whole if before is not None and goes_on else seconds or 0.0
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[slug] = Estimate(seconds, whole, monotonic(), standing.state)

    def _seconds(self, standing: Standing, read: dict[str, TopicFile]) -> float | None:
        planned = self.plan(standing, read)
        return planned.seconds if planned is not None else None

    def plan(self, standing: Standing, read: dict[str, TopicFile] | None = None) -> EpisodePlan | None:
        """What the next round would do for an episode; None where its topic is not there any more. `read` holds topic
        files that were read already, and takes those that are read now.

        Raises Missing, SettingsError, EngineError, StoreError.
        """
        read = {} if read is None else read
        name = self._name(standing)
        if name not in read:
            read[name] = self.files.read(name)
        return self._plan(standing, read[name])

    def _name(self, standing: Standing) -> str:
        return standing.source.removeprefix(self.files.prefix)

    def _plan(self, standing: Standing, file: TopicFile) -> EpisodePlan | None:
        topic = next((topic for topic in file.topics if topic.title == standing.title), None)
        if topic is None:
            return None
        survey = Survey((), (Work(topic, standing.slug),), (), {}, {}, whole=False)
        return self.keeper.at_hand().shop.studio.plan(survey).episodes[0]
