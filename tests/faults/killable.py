"""A run in a process of its own, to be killed: `python -m tests.faults.killable PROJECT LOG [film]`.

Writes the key of each artifact to LOG once it is in the store, in one write that survives the process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.build.runner import Event, Kind
from pipeline.stages.video import Spec
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

FILM = Spec(width=192, height=108, motion=False)


def main(project: Path, log: Path, films: tuple[Spec, ...]) -> int:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(event: Event) -> None:
        if event.kind is Kind.MADE and event.step is not None:
            os.write(descriptor, f"{event.step.key}\n".encode())

    studio = make_studio(project, voice=FakeVoice(), writer=FakeWriter([]), films=films)
    os.write(1, b"ready\n")
    errors = [outcome.error for outcome in studio.run(studio.survey(), note)]
    for error in errors:
        if error is not None:
            os.write(2, f"{error!r}\n".encode())
    return int(any(errors))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), (FILM,) if sys.argv[3:] == ["film"] else ()))
