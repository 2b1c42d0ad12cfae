"""scripts/stack.sh: where a project works, and why."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "stack.sh"

# Stands in for an engine: of a version that will do, with the volumes that it is told of.
ENGINE = """#!/bin/sh
case $1 in
    version) echo "${ENGINE_VERSION:-28.2.2}" ;;
    compose) echo 2.30.0 ;;
    volume) case " ${VOLUMES:-} " in *" $3 "*) echo ;; *) exit 1 ;; esac ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "scripts" / "stack.sh")
    (folder / "engine").write_text(ENGINE)
    (folder / "engine").chmod(0o755)
    return folder


def mode(project: Path, **environ: str) -> tuple[str, str]:
    """The mode, and why."""
    done = subprocess.run(
        ["scripts/stack.sh", "mode"], cwd=project, capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "CONTAINER_ENGINE": str(project / "engine"), **environ},
    )  # fmt: skip
    found, _, why = done.stdout.strip().partition(": ")
    return found, why


def test_a_new_project_works_in_containers_where_an_engine_answers(project: Path) -> None:
    assert mode(project) == ("containers", "a container engine answers; MODE=local does without")
    assert mode(project, MODE="local") == ("local", "MODE=local")


def test_without_an_engine_that_will_do_it_works_here(project: Path) -> None:
    assert mode(project, CONTAINER_ENGINE="no-such-engine") == ("local", "there is no no-such-engine here")
    (project / "docker").write_text(ENGINE)
    (project / "docker").chmod(0o755)
    found = mode(project, CONTAINER_ENGINE="", PATH=f"{project}:{os.environ['PATH']}", ENGINE_VERSION="24.0.7")
    assert found == ("local", "the Docker Engine is 24.0.7, and 25 is needed")


@pytest.mark.parametrize("data", [".pipeline", "elsewhere/data"])
def test_a_project_stays_where_its_work_lies(project: Path, data: str) -> None:
    settings = {} if data == ".pipeline" else {"DATA_DIR": data}
    (project / data / "store").mkdir(parents=True)
    here = ("local", f"its work so far lies in {data}/; MODE=containers begins anew in containers")
    assert mode(project, **settings) == here
    assert mode(project, VOLUMES="another-store", **settings) == here
    assert mode(project, MODE="containers", **settings) == ("containers", "MODE=containers")


@pytest.mark.parametrize("name", ["media-pipeline", "podcast"])
def test_a_project_that_has_worked_in_containers_too_goes_on_in_them(project: Path, name: str) -> None:
    (project / ".pipeline" / "store").mkdir(parents=True)
    (project / ".env").write_text("" if name == "media-pipeline" else f"STACK_NAME={name}\n")
    assert mode(project, VOLUMES=f"{name}-store")[0] == "containers"
