"""The order of system calls that makes "the file exists" mean "the file is whole", also after a power cut.

kill -9 does not test fsync: the kernel keeps what a dead process wrote. So the calls of a run are looked at one by one:
every file is written and synced before it gets its name, the name is synced before anything relies on it, and an
episode's manifest gets its name after every other file of the episode.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePath

import pytest

from tests.faults.conftest import Tell
from tests.faults.disturbed import Runs
from tests.faults.system_calls import Call, Kind

FLEETING = "data/underway"
"""What runs just now: after a power cut nothing does."""


def faults_in(calls: Iterable[Call]) -> list[str]:
    """What is wrong with the order of a run's calls."""
    faults = []
    dirty: set[str] = set()
    unsynced_names: dict[str, list[str]] = defaultdict(list)
    complete: set[str] = set()
    for call in calls:
        folder = str(PurePath(call.path).parent)
        if call.kind in (Kind.OPEN, Kind.WRITE):
            dirty.add(call.path)
        elif call.kind is Kind.FSYNC:
            dirty.discard(call.path)
            unsynced_names.pop(call.path, None)
        elif call.kind is Kind.RENAME:
            if call.source in dirty and folder != FLEETING:
                faults.append(f"{call.path} got its name before its bytes were synced")
            if call.path.endswith("/manifest.json"):
                faults += [f"{call.path} was named before {name} was synced" for name in unsynced_names[folder]]
                complete.add(folder)
            elif folder in complete:
                faults.append(f"{call.path} got its name after the manifest")
            if folder != FLEETING:
                unsynced_names[folder].append(call.path)
        elif call.kind is Kind.REMOVE and call.path.startswith("output/") and folder in complete:
            faults.append(f"{call.path} was removed after the manifest that told of it was gone")
    return faults + [f"the name {name} was never synced" for names in unsynced_names.values() for name in names]


def test_every_file_is_synced_before_it_has_its_name_and_the_manifest_is_the_last(runs: Runs, tell: Tell) -> None:
    renamed = [call for call in runs.calls if call.kind is Kind.RENAME]
    published = [call for call in renamed if call.path.startswith("output/")]
    tell(renames=len(renamed), published=len(published))
    assert len([call for call in published if call.path.endswith("/manifest.json")]) == 3
    assert faults_in(runs.calls) == []


def test_an_artifact_is_never_written_under_its_final_name(runs: Runs) -> None:
    written = {call.path for call in runs.calls if call.kind in (Kind.OPEN, Kind.WRITE)}
    named = {call.path for call in runs.calls if call.kind is Kind.RENAME}
    assert written & named == set()


def is_folder(call: Call) -> bool:
    return "/.part-" not in call.path


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (lambda call: call.kind is Kind.FSYNC and not is_folder(call), "before its bytes were synced"),
        (lambda call: call.kind is Kind.FSYNC and is_folder(call), "was never synced"),
        (lambda call: call.kind is Kind.FSYNC and call.path == "output/new", "manifest.json was named before"),
    ],
)
def test_the_check_itself_sees_a_sync_that_is_missing(runs: Runs, missing: Callable[[Call], bool], said: str) -> None:
    assert any(said in fault for fault in faults_in(call for call in runs.calls if not missing(call)))


def test_the_check_itself_sees_a_manifest_that_comes_too_early(runs: Runs) -> None:
    place = next(number for number, call in enumerate(runs.calls) if call.path == "output/new/manifest.json")
    early = [*runs.calls[: place - 30], runs.calls[place], *runs.calls[place - 30 :]]
    assert any("after the manifest" in fault for fault in faults_in(early))
