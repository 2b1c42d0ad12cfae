"""The catalogue of faults: read, checked against the tests that there are, and written as a page of the reference.

`python -m tests.faults.catalogue` writes docs/reference/faults.md anew.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
CATALOGUE = Path(__file__).with_name("catalogue.toml")
PAGE = ROOT / "docs" / "reference" / "faults.md"

_HEAD = """\
# Faults

What is done to the pipeline on purpose, and how each of it must end. Three rules stand over all of them: nothing is
lost, nothing is silent, nothing is faked. `make faults` injects them and writes `report.json`; a part of it runs in
every `make test`.

This page is written from `tests/faults/catalogue.toml` by `python -m tests.faults.catalogue`.
"""


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    fault: str
    inject: str
    outcome: str
    """The exact state it must end in."""
    kept: str
    """What must not be lost by it; empty where there is nothing to lose."""
    tests: tuple[str, ...]
    """`path::test`, relative to the project."""


def rows() -> tuple[Row, ...]:
    raw = tomllib.loads(CATALOGUE.read_text("utf-8"))["fault"]
    return tuple(Row(**{**row, "tests": tuple(row["tests"])}) for row in raw)


@cache
def _tests_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def exists(test: str) -> bool:
    """Whether `path::test` is a test function."""
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and name in _tests_in(ROOT / path)


@cache
def not_yet(test: str) -> bool:
    """Whether a test is expected to fail for now: then what its row promises does not hold yet."""
    path, _, name = test.partition("::")
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == name
        and any("xfail" in ast.unparse(one) for one in node.decorator_list)
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
    )


def page() -> str:
    parts = [_HEAD]
    for kind, group in groupby(rows(), key=lambda row: row.kind):
        title = kind[0].upper() + kind[1:]
        parts.append(
            f"\n## {title}\n\n| fault | injected | ends in | must not be lost | test |\n|---|---|---|---|---|\n"
        )
        for row in group:
            tests = "<br>".join(f"[`{test.partition('::')[2]}`](../../{test.partition('::')[0]})" for test in row.tests)
            outcome = f"*not yet:* {row.outcome}" if any(map(not_yet, row.tests)) else row.outcome
            parts.append(f"| {row.fault} | {row.inject} | {outcome} | {row.kept} | {tests} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
