"""A copy of the project with a stack of its own, started once for all that look at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.compose.files import ROOT

# The first start builds three images.
_PATIENCE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Stack:
    """A project folder and the containers that belong to it."""

    folder: Path
    environ: dict[str, str]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in the project's folder."""
        done = subprocess.run(
            arguments, check=False, cwd=self.folder, env=self.environ, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(
                f"{arguments} ended with {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            )
        return done

    def under(self, **environ: str) -> Stack:
        """The same folder with some settings changed."""
        return Stack(self.folder, self.environ | environ)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("scripts/stack.sh", "compose", *arguments, check=check)

    def pipeline(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("scripts/stack.sh", "pipeline", *arguments, check=check)

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        name = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        return dict(json.loads(self.run("docker", "inspect", name).stdout)[0])

    def files(self) -> dict[str, bytes]:
        """Everything published, by its path."""
        output = self.folder / "output"
        return {
            str(path.relative_to(output)): path.read_bytes()
            for path in sorted(output.rglob("*"))
            if path.is_file() and path.name != ".gitignore"
        }


def copy_of_the_project(folder: Path) -> None:
    """What a clone holds, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def why_no_engine() -> str:
    asked = subprocess.run(
        ["scripts/stack.sh", "mode"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "MODE": "containers"},
    )  # fmt: skip
    return "" if asked.returncode == 0 else asked.stderr.partition("but ")[2].strip()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Not started; whatever is left of it is taken away at the end."""
    if why := why_no_engine():
        pytest.skip(f"the stack's tests need a container engine: {why}")
    folder = tmp_path_factory.mktemp("a project with spaces")
    copy_of_the_project(folder)
    # Films are made without any service, and the other tests make enough of them.
    (folder / ".env").write_text("VIDEO=off\n")
    name = f"pipeline-test-{os.getpid()}"
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"MODE", "SD_ENABLED", "GPU", "MAKEFLAGS", "MONITORING"}
    }
    made = Stack(
        folder, {**kept, "STACK_NAME": name, "STACK_VERSION": "test", "WATCH_SECONDS": "1", "SERVICE_PORT": "0"}
    )
    yield made
    made.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


@pytest.fixture(scope="session")
def first_run(stack: Stack) -> subprocess.CompletedProcess[str]:
    """`make pipeline` in a fresh copy: everything is built, fetched, started and made."""
    return stack.run("make", "pipeline", check=False)
