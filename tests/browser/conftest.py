"""A published project and a browser to look at it; tests that need one are left out where there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import site
from pipeline.engines.cards import Cards
from pipeline.site import Channel
from pipeline.stages.pictures import Shape
from pipeline.stages.video import Spec
from tests.browser import axe, chromium
from tests.browser.chromium import Browser, Tab, browser
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import FakeWriter
from tests.npm import NotToBeHad

CHORUS = """---
title: The dawn chorus
mode: read
tags: [birds]
---

# The dawn chorus

## Before sunrise

A single bird begins to sing. Its eyes are large for its size.

Nobody is up to hear it.

## The wrens join in

Soon the wrens join in. The air is cool and still at that hour, and a song carries far.
"""
NOTE = """---
title: Uma nota só
mode: read
language: pt-BR
---

Uma coisa só é dita aqui, e depois acaba.
"""
CHANNEL = Channel("Small wonders", "Short and true.", "en", "https://example.org/podcast")
ENOUGH_FOR_A_SEARCH = 7


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two episodes with pictures and films, and some more so that the index offers a search."""
    project = tmp_path_factory.mktemp("project")
    (project / "input").mkdir()
    (project / "input" / "chorus.md").write_text(CHORUS)
    (project / "input" / "nota.md").write_text(NOTE)
    studio = make_studio(
        project,
        voice=FakeVoice([identity(), identity("pt_BR-fake-medium", language="pt-BR")]),
        writer=FakeWriter([]),
        illustrator=Cards(),
        shapes=(Shape("", 640, 360),),
        films=(Spec(640, 360, motion=False),),
    )
    assert set(run_all(studio).values()) == {None}
    published = project / "output"
    for number in range(ENOUGH_FOR_A_SEARCH):
        copy = shutil.copytree(published / "uma-nota-so", published / f"copy-{number}")
        manifest = json.loads((copy / "manifest.json").read_bytes())
        changes = {"title": f"Copy {number}", "slug": copy.name, "identity": copy.name, "tags": ["copied"]}
        (copy / "manifest.json").write_text(json.dumps(manifest | changes))
    (published / "spoilt").mkdir()
    (published / "spoilt" / "manifest.json").write_text("{}")
    site.bring_up_to_date(published, CHANNEL)
    return published


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if chromium.installed() is None:
        pytest.skip(f"no browser is installed: none of {', '.join(chromium.NAMES)}")
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture
def tab(running: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, and closes them after the test."""
    opened: list[Tab] = []

    def open_tab(address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Tab:
        opened.append(running.tab(width=width, height=height, dark=dark))
        opened[-1].open(address)
        return opened[-1]

    yield open_tab
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def axe_core() -> str:
    try:
        return axe.script()
    except NotToBeHad as error:
        pytest.skip(str(error))
