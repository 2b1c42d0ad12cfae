"""`pipeline backup`, `pipeline restore` and their scripts, as they are typed: what is said and how they end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.backup import Places
from pipeline.cli import run_command_line
from tests.fakes.backed_up import fill, put, seen, wipe

ROOT = Path(__file__).parents[2]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A project whose data folder has another name than usual; the working folder is its own."""
    project = tmp_path / "my project"
    places = fill(project)
    put(places.config / "pipeline.toml", b'data_dir = "data"\nollama_api_key = "open-sesame"\n')
    monkeypatch.chdir(project)
    for name in list(os.environ):
        if name.endswith("_DIR") or name == "OLLAMA_API_KEY":
            monkeypatch.delenv(name)
    return places


def run(*arguments: object) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_there_and_back(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "--verify") == 0
    said = capsys.readouterr().out
    assert "20 files, 2.5 MB, read back and whole." in said
    assert "note: config/pipeline.toml: without the secrets in it" in said
    (file,) = (places.project / "backups").glob("*.tar")
    assert b"sesame" not in file.read_bytes()

    before = seen(places)
    wipe(places)
    # Nothing tells where the data folder was but the settings in the backup itself.
    assert run("restore", file) == 0
    assert f"20 files restored into {places.project}, 2.5 MB." in capsys.readouterr().out
    assert seen(places).keys() == before.keys()
    assert run("restore", file) == 1
    assert "there is data already" in capsys.readouterr().err
    assert run("restore", file, "--replace") == 0
    assert "What was there is in" in capsys.readouterr().out


