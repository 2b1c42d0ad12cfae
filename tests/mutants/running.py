"""How a mutant is tried: its tests run on a copy of the project that has the one mistake in it.

The libraries are loaded once and each try is a fork of that, which has the package itself yet to import: most of a
small test run's time goes into loading libraries.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]

_LIBRARIES = ("pytest", "hypothesis", "requests", "httpx", "tenacity", "structlog", "pydantic", "jinja2", "numpy")
_OPTIONS = (
    *("-x", "-q", "--tb=line"),
    # The one plugin that the tests need; finding and loading all that are installed takes longer than most tests.
    *("-p", "_hypothesis_pytestplugin", "--hypothesis-seed=1"),
    # It is loaded already, so its own asserts are not rewritten; they are none of ours.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
_LOOK_SECONDS = 0.02

PASSED, FAILED, INTERRUPTED = 0, 1, 2
"""Of pytest's exit codes; the last is an error in importing a test."""
ENDLESS = -1
"""The tests did not end in time."""


class Copy:
    """The checkout as it is now, in a folder of its own: nobody else changes it while it is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
        for name in filter(None, listed.split("\0")):
            with suppress(FileNotFoundError):  # deleted, and not committed yet
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)

    def __enter__(self) -> Self:
        for name in _LIBRARIES:
            importlib.import_module(name)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def text_of(self, module: str) -> str:
        return self._path_of(module).read_text("utf-8")

    def with_text(self, module: str, text: str) -> None:
        path = self._path_of(module)
        path.write_text(text, "utf-8")
        # A compiled module is known by its source's second and length, which two mutants may share.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)

    def _path_of(self, module: str) -> Path:
        return self.folder / "src" / "pipeline" / module

    def run(self, tests: Sequence[str], *, timeout_seconds: float) -> int:
        """Run files of tests, one after the other, until a test fails: pytest's exit code, or ENDLESS. What they print
        goes to `output`. Each file may take so long.
        """
        for file in tests:
            if ended := self._run_one(file, timeout_seconds):
                return ended
        return PASSED

    def _run_one(self, file: str, timeout_seconds: float) -> int:
        child = os.fork()
        if child == 0:
            self._become_pytest(file)
        end = time.monotonic() + timeout_seconds
        try:
            while True:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status)
                if time.monotonic() > end:
                    break
                time.sleep(_LOOK_SECONDS)
        finally:
            # What the tests started and left goes with them; it is all in one process group.
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return ENDLESS

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    def _become_pytest(self, file: str) -> None:
        code = FAILED
        try:
            os.setsid()
            os.chdir(self.folder)
            out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            for stream in (1, 2):
                os.dup2(out, stream)
            source = str(self.folder / "src")
            os.environ |= {"PYTHONPATH": source, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            sys.path[:] = [source, str(self.folder), *(one for one in sys.path if one not in ("", str(ROOT)))]
            for name in [one for one in sys.modules if one.split(".")[0] in {"tests", "pipeline"}]:
                del sys.modules[name]
            import pytest

            code = int(pytest.main([*_OPTIONS, file]))
        except BaseException:  # noqa: BLE001  # pytest raises what was raised in a thread that outlived its test
            traceback.print_exc()
            code = FAILED
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
