"""What the process has asked of its engines, as Prometheus reads it: looked up only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pipeline.metrics.families import ENGINES, Family
from pipeline.net.tallies import TALLIES, State, Tallies, Tally
from pipeline.telemetry.work import ROLES, WORK, Done, Work

_BREAKER = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_FAMILIES = {family.name: family for family in ENGINES}
_AMOUNTS = {"writer": "writer_tokens", "voice": "speech_audio_seconds", "illustrator": "pictures_drawn"}
_BUSY = {"writer": "writer_busy", "voice": "speech_busy", "illustrator": "pictures_busy"}


class EngineCollector(Collector):
    """Of this process's work and tallies, unless others are given."""

    def __init__(self, work: Work = WORK, tallies: Tallies = TALLIES, *, shows_state: bool = True) -> None:
        """`shows_state` where somebody looks while it goes on."""
        self._work = work
        self._tallies = tallies
        self._shows_state = shows_state

    def collect(self) -> Iterator[Metric]:
        done, tallies = self._work.snapshot(), self._tallies.snapshot()
        yield _calls(done)
        yield self._durations(done)
        known = {role: tallies.get(role) for role in ROLES}
        yield _by_role("retries_total", {role: one.retries if one else 0 for role, one in known.items()})
        waited = {role: one.waited_seconds if one else 0.0 for role, one in known.items()}
        yield _by_role("waiting_seconds_total", waited)
        if self._shows_state:
            state = _family("breaker_state")
            breakers = GaugeMetricFamily(state.name, state.about, labels=state.labels)
            for role, one in known.items():
                breakers.add_metric([role], _state(one))
            yield breakers
        for role, work in done.items():
            amount = _FAMILIES[f"pipeline_{_AMOUNTS[role]}_total"]
            yield CounterMetricFamily(amount.name, amount.about, value=work.amount)
            busy = _FAMILIES[f"pipeline_{_BUSY[role]}_seconds_total"]
            yield CounterMetricFamily(busy.name, busy.about, value=work.busy_seconds)

    def _durations(self, done: Mapping[str, Done]) -> Metric:
        family = _family("call_duration_seconds")
        durations = HistogramMetricFamily(family.name, family.about, labels=family.labels)
        bounds = [*map(floatToGoString, self._work.bounds), "+Inf"]
        for role, one in done.items():
            durations.add_metric([role], list(zip(bounds, accumulate(one.durations), strict=True)), one.call_seconds)
        return durations


def _calls(done: Mapping[str, Done]) -> Metric:
    family = _family("calls_total")
    calls = CounterMetricFamily(family.name, family.about, labels=family.labels)
    for role, one in done.items():
        for outcome, count in one.calls.items():
            calls.add_metric([role, outcome], count)
    return calls


def _by_role(name: str, values: Mapping[str, float]) -> Metric:
    family = _family(name)
    counted = CounterMetricFamily(family.name, family.about, labels=family.labels)
    for role, value in values.items():
        counted.add_metric([role], value)
    return counted


def _family(name: str) -> Family:
    return _FAMILIES[f"pipeline_engine_{name}"]


def _state(tally: Tally | None) -> int:
    return 0 if tally is None else _BREAKER[tally.state]
