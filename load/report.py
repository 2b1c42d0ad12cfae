"""What a run under load has shown: Locust's table as figures, and as a page for people."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PERCENTILES = ("50%", "90%", "95%", "99%", "100%")


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request. Times are in milliseconds, from the question to the answer's end."""

    kind: str
    name: str
    requests: int
    failures: int
    a_second: float
    milliseconds: Mapping[str, float]


def rows(lines: Iterable[str]) -> list[Row]:
    """From Locust's `_stats.csv`; the last one is the sum of all."""
    return [
        Row(
            kind=line["Type"],
            name=line["Name"],
            requests=int(line["Request Count"]),
            failures=int(line["Failure Count"]),
            a_second=round(float(line["Requests/s"]), 2),
            # A kind that nobody asked for in time has no percentiles.
            milliseconds={name: float(line[name]) for name in PERCENTILES if line[name] not in {"", "N/A"}},
        )
        for line in csv.DictReader(lines)
    ]


def page(found: Iterable[Row], about: str) -> str:
    """Markdown."""
    lines = [
        "# Under load",
        "",
        about,
        "",
        f"| request | asked | failed | a second | {' | '.join(f'{name} ms' for name in PERCENTILES)} |",
        f"|---|{'---:|' * (3 + len(PERCENTILES))}",
    ]
    for row in found:
        times = " | ".join(f"{row.milliseconds[name]:.0f}" if name in row.milliseconds else "" for name in PERCENTILES)
        lines.append(
            f"| {f'{row.kind} {row.name}'.strip()} | {row.requests} | {row.failures} | {row.a_second} | {times} |"
        )
    return "\n".join(lines) + "\n"
