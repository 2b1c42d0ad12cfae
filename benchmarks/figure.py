"""What a benchmark measures, and whether it is what was aimed at."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    aim: str
    """The aim in words, for the table."""
    reached: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    status: int
    output: str


def cost_of(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and account for it: wall clock, CPU of it and its children, peak memory."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, peak, child.returncode, output)


def cpu_seconds() -> float:
    """CPU time of this process so far, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def command(name: str) -> str:
    """A console script of the environment that the benchmarks run in."""
    return str(Path(sys.executable).parent / name)
