"""The kernel's answers to a process, written down or changed by strace(1), whoever asks: Python itself, a library."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_SECONDS = 0.001
_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)


@contextmanager
def injected(what: str) -> Iterator[None]:
    """While it lasts, this process' system calls are answered as strace's `--inject` says: `read:error=EIO:when=17`."""
    with _traced("-e", f"trace={what.partition(':')[0]}", "-e", f"inject={what}", "-o", os.devnull):
        yield


@contextmanager
def written_down(names: Iterable[str], to: Path) -> Iterator[None]:
    """While it lasts, this process' system calls of those names are written to a file; see `counts`."""
    with _traced("-e", f"trace={','.join(names)}", "-o", str(to)):
        yield


def counts(path: Path) -> Counter[str]:
    """How often each call stands in a file of `written_down`."""
    return Counter(_CALL.findall(path.read_text()))


@contextmanager
def _traced(*how: str) -> Iterator[None]:
    strace = subprocess.Popen(["strace", "-f", "-qqq", *how, "-p", str(os.getpid())])
    while not _is_traced():
        assert strace.poll() is None, "strace could not attach"
        time.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        strace.terminate()
        strace.wait()


def _is_traced() -> bool:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # this look is the call that fails
        return True
    return status.partition("TracerPid:")[2].split()[0] != "0"  # proc(5)


def why_not() -> str:
    """Why nothing can be done to the kernel's answers here; empty where it can."""
    if shutil.which("strace") is None:
        return "no strace here: it is in the package of that name"
    attached = subprocess.run(
        [sys.executable, "-c", "from tests.faults.kernel import injected\nwith injected('sync:error=EIO'): pass"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    return "" if attached.returncode == 0 else "strace may not attach to a process here (ptrace is not allowed)"
