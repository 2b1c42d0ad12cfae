"""`pipeline feed` as a person types it, over what is published."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.cli import run_command_line
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

ROOT = Path(__file__).parents[2]
TOPIC = "---\ntitle: The log\nmode: read\n---\n\nThe wind rose before six. Nobody slept on board.\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one published episode; the working folder is its own."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "log.md").write_text(TOPIC)
    assert run_all(make_studio(tmp_path, voice=FakeVoice(), writer=FakeWriter([]))) == {"the-log": None}
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_all_that_stands_above_the_episodes_and_says_what(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["feed", "--base-url", "https://example.org/podcast", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["feed_url"] == "https://example.org/podcast/feed.xml"
    assert told["episodes"] == 1
    assert {"cover.png", "feed.xml", "index.html"} <= set(told["written"])
    assert (told["hidden"], told["remarks"]) == ({}, [])

    item = ET.parse(project / "output" / "feed.xml").find("channel/item")
    assert item is not None
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.get("url") == "https://example.org/podcast/the-log/audio.mp3"
    assert enclosure.get("length") == str((project / "output" / "the-log" / "audio.mp3").stat().st_size)

    assert run_command_line(["feed", "--base-url", "https://example.org/podcast"]) == 0
    assert "1 episode; nothing had changed" in capsys.readouterr().out


def test_an_address_that_lasts_until_the_next_run_is_said_to_and_one_of_the_settings_is_not(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command_line(["feed", "--base-url", "https://example.org/podcast"]) == 0
    said = capsys.readouterr().err
    assert "The next run writes it for http://" in said
    assert "FEED_BASE_URL=https://example.org/podcast" in said
    monkeypatch.setenv("FEED_BASE_URL", "https://example.org/podcast")
    assert run_command_line(["feed", "--base-url", "https://example.org/podcast"]) == 0
    assert capsys.readouterr().err == ""
    assert run_command_line(["feed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["until_the_next_run"] is False


def test_what_directories_may_not_take_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "output" / "cover.jpg").write_bytes(b"no picture")
    assert run_command_line(["feed"]) == 0
    assert "cover.jpg is no picture" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["example.org", "https://me:secret@example.org", "file:///srv"])
def test_an_address_that_nobody_can_subscribe_to_is_refused(
    project: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["feed", "--base-url", address]) == 2
    assert not (project / "output" / "feed.xml").exists()


def test_an_episode_that_cannot_be_shown_is_named_and_the_command_says_so_in_its_status(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "output" / "spoilt").mkdir()
    (project / "output" / "spoilt" / "manifest.json").write_text("{")
    assert run_command_line(["feed"]) == 1
    assert "not shown on the page and in the feed: spoilt" in capsys.readouterr().err
