"""What a run shows of itself, and what is left of one that was killed."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import telemetry
from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
from pipeline.errors import StoreError
from pipeline.net.outages import Down
from pipeline.underway import AtWork, Wait, at_work, died_at, showing

SPEECH = Step(Rule("speech", version=1, resource="speech"), "speech", {"text": "one"}, dict)
MIX = Step(Rule("mix", version=1, resource="cpu"), "mix", {"text": "one"}, dict)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
DOWN = {"voice": Down("voice", "Piper at http://piper:5000", "nobody answers", "Start it.", SINCE, SINCE)}


def test_a_run_shows_what_it_waits_for_and_who_is_held_up(tmp_path: Path) -> None:
    with showing(tmp_path) as shown:
        (run,) = at_work(tmp_path)
        assert (run.pid, run.waits) == (os.getpid(), ())
        shown.take(Event(Kind.STARTED, "bells", SPEECH))
        shown.take(Event(Kind.STARTED, "log", MIX))
        shown.show(DOWN)
        at = "2026-01-01T00:00:00+00:00"
        assert at_work(tmp_path) == (
            AtWork(
                run.pid,
                run.started,
                (Wait("voice", "Piper at http://piper:5000", "nobody answers", at, at, ("bells",)),),
            ),
        )
        shown.take(Event(Kind.MADE, "bells", SPEECH))
        shown.show({})
        assert at_work(tmp_path) == (run,)
    assert at_work(tmp_path) == ()
    assert list((tmp_path / "underway").iterdir()) == []


def test_several_runs_show_themselves_and_those_at_work_have_not_died(tmp_path: Path) -> None:
    with showing(tmp_path) as shown, showing(tmp_path):
        shown.take(Event(Kind.STARTED, "bells", SPEECH))
        assert len(at_work(tmp_path)) == 2
        assert list(died_at(tmp_path)) == []


@pytest.mark.parametrize("end", [Kind.MADE, Kind.FOUND, Kind.FAILED])
def test_a_killed_run_is_not_at_work_and_leaves_the_steps_it_died_at(tmp_path: Path, end: Kind) -> None:
    code = f"""
import os, signal
from pathlib import Path
from pipeline.build.runner import Event, Kind
from pipeline.underway import showing
from tests.unit.test_underway import MIX, SPEECH
with showing(Path({str(tmp_path)!r}), {{"bells": "state one"[:5], "a log": "two"}}) as shown:
    shown.take(Event(Kind.STARTED, "bells", SPEECH))
    shown.take(Event(Kind.STARTED, "bells", MIX))
    shown.take(Event(Kind.STARTED, "a log", MIX))
    shown.take(Event(Kind.{end.name}, "bells", MIX))
    shown.take(Event(Kind.CLOSED, "a log"))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert at_work(tmp_path) == ()
    assert list(died_at(tmp_path)) == [{"bells": ("state", frozenset({SPEECH.key[:16]}))}]
    assert list(died_at(tmp_path)) == []
    assert list((tmp_path / "underway").iterdir()) == []


def test_a_run_that_was_called_off_and_then_ended_at_once_died_at_nothing(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from pipeline.build.runner import Event, Kind
from pipeline.underway import showing
from tests.unit.test_underway import SPEECH
with showing(Path({str(tmp_path)!r})) as shown:
    shown.take(Event(Kind.STARTED, "bells", SPEECH))
    shown.call_off()
    os._exit(130)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 130
    assert list(died_at(tmp_path)) == [{}]
    assert list((tmp_path / "underway").iterdir()) == []


@pytest.mark.parametrize("text", ["+ abc", "nonsense\n+ 1\n", "+ k s bells\n- k s bells\n+ k s bel", "\0\n"])
def test_lines_that_are_cut_off_or_damaged_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "underway").mkdir()
    (tmp_path / "underway" / "1-a.lock").touch()
    (tmp_path / "underway" / "1-a.steps").write_text(text)
    assert list(died_at(tmp_path)) == [{}]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pid": 1}', '{"pid": 1, "started": "", "waits": [{}]}'])
def test_what_cannot_be_read_of_a_run_is_not_shown(tmp_path: Path, text: str) -> None:
    with showing(tmp_path):
        (shown,) = (tmp_path / "underway").glob("*.json")
        shown.write_text(text)
        assert at_work(tmp_path) == ()


def test_a_disk_that_takes_nothing_does_not_stop_a_run(tmp_path: Path) -> None:
    with showing(tmp_path) as shown:
        (file,) = (tmp_path / "underway").glob("*.json")
        file.unlink()
        file.mkdir()
        (file / "in the way").touch()
        shown.show(DOWN)
        shown.show({})
        (file / "in the way").unlink()
        file.rmdir()


def test_who_speaks_after_the_run_has_ended_writes_into_nobody_elses_file(tmp_path: Path) -> None:
    """The number of a file that was closed is given to the next one that is opened: a socket, or an episode's."""
    with showing(tmp_path) as shown:
        pass
    others = [(tmp_path / f"other-{number}").open("wb") for number in range(8)]
    shown.call_off()
    shown.take(Event(Kind.STARTED, "moon", SPEECH))
    shown.take(Event(Kind.CLOSED, "moon"))
    for other in others:
        other.close()
    assert {path.read_bytes() for path in tmp_path.glob("other-*")} == {b""}
    assert list((tmp_path / "underway").iterdir()) == []


