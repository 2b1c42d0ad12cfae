"""What is published of real episodes: manifests follow the schema, and whatever is changed afterwards is found."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from pipeline import report
from pipeline.build.store import held
from pipeline.domain import manifest
from pipeline.ports import Question
from pipeline.stages.publish import MANIFEST, SCRIPT, digest_on_disk, verify
from pipeline.studio import Studio
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import SMALL, FakeWriter
from tests.json_schema import faults, fields

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA: Mapping[str, Any] = json.loads((REFERENCE / "manifest.schema.json").read_text("utf-8"))

LOG = """---
title: The log
mode: read
date: 2026-05-17
tags: [sea, diary]
---

# Morning

The wind rose before six. Nobody slept on board.

## Evening

Was it late? Captain Reis wrote it down. The lamp was lit at dusk.
"""
NOTES = """
- A bell is cast in bronze.
- The clapper strikes the rim.
- Ropes turn the wheel of a bell.
- Large bells ring lower than small ones.
"""
BELLS = f"---\ntitle: Bells\nwords: 40\n---\n{NOTES}"
TIMED = f"---\ntitle: Bells by the clock\nminutes: 0.4\n---\n{NOTES}"
STUBBORN = f"---\ntitle: Bells for long\nminutes: 0.5\n---\n{NOTES}"
OTHER_LANGUAGE = "---\ntitle: A luz\nmode: read\n---\n\nA luz do Sol contém todas as cores. O ar espalha mais a azul.\n"
ROWS = "title,notes,mode\nThe lamp,The lamp was lit at dusk. It burned all night.,read\n"

SAID: tuple[tuple[str, list[int]], ...] = (
    ("A bell is cast in bronze, and it cools for a day.", [1]),
    ("The clapper strikes the rim when the rope is pulled.", [2]),
    ("Ropes turn the wheel of a bell high in the tower.", [3]),
    ("Nobody in Lisbon has ever counted 77 of them.", []),
)
LONGER = (
    "Ropes turn the wheel of a bell high in the tower, and the wheel lifts the mouth until it looks to the sky.",
    "Large bells ring lower than small ones, because more bronze has to move with every stroke of the clapper.",
)
TOLD = (
    "Bells ring because bronze is a hard and springy metal.",
    "The rim of most bells moves when something heavy strikes it.",
    "Moving air carries what bells say over fields and rivers.",
    "Heavy bells need strong towers and patient people with ropes.",
    "Old bells were often melted down when a town needed cannons.",
    "Most people hear bells on quiet mornings before the traffic begins.",
)


def answer(question: Question) -> str:
    """A large model that writes one script, lengthens it where it is asked to, and not for the title `for long`."""
    if "words now" not in question.prompt:
        halves = (SAID[:2], SAID[2:])
        segments = [
            {
                "title": title,
                "picture_prompt": "a bell",
                "sentences": [{"text": text, "notes": notes} for text, notes in half],
            }
            for title, half in zip(("Casting", "Ringing"), halves, strict=True)
        ]
        return json.dumps({"segments": segments})
    if "for long" in question.prompt:
        return "{}"
    numbers = re.findall(r"Segment (\d+) has \d+ words now\.", question.prompt)
    more = [{"text": text, "notes": []} for text in LONGER]
    return json.dumps({"segments": [{"number": int(number), "sentences": more} for number in numbers[:1]]})


def studio(folder: Path, **how: Any) -> Studio:
    return make_studio(folder, voice=FakeVoice(), writer=how.pop("writer", FakeWriter(answer)), **how)


def built(folder: Path, topics: Mapping[str, str], **how: Any) -> Path:
    """A project whose every topic was made; returns its folder."""
    (folder / "input").mkdir(parents=True, exist_ok=True)
    for name, text in topics.items():
        (folder / "input" / name).write_text(text)
    errors = run_all(studio(folder, **how))
    assert not any(errors.values()), errors
    return folder


def manifests(*projects: Path) -> dict[str, dict[str, Any]]:
    """Every manifest, by the name of its project and its episode."""
    return {
        f"{path.parents[2].name}/{path.parent.name}": json.loads(path.read_text("utf-8"))
        for project in projects
        for path in sorted(project.glob(f"output/*/{MANIFEST}"))
    }


@pytest.fixture(scope="module")
def every_mode(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Manifests of every way in which an episode can come about."""
    folder = tmp_path_factory.mktemp("modes")
    large = built(
        folder / "large",
        {
            "log.md": LOG,
            "bells.md": BELLS,
            "timed.md": TIMED,
            "stubborn.md": STUBBORN,
            "rows.csv": ROWS,
            "luz.md": OTHER_LANGUAGE,
        },
        illustrator=FakeIllustrator(reads_prompts=True),
    )
    small = built(
        folder / "small",
        {
            "bells.md": BELLS.replace("words: 40", "words: 90"),
            "alone.md": "---\ntitle: Why bells ring\nwords: 40\n---\n",
        },
        writer=FakeWriter(
            cycle(TOLD),
            identity=replace(SMALL, licence="Apache-2.0", details={"context_tokens": "2048"}),
        ),
    )
    edited = built(folder / "edited", {"bells.md": BELLS, "log.md": LOG})
    for slug, old, new in (("bells", "high in the tower", "up in the tower"), ("the-log", "late", "early")):
        script = edited / "output" / slug / SCRIPT
        script.write_text(script.read_text().replace(old, new))
    built(edited, {})
    return manifests(large, small, edited)


