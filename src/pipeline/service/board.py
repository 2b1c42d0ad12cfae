"""How every episode stands now: from the last survey of `input/`, and from the events of the round under way.

It is kept in memory, for looking at; the next round's survey says it anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from types import MappingProxyType
from typing import Literal

from pipeline.build.runner import Event, Kind
from pipeline.errors import Interrupted, PipelineError, SetAside
from pipeline.metrics.stages import stage_of
from pipeline.net.outages import Down
from pipeline.service.problems import facts
from pipeline.studio import Survey
from pipeline.underway import RESOURCES

State = Literal["waiting", "making", "finished", "failed", "set-aside", "held"]

OPEN: frozenset[State] = frozenset({"waiting", "making"})
"""The states of what is still to be done."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One episode."""

    slug: str
    state: State
    title: str = ""
    source: str = ""
    """Its topic file, as the inbox names it."""
    stage: str = ""
    """What is being made of it now."""
    waits_for: str = ""
    """`writer`, `voice` or `illustrator`, where that is down and nothing of it can go on before it is back."""
    made: int = 0
    """Artifacts made in this round."""
    seconds: float = 0.0
    error: Mapping[str, str] | None = None
    """`code`, `detail`, `where` and `hint` of a failure."""
    under_way: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The steps that are being made: key → resource."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A topic that a round leaves out, because it has failed as it is now."""

    set_aside: bool
    """Until it changes or somebody retries it; else for a while."""
    error: Mapping[str, str]


@dataclass(slots=True)
class Board:
    """Thread-safe."""

    _lock: Lock = field(default_factory=Lock)
    _standing: dict[str, Standing] = field(default_factory=dict)
    _files: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = field(default_factory=dict)
    """Topic file → its state when it was last surveyed, and the episodes that it asks for."""
    _down: Mapping[str, Down] = field(default_factory=dict)
    refused: tuple[PipelineError, ...] = ()
    surveyed: bool = False

    def survey(
        self,
        survey: Survey,
        signatures: Mapping[str, tuple[int, ...]],
        held: Collection[str],
        resting: Mapping[str, Rest] = MappingProxyType({}),
    ) -> None:
        """Begin a round. `signatures` are the topic files' states, taken before the survey was made."""
        sources: dict[str, list[str]] = {name: list(slugs) for name, slugs in survey.finished_sources.items()}
        standing = {
            slug: Standing(slug, "finished", source=name)
            for name, slugs in survey.finished_sources.items()
            for slug in slugs
        }
        for work in survey.works:
            path = work.topic.source.path
            sources.setdefault(path, []).append(work.slug)
            state: State = "held" if work.slug in held else "waiting"
            one = standing[work.slug] = Standing(work.slug, state, work.topic.title, path)
            rest = resting.get(work.slug)
            if rest is not None and state != "held":
                standing[work.slug] = replace(one, state="set-aside" if rest.set_aside else "failed", error=rest.error)
        refused = {error.where.split(":")[0] for error in survey.refused}
        with self._lock:
            for slug, before in self._standing.items():
                # What failed keeps its reason until it is tried again.
                if before.error is not None and standing.get(slug, before).state == "waiting":
                    standing[slug] = replace(standing[slug], error=before.error)
            self._standing = standing
            self._files = {
                name: (signatures.get(name, ()), tuple(sources.get(name, ())))
                for name in {*sources, *refused}
                if name in signatures
            }
            self.refused = survey.refused
            self.surveyed = True

    def take(self, event: Event) -> None:
        """Account for what happened in the round."""
        with self._lock:
            before = self._standing.get(event.flow, Standing(event.flow, "waiting"))
            self._standing[event.flow] = _after(before, event)

    def wait_for(self, down: Mapping[str, Down]) -> None:
        """The services that are down from now on, by name."""
        with self._lock:
            self._down = dict(down)

    @property
    def down(self) -> Mapping[str, Down]:
        """The services that are waited for, by name."""
        return self._down

    def put(self, slug: str, state: State) -> None:
        """Say of an episode that it is left alone; what is set aside keeps its reason."""
        with self._lock:
            before = self._standing.get(slug)
            if before is not None:
                error = before.error if state == "set-aside" else None
                self._standing[slug] = replace(before, state=state, stage="", error=error)

    def of(self, slug: str) -> Standing | None:
        one = self._standing.get(slug)
        return self._waiting(one) if one is not None else None

    def names(self) -> list[str]:
        """The episodes that a topic asked for in the last survey."""
        with self._lock:
            return list(self._standing)

    def all(self) -> Mapping[str, Standing]:
        with self._lock:
            return {slug: self._waiting(one) for slug, one in self._standing.items()}

    def _waiting(self, one: Standing) -> Standing:
        service = waits_for(one, self._down)
        return replace(one, waits_for=service) if service else one

    def of_file(self, name: str, signature: tuple[int, ...]) -> tuple[Standing, ...] | None:
        """The episodes of a topic file; None where it was not surveyed in the state that it has now."""
        with self._lock:
            known = self._files.get(name)
            if known is None or known[0] != signature:
                return None
            return tuple(self._waiting(self._standing[slug]) for slug in known[1] if slug in self._standing)

    def queue(self, files: Iterable[tuple[str, tuple[int, ...]]]) -> tuple[int, float | None]:
        """How many episodes are still to be made, and since when the oldest of them is asked for (seconds since
        1970): those of this survey, and one for each file that no survey has seen yet.
        """
        with self._lock:
            known, still = self._files, {slug for slug, one in self._standing.items() if one.state in OPEN}
        waiting, oldest = 0, None
        for name, signature in files:
            seen = known.get(name)
            asked = 1 if seen is None or seen[0] != signature else sum(map(still.__contains__, seen[1]))
            if asked:
                waiting += asked
                modified = signature[1]
                oldest = modified if oldest is None or modified < oldest else oldest
        return waiting, oldest / 1e9 if oldest is not None else None

    def surveyed_queue(self) -> tuple[int, float | None]:
        """As `queue`, of the last survey alone: the folder, which may hold ten thousand files, is not looked at."""
        with self._lock:
            files = [(name, signature) for name, (signature, _) in self._files.items()]
        return self.queue(files)

    def slugs(self, state: State) -> list[str]:
        """The episodes that stand so, in the order of their names."""
        with self._lock:
            return sorted(slug for slug, one in self._standing.items() if one.state == state)


