"""What it costs to ask for help: the command line must not load what it does not use."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure, command, cost_of


def figures() -> Iterator[Figure]:
    costs = [cost_of([command("pipeline"), "--help"]) for _ in range(7)]
    assert all(cost.status == 0 for cost in costs), costs[0].output
    best = min(cost.cpu_seconds for cost in costs)
    yield Figure("pipeline --help", best, "s of CPU", "≤ 0.3", best <= 0.3)