def test_every_manifest_follows_the_published_schema(every_mode: dict[str, dict[str, Any]]) -> None:
    assert len(every_mode) == 10
    assert {name: list(faults(told, SCHEMA)) for name, told in every_mode.items()} == {name: [] for name in every_mode}


def test_every_field_of_the_schema_is_written_somewhere(every_mode: dict[str, dict[str, Any]]) -> None:
    seen: set[str] = set()
    for told in every_mode.values():
        assert not list(faults(told, SCHEMA, seen=seen))
    # The fakes have no voice of several speakers.
    assert {name for name, _ in fields(SCHEMA)} - seen == {"engines.voice.speaker"}


def test_the_modes_are_what_they_are_taken_for(every_mode: dict[str, dict[str, Any]]) -> None:
    by_hand = {name for name, told in every_mode.items() if told["script"]["edited_by_hand"]}
    assert by_hand == {"edited/bells", "edited/the-log"}
    assert every_mode["edited/bells"]["script"]["claims"]["by_hand"] == [2]
    assert every_mode["edited/the-log"]["script"]["how"] is None
    assert every_mode["large/bells"]["script"]["claims"]["unsupported"] == [3]
    assert every_mode["large/the-log"]["engines"]["writer"] is None
    assert every_mode["large/the-log"]["ai_generated"]["pictures"] is True
    assert every_mode["small/bells"]["ai_generated"]["pictures"] is False


