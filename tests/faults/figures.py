"""What the fault suite must reach, read off the counts of its tests: the table of `make faults` and of the README."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from pathlib import Path

Figures = Mapping[str, Mapping[str, object]]
"""Test → its figures, over all its cases."""

_WORST = frozenset({"all_points", "grown_kib", "most_calls", "seed"})
"""Figures of which the largest counts, not the sum."""

MOST_KIB = 32 << 10
"""How much memory may grow, whatever comes."""


def gathered(folder: Path) -> Figures:
    """What the tests left in a folder, a file for each case."""
    sums: dict[str, dict[str, object]] = defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text())
        name = told["test"].partition("[")[0].rpartition("::")[2]
        for figure, value in told["figures"].items():
            before = sums[name].get(figure)
            together = max if figure in _WORST else add
            both = isinstance(value, int) and isinstance(before, int)
            sums[name][figure] = together(before, value) if both else value
    return {name: sums[name] for name in sorted(sums)}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the table."""

    figure: str
    wanted: str
    reached: str
    is_reached: bool


class _NotMeasured(Exception):
    """A test that gives a figure was left out, or did not come so far."""


@dataclass(frozen=True, slots=True)
class _Counts:
    figures: Figures

    def of(self, test: str, *names: str) -> list[int]:
        told = self.figures.get(f"test_{test.replace(' ', '_')}", {})
        counts = [told.get(name) for name in names]
        if not all(isinstance(count, int) for count in counts):
            raise _NotMeasured
        return [count for count in counts if isinstance(count, int)]

    def everywhere(self, name: str) -> int:
        """The sum over all tests."""
        return sum(count for told in self.figures.values() if isinstance(count := told.get(name), int))


Reached = tuple[str, bool]
"""In words, and whether it is enough."""

_CRASH_POINTS = "a run killed at any call twice and again while recovering ends as if undisturbed"
_KILLED = "a killed run goes on where it was"
_READ = "broken topic files are read or refused and nothing outside input is opened"
_RUN = "broken topics become episodes or have a named error"
_SETTINGS = "mutated settings are refused at the start or proven harmless"
_NETWORK = "a fault on the way ends in its state inside the deadline"
_BACK = "a run whose service goes and comes back ends well by itself"
_CALLED = (
    "in ten minutes a service that is down is called thirty times at most",
    "an outage of ten minutes costs a whole run few calls",
)
_AT_ONCE = "many runs at once share the work and do nothing twice"
_LARGE = (
    "a topic file of a gigabyte takes no memory",
    "a line of 500 megabytes from a server takes no memory",
    "a picture that unpacks to gigabytes is refused unopened",
)
_LEAKS = "descriptors threads and unfinished files do not pile up"


def _nothing_lost(done: int, least: int, lost: int, twice: int, partial: int) -> Reached:
    said = f"{done:,}: {lost} lost, {twice} done twice, {partial} partial"
    return said, done >= least and not (lost or twice or partial)


def _crash_points(counts: _Counts) -> Reached:
    points, again, there_are, *bad = counts.of(
        _CRASH_POINTS, "points", "killed_twice", "all_points", "lost", "twice", "partial"
    )
    said, well = _nothing_lost(points, 40, *bad)
    return said, well and points == again == there_are


def _kills(counts: _Counts) -> Reached:
    kills, *bad = counts.of(_KILLED, "kills", "lost", "twice", "partial")
    return _nothing_lost(kills, 200, *bad)


def _fuzzed(counts: _Counts) -> Reached:
    files, *bad = counts.of(_READ, "files", "hangs", "crashes", "read_outside")
    runs, *bad_runs = counts.of(_RUN, "files", "hangs", "crashes", "read_outside")
    hangs, crashes, outside = map(add, bad, bad_runs)
    said = f"{files:,} parsed, {runs} end to end: {hangs} hangs, {crashes} crashes, {outside} reads outside"
    return said, files >= 5_000 and runs >= 200 and not (hangs or crashes or outside)


