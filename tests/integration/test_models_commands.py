"""`pipeline models …` as it is typed: what is shown, what lies there afterwards, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from pipeline.cli import run_command_line
from pipeline.models.catalogue import PackageFile
from pipeline.models.lockfile import read_lock, write_lock
from tests.fakes.file_server import Site, serving
from tests.fakes.installations import (
    CHECKPOINT,
    COMMIT,
    FILES,
    JOE,
    TURBO,
    locked_voice,
    put_repository,
    put_voices,
    seen,
)

FABER = "pt_BR-faber-medium"


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def site(running: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The world outside: a mirror of everything that models are fetched from."""
    running.__init__(port=running.port)  # type: ignore[misc]
    put_voices(running, {JOE: FILES, FABER: {f"{FABER}.onnx": b"faber", f"{FABER}.onnx.json": b"{}"}})
    put_repository(running, TURBO, CHECKPOINT)
    put_repository(running, "rhasspy/piper-voices", {}, revision="main")
    put_voices(running, {FABER: {f"{FABER}.onnx": b"faber", f"{FABER}.onnx.json": b"{}"}}, at=COMMIT)
    monkeypatch.setenv("MODELS_MIRROR", f"http://127.0.0.1:{running.port}")
    monkeypatch.setenv("RETRY_ATTEMPTS", "1")
    return running


