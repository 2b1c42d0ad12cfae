"""What a run leaves for node_exporter's textfile collector: its figures, added to those of the runs before it.

The file is read, added to and put in place of itself at the end of each run, so that a counter goes on as a counter
must although every run is a process of its own. Where the file is gone, or is none, counting begins anew, which
Prometheus takes for a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pipeline.build.runner import Event, Outcome
from pipeline.build.store import held
from pipeline.errors import SetAside, SettingsError, StoreError
from pipeline.files import make_folder, read_plain, write_whole
from pipeline.metrics.engines import EngineCollector
from pipeline.metrics.families import ENGINES, EPISODE_OUTCOMES, RUN
from pipeline.metrics.machine import disk
from pipeline.metrics.making import Making, ended
from pipeline.metrics.meters import Meters
from pipeline.net.tallies import TALLIES, Tallies
from pipeline.telemetry.work import WORK, Work

_SUFFIX = ".prom"
# The times of what did not happen in this run: the last one's stand.
_LAST_TIMES = frozenset({
    "pipeline_last_success_timestamp_seconds", "pipeline_stage_last_made_timestamp_seconds",
    "pipeline_run_success_timestamp_seconds",
})  # fmt: skip
_Known = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class Textfile:
    """Of one run: `take` and `ended` while it goes on, `write` when it is over."""

    def __init__(
        self,
        path: Path,
        *,
        locks: Path,
        folders: Mapping[str, Path],
        work: Work = WORK,
        tallies: Tallies = TALLIES,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`locks` is a folder for the lock that keeps two runs from writing at once; `folders` are those whose disks
        are told of, by label. `now` is in seconds since 1970.

        Raises SettingsError for a name that node_exporter does not read, and where there is no such folder.
        """
        if path.suffix != _SUFFIX:
            raise SettingsError([f"metrics_textfile: {path.name} does not end in {_SUFFIX}, and would not be read"])
        if not path.parent.is_dir():
            raise SettingsError(
                [f"metrics_textfile: there is no folder {path.parent}"],
                hint="Name a file in the folder that node_exporter is given as --collector.textfile.directory.",
            )
        self._path = path
        self._locks = locks
        self._folders = folders
        self._now = now
        self._begun = now()
        self._registry = CollectorRegistry()
        of_their_own = {family.name for family in ENGINES}
        self._meters = Meters((family for family in RUN if family.name not in of_their_own), self._registry)
        self._registry.register(EngineCollector(work, tallies, shows_state=False))
        self._making = Making(self._meters, shows_progress=False, now=now)
        self._episodes = self._meters.gauge("pipeline_run_episodes")
        for outcome in EPISODE_OUTCOMES:
            self._episodes.labels(outcome)

    def take(self, event: Event) -> None:
        """Count an event of the runner."""
        self._making.take(event)

    def finds(self, *, finished: int, refused: int) -> None:
        """What the survey before the run has shown."""
        self._episodes.labels("unchanged").inc(finished)
        self._making.refused.set(refused)

    def ended(self, outcome: Outcome[Any]) -> None:
        """Count how an episode ended."""
        how = ended(outcome.error, outcome.made)
        self._making.episode(how)
        self._episodes.labels(how).inc()
        if isinstance(outcome.error, SetAside):
            self._making.set_aside.inc()

    def write(self, status: int) -> None:
        """Put the figures into the file; `status` is the run's exit status. Raises StoreError."""
        now = self._now()
        self._meters.gauge("pipeline_run_completion_timestamp_seconds").set(now)
        self._meters.gauge("pipeline_run_duration_seconds").set(round(now - self._begun, 3))
        self._meters.gauge("pipeline_run_exit_status").set(status)
        if status == 0:
            self._meters.gauge("pipeline_run_success_timestamp_seconds").set(now)
        for name, folder in self._folders.items():
            free, size = disk(folder)
            self._meters.gauge("pipeline_disk_free_bytes").labels(name).set(free)
            self._meters.gauge("pipeline_disk_size_bytes").labels(name).set(size)
        make_folder(self._locks)
        with held(self._locks / "textfile"):
            together = CollectorRegistry()
            together.register(_Together(self._registry.collect(), _known(self._path)))
            write_whole(self._path, generate_latest(together))


class _Together(Collector):
    """A run's figures with those of the runs before it."""

    def __init__(self, now: Iterable[Metric], before: _Known) -> None:
        self._now = tuple(now)
        self._before = before

    def collect(self) -> Iterator[Metric]:
        for metric in self._now:
            metric.samples = [
                sample._replace(value=self._value(metric, sample.name, sample.labels, sample.value))
                for sample in metric.samples
            ]
            yield metric

    def _value(self, metric: Metric, name: str, labels: Mapping[str, str], value: float) -> float:
        before = self._before.get((name, frozenset(labels.items())), 0.0)
        if metric.type in {"counter", "histogram"}:
            return before + value
        return value or before if metric.name in _LAST_TIMES else value


def _known(path: Path) -> _Known:
    """What the file says; nothing where there is none, or it is no such file."""
    try:
        text = read_plain(path).decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    except (FileNotFoundError, StoreError, ValueError):
        return {}
