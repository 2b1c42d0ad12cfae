"""Backups and restores that are killed at a chosen moment: `python -m tests.faults.killable_backup DO PROJECT FILE`.

Reads numbers from standard input, a line each, and for each does it once in a child, which is killed (SIGKILL) right
before the operation of that number on the file system, or the tick of that number: both are counted. A negative number
never comes; the answer is then how many there are.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.fakes.backed_up import back_up, bring_back, places_of
from tests.faults.answers import channel

# What Python tells its audit hooks of (https://docs.python.org/3/library/audit_events.html) that touches files.
TOUCHING = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.utime", "os.truncate", "os.listdir"}
    | {"os.scandir", "fcntl.flock", "shutil.rmtree"}
)


class Countdown:
    """Counts moments, and kills this process at the one chosen."""

    def __init__(self, moment: int) -> None:
        self.passed = 0
        self._moment = moment

    def pass_one(self) -> None:
        if self.passed == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1

    def listen(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in TOUCHING:
            self.pass_one()

    def progress(self, title: str, total: int) -> Callable[[int], None]:
        def tick(count: int) -> None:
            self.pass_one()

        return tick


def act(what: str, project: Path, file: Path, countdown: Countdown) -> None:
    sys.addaudithook(countdown.listen)
    if what == "backup":
        back_up(places_of(project), file, verify=True, progress=countdown.progress)
    else:
        bring_back(file, places_of(project), replace=True, progress=countdown.progress)


def main(what: str, project: Path, file: Path) -> None:
    answers = channel()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            countdown = Countdown(int(line))
            act(what, project, file, countdown)
            os.write(answers, f"finished {countdown.passed}\n".encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.write(answers, b"killed\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
