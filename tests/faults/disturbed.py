"""The runs that `faulted` carries out, and a project for them, made once for each process of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.faults.projects import copy, faults_at_the_end, faults_midway, prepare
from tests.faults.system_calls import Call, Kind

_LONGEST_SECONDS = 300.0


@dataclass
class Runs:
    """A project, what becomes of it undisturbed, and the process that makes runs of its copies."""

    folder: Path
    calls: tuple[Call, ...] = ()
    """Those of the undisturbed run."""
    _made: int = 0
    _child: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        prepare(self.before)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.faulted"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=Path(__file__).parents[2],
        )
        copy(self.before, self.after)
        answer = Trial(self, self.after, self.folder / "after.log").run()
        assert answer["errors"] == [], answer
        self.calls = calls_of(answer)
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=_LONGEST_SECONDS)

    @property
    def before(self) -> Path:
        return self.folder / "before"

    @property
    def after(self) -> Path:
        return self.folder / "after"

    def trial(self) -> Trial:
        """A fresh copy of the project."""
        self._made += 1
        project = copy(self.before, self.folder / f"trial{self._made}")
        return Trial(self, project, self.folder / f"trial{self._made}.log")

    def ask(self, **order: object) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(order) + "\n")
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        assert "broken" not in answer, answer["broken"]
        return answer


@dataclass(frozen=True)
class Trial:
    runs: Runs
    project: Path
    log: Path

    def run(self, **disturbance: object) -> dict[str, Any]:
        """One run: `{"killed": true}`, or its `errors` and `calls`."""
        return self.runs.ask(project=str(self.project), log=str(self.log), **disturbance)

    def midway(self) -> list[str]:
        return faults_midway(self.project, self.runs.before, self.runs.after)

    def at_the_end(self) -> list[str]:
        return faults_at_the_end(self.project, self.runs.before, self.runs.after)

    def done_twice(self) -> list[str]:
        """The artifacts that were made more than once."""
        keys = self.log.read_text().split() if self.log.exists() else []
        return [key for key, count in Counter(keys).items() if count > 1]

    def forget(self) -> None:
        shutil.rmtree(self.project)


def unnamed(errors: list[dict[str, Any]]) -> list[str]:
    """The failures that have no code, no sentence, no place or no cure."""
    return [
        error["traceback"] for error in errors if not all(error[part] for part in ("code", "what", "where", "hint"))
    ]


def all_named_and_gone_on(
    runs: Runs, tell: Callable[..., None], cases: Iterable[tuple[object, Mapping[str, object]]]
) -> int:
    """Disturb a trial for each case, a name and how; then let it run in peace. Fails where an error has no name, a file
    is half-written, anything is lost or made twice. Tells the counts; returns how many of the runs had an error.
    """
    tried = failed = failures = 0
    without_name: list[tuple[object, object]] = []
    partial: list[tuple[object, object]] = []
    lost: list[tuple[object, object]] = []
    twice: list[tuple[object, object]] = []
    for case, disturbance in cases:
        trial = runs.trial()
        errors = trial.run(**disturbance)["errors"]
        tried += 1
        failed += bool(errors)
        failures += len(errors)
        without_name += [(case, said) for said in unnamed(errors)]
        partial += [(case, fault) for fault in trial.midway()]
        lost += [(case, fault) for fault in (*trial.run()["errors"], *trial.at_the_end())]
        twice += [(case, key) for key in trial.done_twice()]
        trial.forget()
    tell(
        calls=tried,
        failed=failed,
        failures=failures,
        unnamed=len(without_name),
        partial=len(partial),
        lost=len(lost),
        twice=len(twice),
    )
    assert (without_name, partial, lost, twice) == ([], [], [], [])
    return failed


def calls_of(answer: dict[str, Any]) -> tuple[Call, ...]:
    return tuple(Call(number, Kind(kind), path, source) for number, kind, path, source in answer["calls"])