def _settings(counts: _Counts) -> Reached:
    mutated, refused, harmless = counts.of(_SETTINGS, "settings", "refused", "harmless")
    said = f"{refused + harmless} of {mutated}: {refused} refused, {harmless} harmless"
    return said, mutated >= 60 and refused + harmless == mutated


def _cells(counts: _Counts) -> Reached:
    cells, wrong, late = counts.of(_NETWORK, "cells", "wrong_state", "late")
    return f"{cells - wrong - late} of {cells}", cells >= 100 and not (wrong or late)


def _back(counts: _Counts) -> Reached:
    outages, recovered = counts.of(_BACK, "outages", "recovered")
    return f"{recovered} of {outages}", outages >= 20 and recovered == outages


def _calls(counts: _Counts) -> Reached:
    most = max(counts.of(test, "most_calls")[0] for test in _CALLED)
    return f"{most} at most", most <= 30


def _at_once(counts: _Counts) -> Reached:
    runs, twice, failed = counts.of(_AT_ONCE, "runs", "twice", "failed")
    return f"{runs} at once: {twice} done twice, {failed} failed", runs >= 50 and not (twice or failed)


def _memory(counts: _Counts) -> Reached:
    grown = max(counts.of(test, "grown_kib")[0] for test in _LARGE)
    return f"{grown / 1024:.1f} MB at most", grown <= MOST_KIB


def _leaks(counts: _Counts) -> Reached:
    episodes, descriptors, threads, unfinished = counts.of(
        _LEAKS, "episodes", "descriptors_more", "threads_more", "unfinished"
    )
    said = f"after {episodes:,}: {descriptors:+}, {threads:+}, {unfinished}"
    return said, episodes >= 1_000 and abs(descriptors) <= 2 and threads == 0 and unfinished == 0


def _unnamed(counts: _Counts) -> Reached:
    unnamed, failures = counts.everywhere("unnamed"), counts.everywhere("failures")
    return f"{unnamed} of {failures:,}", failures > 1_000 and unnamed == 0


_TABLE: Sequence[tuple[str, str, Callable[[_Counts], Reached]]] = (
    (
        "crash points, each twice, and again while recovering",
        "all (at least 40): 0 lost, 0 done twice, 0 partial",
        _crash_points,
    ),
    ("random kill -9", "200: 0 lost, 0 done twice, 0 partial", _kills),
    ("fuzzed topic files", "5,000 parsed and 200 end to end: 0 hangs, crashes, or reads outside `input/`", _fuzzed),
    ("mutated settings", "60 of 60 refused or proven harmless, at start", _settings),
    ("fault × service × direction", "all cells in their named state inside their deadline", _cells),
    ("service gone and back", "20 of 20 by themselves within one back-off step + 5 s", _back),
    ("calls to a service in a 10-minute outage (fake clock)", "at most 30", _calls),
    ("concurrent runs", "50 at once: no unit of work done twice, all end well", _at_once),
    ("memory growth: 1 GB topic file, 500 MB line from a server, pixel bomb", "at most 32 MB", _memory),
    ("descriptors, threads, temporary files after 1,000 episodes", "±2, ±0, 0", _leaks),
    ("failures without code, state and message", "0", _unnamed),
)


def table(figures: Figures) -> tuple[Row, ...]:
    """Every figure there is to reach, those that were not measured too."""
    counts = _Counts(figures)
    rows = []
    for figure, wanted, read in _TABLE:
        try:
            reached, is_reached = read(counts)
        except _NotMeasured:
            reached, is_reached = "not measured", False
        rows.append(Row(figure, wanted, reached, is_reached))
    return tuple(rows)


def shown(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    cells = [("figure", "wanted", "reached", "")]
    cells += [(row.figure, row.wanted, row.reached, "ok" if row.is_reached else "NOT REACHED") for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    return "".join(
        "  ".join((*(line[column].ljust(widths[column]) for column in range(3)), line[3])).rstrip() + "\n"
        for line in cells
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table for a page."""
    lines = [f"| {row.figure} | {row.wanted} | {row.reached} |\n" for row in rows]
    return "| | wanted | reached |\n|---|---|---|\n" + "".join(lines)