# -- found out -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two finished episodes, to be copied and never changed."""
    return built(tmp_path_factory.mktemp("made") / "project", {"log.md": LOG, "bells.md": BELLS})


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def told(project: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """How `verify --json` ends, and what it says."""
    capsys.readouterr()
    ended = report.show_verification(studio(project), as_json=True)
    return ended, json.loads(capsys.readouterr().out)


def change(folder: Path, how: Callable[[dict[str, Any]], object], *, digest: bool = False) -> None:
    """Edit a manifest as a person would; with `digest`, as one who knows about it."""
    facts = json.loads((folder / MANIFEST).read_text("utf-8"))
    how(facts)
    text = json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n"
    if digest:
        text = manifest.dump({name: one for name, one in facts.items() if name not in {"format", manifest.DIGEST}})
    (folder / MANIFEST).write_bytes(text)


def test_what_was_published_is_as_it_was_published(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(project, capsys) == (
        0,
        {"episodes": 2, "wrong": {}, "remarks": {}, "edited_by_hand": [], "no_topic": []},
    )


def test_each_of_a_hundred_flipped_bits_is_found_and_said_where_it_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(50)
    folder = project / "output" / "bells"
    files = sorted(path.name for path in folder.iterdir())
    # Every file in turn, so that the small ones have their share too.
    for name in (files[number % len(files)] for number in range(100)):
        path = folder / name
        whole = path.read_bytes()
        bit = dice.randrange(len(whole) * 8)
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        ended, said = told(project, capsys)
        assert ended == 1, (name, bit)
        assert any(name in line for line in said["wrong"]["bells"]), (name, bit, said)
        path.write_bytes(whole)
    assert told(project, capsys)[0] == 0


def test_every_missing_file_is_found_the_manifest_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "output" / "bells"
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        assert told(project, capsys)[1]["wrong"] == {"bells": [f"{path.name} is missing"]}
        path.write_bytes(whole)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value in a manifest that holds no other."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [found for name, one in inner for found in places(one, (*path, name))] if inner else [path]


@pytest.mark.parametrize("digest", [False, True], ids=["as a person edits", "with the digest formed anew"])
def test_a_change_of_any_value_in_the_manifest_is_found(
    project: Path, capsys: pytest.CaptureFixture[str], digest: bool
) -> None:
    folder = project / "output" / "bells"
    whole = (folder / MANIFEST).read_bytes()
    facts = json.loads(whole)
    every = [path for path in places(facts) if not (digest and path[0] in {"format", manifest.DIGEST})]
    # Every kind of value at the top, and a sample of the hundred deeper ones.
    deep = [path for path in every if len(path) > 1]
    for path in [path for path in every if len(path) == 1] + random.Random(4).sample(deep, 25):

        def alter(told: Any, path: tuple[str | int, ...] = path) -> None:
            *way, last = path
            for step in way:
                told = told[step]
            one = told[last]
            told[last] = not one if isinstance(one, bool) else one + 1 if isinstance(one, int | float) else f"{one}!"

        change(folder, alter, digest=digest)
        ended, said = told(project, capsys)
        assert ended == 1, path
        assert any(MANIFEST in line for line in said["wrong"]["bells"]), (path, said)
        (folder / MANIFEST).write_bytes(whole)


def test_a_file_and_its_digest_changed_together_are_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "output" / "bells"
    (folder / "audio.mp3").write_bytes(b"another programme")

    def also(facts: dict[str, Any]) -> None:
        facts["files"]["audio.mp3"] |= {"bytes": 17, "sha256": digest_on_disk(folder / "audio.mp3")}

    change(folder, also, digest=True)
    assert verify(folder) == ()  # nothing beside the episode can tell
    ended, said = told(project, capsys)
    assert ended == 1
    assert said["wrong"] == {
        "bells": ["manifest.json is not the one that was published last, although its own digest fits"]
    }


def test_a_name_that_stands_twice_and_one_that_leads_elsewhere_are_found(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "output" / "bells" / MANIFEST
    whole = path.read_text("utf-8")
    path.write_text(whole.replace('"files": {', '"files": {\n    "audio.mp3": {"bytes": 1, "sha256": ""},'), "utf-8")
    assert "manifest.json names audio.mp3 twice" in told(project, capsys)[1]["wrong"]["bells"]
    path.write_text(whole.replace('"captions.srt": {', '"../log/captions.srt": {'), "utf-8")
    wrong = told(project, capsys)[1]["wrong"]["bells"]
    assert "manifest.json names '../log/captions.srt', which is no name of a file here" in wrong


@pytest.mark.parametrize("field", ["title", "identity", "made_at"])
def test_one_run_publishes_the_same_bytes_again(project: Path, field: str) -> None:
    folder = project / "output" / "bells"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    change(folder, lambda facts: facts.update({field: "another"}))
    (folder / "audio.mp3").write_bytes(b"cut")
    (folder / "captions.srt").unlink()
    built(project, {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [one.faults for one in studio(project).check()] == [(), ()]


def test_a_folder_put_back_with_its_records_verifies_elsewhere(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "restored"
    for name in ("input", "output", "data/records", "data/edits"):
        if (project / name).exists():
            shutil.copytree(project / name, there / name)
    assert told(there, capsys)[0] == 0


def test_without_records_the_manifest_s_own_digest_is_what_there_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "data")
    assert told(project, capsys)[0] == 0
    change(project / "output" / "bells", lambda facts: facts.update(title="Another"))
    assert told(project, capsys)[0] == 1


def test_a_manifest_of_an_earlier_version_is_verified_as_far_as_it_goes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "data")
    folder = project / "output" / "bells"

    def older(facts: dict[str, Any]) -> None:
        del facts[manifest.DIGEST], facts["pictures"]

    change(folder, older)
    ended, said = told(project, capsys)
    assert ended == 0
    assert said["remarks"] == {
        "bells": ["manifest.json has no digest of its own (an earlier version wrote it): what it says is not proven"]
    }
    (folder / "audio.mp3").write_bytes(b"cut")
    assert told(project, capsys)[1]["wrong"] == {"bells": ["audio.mp3 is not what the manifest says"]}


def test_an_older_edition_put_back_whole_is_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "output" / "the-log"
    shutil.copytree(folder, project / "aside")
    built(project, {"log.md": LOG.replace("late", "early")})
    shutil.rmtree(folder)
    shutil.copytree(project / "aside", folder)
    assert verify(folder) == ()
    assert "manifest.json is not the one" in told(project, capsys)[1]["wrong"]["the-log"][0]


def test_a_script_one_bit_off_is_told_with_the_way_back(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = project / "output" / "bells" / SCRIPT
    whole = script.read_text("utf-8")
    script.write_text(whole.replace("high in", "hiGh in"))
    ended, said = told(project, capsys)
    assert ended == 1
    assert said["wrong"]["bells"][0].endswith("bring it back before the next run: pipeline rewrite bells")
    studio(project).rewrite("bells")
    built(project, {})
    assert script.read_text("utf-8") == whole

    script.write_text(whole.replace("high in", "up in"))
    assert told(project, capsys)[0] == 0
    built(project, {})
    mine = script.read_bytes()
    script.write_bytes(mine.replace(b"up in", b"uP in"))
    fault = told(project, capsys)[1]["wrong"]["bells"][0]
    assert fault.endswith(f"run: cp {project}/data/edits/bells.md {script}")


def test_a_run_in_the_middle_of_publishing_is_not_taken_for_damage(project: Path) -> None:
    shop = studio(project)
    audio = project / "output" / "bells" / "audio.mp3"
    whole = audio.read_bytes()
    with ThreadPoolExecutor(1) as executor:
        with held(shop.store.folder / "locks" / "episode-bells"):
            audio.write_bytes(b"another edition, whose manifest is still to come")
            looking = executor.submit(lambda: [one.faults for one in shop.check()])
            assert not wait([looking], timeout=0.3).done  # it waits for the publishing to be over
            audio.write_bytes(whole)
        assert looking.result() == [(), ()]


def test_what_can_only_be_read_is_verified_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(project / "data" / "store")
    assert told(project, capsys)[0] == 0
    assert not (project / "data" / "store").exists()


def test_what_is_no_plain_file_is_a_fault_of_its_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "output" / "bells"
    for name in (SCRIPT, "audio.mp3"):
        (folder / name).unlink()
        (folder / name).mkdir()
    assert told(project, capsys)[1]["wrong"] == {
        "bells": [f"{name} cannot be read: it is no plain file" for name in ("audio.mp3", SCRIPT)]
    }
