"""Whoever calls a command may have closed its streams, be gone while it works, or stand in a folder that is no more."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import run_command_line

ROOT = Path(__file__).parents[2]
TOPIC = "---\ntitle: The log\nmode: read\n---\n\nThe wind rose before six. Nobody slept on board.\n"
PIPELINE = shlex.join([sys.executable, "-m", "pipeline"])
ENVIRON = os.environ | {"WRITER": "embedded", "VOICE_ENGINE": "embedded", "VIDEO": "off"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "input").mkdir()
    (folder / "input" / "log.md").write_text(TOPIC)
    monkeypatch.chdir(folder)
    return folder


def typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As a shell runs it."""
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=ENVIRON, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.engines
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_run_with_closed_streams_makes_what_is_asked_for(project: Path, closed: str) -> None:
    done = typed(f"{PIPELINE} run {closed}", project)
    assert done.returncode == 0
    assert (project / "output" / "the-log" / "manifest.json").is_file()


@pytest.mark.parametrize("command", ["status", "settings"])
def test_a_command_without_an_error_stream_answers(project: Path, command: str) -> None:
    done = typed(f"{PIPELINE} {command} 2>&-", project)
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.engines
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_together_with_its_readers_says_so_in_its_status(
    project: Path, number: signal.Signals
) -> None:
    """As Ctrl-C does to `pipeline run 2>&1 | tee log`."""
    pages = " ".join(f"Page {page} of the log tells about the weather at sea." for page in range(24))
    (project / "input" / "log.md").write_text(f"---\ntitle: Log\nmode: read\n---\n\n{pages}\n")
    child = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--json"],
        cwd=project, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    for line in child.stdout:
        if '"made"' in line and '"speech"' in line:
            break
    child.stdout.close()
    child.stderr.close()
    child.send_signal(number)
    assert child.wait(60) == 130
    assert not (project / "output" / "log").exists()


def test_from_a_folder_that_is_gone_a_project_that_is_named_in_full_is_found(project: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    leaves = f"rmdir {shlex.quote(str(gone))} && {PIPELINE}"
    named = typed(f"{leaves} status --project {shlex.quote(str(project))}", gone)
    assert (named.returncode, named.stderr) == (0, "")
    assert named.stdout.startswith("the-log\tto make")
    for asked in ("status", "status --project project"):
        gone.mkdir()
        lost = typed(f"{leaves} {asked}", gone)
        assert lost.returncode == 2
        assert "the folder that this was called in is not there any more" in lost.stderr
        assert "Traceback" not in lost.stderr


@pytest.mark.parametrize("name", ["CONFIG_DIR", "INPUT_DIR", "VOICES_DIR", "LOG_FILE"])
def test_the_home_of_nobody_is_a_fault_of_the_settings(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "~nobody-of-that-name/x")
    assert run_command_line(["status", "--project", str(project)]) == 2
    assert f"environment {name}: ~nobody-of-that-name/x: nobody here has that home" in capsys.readouterr().err


def test_the_home_of_nobody_is_no_place_for_an_export(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["export", "the-log", "--format", "mp3", "--to", "~nobody-of-that-name/x", "--project", str(project)]
    assert run_command_line(command) == 2
    assert "nobody here has that home" in capsys.readouterr().err


# -- an assistant ---------------------------------------------------------------------------------------------------

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
}}  # fmt: skip
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


def test_an_assistant_that_closes_its_end_before_it_begins_ends_it_well(project: Path) -> None:
    done = typed(f"{PIPELINE} mcp --leave-making <&-", project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_assistant_that_goes_away_while_it_is_answered_ends_it_well(project: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "mcp", "--leave-making"],
        cwd=project, env=ENVIRON, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(HELLO) + "\n")
    child.stdin.flush()
    assert '"result"' in child.stdout.readline()
    child.stdout.close()
    child.stdin.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n")
    child.stdin.write(json.dumps(LIST) + "\n")
    child.stdin.close()
    child.stdin = None
    child.stdout = None
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert "Traceback" not in err
