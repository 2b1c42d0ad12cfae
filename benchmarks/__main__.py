"""`make bench`: every figure, one table, `bench-report.json`. Exit status 1 where one falls short of its aim.

python -m benchmarks                   all of them
python -m benchmarks speech mix        some
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure
from pipeline.wiring import available_cores

ALL = (
    "command_line",
    "build_system",
    "ten_thousand",
    "mixing",
    "video",
    "pages",
    "speaking",
    "speech_server",
    "service",
    "writing",
    "one_edit",
    "first_episode",
    "twenty_topics",
)


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        print(f"benchmarks: there is no {', '.join(unknown)}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {available_cores()} cores, {platform.machine()}\n", flush=True)
    figures: list[Figure] = []
    for name in names or ALL:
        begun = perf_counter()
        for figure in importlib.import_module(f"benchmarks.{name}").figures():
            figures.append(figure)
            mark = "ok   " if figure.reached else "SHORT"
            print(f"{mark} {figure.name}: {figure.value:.3g} {figure.unit} (aim {figure.aim})", flush=True)
            if figure.detail:
                print(f"      {figure.detail}", flush=True)
        print(f"      [{name}: {perf_counter() - begun:.0f} s]", flush=True)
    Path("bench-report.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    short = sum(not figure.reached for figure in figures)
    print(f"\n{len(figures) - short} of {len(figures)} figures reach their aim. The report is in bench-report.json.")
    return int(short > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
