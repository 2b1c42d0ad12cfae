"""kill -9 at any moment: the next run ends with the same bytes, and nothing finished was made again."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.files import PART_PREFIX
from pipeline.stages.publish import MANIFEST, verify
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE

KILLS = 200 if WHOLE else 12
ROUNDS = 20 if WHOLE else 2
WITH_FILMS = ROUNDS // 10 or 1
"""Of the rounds: films take as long as all the rest, so not every run makes them."""

TEXTS = {
    f"log-{number}.md": f"---\ntitle: Log {number}\nmode: read\n---\n\n"
    + "\n\n".join(f"Page {page} of {number}. Nobody slept." for page in range(1, 4))
    for number in range(3)
}

Run = Callable[[Path, Path, bool, float | None], dict[str, Any]]
"""Runs a project, with its log, with films or without, to be killed after some seconds."""


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killable"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=Path(__file__).parents[2],
    )

    def ask(project: Path, log: Path, film: bool, seconds: float | None) -> dict[str, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        order = {"project": str(project), "log": str(log), "film": film, "seconds": seconds}
        child.stdin.write(json.dumps(order) + "\n")
        answer: dict[str, Any] = json.loads(child.stdout.readline())
        return answer

    yield ask
    child.communicate(timeout=60)


def published(project: Path) -> dict[str, bytes]:
    """All that a person sees, but for the manifests: those say when each thing was made."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted((project / "output").rglob("*"))
        if path.is_file() and path.name != MANIFEST and not path.name.startswith(PART_PREFIX)
    }


def fill(project: Path) -> Path:
    (project / "input").mkdir(parents=True)
    for name, text in TEXTS.items():
        (project / "input" / name).write_text(text)
    return project


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, run: Run, tell: Tell, round_: int) -> None:
    rng = random.Random(f"{SEED}/{round_}")
    film = round_ < WITH_FILMS
    reference = fill(tmp_path / "reference")
    whole = run(reference, tmp_path / "reference.log", film, None)
    assert whole["errors"] == []
    expected = published(reference)
    assert len(expected) == (10 if film else 9) * len(TEXTS)

    killed = 0
    lost: list[str] = []
    partial: list[str] = []
    twice: list[str] = []
    for number in range(KILLS // ROUNDS):
        moment = rng.uniform(0, whole["seconds"])
        for sooner in range(8):
            project, log = fill(tmp_path / f"project{number}-{sooner}"), tmp_path / f"log{number}-{sooner}"
            if run(project, log, film, moment)["killed"]:
                killed += 1
                break
            moment *= 0.8  # it had come to its end before
            shutil.rmtree(project)
        told = f"kill {number} after {moment:.3f} s"
        partial += [f"{told}: {name}" for name, data in published(project).items() if expected.get(name) != data]

        lost += [f"{told}: {error}" for error in run(project, log, film, None)["errors"]]
        found = published(project)
        lost += [f"{told}: {name}" for name in expected if found.get(name) != expected[name]]
        lost += [f"{told}: {name}" for name, text in TEXTS.items() if (project / "input" / name).read_text() != text]
        partial += [f"{told}: {fault}" for name in TEXTS for fault in verify(project / "output" / name[:-3])]
        counts = Counter(log.read_text().split())
        twice += [f"{told}: {key}" for key, count in counts.items() if count > 1]
        shutil.rmtree(project)
    tell(seed=SEED, kills=killed, lost=len(lost), twice=len(twice), partial=len(partial))
    assert (lost, twice, partial) == ([], [], [])
    assert killed == KILLS // ROUNDS
