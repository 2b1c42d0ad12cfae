"""`make faults`: the whole fault suite, its figures in report.json and in a table.

Every figure is what the tests counted themselves; the report adds them up, holds them against what is to be reached,
names the seed, and says how long it took.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.extent import FIGURES, SEED
from tests.faults.figures import Figures, gathered, shown, table

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "report.json"


def counted(figures: Figures) -> str:
    lines = []
    for name, told in figures.items():
        lines.append(name.removeprefix("test_").replace("_", " "))
        lines.append("    " + ", ".join(f"{figure.replace('_', ' ')} {value}" for figure, value in told.items()))
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    begun = time.monotonic()
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "load", "--maxschedchunk", "1",
             "tests/faults", *arguments],
            env=os.environ | {"FAULTS": "whole", FIGURES: folder},
            cwd=ROOT,
            check=False,
        )  # fmt: skip
        figures = gathered(Path(folder))
    seconds = round(time.monotonic() - begun)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    computed = round(used.ru_utime + used.ru_stime)
    rows = table(figures)
    passed = done.returncode == 0 and all(row.is_reached for row in rows)
    report = {
        "passed": passed,
        "seed": SEED,
        "seconds": seconds,
        "cpu_seconds": computed,
        "cores": len(os.sched_getaffinity(0)),
        "table": [asdict(row) for row in rows],
        "figures": figures,
    }
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(
        f"\n{counted(figures)}\n\n{shown(rows)}\n"
        f"seed {SEED}, {seconds} s ({computed} s of computing), {'passed' if passed else 'FAILED'}; "
        f"every count is in {REPORT.name}\n"
    )
    return 0 if passed else done.returncode or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
