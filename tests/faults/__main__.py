"""`make faults`: the whole fault suite, its figures in report.json and in a table.

Every figure is what the tests counted themselves; the report adds them up, names the seed, and says how long it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.extent import FIGURES, SEED

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "report.json"

_WORST = frozenset({"grown_kib", "seed"})
"""Figures of which the largest counts, not the sum."""


def gathered(folder: Path) -> dict[str, dict[str, object]]:
    """Test → its figures, over all its cases."""
    sums: dict[str, dict[str, object]] = defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text())
        name = told["test"].partition("[")[0].rpartition("::")[2]
        for figure, value in told["figures"].items():
            before = sums[name].get(figure)
            together = max if figure in _WORST else add
            both = isinstance(value, int) and isinstance(before, int)
            sums[name][figure] = together(before, value) if both else value
    return dict(sorted(sums.items()))


def table(figures: dict[str, dict[str, object]]) -> str:
    lines = []
    for name, told in figures.items():
        lines.append(name.removeprefix("test_").replace("_", " "))
        lines.append("    " + ", ".join(f"{figure.replace('_', ' ')} {value}" for figure, value in told.items()))
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    begun = time.monotonic()
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests/faults", *arguments],
            env=os.environ | {"FAULTS": "whole", FIGURES: folder},
            cwd=ROOT,
            check=False,
        )
        figures = gathered(Path(folder))
    seconds = round(time.monotonic() - begun, 1)
    passed = done.returncode == 0
    REPORT.write_text(
        json.dumps({"passed": passed, "seed": SEED, "seconds": seconds, "figures": figures}, indent=2) + "\n"
    )
    sys.stdout.write(
        f"{table(figures)}\n\nseed {SEED}, {seconds:g} s, {'passed' if passed else 'FAILED'}; see {REPORT.name}\n"
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
