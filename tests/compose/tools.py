"""Prometheus's own programs, where there are some: promtool, amtool, prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def program(name: str) -> str:
    """Its path: from $PROMTOOL, $AMTOOL or $PROMETHEUS, else from PATH; without one the test is left out, with what
    brings it.
    """
    found = shutil.which(os.environ.get(name.upper()) or name)
    if found is None:
        package = "prometheus-alertmanager" if name == "amtool" else "prometheus"
        pytest.skip(f"there is no {name} here; apt-get install {package}, or ${name.upper()}")
    return found


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of them, to its end."""
    return subprocess.run(
        [program(name), *arguments], capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
