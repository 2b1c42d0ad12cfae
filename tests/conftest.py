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


@pytest.fixture(scope="session")
def nowhere() -> Iterator[Any]:
    with open(os.devnull, "w") as stream:  # noqa: PTH123  # a device, and no path of a test's
        yield stream


@pytest.fixture(autouse=True)
def _logging_is_left_as_it_was() -> Iterator[None]:
    """Whatever a test sets up: a command run in this process sets up logging for all of it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    if before is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**before)


@pytest.fixture(autouse=True)
def _every_line_of_the_log_is_as_the_schema_says(nowhere: Any, _logging_is_left_as_it_was: None) -> Iterator[None]:
    """Of whatever a test has this process log; a test that sets the log up itself is watched all the same."""
    if not structlog.is_configured():
        telemetry.configure(form="json", level="debug", stream=nowhere, others=False)
    wrong: list[str] = []

    def watch(line: Mapping[str, Any]) -> None:
        wrong.extend(wrong_with(line))

    with telemetry.watching(watch):
        yield
    assert not wrong, wrong