# -- what lies there ---------------------------------------------------------------------------------------------


def left(data: Path, name: str, steps: str, shown: str = '{"pid": 1, "started": "then", "waits": []}') -> Path:
    """What a killed run leaves: a lock that nobody holds."""
    folder = data / "underway"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.lock").touch()
    (folder / f"{name}.steps").write_text(steps)
    (folder / f"{name}.json").write_text(shown)
    return folder / f"{name}.lock"


@pytest.mark.parametrize(
    ("steps", "died"),
    [
        ("+ a s1 moon\n", {"moon": ("s1", frozenset("a"))}),
        ("+ a s1 moon\n+ b s1 moon\n- a s1 moon\n", {"moon": ("s1", frozenset("b"))}),
        ("+ a s1 moon\n- a s1 moon\n", {}),
        ("+ a s1 moon\n+ a s2 two words\n- a s1 moon\n", {"two words": ("s2", frozenset("a"))}),
        ("+ a s1 moon\n+ a s2 moon\n", {"moon": ("s2", frozenset("a"))}),
        ("- b s1 moon\n+ a s1 moon\nodd\n", {"moon": ("s1", frozenset("a"))}),
        ("+ a s1 moon\ncalled off\n", {}),
        ("+ a s1 called off\n", {"called off": ("s1", frozenset("a"))}),
        ("+ a s1 moon\ncalled off", {"moon": ("s1", frozenset("a"))}),
    ],
)
def test_a_killed_run_died_at_what_it_had_begun_and_not_ended(
    tmp_path: Path, steps: str, died: dict[str, tuple[str, frozenset[str]]]
) -> None:
    left(tmp_path, "1-a", steps)
    assert at_work(tmp_path) == ()
    assert list(died_at(tmp_path)) == [died]
    assert list((tmp_path / "underway").iterdir()) == []


def test_each_killed_run_is_told_once_whoever_looks_meanwhile(tmp_path: Path) -> None:
    left(tmp_path, "1-a", "+ a s moon\n")
    left(tmp_path, "2-b", "+ b s sun\n")
    looking = died_at(tmp_path)
    assert next(looking) == {"moon": ("s", frozenset({"a"}))}
    assert list(died_at(tmp_path)) == [{"sun": ("s", frozenset({"b"}))}]
    assert list(looking) == []
    assert list((tmp_path / "underway").iterdir()) == []


def test_several_may_look_at_once_who_is_at_work(tmp_path: Path) -> None:
    lock = left(tmp_path, "1-a", "")
    with lock.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert at_work(tmp_path) == ()
    with lock.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert at_work(tmp_path) == (AtWork(1, "then"),)
        assert list(died_at(tmp_path)) == []
    assert lock.exists()


def test_what_a_run_shows_is_gone_from_the_moment_its_lock_is(tmp_path: Path) -> None:
    with showing(tmp_path) as shown:
        shown.show(DOWN)
        (lock,) = (tmp_path / "underway").glob("*.lock")
        lock.unlink()
        assert at_work(tmp_path) == ()
        assert list(died_at(tmp_path)) == []


def test_a_wait_names_the_episodes_at_whose_steps_it_is_and_no_others(tmp_path: Path) -> None:
    with showing(tmp_path) as shown:
        for episode, step in (("sea", SPEECH), ("bells", SPEECH), ("log", MIX), ("moon", SPEECH), ("moon", MIX)):
            shown.take(Event(Kind.STARTED, episode, step))
        shown.take(Event(Kind.FAILED, "sea", SPEECH))
        shown.take(Event(Kind.MADE, "moon", MIX))
        shown.take(Event(Kind.CLOSED, "nobody"))
        shown.show({**DOWN, "cpu": replace(DOWN["voice"], service="cpu"), "writer": DOWN["voice"]})
        (run,) = at_work(tmp_path)
        assert [(wait.service, wait.episodes) for wait in run.waits] == [
            ("cpu", ("log",)),
            ("voice", ("bells", "moon")),
            ("voice", ()),
        ]


def test_what_cannot_be_shown_is_said_once(tmp_path: Path) -> None:
    stream = io.StringIO()
    telemetry.configure(form="json", level="info", stream=stream, others=False)
    with showing(tmp_path) as shown:
        (file,) = (tmp_path / "underway").glob("*.json")
        file.unlink()
        file.mkdir()
        (file / "in the way").touch()
        for down in (DOWN, {}, DOWN):
            shown.show(down)
            assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["waits_not_shown"]
        (file / "in the way").unlink()
        file.rmdir()


def test_a_data_folder_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "underway").write_text("a file in the place of the folder")
    with pytest.raises(StoreError), showing(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["underway"]


def test_where_no_run_ever_was_none_is_at_work(tmp_path: Path) -> None:
    assert at_work(tmp_path) == ()
    assert list(died_at(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
