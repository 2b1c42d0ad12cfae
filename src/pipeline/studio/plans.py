"""What a studio tells of a project: what there is, what would be made of it, what became of it. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipeline.build.plan import Trail, Verdict
from pipeline.domain.topic import Topic
from pipeline.errors import InputError, PipelineError


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a project's things are. All absolute."""

    project: Path
    input: Path
    output: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Work:
    """A topic and the name of its episode's folder."""

    topic: Topic
    slug: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in `input/`."""

    finished: tuple[str, ...]
    """Episodes of which nothing has changed since they were made; seen by their seals, not looked into."""
    works: tuple[Work, ...]
    """The topics that must be looked at properly."""
    refused: tuple[InputError, ...]
    finished_sources: Mapping[str, tuple[str, ...]] = field(repr=False)
    """The input files of those, and the episodes of each."""
    sources: Mapping[str, tuple[tuple[int, ...], tuple[str, ...]]] = field(repr=False)
    """Input file → its state and the episodes it asks for; only files of which every topic was good."""
    whole: bool = True
    """False where somebody asked for some episodes alone."""

    @property
    def asked(self) -> frozenset[str]:
        """The episodes that a topic asks for."""
        return frozenset((*self.finished, *(work.slug for work in self.works)))


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """What a run would do for one episode."""

    work: Work
    to_make: tuple[Verdict, ...] = ()
    to_come: tuple[str, ...] = ()
    """What follows that cannot be told before something is there to look into: `speech`, `mix`, `film`, `page`."""
    to_publish: tuple[str, ...] = ()
    to_withdraw: tuple[str, ...] = ()
    """Published files that the episode will not have any more, as far as that can be told."""
    edited: bool = False
    """The script is a person's own and is kept as it is."""
    seconds: float | None = None
    """How long it will take, by what was measured; None where nothing was yet."""
    drawing_seconds: float = 0.0
    """How much of that is drawing pictures, as far as that was measured."""
    error: PipelineError | None = None
    trail: Trail = field(default_factory=dict, repr=False)
    """What it would be made from, as far as that can be told."""
    earlier: Trail = field(default_factory=dict, repr=False)
    """What it was made from the last time."""

    @property
    def whole(self) -> bool:
        """False where something is to come."""
        return not self.to_come

    @property
    def nothing_to_do(self) -> bool:
        return self.error is None and not self.to_make and not self.to_publish and not self.to_withdraw


@dataclass(frozen=True, slots=True)
class Left:
    """An episode on disk, or an edit of one, that no topic asks for now."""

    slug: str
    source: str
    """The topic file that asked for it; empty where nobody knows."""
    edited: bool
    """A person's script is kept with it."""
    refused: bool
    """That topic file is there, and is refused."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An episode's files, compared with its manifest."""

    slug: str
    files: int
    """How many files its manifest lists."""
    faults: tuple[str, ...]
    edited: bool
    """Its script is a person's, and no run has taken it yet."""
    left: bool
    """No topic asks for it, so no run publishes it again."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing and no fault."""


class Returns(StrEnum):
    """Which script stands in the place of an edit that was given up."""

    STORED = "stored"
    READ = "read"
    ANEW = "anew"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An edit by hand that was given up."""

    aside: Path
    """Where it lies now."""
    script: Returns


@dataclass(frozen=True, slots=True)
class Plan:
    finished: tuple[str, ...]
    episodes: tuple[EpisodePlan, ...]
    refused: tuple[InputError, ...]
    left: tuple[Left, ...] = ()
    in_two_phases: bool = False
    """Everything else is done before the first picture is drawn, because one GPU serves both models."""

    @property
    def nothing_to_do(self) -> bool:
        return all(episode.nothing_to_do for episode in self.episodes)

    @property
    def seconds(self) -> float | None:
        known = [episode.seconds for episode in self.episodes if episode.seconds is not None]
        return sum(known) if known else None

    @property
    def drawing_seconds(self) -> float:
        """How much of that is drawing pictures."""
        return sum(episode.drawing_seconds for episode in self.episodes)


@dataclass(frozen=True, slots=True)
class SharedGpu:
    """One GPU that has room for one model at a time: how each of them is told to leave it. Neither raises."""

    free_of_writer: Callable[[], None]
    free_of_illustrator: Callable[[], None]
