"""The patience of a run that has no settings of its own."""

from __future__ import annotations

from pipeline.net.retry import Policy
from pipeline.settings import Settings
from pipeline.wiring import retry_policy


def test_the_patience_of_the_settings_is_the_one_that_calls_are_made_with() -> None:
    assert retry_policy(Settings()) == Policy()
