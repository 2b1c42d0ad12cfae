"""kill -9 at any moment: the next run ends with the same bytes, and nothing finished was made again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from pipeline.stages.publish import MANIFEST, verify

SEED = 20261121
KILLS = 50
ROUNDS = 10  # spread over the test processes
WITH_FILMS = 2

TEXTS = {
    f"log-{number}.md": f"---\ntitle: Log {number}\nmode: read\n---\n\n"
    + "\n\n".join(
        f"Page {number}.{page} tells of the weather. The wind turned at {page} in the night. Nobody slept on board."
        for page in range(1, 5)
    )
    for number in range(4)
}


def start(project: Path, log: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killable", str(project), str(log), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def run_to_the_end(project: Path, log: Path, *more: str) -> float:
    """Seconds from the moment the run was ready to work."""
    child = start(project, log, *more)
    assert child.stdout is not None
    child.stdout.readline()
    begun = monotonic()
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    return monotonic() - begun


def published(project: Path) -> dict[str, bytes]:
    """All that a person sees, but for the manifests: those say when each thing was made."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted((project / "output").rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def fill(project: Path) -> Path:
    (project / "input").mkdir(parents=True)
    for name, text in TEXTS.items():
        (project / "input" / name).write_text(text)
    return project


@pytest.mark.parametrize("chunk", range(ROUNDS))
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, chunk: int) -> None:
    rng = random.Random(f"{SEED}/{chunk}")
    # Films take as long as all the rest, so not every run makes them.
    more = ("film",) if chunk < WITH_FILMS else ()
    reference = fill(tmp_path / "reference")
    whole = run_to_the_end(reference, tmp_path / "reference.log", *more)
    expected = published(reference)
    assert len(expected) == (10 if more else 9) * len(TEXTS)

    for number in range(KILLS // ROUNDS):
        project, log = fill(tmp_path / f"project{number}"), tmp_path / f"log{number}"
        child = start(project, log, *more)
        assert child.stdout is not None
        child.stdout.readline()
        moment = rng.uniform(0, whole)
        try:
            child.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            child.kill()
        child.communicate()

        run_to_the_end(project, log, *more)

        told = f"chunk {chunk}, kill {number} after {moment:.3f} s"
        assert published(project) == expected, told
        for folder in (project / "output").iterdir():
            assert verify(folder) == (), told
        twice = [key for key, count in Counter(log.read_text().split()).items() if count > 1]
        assert twice == [], told
        assert {path.name for path in (project / "input").iterdir()} == set(TEXTS), told
