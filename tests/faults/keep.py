"""Keep the figures of the last `make faults` with the project, and write them into the README.

`python -m tests.faults.keep`, after a run that passed: report.json becomes docs/reference/faults-report.json, and the
README's table is written from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.faults.__main__ import REPORT
from tests.faults.figures import markdown, table

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "reference" / "faults-report.json"
README = ROOT / "README.md"

_BEGINS = "<!-- The last `make faults`, written by `python -m tests.faults.keep`. -->\n"
_ENDS = "<!-- So far. -->\n"
_NEXT_PART = "## How it works\n"


def block(report: dict[str, Any]) -> str:
    """What the README says of a report. The rows are read off its counts anew, not believed."""
    rows = table(report["figures"])
    took = f"{report['seconds']:,} s on {report['cores']} cores, {report['cpu_seconds']:,} s of computing"
    told = f"\nSeed {report['seed']}; {took}.\n"
    return f"{_BEGINS}\n{markdown(rows)}{told}\n{_ENDS}"


def told_in(text: str) -> str:
    """What a README says of the faults; nothing where it says nothing yet."""
    if _BEGINS not in text:
        return ""
    return text[text.index(_BEGINS) : text.index(_ENDS) + len(_ENDS)]


def with_block(text: str, block: str) -> str:
    """A README that says it: in the place of what it said before, or at the end of the part about tests."""
    before = told_in(text)
    if before:
        return text.replace(before, block)
    here, heading, rest = text.partition(_NEXT_PART)
    return f"{here}{block}\n{heading}{rest}"


def main() -> int:
    report = json.loads(REPORT.read_text("utf-8"))
    if not report["passed"]:
        sys.stderr.write(f"{REPORT.name} tells of a run that failed: nothing is kept.\n")
        return 1
    README.write_text(with_block(README.read_text("utf-8"), block(report)), "utf-8")
    KEPT.write_bytes(REPORT.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
