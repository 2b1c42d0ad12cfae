"""The commands as a person types them, with the embedded engines: what is shown, what comes out, how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from pipeline import __version__
from pipeline.cli import run_command_line

ROOT = Path(__file__).parents[2]
TOPIC = "---\ntitle: The log\nmode: read\n---\n\nThe wind rose before six. Nobody slept on board.\n"
EMBEDDED = {"WRITER": "embedded", "VOICE_ENGINE": "embedded"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the shipped settings and one topic; the working folder is its own."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "input").mkdir()
    (folder / "input" / "log.md").write_text(TOPIC)
    monkeypatch.chdir(folder)
    for name, value in EMBEDDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VIDEO", "off")  # seconds of film for each test, and no test here is about one
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# -- help and mistakes in typing ---------------------------------------------------------------------------------

COMMANDS = [
    ["run"], ["plan"], ["status"], ["verify"], ["rewrite"], ["retry"], ["clean"], ["doctor"], ["settings"], ["version"],
    ["backup"], ["restore"], ["export"], ["feed"], ["watch"], ["serve"], ["mcp"],
    ["models", "list"], ["models", "fetch"], ["voices", "list"], ["voices", "get"], ["voices", "available"],
]  # fmt: skip


@pytest.mark.parametrize("command", [[], ["voices"], *COMMANDS], ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*command, "--help"]) == 0
    assert "Example:  " in told(capsys)


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one != ["mcp"]], ids=" ".join
)  # which speaks JSON alone
def test_every_command_can_answer_a_program(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """All but the one that speaks nothing else."""
    assert run_command_line([*command, "--help"]) == 0
    assert "--json" in told(capsys)


def test_the_version_is_told_in_every_way_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--version"]) == run_command_line(["version"]) == 0
    assert told(capsys).splitlines() == [__version__] * 2
    assert run_command_line(["version", "--json"]) == 0
    assert json.loads(told(capsys)) == {"version": __version__}


@pytest.mark.parametrize("wrong", [["nonsense"], ["run", "--nonsense"], ["rewrite"], ["voices", "get"]])
def test_what_cannot_be_understood_ends_with_2(wrong: list[str], project: Path) -> None:
    assert run_command_line(wrong) == 2


def test_help_loads_no_engine_and_no_settings() -> None:
    code = (
        "import sys; from pipeline.cli import run_command_line; run_command_line(['--help']);"
        "heavy = ('av', 'numpy', 'onnxruntime', 'ollama', 'pydantic_settings', 'structlog');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


# -- a run -------------------------------------------------------------------------------------------------------


@pytest.mark.engines
def test_a_run_then_nothing_to_do(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEO", "wide")
    monkeypatch.setenv("VIDEO_MOTION", "false")  # filmed in a tenth of the time
    assert run_command_line(["plan"]) == 0
    planned = told(capsys)
    assert "the-log" in planned
    assert "script: never made" in planned

    assert run_command_line(["run"]) == 0
    ran = told(capsys)
    assert "voice: embedded (named in the settings)" in ran
    assert "the-log: done in" in ran
    assert "1 episode made; 16 artifacts" in ran

    assert run_command_line(["run"]) == 0
    assert told(capsys) == "Nothing to do: 1 episode is up to date.\n"
    assert run_command_line(["plan"]) == 0
    assert told(capsys) == "Nothing to do: 1 episode is up to date.\n"
    assert run_command_line(["verify"]) == 0
    assert told(capsys) == "1 episode, 10 files: all as their manifests say.\n"


@pytest.mark.engines
def test_what_is_only_published_again_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["run"])
    (project / "output" / "the-log" / "captions.srt").unlink()
    told(capsys)
    assert run_command_line(["run"]) == 0
    said = told(capsys)
    assert "the-log: published again: captions.srt\n" in said
    assert "1 episode published again; 0 artifacts" in said


@pytest.mark.engines
def test_a_run_for_programs(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO", "wide")
    monkeypatch.setenv("VIDEO_MOTION", "false")  # filmed in a tenth of the time
    assert run_command_line(["run", "--json"]) == 0
    first = events(told(capsys))
    assert [event["event"] for event in first][:1] == ["run"]
    assert sum(event["event"] == "made" for event in first) == 16
    assert first[-1] | {"seconds": 0} == {
        "event": "end", "up_to_date": 0, "built": 1, "published_again": 0, "failed": 0, "refused": 0,
        "interrupted": 0, "made": 16, "seconds": 0,
    }  # fmt: skip

    script = project / "output" / "the-log" / "script.md"
    script.write_text(script.read_text().replace("Nobody slept", "Nobody spoke"))
    assert run_command_line(["plan", "--json"]) == 0
    (episode,) = json.loads(told(capsys))["episodes"]
    assert episode["edited_by_hand"] is True
    within_the_mix = ["level", "gain", "sound", "mix"]
    assert [step["stage"] for step in episode["make"]] == ["speech", *within_the_mix, "captions"]
    assert episode["to_come"] == ["film", "page"]

    assert run_command_line(["run", "--json"]) == 0
    made = [event["stage"] for event in events(told(capsys)) if event["event"] == "made"]
    # In a programme of two sentences the gain moves with each, and then the other one's level too.
    assert made.count("speech") == made.count("captions") == 1
    assert made.count("mix") in {len(within_the_mix), len(within_the_mix) + 1}


@pytest.mark.engines
@pytest.mark.parametrize(("author", "artist"), [("", "Small talks"), ("Ana", "Ana")])
def test_players_are_told_whose_it_is(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, author: str, artist: str
) -> None:
    assert run_command_line(["run"]) == 0
    monkeypatch.setenv("SITE_TITLE", "Small talks")
    monkeypatch.setenv("FEED_AUTHOR", author)
    told(capsys)
    assert run_command_line(["run", "--json"]) == 0
    made = [event for event in events(told(capsys)) if event["event"] == "made"]
    assert "speech" not in {event["stage"] for event in made}, "other names are no other words"
    with av.open(str(project / "output" / "the-log" / "audio.mp3")) as sound:
        assert (sound.metadata["artist"], sound.metadata["album"]) == (artist, "Small talks")


@pytest.mark.engines
def test_a_bad_topic_beside_a_good_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "input" / "bad.md").write_text("---\ntitel: Moon\n---\n\n- A fact.\n")
    assert run_command_line(["run"]) == 1
    ran = told(capsys)
    assert "refused: input/bad.md:2: no such field: titel. Did you mean title?" in ran
    assert "the-log: done in" in ran
    assert run_command_line(["run"]) == 1
    assert "refused: input/bad.md:2" in told(capsys)


@pytest.mark.engines
def test_only_what_is_named_is_made(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "input" / "other.md").write_text(TOPIC.replace("The log", "Other"))
    assert run_command_line(["run", "other"]) == 0
    assert [found.parent.name for found in (project / "output").glob("*/manifest.json")] == ["other"]
    assert run_command_line(["run", "nothing-of-that-name"]) == 1
    assert "there is no episode or topic file 'nothing-of-that-name'" in capsys.readouterr().err


def test_a_topic_without_a_voice_is_told_how_to_get_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "input" / "log.md").write_text(TOPIC.replace("mode: read", "mode: read\nlanguage: pt-BR"))
    assert run_command_line(["run"]) == 1
    assert "no voice is installed for pt-BR. Fetch one with: pipeline voices get pt_BR-faber-medium" in told(capsys)
    assert run_command_line(["status"]) == 1
    assert "log\tfailed\t\tcannot be made: " in told(capsys)


def test_unusable_settings_start_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text("VOISE=x\nRETRY_ATTEMPTS=-1\n")
    monkeypatch.setenv("SPEAKING_RATE", "fast")
    assert run_command_line(["run"]) == 2
    said = capsys.readouterr().err
    assert "3 problems in the settings" in said
    assert "did you mean" in said.lower()
    assert not (project / "output").exists()


def test_a_prompt_file_that_is_no_text_is_met_at_the_start(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config" / "prompts" / "mine.md").write_bytes("é".encode("latin-1"))
    assert run_command_line(["run"]) == 2
    assert "config/prompts/mine.md: not UTF-8 text" in capsys.readouterr().err
    assert not (project / "output").exists()


def test_an_unknown_episode_is_told_with_the_nearest(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["rewrite", "the-lag"]) == 1
    assert "there is no episode 'the-lag'. Did you mean the-log?" in capsys.readouterr().err


def test_what_a_whole_plan_cannot_make_for_one_reason_is_said_once(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (project / "input" / f"{name}.md").write_text(f"---\ntitle: {name}\n---\n\n- A fact.\n")
    monkeypatch.setenv("STYLE", "nosuch")
    assert run_command_line(["plan"]) == 1
    said = told(capsys)
    assert said.count("there is no style 'nosuch'") == 1
    assert "one, two: cannot be made" in said
    assert "1 to make" in said
    assert "2 cannot be made" in said


def test_a_folder_that_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["plan"]) == 2
    assert "no project here or above" in capsys.readouterr().err


@pytest.mark.engines
def test_the_project_is_found_from_a_folder_inside_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "config")
    assert run_command_line(["plan"]) == 0


# -- looking after it --------------------------------------------------------------------------------------------


@pytest.mark.engines
def test_the_doctor_has_every_engine_produce_something(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["doctor", "--json"]) == 0
    found = json.loads(told(capsys))
    states = {finding["check"]: finding["state"] for finding in found["findings"]}
    assert found["healthy"] is True
    assert states["writing"] == states["speaking"] == "ok"


def test_the_doctor_says_what_to_do(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRITER", "ollama")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("VOICE_ENGINE", "piper-server")
    monkeypatch.setenv("PIPER_BASE_URL", "http://127.0.0.1:9")
    assert run_command_line(["doctor"]) == 1
    said = told(capsys)
    assert re.search(r"^ bad  writing +Ollama at http://127.0.0.1:9", said, re.MULTILINE)
    assert re.search(r"^ bad  speaking +Piper at http://127.0.0.1:9", said, re.MULTILINE)
    assert said.count("→") >= 2


def test_settings_show_where_each_comes_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".env").write_text("OLLAMA_API_KEY=sesame\n")
    assert run_command_line(["settings", "--json"]) == 0
    text = told(capsys)
    shown = json.loads(text)
    assert shown["writer"]["value"] == "embedded"
    assert "environment" in shown["writer"]["from"]
    assert "sesame" not in text


@pytest.mark.engines
def test_voices_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["voices", "list", "--json"]) == 0
    assert json.loads(told(capsys))["en_US-joe-medium"]["language"] == "en-US"


# -- stopping ----------------------------------------------------------------------------------------------------


def start(project: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **EMBEDDED},
    )


PAGES = 10
"""Enough that a run that is stopped at the first has some left."""


@pytest.mark.engines
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_in_good_order_and_the_next_goes_on(project: Path, number: signal.Signals) -> None:
    pages = " ".join(f"Page {page} of the log tells about the weather at sea." for page in range(PAGES))
    (project / "input" / "log.md").write_text(f"---\ntitle: Log\nmode: read\n---\n\n{pages}\n")
    child = start(project, "run", "--json")
    assert child.stdout is not None
    for line in child.stdout:
        if '"made"' in line and '"speech"' in line:
            child.send_signal(number)
            break
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "stopping" in err
    assert '"event": "interrupted"' in out
    assert "Traceback" not in err
    assert not (project / "output" / "log").exists()

    again = start(project, "run", "--json")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    spoken = sum('"made"' in line and '"speech"' in line for line in out.splitlines())
    assert spoken < PAGES


def test_whoever_reads_may_stop_reading(project: Path) -> None:
    child = start(project, "settings")
    head = subprocess.run(["head", "-n", "1"], stdin=child.stdout, capture_output=True, text=True, check=True)
    assert child.stdout is not None
    child.stdout.close()
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert re.match(r"\w+\t", head.stdout)
    assert "Traceback" not in err


@pytest.mark.engines
def test_a_run_goes_on_when_nobody_reads_it(project: Path) -> None:
    child = start(project, "run", "--json")
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert (project / "output" / "the-log" / "manifest.json").is_file()
