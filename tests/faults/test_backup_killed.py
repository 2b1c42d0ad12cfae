"""kill -9 in the middle of a backup or a restore, and a run that publishes while a backup is made."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from pipeline.backup import Places, finish_interrupted, open_backup
from pipeline.backup.making import LOCK
from pipeline.files import PART_PREFIX
from pipeline.stages.publish import verify
from tests.fakes.backed_up import (
    back_up,
    bring_back,
    fill,
    places_of,
    put,
    seen,
    uncounted,
    unmetered,
)
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter
from tests.faults.conftest import Tell
from tests.faults.extent import SEED

BACKUP_KILLS = 50
RESTORE_KILLS = 40

Do = Callable[[int], str]


@contextmanager
def killable(what: str, project: Path, file: Path) -> Iterator[Do]:
    """Does it once for each moment asked for; the answer is `killed`, or `finished` and how many moments there were."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killable_backup", what, str(project), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdin is not None
    assert child.stdout is not None

    def do(moment: int) -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{moment}\n")
        return child.stdout.readline().strip()

    try:
        yield do
    finally:
        child.stdin.close()
        child.stdout.close()
        assert child.wait(timeout=60) == 0


def moments(do: Do, count: int) -> list[int]:
    """Moments spread over the whole of it, the last ones always among them."""
    said, number = do(-1).split()
    assert said == "finished"
    total = int(number)
    assert total > count
    return sorted({*random.Random(SEED).sample(range(total), count - 5), *range(total - 5, total)})


def test_fifty_kills_leave_no_half_backup_under_a_final_name(tmp_path: Path, tell: Tell) -> None:
    places, into = fill(tmp_path / "project"), tmp_path / "backups"
    before = seen(places)
    killed = 0
    with killable("backup", places.project, into) as do:
        for moment in moments(do, BACKUP_KILLS):
            killed += do(moment) == "killed"
            for file in into.glob("*.tar"):
                with open_backup(file) as backup:
                    backup.verify(uncounted)
    assert killed >= BACKUP_KILLS - 5
    assert seen(places) == before

    made = back_up(places, into)
    assert not list(into.glob(f"{PART_PREFIX}*"))
    assert {path.suffix for path in into.iterdir() if path.name != LOCK} == {".tar"}
    assert bring_back(made.path, places_of(tmp_path / "other")).files == len(before)
    assert seen(places_of(tmp_path / "other")) == before
    tell(seed=SEED, kills=killed, lost=0, partial=0)


def all_bytes(project: Path) -> set[bytes]:
    return {path.read_bytes() for path in project.rglob("*") if path.is_file()}


def changed(places: Places) -> None:
    """Another state than the one in the backup: files newer, gone and added."""
    put(places.input / "moon.md", b"newer")
    put(places.input / "later.md", b"later")
    (places.input / "two words.txt").unlink()
    put(places.output / "moon" / "script.md", b"my latest edit")
    put(places.data / "edits" / "moon.md", b"my latest edit")


@pytest.mark.parametrize("again", ["the same command", "without a file"])
def test_a_killed_restore_leaves_old_or_new_and_is_finished(tmp_path: Path, tell: Tell, again: str) -> None:
    original = fill(tmp_path / "original")
    new = seen(original)
    file = back_up(original, tmp_path / "backups").path
    project, template = places_of(tmp_path / "project"), tmp_path / "template"
    shutil.copytree(original.project, template)
    changed(places_of(template))
    old = seen(places_of(template))
    old_bytes = all_bytes(template / "input") | all_bytes(template / "output")

    def begin_anew() -> None:
        shutil.rmtree(project.project, ignore_errors=True)
        shutil.copytree(template, project.project)

    outcomes = set()
    killed = 0
    with killable("restore", project.project, file) as do:
        begin_anew()
        for moment in moments(do, RESTORE_KILLS):
            begin_anew()
            killed += do(moment) == "killed"

            assert old_bytes <= all_bytes(project.project), f"something old is lost, moment {moment}"
            if again == "the same command":
                bring_back(file, project, replace=True)
                state = new
            else:
                # Before its journal a restore has changed nothing; after it, it is finished.
                before = seen(project)
                finished = finish_interrupted(project)
                state = new if finished is not None or before == new else old
                outcomes.add("old" if state is old else "new")
            assert seen(project) == state, f"moment {moment}"
            if again == "the same command":
                staged = [path for path in project.project.rglob(".restore-*") if path.is_dir()]
                assert staged == [], f"moment {moment}"
            assert old_bytes <= all_bytes(project.project), f"something old is lost, moment {moment}"
    tell(seed=SEED, kills=killed, lost=0, partial=0)
    if again == "without a file":
        assert outcomes == {"old", "new"}