def test_for_programs(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "--json", "--keep", "1") == 0
    first = json.loads(capsys.readouterr().out)
    assert run("backup", "--json", "--keep", "1", "--verify") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["removed"] == [first["file"]]
    assert (made["files"], made["verified"], made["left_out"]) == (20, True, [])

    assert run("restore", "--list", made["file"], "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 20
    assert run("restore", "--verify", made["file"], "--json") == 0
    verified = json.loads(capsys.readouterr().out)
    assert (verified["whole"], verified["manifest_sha256"]) == (True, made["manifest_sha256"])
    assert run("restore", made["file"], "--only", "output/moon", "--replace", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["files"], len(done["moved_aside_to"])) == (4, 1)


def test_a_listing_for_people(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    run("backup")
    (file,) = (places.project / "backups").glob("*.tar")
    capsys.readouterr()
    assert run("restore", "--list", file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert any(line.startswith("600\t8\t") and line.endswith("\tinput/two words.txt") for line in lines)
    assert run("restore", "--verify", file) == 0
    assert capsys.readouterr().out.endswith("20 files: whole.\n")


def test_what_is_left_out_is_said_and_ends_with_1(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    (places.input / "link.md").symlink_to("moon.md")
    assert run("backup") == 1
    assert "left out: input/link.md: a symbolic link, no plain file" in capsys.readouterr().out


def test_damage_is_said_and_ends_with_1(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    run("backup")
    (file,) = (places.project / "backups").glob("*.tar")
    data = bytearray(file.read_bytes())
    data[data.index(b"My own words.")] ^= 1
    file.write_bytes(data)
    for arguments in (["--verify"], ["--replace"]):
        assert run("restore", file, *arguments) == 1
        assert "data/edits/moon.md is not what its manifest says" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["restore"], ["backup", "--keep", "0"], ["backup", "--nonsense"], ["restore", "a.tar", "b.tar"]]
)
def test_what_cannot_be_understood_ends_with_2(places: Places, wrong: list[str]) -> None:
    assert run(*wrong) == 2


def test_a_file_that_is_not_there(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("restore", "none.tar") == 1
    assert "there is no such file" in capsys.readouterr().err


# -- the scripts -------------------------------------------------------------------------------------------------

DOCKER = """#!/bin/sh
case "$*" in
    version*) echo 29.0.0; exit 0 ;;
    "compose version"*) echo 2.40.0; exit 0 ;;
    *" ps "*) exit 0 ;;
    "volume inspect"*) exit 1 ;;
esac
for argument; do printf '%s\\n' "$argument"; done >"$DOCKER_SAID"
"""


@pytest.fixture
def checkout(places: Places, tmp_path: Path) -> Path:
    """The scripts in a project whose path has spaces, and a `docker` that writes down what it is asked."""
    shutil.copytree(ROOT / "scripts", places.project / "scripts")
    shutil.copytree(ROOT / "compose", places.project / "compose")
    put(places.project / "src/pipeline/__init__.py", (ROOT / "src/pipeline/__init__.py").read_bytes())
    put(tmp_path / "bin" / "docker", DOCKER.encode(), 0o755)
    return places.project


def script(
    name: str, *arguments: object, checkout: Path, mode: str, cwd: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    home = checkout.parent
    return subprocess.run(
        ["sh", checkout / "scripts" / f"{name}.sh", *map(str, arguments)],
        cwd=cwd,
        env={
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "VENV": str(Path(sys.prefix)),
            "MODE": mode,
            "DOCKER_SAID": str(home / "said"),
            **more,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_scripts_work_from_any_folder(places: Places, checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where"
    elsewhere.mkdir()
    made = script("backup", "--verify", checkout=checkout, mode="local", cwd=elsewhere)
    assert made.returncode == 0, made.stderr
    assert "backup: local: MODE=local" in made.stderr
    (file,) = (checkout / "backups").glob("*.tar")
    before = seen(places)
    wipe(places)
    moved = file.rename(elsewhere / "the backup.tar")
    done = script("restore", moved.name, checkout=checkout, mode="local", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert seen(places).keys() == before.keys()
    listed = script(
        "restore", "--only", "output/moon", moved, "--replace", checkout=checkout, mode="local", cwd=elsewhere
    )
    assert listed.returncode == 0, listed.stderr
    assert "4 files restored" in listed.stdout


def test_a_backup_is_named_from_the_project_as_make_does(places: Places, checkout: Path, tmp_path: Path) -> None:
    chosen = script("backup", checkout=checkout, mode="local", cwd=tmp_path, BACKUP_DIR="kept here")
    assert chosen.returncode == 0, chosen.stderr
    (file,) = (checkout / "kept here").glob("*.tar")
    listed = script("restore", file.relative_to(checkout), "--list", checkout=checkout, mode="local", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "output/moon/audio.mp3" in listed.stdout


def test_scripts_pass_on_how_it_ended(places: Places, checkout: Path, tmp_path: Path) -> None:
    assert script("restore", "none.tar", checkout=checkout, mode="local", cwd=tmp_path).returncode == 1
    assert script("restore", "a.tar", "b.tar", checkout=checkout, mode="local", cwd=tmp_path).returncode == 2
    assert script("backup", "--nonsense", checkout=checkout, mode="local", cwd=tmp_path).returncode == 2


def asked(checkout: Path) -> list[str]:
    words = (checkout.parent / "said").read_text().splitlines()
    return words[words.index("run") :]


def test_in_containers_the_manager_makes_the_backup(checkout: Path, tmp_path: Path) -> None:
    made = script("backup", "--keep", "3", checkout=checkout, mode="containers", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "backup: containers: MODE=containers" in made.stderr
    assert asked(checkout) == [
        "run", "--rm", "--no-deps", "-T", "manager",
        "backup", "--project", "/project", "--to", "/backups", "--keep", "3",
    ]  # fmt: skip
    refused = script("backup", "--to", "/tmp/x", checkout=checkout, mode="containers", cwd=tmp_path)
    assert refused.returncode == 2
    assert "BACKUP_DIR" in refused.stderr


def test_in_containers_secrets_are_shown_only_when_asked_for(checkout: Path, tmp_path: Path) -> None:
    put(checkout / ".env", b"")
    script("backup", "--with-secrets", checkout=checkout, mode="containers", cwd=tmp_path)
    words = asked(checkout)
    assert words[words.index("-v") + 1] == f"{checkout}/.env:/project/.env:ro"


def test_in_containers_a_restore_may_write_where_the_manager_may_not(checkout: Path, tmp_path: Path) -> None:
    put(tmp_path / "far away" / "b.tar", b"")
    arguments = ["far away/b.tar", "--only", "output/moon", "--replace"]
    done = script("restore", *arguments, checkout=checkout, mode="containers", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked(checkout) == [
        "run", "--rm", "--no-deps", "-T",
        "-v", f"{tmp_path}/far away:/restore/from:ro",
        "-v", f"{checkout}/input:/restore/input", "-e", "INPUT_DIR=/restore/input",
        "-v", f"{checkout}/config:/restore/config", "-e", "CONFIG_DIR=/restore/config",
        "manager", "restore", "--project", "/project", "--only", "output/moon", "--replace", "/restore/from/b.tar",
    ]  # fmt: skip
