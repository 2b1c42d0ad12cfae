"""What a run shows of itself, and what is left of one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
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
