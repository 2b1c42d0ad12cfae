"""A topic that fails again and again, or takes its process down, is set aside; the others are made all the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import report
from pipeline.cli import run_command_line
from pipeline.errors import EngineNonsense, EngineUnavailable, InputError, PipelineError, SetAside, StoreError
from pipeline.ports import Speech, SpeechRequest
from pipeline.studio import Studio
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

ROOT = Path(__file__).parents[2]
WELL = "---\ntitle: Well\nmode: read\n---\n\nThe wind rose.\n"
POISON = "---\ntitle: Poison\nmode: read\n---\n\nNobody slept.\n"
SILENCE = EngineNonsense("it said nothing", where="Piper", hint="Try another voice.")


class Voice(FakeVoice):
    """Something happens when it is to say a word."""

    def __init__(self, happens: Callable[[], None], *, at: str = "slept") -> None:
        super().__init__()
        self._happens = happens
        self._at = at

    def speak(self, request: SpeechRequest) -> Speech:
        if self._at in request.sentence.shown:
            self._happens()
        return super().speak(request)


def failing(error: PipelineError = SILENCE) -> Voice:
    def fail() -> None:
        raise error

    return Voice(fail)


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        (folder / "input").mkdir(parents=True)
        (folder / "input" / "poison.md").write_text(POISON)
        (folder / "input" / "well.md").write_text(WELL)

    def studio(self, voice: FakeVoice | None = None, *, fingerprint: str = "test") -> Studio:
        return make_studio(
            self.folder,
            voice=voice or failing(),
            writer=FakeWriter([]),
            fingerprint=fingerprint,
            clock=lambda: self.now,
        )

    def run(self, voice: FakeVoice | None = None, *, fingerprint: str = "test") -> BaseException | None:
        """How the poisoned topic ended; the other one ends well."""
        ended = run_all(self.studio(voice, fingerprint=fingerprint))
        assert ended.get("well") is None
        return ended["poison"]

    def spoken(self) -> int:
        """How often a run still asks the voice for what it fails on."""
        voice = failing()
        self.run(voice)
        return len(voice.calls)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_after_five_tries_a_topic_is_set_aside_with_its_reason_and_the_way_back(project: Project) -> None:
    assert [type(project.run()) for _ in range(7)] == [EngineNonsense] * 5 + [SetAside] * 2
    assert str(project.run()) == (
        "Piper: set aside, because it failed 5 times, the last time at 2026-01-01T00:00:00+00:00: it said nothing. Try "
        "another voice. It is tried again when its topic has changed, or with: pipeline retry poison"
    )


def test_a_topic_that_is_set_aside_costs_nothing_and_the_plan_says_so(project: Project) -> None:
    for _ in range(5):
        project.run()
    studio = project.studio(voice := failing())
    (planned,) = [one for one in studio.plan(studio.survey()).episodes if one.work.slug == "poison"]
    assert isinstance(planned.error, SetAside)
    run_all(studio)
    assert voice.calls == []


@pytest.mark.parametrize("way", ["retry", "retry by name", "another text", "other settings"])
def test_what_brings_it_back(project: Project, way: str) -> None:
    for _ in range(5):
        project.run()
    fingerprint = "test"
    match way:
        case "retry":
            assert project.studio().retry() == ("poison",)
        case "retry by name":
            assert project.studio().retry(["poison"]) == ("poison",)
        case "another text":
            (project.folder / "input" / "poison.md").write_text(POISON + "Not even he who slept.\n")
        case _:
            fingerprint = "another model"
    assert isinstance(project.run(fingerprint=fingerprint), EngineNonsense)
    assert project.run(FakeVoice(), fingerprint=fingerprint) is None
    assert project.studio().failures.of("poison") is None


def test_lines_above_a_topic_in_its_file_do_not_bring_it_back(project: Project) -> None:
    for _ in range(5):
        project.run()
    (project.folder / "input" / "poison.md").write_text(POISON.replace("mode", "# another line\nmode"))
    assert isinstance(project.run(), SetAside)


@pytest.mark.parametrize("error", [EngineUnavailable("nobody answers"), StoreError("the disk is full")])
def test_what_others_are_to_blame_for_is_not_counted(project: Project, error: PipelineError) -> None:
    for _ in range(4):
        project.run()
    assert [type(project.run(failing(error))) for _ in range(9)] == [type(error)] * 9
    assert isinstance(project.run(), EngineNonsense)
    assert isinstance(project.run(), SetAside)


def test_a_topic_that_was_made_in_the_end_has_a_clean_record(project: Project) -> None:
    for _ in range(4):
        project.run()
    assert project.run(FakeVoice()) is None
    (project.folder / "input" / "poison.md").write_text(POISON + "He slept.\n")
    assert [type(project.run()) for _ in range(5)] == [EngineNonsense] * 5


def test_only_failures_that_are_remembered_are_forgotten(project: Project) -> None:
    project.run()
    with pytest.raises(InputError, match="no failure of 'poisn'") as raised:
        project.studio().retry(["poison", "poisn"])
    assert "poison" in raised.value.hint
    assert project.studio().failures.of("poison") is not None
    assert project.studio().retry() == (), "it is not set aside yet"


def test_who_comes_by_again_and_again_leaves_it_alone_for_ever_longer(project: Project) -> None:
    tried = []
    for minute in range(120):
        project.now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        studio = project.studio()
        survey = studio.rested(studio.survey())
        if any(outcome.name == "poison" for outcome in studio.run(survey, lambda _: None)):
            tried.append(minute)
    assert tried == [0, 1, 3, 7, 15]


def test_status_names_what_is_set_aside_and_why(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        project.run()
    assert report.show_status(project.studio(), as_json=True) == 1
    rows = {row["episode"]: row for row in json.loads(capsys.readouterr().out)["episodes"]}
    assert rows["well"]["state"] == "finished"
    assert rows["poison"]["state"] == "set aside"
    assert "it said nothing" in rows["poison"]["why"]
    assert "pipeline retry poison" in rows["poison"]["why"]


def test_retry_by_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "config", project.folder / "config")
    environment = {"WRITER": "embedded", "VOICE_ENGINE": "embedded", "DATA_DIR": "data", "TOPIC_TRIES": "3"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.folder)
    for _ in range(3):
        project.run()

    def typed(*arguments: str) -> tuple[int, str]:
        ended = run_command_line(["retry", *arguments])
        said = capsys.readouterr()
        return ended, (said.out + said.err).strip()

    assert typed()[0] == 2
    assert typed("poison", "--all")[0] == 2
    assert typed("the-wells") == (
        1,
        "pipeline: no failure of 'the-wells' is remembered. `pipeline status` says how each episode stands.",
    )
    assert typed("--all") == (0, "The next run tries it again: poison.")
    assert typed("--all") == (0, "Nothing is set aside.")
    project.run()
    assert json.loads(typed("poison", "--json")[1]) == {"episodes": ["poison"]}


# -- a topic that takes its process down -------------------------------------------------------------------------

DEADLY = """
import os, signal, sys
from pathlib import Path
from tests.fakes.studio import run_all
from tests.integration.test_poison import Project, Voice, WELL
project = Project.__new__(Project)
project.folder, project.now = Path(sys.argv[1]), __import__("datetime").datetime(2026, 1, 1)
ended = run_all(project.studio(Voice(lambda: os.kill(os.getpid(), signal.SIGKILL))))
print({name: type(error).__name__ for name, error in ended.items()})
"""


def run_in_a_process(project: Project) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DEADLY, str(project.folder)],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_topic_that_kills_its_worker_is_set_aside_and_the_others_are_made(project: Project) -> None:
    for number in range(6):
        (project.folder / "input" / f"well-{number}.md").write_text(WELL.replace("Well", f"Well {number}"))
    runs = [run_in_a_process(project) for _ in range(7)]
    assert [run.returncode for run in runs] == [-signal.SIGKILL] * 5 + [0] * 2
    assert "'poison': 'SetAside'" in runs[-1].stdout
    published = {folder.name for folder in (project.folder / "output").iterdir()}
    assert published >= {"well", *(f"well-{number}" for number in range(6))}
    assert "gone in the middle of it" in str(project.run())


def test_a_process_that_dies_further_on_each_time_is_not_held_against_the_topic(project: Project) -> None:
    """Somebody pulls the plug again and again: the steps at which it died are others each time."""
    failures = project.studio().failures
    error = PipelineError("gone")
    for number in range(9):
        kept = failures.keep("poison", error, at="now", state="same", steps=[f"step {number}"])
    assert kept.tries == 1
    assert failures.keep("poison", error, at="now", state="same", steps=["step 8", "step 1"]).tries == 2
