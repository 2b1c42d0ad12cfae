"""How much of the fault suite runs: a part of it in every test run, the whole in `make faults`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

WHOLE = os.environ.get("FAULTS") == "whole"

FIGURES = "FAULTS_FIGURES"
"""The environment's name for the folder that takes each test's figures."""

SEED = 20261121


def some(everything: Sequence[T], part: int) -> Sequence[T]:
    """All of it in the whole suite; else `part` of it, spread evenly, the first and the last always among them."""
    if WHOLE or len(everything) <= part:
        return everything
    return [everything[round(place * (len(everything) - 1) / (part - 1))] for place in range(part)]
