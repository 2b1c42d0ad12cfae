"""What holds for all tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog
from hypothesis import settings

from pipeline import telemetry
from tests.log_lines import wrong_with

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Beside a test that waits, for a process, a socket or a browser, there is time for another one on the same core.
_TESTS_A_CORE = 2


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means here."""
    return _TESTS_A_CORE * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def nowhere() -> Iterator[Any]:
    with open(os.devnull, "w") as stream:  # noqa: PTH123  # a device, and no path of a test's
        yield stream


def _without_logging() -> None:
    """Undo what a command that was run in this process has set up for all of it."""
    logging.captureWarnings(capture=False)
    ours = structlog.stdlib.ProcessorFormatter
    logging.root.handlers[:] = [one for one in logging.root.handlers if not isinstance(one.formatter, ours)]
    logging.root.setLevel(logging.WARNING)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _logging_begins_anew() -> Iterator[None]:
    """For each test: what another one left behind, or a fixture that several share, would silence it."""
    _without_logging()
    yield
    _without_logging()


@pytest.fixture(autouse=True)
def _every_line_of_the_log_is_as_the_schema_says(nowhere: Any, _logging_begins_anew: None) -> Iterator[None]:
    """Of whatever a test has this process log; a test that sets the log up itself is watched all the same."""
    if not structlog.is_configured():
        telemetry.configure(form="json", level="debug", stream=nowhere, others=False)
    wrong: list[str] = []

    def watch(line: Mapping[str, Any]) -> None:
        wrong.extend(wrong_with(line))

    with telemetry.watching(watch):
        yield
    assert not wrong, wrong