@pytest.fixture
def project(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose lock file names Joe, of a few bytes."""
    folder = tmp_path / "project"
    for name in ("config", "input"):
        (folder / name).mkdir(parents=True)
    write_lock(folder / "config" / "models.lock", {JOE: locked_voice(url="https://elsewhere.invalid/joe")})
    site.files |= {f"/joe/{name}": content for name, content in FILES.items()}
    monkeypatch.chdir(folder)
    return folder


def voices(project: Path) -> dict[str, bytes]:
    return seen(project / ".pipeline" / "voices")


def test_fetch_has_what_the_settings_ask_for_and_then_asks_nobody(
    site: Site, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SD_ENABLED", "true")
    monkeypatch.setenv("TOPIC_LANGUAGE", "pt-BR")
    assert run_command_line(["models", "fetch"]) == 0
    told = capsys.readouterr().out
    assert f"{JOE}: from 127.0.0.1" in told
    assert f"{FABER}: it is not in the lock file" in told
    assert voices(project) == FILES | {f"{FABER}.onnx": b"faber", f"{FABER}.onnx.json": b"{}"}
    assert seen(project / ".pipeline" / "checkpoints") == {f"{TURBO}/{name}": text for name, text in CHECKPOINT.items()}
    site.asked = []
    assert run_command_line(["models", "fetch", "--json"]) == 0

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["event"], event["model"]) for event in events] == [
        ("ready", JOE), ("ready", FABER), ("ready", TURBO)
    ]  # fmt: skip
    assert not site.asked


def test_fetch_tells_programs_what_it_does_and_what_went_wrong(
    site: Site, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["models", "fetch", "--json", JOE, "en_US-nobody-low"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["event"] for event in events if event["model"] == JOE} == {"begins", "moved", "ready"}
    (failed,) = [event for event in events if event["event"] == "failed"]
    assert failed["model"] == "en_US-nobody-low"
    assert JOE in failed["error"]["hint"]
    assert voices(project) == FILES


def test_fetch_has_ollama_pull_its_model(
    project: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/api/tags").respond_with_json({"models": []})
    httpserver.expect_request("/api/pull", method="POST").respond_with_data('{"status": "success"}\n')
    monkeypatch.setenv("WRITER", "ollama")
    monkeypatch.setenv("OLLAMA_BASE_URL", httpserver.url_for("").rstrip("/"))
    assert run_command_line(["models", "fetch"]) == 0
    assert "gemma3:4b: fetched by Ollama at" in capsys.readouterr().out
    assert run_command_line(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert (rows["gemma3:4b"]["kind"], rows["gemma3:4b"]["state"]) == ("ollama", "not here")


def test_a_language_that_nothing_speaks_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOPIC_LANGUAGE", "fr")
    assert run_command_line(["models", "fetch"]) == 0
    assert "no voice is named for fr" in capsys.readouterr().err


def test_voices_get_goes_the_same_way(project: Path) -> None:
    assert run_command_line(["voices", "get", JOE]) == 0
    assert voices(project) == FILES


def test_what_there_is_to_fetch_is_read_from_the_mirror_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["voices", "available", "pt", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [FABER]


def test_list_says_state_size_licence_and_who_asks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["models", "list", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    run_command_line(["models", "fetch"])
    (project / ".pipeline" / "voices" / "en_GB-mine-low.onnx").write_bytes(b"mine")
    capsys.readouterr()
    assert run_command_line(["models", "list", "--json"]) == 0
    after = json.loads(capsys.readouterr().out)

    assert [row["state"] for row in before["models"]] == ["not here"]
    assert after["models"] == [
        {
            "name": JOE,
            "kind": "voice",
            "state": "here",
            "bytes": sum(map(len, FILES.values())),
            "licence": "CC0",
            "known_by": "lock",
            "used_by": "voice",
            "from": "127.0.0.1",
        }
    ]
    assert after["put_there_by_hand"] == ["en_GB-mine-low"]


def test_verify_ends_with_1_where_a_byte_is_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["models", "fetch"])
    assert run_command_line(["models", "verify"]) == 0
    model = project / ".pipeline" / "voices" / f"{JOE}.onnx"
    model.write_bytes(FILES[model.name][::-1])
    capsys.readouterr()
    assert run_command_line(["models", "verify"]) == 1
    told = capsys.readouterr().out
    assert f"{JOE}: {JOE}.onnx is damaged" in told
    assert f"models fetch {JOE}" in told
    assert run_command_line(["models", "verify", JOE, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["models"][JOE]["good"] is False
    assert run_command_line(["models", "fetch"]) == 0
    assert run_command_line(["models", "verify"]) == 0


def test_remove_says_what_came_free(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["models", "fetch"])
    capsys.readouterr()
    assert run_command_line(["models", "remove", JOE]) == 0
    assert "the settings ask for it (voice)" in capsys.readouterr().out
    assert voices(project) == {}
    assert run_command_line(["models", "remove", "en_US-nobody-low"]) == 1
    assert run_command_line(["models", "remove", "gemma3:4b"]) == 1
    assert "ollama rm gemma3:4b" in capsys.readouterr().err


def test_a_bundle_goes_to_a_machine_without_a_network(
    site: Site, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command_line(["models", "fetch"])
    monkeypatch.setenv("WRITER", "ollama")
    capsys.readouterr()
    assert run_command_line(["models", "export", "../models.tar"]) == 0
    assert "gemma3:4b is not in it" in capsys.readouterr().out
    assert run_command_line(["models", "remove", JOE]) == 0
    site.asked = []
    assert run_command_line(["models", "import", "../models.tar"]) == 0
    assert voices(project) == FILES
    assert not site.asked
    assert run_command_line(["models", "import", "config/models.lock"]) == 1


def test_lock_writes_the_entry_by_commit(project: Path) -> None:
    assert run_command_line(["models", "lock", FABER]) == 0
    lock = read_lock(project / "config" / "models.lock")
    assert sorted(lock) == [JOE, FABER]
    assert lock[FABER].revision == COMMIT
    assert all(f"/resolve/{COMMIT}/" in str(file.sources) for file in lock[FABER].files)
    assert all("https://huggingface.co/" in str(file.sources) for file in lock[FABER].files)
    assert run_command_line(["models", "lock", "gemma3:4b"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [["fetch", "../../etc"], ["fetch", "en_US-joe-medium@v1"], ["remove"], ["lock"], ["export"], ["verify", "a/b/c"]],
    ids=" ".join,
)
def test_what_cannot_be_understood_ends_with_2(wrong: list[str], project: Path) -> None:
    assert run_command_line(["models", *wrong]) == 2


def test_a_lock_file_with_faults_ends_with_2_and_names_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config" / "models.lock").write_text("{}")
    assert run_command_line(["models", "fetch"]) == 2
    assert "models.lock" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fetch", "list", "verify", "remove", "export", "import", "lock"])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["models", command, "--help"]) == 0
    assert f"Example:  pipeline models {command}" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_as_a_container_runs_it_with_no_home_and_a_user_that_nobody_knows(site: Site, project: Path) -> None:
    for name in ("voices", "checkpoints", "tmp", "data"):
        (project / name).mkdir()
        os.chown(project / name, 54321, 54321)
    for folder in (project, *project.parents):  # pytest keeps its folders to their owner
        if folder.stat().st_uid == 0 and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o055)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "TMPDIR": str(project / "tmp"),
        "VOICES_DIR": str(project / "voices"),
        "SD_MODELS_DIR": str(project / "checkpoints"),
        "DATA_DIR": str(project / "data"),
        "SD_ENABLED": "true",
        "MODELS_MIRROR": f"http://127.0.0.1:{site.port}",
    }
    # This Python may lie where that user cannot read: the first round, elsewhere, loads all that the second needs.
    fetch = "run_command_line(['models', 'fetch', '--project', sys.argv[1]])"
    code = (
        "import os, sys; from pipeline.cli import run_command_line\n"
        "real = {name: os.environ.pop(name) for name in ('VOICES_DIR', 'SD_MODELS_DIR')}\n"
        f"assert {fetch} == 0\n"
        "os.environ.update(real); os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        f"sys.exit({fetch})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in (project / "voices").glob("*")} == {54321}
    assert seen(project / "voices") == FILES
    assert seen(project / "checkpoints" / TURBO) == CHECKPOINT
    assert list((project / "tmp").iterdir()) == []


def test_the_voice_that_comes_with_a_package_is_here_and_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package as `pip` installs one, and a lock file that names a voice in it."""
    package = "voices_in_a_package"
    for name, content in FILES.items():
        (tmp_path / "site" / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / package / name).write_bytes(content)
    (tmp_path / "site" / package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    model = locked_voice(url="https://elsewhere.invalid/joe")
    files = tuple(replace(file, sources=(PackageFile(package, f"{package}/{file.path}"),)) for file in model.files)
    (tmp_path / "project" / "input").mkdir(parents=True)
    (tmp_path / "project" / "config").mkdir()
    write_lock(tmp_path / "project" / "config" / "models.lock", {JOE: replace(model, files=files)})
    monkeypatch.chdir(tmp_path / "project")

    assert run_command_line(["models", "list", "--json"]) == 0
    rows = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows[JOE] == "bundled"
    assert run_command_line(["models", "verify"]) == 0
    assert "read, all as it should be" in capsys.readouterr().out

    damaged = tmp_path / "site" / package / f"{JOE}.onnx"
    damaged.write_bytes(damaged.read_bytes()[::-1])
    assert run_command_line(["models", "verify"]) == 1
    assert "is damaged" in capsys.readouterr().out