def waits_for(one: Standing, down: Collection[str]) -> str:
    """The service without which nothing of an episode goes on; empty where something does. One that is being made and
    has no step under way waits behind others for the same.
    """
    if one.state != "making" or not down:
        return ""
    services = [service for service in RESOURCES if service in down]
    at = set(one.under_way.values())
    if not at <= {RESOURCES[service] for service in services}:
        return ""
    return next((service for service in services if RESOURCES[service] in at), services[0] if services else "")


def _after(before: Standing, event: Event) -> Standing:
    match event.kind:
        case Kind.OPENED:
            return replace(before, state="making", stage="", made=0, error=None, under_way={})
        case Kind.STARTED if event.step is not None:
            at = {**before.under_way, event.step.key: event.step.rule.resource}
            return replace(before, stage=stage_of(event.step.rule.name), under_way=at)
        case Kind.MADE | Kind.FOUND | Kind.FAILED if event.step is not None:
            at = {key: resource for key, resource in before.under_way.items() if key != event.step.key}
            return replace(before, made=before.made + (event.kind is Kind.MADE), under_way=at)
        case Kind.CLOSED:
            return _closed(replace(before, stage="", under_way={}), event)
        case _:
            return before


def _closed(before: Standing, event: Event) -> Standing:
    if event.error is None:
        return replace(before, state="finished", seconds=event.seconds, error=None)
    if isinstance(event.error, Interrupted):
        # Called off while it was made, or in the way of something more urgent.
        return replace(before, state="held" if before.state == "held" else "waiting")
    state: State = "set-aside" if isinstance(event.error, SetAside) else "failed"
    return replace(before, state=state, seconds=event.seconds, error=told(event.error))


def told(error: BaseException | None) -> Mapping[str, str]:
    """A failure for people; a bug is told as one, without what it holds of the inside."""
    if isinstance(error, PipelineError):
        return facts(error)
    return {
        "code": "bug",
        "detail": f"a fault in the pipeline itself: {type(error).__name__}",
        "where": "",
        "hint": "The log has the whole of it; the topic is kept. Please report it.",
    }
