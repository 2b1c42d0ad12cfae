"""Standard output, and what happens when whoever read it has seen enough (`pipeline status | head`).

Nothing: the rest is said to nobody. A run goes on, because its episodes are what was asked for.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console

from pipeline.files import disk_error
from pipeline.report.called import as_typed


class Output(Console):
    """Text for people: lines as long as they are, no colouring of what happens to look like a number."""

    def __init__(self) -> None:
        super().__init__(soft_wrap=True, highlight=False)

    def say(self, text: str, *, style: str | None = None) -> None:
        """A line for a person; the commands in it are written as they can be typed here."""
        self.print(as_typed(text), style=style, markup=False)

    def on_broken_pipe(self) -> None:
        """Rich would end the process here, in the middle of whatever it does."""
        self.quiet = True
        hush()


def write_json(value: object, *, indent: int | None = 2) -> None:
    """One JSON value and a line break."""
    write(json.dumps(value, indent=indent, ensure_ascii=False))


def write(line: str) -> None:
    """A line to the letter: for `grep` and `cut`, tabs stay tabs and nothing is folded."""
    if sys.stdout is None:  # closed before we began
        return
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        hush()
    except OSError as error:
        hush()
        raise disk_error(error, Path("standard output")) from error


def hush(stream: TextIO | None = None) -> None:
    """From here on the stream, standard output where none is named, goes nowhere, also what Python still holds back and
    writes at its end.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, (stream or sys.stdout).fileno())
    os.close(nowhere)
