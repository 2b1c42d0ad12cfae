"""SIGKILL at every write, fsync, rename, removal and new name of a run, and once more while the next run recovers."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pipeline.files import PART_PREFIX
from tests.faults.conftest import Tell
from tests.faults.disturbed import Runs
from tests.faults.extent import SEED, WHOLE, some
from tests.faults.projects import WITHDRAWN
from tests.faults.system_calls import Kind

CHUNKS = 16 if WHOLE else 1
LEAST_POINTS = 40
PART = 6

Point = tuple[int, bool]
"""A call's number, and whether it is a write that is torn in the middle."""


def points_of(runs: Runs) -> list[Point]:
    whole = [(call.number, False) for call in runs.calls]
    torn = [(call.number, True) for call in runs.calls if call.kind is Kind.WRITE]
    return sorted(whole + torn)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_at_any_call_twice_and_again_while_recovering_ends_as_if_undisturbed(
    runs: Runs, tell: Tell, chunk: int
) -> None:
    points = points_of(runs)
    assert len(points) >= LEAST_POINTS
    calls = {call.number: call for call in runs.calls}
    chosen = some(points, PART)[chunk::CHUNKS]
    killed = killed_twice = killed_again = 0
    partial: list[tuple[object, ...]] = []
    lost: list[tuple[object, ...]] = []
    twice: list[tuple[object, ...]] = []
    for number, torn in chosen:
        trial = runs.trial()
        killed += "killed" in trial.run(kill_at=number, torn=torn)
        partial += [(number, torn, fault) for fault in trial.midway()]

        # The next run comes to the same call; where it does not, because what the call is part of is done, it ends as
        # if undisturbed, and the call has its second time in a project of its own.
        second = trial.run(kill_at=calls[number].place, torn=torn)
        if "killed" not in second:
            lost += [(number, torn, fault) for fault in (*second["errors"], *trial.at_the_end())]
            trial.forget()
            trial = runs.trial()
            second = trial.run(kill_at=number, torn=torn)
        killed_twice += "killed" in second
        partial += [(number, torn, "twice", fault) for fault in trial.midway()]

        # What is left to do takes as many calls as the killed runs did not come to, and a few to look around.
        again = random.Random(f"{SEED}/{number}/{torn}").randrange(max(6, len(runs.calls) - number))
        killed_again += "killed" in trial.run(kill_at=again)
        partial += [(number, torn, again, fault) for fault in trial.midway()]

        answer = trial.run()
        lost += [(number, torn, again, fault) for fault in (*answer["errors"], *trial.at_the_end())]
        twice += [(number, torn, again, key) for key in trial.done_twice()]
        trial.forget()
    tell(
        seed=SEED,
        points=killed,
        all_points=len(points),
        killed_twice=killed_twice,
        killed_again=killed_again,
        partial=len(partial),
        lost=len(lost),
        twice=len(twice),
    )
    assert killed == killed_twice == len(chosen)
    assert killed_again > killed / 2
    assert (partial, lost, twice) == ([], [], [])


def test_a_file_of_the_old_edition_is_withdrawn_also_after_a_kill_between_manifest_and_removal(runs: Runs) -> None:
    trial = runs.trial()
    removal = next(call.number for call in runs.calls if call.path == f"output/{WITHDRAWN}")
    trial.run(kill_at=removal)
    assert (trial.project / "output" / WITHDRAWN).exists()
    trial.run()
    assert not (trial.project / "output" / WITHDRAWN).exists()


def parts_below(project: Path) -> list[str]:
    return sorted(str(path.parent.relative_to(project)) for path in project.rglob(f"{PART_PREFIX}*"))


def test_what_killed_runs_left_unfinished_is_gone_after_a_later_one(runs: Runs, tell: Tell) -> None:
    # One unfinished file in each folder that ever holds one.
    folders = {str(Path(call.path).parent): call.number for call in runs.calls if call.kind is Kind.FSYNC}
    left: dict[str, list[str]] = {}
    tried = 0
    for folder, number in folders.items():
        if folder == "." or (folder.startswith("data/store/") and tried > 3):
            continue  # every folder of the store is like the others
        trial = runs.trial()
        trial.run(kill_at=number)
        for path in trial.project.rglob(f"{PART_PREFIX}*"):
            tried += 1
            os.utime(path, (0, 0))  # long ago: what is young may be another run's
        trial.run()
        if parts_below(trial.project):
            left[folder] = parts_below(trial.project)
        trial.forget()
    tell(unfinished_files=tried, left=len(left))
    assert tried >= 3
    assert left == {}
