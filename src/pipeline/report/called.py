"""What a person can type: a message that names one of our commands names the program as it was called.

After `make`, the program is `.venv/bin/pipeline`, which no shell finds under the name `pipeline` alone.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

NAME = "pipeline"

# As the messages write commands: in backticks, or behind a colon ("Fetch one with: pipeline voices get …").
_COMMAND = re.compile(rf"(?P<before>`|: ){NAME} (?=[a-z])")


def as_typed(text: str) -> str:
    """The text with its commands as they can be typed here."""
    return with_program(text, _program())


def with_program(text: str, program: str) -> str:
    return _COMMAND.sub(lambda command: f"{command['before']}{program} ", text)


def program_called(called: str, *, folder: Path, python: str, find: Callable[[str], str | None]) -> str:
    """How to call the program again from `folder`: by its bare name where the shell finds it, else by its path.

    `called` is `sys.argv[0]`, `python` the interpreter, `find` tells where the shell finds a name.
    """
    path = Path(called)
    if path.parts[-2:] == (NAME, "__main__.py"):
        return f"{_shortest(Path(python), folder)} -m {NAME}"
    if path.name != NAME:  # called by another program, which knows best
        return NAME
    found = find(NAME)
    if found is not None and Path(found).absolute() == path.absolute():
        return NAME
    return _shortest(path, folder)


def _shortest(path: Path, folder: Path) -> str:
    # As the shell writes it; links stay, because a virtual environment's interpreter is one.
    whole = str(folder / path)
    near = os.path.relpath(whole, folder)
    return shlex.quote(near if len(near) < len(whole) and os.sep in near else whole)


@cache
def _program() -> str:
    try:
        folder = Path.cwd()
    except OSError:  # it was removed: only whole paths lead anywhere
        folder = Path("/")
    return program_called(sys.argv[0], folder=folder, python=sys.executable, find=shutil.which)
