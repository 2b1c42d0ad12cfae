"""scripts/backup.sh where the pipeline runs in containers: what it says is of this machine's folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "backup.sh"

# Stands in for the stack: says in which mode it is, and what it was asked to run.
STACK = """#!/bin/sh
case $1 in
    mode) echo containers ;;
    *)
        shift
        printf '%s\\n' "$@" >asked
        echo "/backups/media-pipeline-1.tar: 3 files, kept beside /backups/"
        echo on its way >&2
        exit "${ENDS:-0}"
        ;;
esac
"""


def backed_up(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (project / "scripts").mkdir(exist_ok=True)
    shutil.copy(SCRIPT, project / "scripts" / "backup.sh")
    (project / "scripts" / "stack.sh").write_text(STACK)
    (project / "scripts" / "stack.sh").chmod(0o755)
    return subprocess.run(
        [project / "scripts" / "backup.sh", *arguments],
        env={"PATH": os.environ["PATH"], **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "dotenv", "folder"),
    [("", "", "{project}/backups"), ("kept", "", "{project}/kept"), ("/mnt/usb", "", "/mnt/usb"),
     ("", "A=1\nBACKUP_DIR=/srv/b\n", "/srv/b")],
)  # fmt: skip
def test_the_folder_is_named_as_it_is_called_here(given: str, dotenv: str, folder: str, tmp_path: Path) -> None:
    if dotenv:
        (tmp_path / ".env").write_text(dotenv)
    done = backed_up(tmp_path, **({"BACKUP_DIR": given} if given else {}))
    named = folder.format(project=tmp_path)
    assert done.stdout == f"{named}/media-pipeline-1.tar: 3 files, kept beside {named}/\n"
    assert "on its way" in done.stderr
    assert done.returncode == 0


def test_what_is_asked_for_is_passed_on_and_how_it_ended_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    done = backed_up(tmp_path, "--keep", "7", "--with-secrets", ENDS="3")
    assert done.returncode == 3
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[:6] == ["run", "--rm", "--no-deps", "-T", "-v", f"{tmp_path}/.env:/project/.env:ro"]
    assert json.dumps(asked[6:-1]) == json.dumps(
        ["manager", "backup", "--project", "/project", "--to", "/backups", "--keep", "7", "--with-secrets"]
    )
