"""Prometheus's objects, made from the list of families, so that nothing is counted that is not described there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from pipeline import __version__
from pipeline.metrics.families import Family

# A second series for each counter, with the time when it was made, is twice the page for what
# `process_start_time_seconds` says of nearly all of them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

M = TypeVar("M", bound=MetricWrapperBase)


class Meters:
    """The metrics of some families, in a registry. Raises KeyError for one that is not among them."""

    def __init__(self, families: Iterable[Family], registry: CollectorRegistry) -> None:
        self._made: dict[str, MetricWrapperBase] = {}
        for family in families:
            if family.kind == "counter":
                made: MetricWrapperBase = Counter(family.name, family.about, family.labels, registry=registry)
            elif family.kind == "gauge":
                made = Gauge(family.name, family.about, family.labels, registry=registry)
            else:
                made = Histogram(family.name, family.about, family.labels, buckets=family.buckets, registry=registry)
            self._made[family.name] = made
            if family.name.endswith("_build_info") and isinstance(made, Gauge):
                made.labels(__version__).set(1)

    def counter(self, name: str) -> Counter:
        return self._of(name, Counter)

    def gauge(self, name: str) -> Gauge:
        return self._of(name, Gauge)

    def histogram(self, name: str) -> Histogram:
        return self._of(name, Histogram)

    def _of(self, name: str, kind: type[M]) -> M:
        made = self._made[name]
        if not isinstance(made, kind):
            raise KeyError(f"{name} is no {kind.__name__}")
        return made
