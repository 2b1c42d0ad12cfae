"""What another FFmpeg than ours, FFmpeg 6.1's ffprobe in a build of its own, finds in what is published."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.cards import Cards
from pipeline.stages.pictures import Shape
from pipeline.stages.video import Spec
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import FakeWriter
from tests.npm import NotToBeHad, Release

FFPROBE = Release(
    "@ffprobe-installer/linux-x64@5.2.0", "8b6b2e34bad5ea7cfbe1914185145f514f620f24203a1a421e8d00a698bf8e61"
)
TOPIC = """---
title: Faróis
language: pt-BR
date: 2026-11-21
mode: read
---

## A luz

O farol acende às seis. A luz gira devagar sobre a água escura.

## O mar

Os barcos voltam cedo. Ninguém dorme a bordo quando o vento muda.
"""
FRAME = 1 / 25
# Chapters of QuickTime are text, which ffprobe knows by another name; and of some JPEGs that end as they should it says
# that they do not.
_KNOWN = re.compile(r"Unsupported codec with id 98314 for input stream 3\s*|\[mjpeg @ \w+\] EOI missing, emulating\s*")


@pytest.fixture(scope="module")
def ffprobe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the release of ffprobe is for Linux on x86-64")
    try:
        program = FFPROBE.read("ffprobe")
    except NotToBeHad as why:
        pytest.skip(f"ffprobe is not to be had: {why}")
    path = tmp_path_factory.mktemp("ffprobe") / "ffprobe"
    path.write_bytes(program)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    (project / "input").mkdir()
    (project / "input" / "farois.md").write_text(TOPIC)
    voice = FakeVoice([identity("pt_BR-fake-medium", language="pt-BR")])
    shapes, films = (
        (Shape("", 192, 108), Shape("tall", 108, 192)),
        (Spec(192, 108), Spec(108, 192, motion=False, burn=True)),
    )
    studio = make_studio(project, voice=voice, writer=FakeWriter([]), illustrator=Cards(), shapes=shapes, films=films)
    assert run_all(studio) == {"farois": None}
    return project / "output" / "farois"


def probe(ffprobe: Path, file: Path, *show: str) -> dict[str, Any]:
    """What it found; it has nothing to complain of."""
    done = subprocess.run(
        [str(ffprobe), "-v", "warning", "-of", "json", *show, str(file)], capture_output=True, text=True, check=True
    )
    assert _KNOWN.sub("", done.stderr) == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def chapters(episode: Path) -> list[tuple[str, float]]:
    told = json.loads((episode / "chapters.json").read_text())
    return [(chapter["title"], chapter["startTime"]) for chapter in told["chapters"]]


def seconds(text: str) -> float:
    hours, minutes, rest = text.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.mark.parametrize("name", ["video.mp4", "video-tall.mp4"])
def test_a_film_is_what_players_take(ffprobe: Path, episode: Path, name: str) -> None:
    told = probe(ffprobe, episode / name, "-show_streams", "-show_format", "-show_chapters", "-count_frames")
    picture, sound, captions, _ = told["streams"]
    assert (picture["codec_name"], picture["profile"], picture["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert (picture["color_space"], picture["color_range"]) == ("bt709", "tv")
    assert (picture["width"], picture["height"]) == ((192, 108) if name == "video.mp4" else (108, 192))
    assert picture["nb_read_frames"] == picture["nb_frames"]
    assert (sound["codec_name"], sound["profile"], sound["channels"]) == ("aac", "LC", 1)
    assert (captions["codec_name"], captions["tags"]["language"], sound["tags"]["language"]) == (
        "mov_text",
        "por",
        "por",
    )
    assert abs(float(picture["duration"]) - float(sound["duration"])) <= FRAME
    assert told["format"]["tags"]["title"] == "Faróis"
    assert told["format"]["tags"]["comment"] == "Voz sintetizada por uma máquina."
    found = [(one["tags"]["title"], float(one["start_time"])) for one in told["chapters"]]
    for (title, start), (wanted, begins) in zip(found, chapters(episode), strict=True):
        assert title == wanted
        assert abs(start - begins) <= 0.001


def test_the_captions_of_a_film_are_those_beside_it(ffprobe: Path, episode: Path) -> None:
    told = probe(ffprobe, episode / "video.mp4", "-show_packets", "-select_streams", "s")
    shown = [
        (float(packet["pts_time"]), float(packet["pts_time"]) + float(packet["duration_time"]))
        for packet in told["packets"]
        if int(packet["size"]) > 2  # of an empty text the length alone is kept, in two bytes
    ]
    lines = (episode / "captions.srt").read_text("utf-8-sig").splitlines()
    written = [tuple(map(seconds, line.split(" --> "))) for line in lines if " --> " in line]
    assert len(written) >= 2
    for (start, end), (wanted_start, wanted_end) in zip(shown, written, strict=True):
        assert abs(start - wanted_start) <= 0.002
        assert abs(end - wanted_end) <= 0.002


def test_an_mp3_has_its_tags_its_chapters_and_its_length(ffprobe: Path, episode: Path) -> None:
    told = probe(ffprobe, episode / "audio.mp3", "-show_streams", "-show_format", "-show_chapters", "-count_packets")
    sound, shown = told["streams"]
    assert (shown["codec_name"], shown["width"], shown["height"]) == ("mjpeg", 600, 600)
    assert shown["disposition"]["attached_pic"] == 1
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("mp3", "44100", 1)
    assert told["format"]["tags"]["title"] == "Faróis"
    assert told["format"]["tags"]["language"] == "por"
    assert "sintetizada por uma máquina" in told["format"]["tags"]["comment"]
    found = [(one["tags"]["title"], float(one["start_time"])) for one in told["chapters"]]
    for (title, start), (wanted, begins) in zip(found, chapters(episode), strict=True):
        assert title == wanted
        assert abs(start - begins) <= 0.001
    film = probe(ffprobe, episode / "video.mp4", "-show_format")
    assert abs(float(sound["duration"]) - float(film["format"]["duration"])) <= 0.06  # an MP3 frame, and a film's


@pytest.mark.parametrize("name", ["cover.png", "picture-01.png", "picture-tall-02.png"])
def test_pictures_are_plain_pngs(ffprobe: Path, episode: Path, name: str) -> None:
    (picture,) = probe(ffprobe, episode / name, "-show_streams")["streams"]
    assert picture["codec_name"] == "png"
    assert picture["pix_fmt"] in {"rgb24", "pal8"}  # cards have few colours, and some are written with a palette
