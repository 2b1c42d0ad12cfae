"""Runs with threads at work that are killed after a while: `python -m tests.faults.killable`.

Reads a line of JSON for each run and carries it out in a child of its own, so that Python and all that is imported
start only once:

    {"project": …, "log": …, "film": false, "seconds": 0.21}    SIGKILL after so long; null lets it come to its end

Seconds are those that it has computed, which say how far it is however busy the machine is. The answer is a line:
whether it was `killed`, its `seconds` and its `errors`. LOG gets the key of each artifact once it is in the store, in
one write that survives the process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.build.runner import Event, Kind
from pipeline.stages.video import Spec
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter
from tests.faults.answers import channel
from tests.faults.projects import HURRIED

FILM = Spec(width=192, height=108, motion=False)
_LOOK_SECONDS = 0.001


def carry_out(project: Path, log: Path, *, film: bool) -> list[str]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(event: Event) -> None:
        if event.kind is Kind.MADE and event.step is not None:
            os.write(descriptor, f"{event.step.key}\n".encode())

    studio = make_studio(project, voice=FakeVoice(), writer=FakeWriter([]), films=(FILM,) if film else (), rate=HURRIED)
    return [repr(outcome.error) for outcome in studio.run(studio.survey(), note) if outcome.error is not None]


def is_at(child: int, seconds: float) -> bool:
    """Whether a process has computed for so long, or has ended."""
    # proc(5): the name in brackets may hold anything; behind it come the state and, ten fields on, the ticks.
    state, *fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[10]) + int(fields[11])
    return state == "Z" or ticks >= seconds * os.sysconf("SC_CLK_TCK")


def answer_to(order: dict[str, Any]) -> dict[str, Any]:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            errors = carry_out(Path(order["project"]), Path(order["log"]), film=order["film"])
        except BaseException as error:  # noqa: BLE001  # told to whoever asked, who fails by it
            errors = [repr(error)]
        os.write(writable, json.dumps(errors).encode())
        os._exit(0)
    os.close(writable)
    if order["seconds"] is not None:
        while not is_at(child, order["seconds"]):
            time.sleep(_LOOK_SECONDS)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(readable) as told:
        errors_told = told.read()
    _, _, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    return {"killed": not errors_told, "seconds": seconds, "errors": json.loads(errors_told or "[]")}


def main() -> None:
    answers = channel()
    with TemporaryDirectory() as folder:
        project = Path(folder) / "warm"  # every child then finds modules and templates loaded
        (project / "input").mkdir(parents=True)
        (project / "input" / "log.md").write_text("---\ntitle: Log\nmode: read\n---\n\nThe wind rose.\n")
        assert carry_out(project, Path(folder) / "log", film=True) == []
    for line in sys.stdin:
        os.write(answers, json.dumps(answer_to(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
