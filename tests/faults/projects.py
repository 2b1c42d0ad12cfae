"""A small project in which everything is about to happen, and what must hold in it whatever happens.

One episode is finished and its script has been edited since; the topic of another has changed, so that it is published
anew over the old one, with a picture less; a third is new.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.build.store import Store
from pipeline.errors import PipelineError
from pipeline.files import PART_PREFIX
from pipeline.stages.publish import verify
from pipeline.studio import Studio
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

EDIT = "Nobody but the cook slept on board."
"""What a person wrote into a script."""

WITHDRAWN = "changed/picture-02.png"
"""What the old edition of `changed` has and the new one has not."""

_HEAD = "---\ntitle: {}\nmode: read\n---\n\n"
_BEFORE = {
    "kept.md": _HEAD.format("Kept") + "Nobody slept on board.\n",
    "changed.md": _HEAD.format("Changed") + "# One\n\nThe wind rose.\n\n# Two\n\nThe rain came.\n",
}
_AFTER = {
    "changed.md": _HEAD.format("Changed") + "# One\n\nThe wind fell.\n",
    "new.md": _HEAD.format("New") + "The harbour was quiet.\n",
}


HURRIED = 4.0
"""How fast everything is spoken where nobody listens: coding the sound is most of what a run here takes."""


class AtOnce(Executor):
    """Does what it is given before it returns: the same calls in the same order every time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # as any executor
            done.set_exception(error)
        return done


def studio_of(project: Path) -> Studio:
    """With one thread and a clock that stands still: equal runs leave equal bytes, the manifests' too."""
    executor = AtOnce()

    def executors() -> Mapping[str, Executor]:
        return dict.fromkeys(("llm", "speech", "cpu", "image"), executor)

    return make_studio(
        project,
        voice=FakeVoice(),
        writer=FakeWriter([]),
        executors=executors,
        clock=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        rate=HURRIED,
    )


def prepare(project: Path) -> None:
    """Bring `project` to the state that the module describes."""
    (project / "input").mkdir(parents=True)
    for name, text in _BEFORE.items():
        (project / "input" / name).write_text(text)
    assert set(run_all(studio_of(project)).values()) == {None}
    script = project / "output" / "kept" / "script.md"
    script.write_text(script.read_text().replace("Nobody slept on board.", EDIT))
    for name, text in _AFTER.items():
        (project / "input" / name).write_text(text)


def run(project: Path) -> list[BaseException]:
    """Every error of one run, the run's own too."""
    try:
        return [error for error in run_all(studio_of(project)).values() if error is not None]
    except PipelineError as error:
        return [error]


def files_in(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@cache
def settled(folder: Path) -> Mapping[str, bytes]:
    """The files of a folder that nothing touches any more."""
    return files_in(folder)


def faults_midway(project: Path, before: Path, after: Path) -> list[str]:
    """What must never be seen, at whatever moment a run ended: a file that is neither the old nor the new one, an
    artifact that is not whole, a topic or an edit that is gone.
    """
    faults = []
    old, new = settled(before / "output"), settled(after / "output")
    for name, data in files_in(project / "output").items():
        if not Path(name).name.startswith(PART_PREFIX) and data not in (old.get(name), new.get(name)):
            faults.append(f"output/{name} is neither old nor new")
    faults += [f"output/{name} is gone" for name in old.keys() & new.keys() if not (project / "output" / name).exists()]
    store = Store(project / "data" / "store")
    for key in store.every_key():
        artifact = store.find(key)
        if artifact is None:
            faults.append(f"artifact {key} is not whole")
        else:
            for part in artifact.parts:
                artifact.read(part)
    for path in (project / "data").rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            faults.append(f"{path.name} is not whole")
    if files_in(project / "input") != settled(before / "input"):
        faults.append("a topic is not what it was")
    scripts = [*(project / "output").glob("kept/script.md"), *(project / "data" / "edits").glob("*")]
    if not any(EDIT in path.read_text() for path in scripts if path.is_file()):
        faults.append("the edit is gone")
    return faults


def faults_at_the_end(project: Path, before: Path, after: Path) -> list[str]:
    """What is wrong after a run that nobody disturbed: it must be as if there had been no other."""
    faults = faults_midway(project, before, after)
    found, wanted = files_in(project / "output"), settled(after / "output")
    names = sorted((found.keys() | wanted.keys()) - {WITHDRAWN})
    faults += [f"output/{name} differs" for name in names if found.get(name) != wanted.get(name)]
    for folder in (project / "output").iterdir():
        if folder.is_dir():
            faults += [f"{folder.name}: {fault}" for fault in verify(folder)]
    return faults


def copy(project: Path, to: Path) -> Path:
    """A copy whose files look untouched to a run: the same times."""
    shutil.copytree(project, to, symlinks=True)
    return to
