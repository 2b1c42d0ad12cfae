"""How much of the fault suite runs, and where its figures go."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.disturbed import Runs
from tests.faults.extent import FIGURES, WHOLE

Tell = Callable[..., None]

# Those of minutes first: whatever is left to do at the end is short, and no core waits for another.
_LONG = ("test_service_killed", "test_strained", "test_mutated", "test_crash_points", "test_kernel_calls",
         "test_odd_answers")  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if WHOLE:
        items.sort(key=lambda item: _LONG.index(item.path.stem) if item.path.stem in _LONG else len(_LONG))


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Keep a test's counts and seeds for the report: `tell(points=412, lost=0)`."""
    folder = os.environ.get(FIGURES)

    def keep(**figures: object) -> None:
        if folder:
            told = {"test": request.node.nodeid, "figures": figures}
            (Path(folder) / f"{uuid4().hex}.json").write_text(json.dumps(told))

    return keep


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with Runs(tmp_path_factory.mktemp("runs")) as runs:
        yield runs