def test_a_restore_is_killed_again_and_again_and_still_comes_to_its_end(tmp_path: Path) -> None:
    original = fill(tmp_path / "original")
    new = seen(original)
    file = back_up(original, tmp_path / "backups").path
    project = places_of(tmp_path / "project")
    shutil.copytree(original.project, project.project)
    changed(project)
    old_bytes = all_bytes(project.project / "input") | all_bytes(project.project / "output")
    rng = random.Random(SEED)
    with killable("restore", project.project, file) as do:
        for _ in range(20):
            do(rng.randrange(150))
    bring_back(file, project, replace=True)
    assert seen(project) == new
    assert old_bytes <= all_bytes(project.project)


def test_what_was_made_between_a_killed_restore_and_its_end_is_kept_too(tmp_path: Path) -> None:
    original = fill(tmp_path / "original")
    file = back_up(original, tmp_path / "backups").path
    project = places_of(tmp_path / "project")
    half_placed = False
    with killable("restore", project.project, file) as do:
        total = int(do(-1).split()[1])
        # From the end backwards: the first moment at which some of the topics are in place and others still wait.
        for moment in range(total - 1, 0, -1):
            shutil.rmtree(project.project)
            project.project.mkdir()
            do(moment)
            waiting = list(project.input.glob(".restore-*/two words.txt"))
            if waiting and (project.input / "moon.md").exists():
                half_placed = True
                break
    assert half_placed
    put(project.input / "two words.txt", b"made in the meantime")
    done = finish_interrupted(project)
    assert done is not None
    assert done.finished_earlier
    assert seen(project) == seen(original)
    assert [(aside / "two words.txt").read_bytes() for aside in done.aside] == [b"made in the meantime"]


def test_a_backup_while_a_run_publishes_holds_whole_episodes(tmp_path: Path) -> None:
    """Runs one after another change every episode while backups are made; each backup holds each episode whole."""
    project = tmp_path / "project"
    places = places_of(project)
    put(places.config / "pipeline.toml", b"")
    for number in range(3):
        text = f"---\ntitle: Log {number}\nmode: read\n---\n\nThe wind rose before six. Nobody slept on {number}.\n"
        put(places.input / f"log-{number}.md", text.encode())

    failures: list[BaseException | None] = []

    def run_on() -> None:
        for number in range(4):
            studio = make_studio(project, voice=FakeVoice(), writer=FakeWriter([]), rate=1.0 + number / 10)
            failures.extend(run_all(studio).values())

    worker = Thread(target=run_on)
    worker.start()
    made = []
    while worker.is_alive():
        made.append(back_up(places, tmp_path / "backups"))
    worker.join()
    made.append(back_up(places, tmp_path / "backups"))
    assert [failure for failure in failures if failure is not None] == []

    for number, backup in enumerate(made):
        assert backup.manifest.left_out == ()
        assert backup.notes == ()
        target = places_of(tmp_path / f"target{number}")
        bring_back(backup.path, target)
        for episode in target.output.iterdir():
            if (episode / "manifest.json").exists():
                assert verify(episode) == ()
    assert len(list((tmp_path / f"target{len(made) - 1}" / "output").glob("*/manifest.json"))) == 3


def test_a_restored_project_has_nothing_to_make(tmp_path: Path) -> None:
    """The run after a restore finds every episode as it should be, the edits too."""
    project = tmp_path / "project"
    places = places_of(project)
    put(places.config / "pipeline.toml", b"")
    put(places.input / "log.md", b"---\ntitle: Log\nmode: read\n---\n\nThe wind rose before six.\n")
    run_all(make_studio(project, voice=FakeVoice(), writer=FakeWriter([])))
    script = places.output / "log" / "script.md"
    script.write_text(script.read_text().replace("wind", "storm"))
    run_all(make_studio(project, voice=FakeVoice(), writer=FakeWriter([])))
    manifest = (places.output / "log" / "manifest.json").read_bytes()
    assert json.loads(manifest)["script"]["edited_by_hand"] is True

    file = back_up(places, tmp_path / "backups").path
    for root in ("input", "config", "output", "data"):
        shutil.rmtree(places.of(root))
    bring_back(file, places)
    voice = FakeVoice()
    studio = make_studio(project, voice=voice, writer=FakeWriter([]))
    plan = studio.plan(studio.survey())
    assert [episode.edited for episode in plan.episodes] == [True]
    assert run_all(studio) == {"log": None}
    assert "storm" in script.read_text()
    assert verify(places.output / "log") == ()


def test_progress_never_loses_count(tmp_path: Path) -> None:
    counted: dict[str, int] = {}

    def count(title: str, total: int) -> Callable[[int], None]:
        def tick(done: int) -> None:
            counted[title] = counted.get(title, 0) + done

        return tick

    places = fill(tmp_path / "project")
    made = back_up(places, tmp_path / "backups", verify=True, progress=count)
    assert counted["copying"] == counted["reading back"] == made.manifest.payload_bytes
    with open_backup(made.path) as backup:
        backup.verify(unmetered("", 0))
