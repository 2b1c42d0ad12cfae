"""A project from its topic files to its episodes, with fake engines: what is made, what is kept, what is told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pipeline.build.runner import Event, Kind
from pipeline.errors import (
    EngineNonsense,
    EngineRefused,
    EngineUnavailable,
    InputError,
    Interrupted,
    NotKept,
    OutOfMemory,
    StoreError,
)
from pipeline.ports import Answer, Question, Speech, SpeechRequest
from pipeline.report.reasons import reasons
from pipeline.stages.mix import Sound
from pipeline.stages.publish import verify
from pipeline.studio import Checked, Left, Returns
from pipeline.text.style_file import load_style
from tests.fakes.studio import PROMPTS, make_studio, run_all
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import LARGE, FakeWriter

READ = """---
title: The log
mode: read
---

# Morning

The wind rose before six. Nobody slept on board.

## Evening

Was it late? Captain Reis wrote it down. The lamp was lit at dusk.
"""
WRITE = """---
title: Bells
words: 40
---

- A bell is cast in bronze.
- The clapper strikes the rim.
- Ropes turn the wheel of a bell.
- Large bells ring lower than small ones.
"""


SAID = (
    "A bell is cast in bronze, and it cools for a day. The clapper strikes the rim when the rope is pulled.",
    "Ropes turn the wheel of a bell high in the tower. Large bells ring lower than small ones do.",
)


def bell_writer(name: str = "fake:8b") -> FakeWriter:
    """A large model that has one script to give."""
    script = {
        "title": "Bells",
        "segments": [
            {"title": title, "narration": said, "picture_prompt": "a bell"}
            for title, said in zip(("Casting", "Ringing"), SAID, strict=True)
        ],
    }
    known = replace(LARGE, name=name, digest=hashlib.sha256(name.encode()).hexdigest())
    return FakeWriter(lambda _: json.dumps(script), identity=known)


class Project:
    """A project on disk, run afresh each time as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.voice = FakeVoice()
        self.writer = bell_writer()
        (folder / "input").mkdir(parents=True)

    def topic(self, name: str, text: str) -> Path:
        path = self.folder / "input" / name
        path.write_text(text)
        return path

    def run(self, **how: Any) -> dict[str, BaseException | None]:
        return run_all(make_studio(self.folder, voice=self.voice, writer=self.writer, **how))

    def built(self, **how: Any) -> int:
        """Run to the end without a failure; returns how many sentences were spoken."""
        before = len(self.voice.calls)
        errors = self.run(**how)
        assert not any(errors.values()), errors
        return len(self.voice.calls) - before

    def plan(self, **how: Any) -> Any:
        studio = make_studio(self.folder, voice=self.voice, writer=self.writer, **how)
        return studio.plan(studio.survey())

    def reasons(self, **how: Any) -> set[tuple[str, str]]:
        return {(v.step.place, v.why) for episode in self.plan(**how).episodes for v in episode.to_make}

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def manifest(self, slug: str) -> Any:
        return json.loads((self.output / slug / "manifest.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_every_topic_becomes_an_episode_that_verifies(project: Project) -> None:
    project.topic("log.md", READ)
    project.topic("bells.md", WRITE)
    project.built()
    for slug, segments in (("the-log", 2), ("bells", 2)):
        assert verify(project.output / slug) == ()
        assert sorted(path.name for path in (project.output / slug).iterdir()) == [
            "audio.mp3", "captions.srt", "captions.vtt", "chapters.json", "cover.png", "index.html", "manifest.json",
            *(f"picture-{number:02}.png" for number in range(1, segments + 1)), "script.md", "transcript.json",
        ]  # fmt: skip


def test_a_second_run_makes_nothing_and_the_plan_agrees(project: Project) -> None:
    project.topic("log.md", READ)
    project.topic("bells.md", WRITE)
    project.built()
    asked = len(project.writer.questions)
    plan = project.plan()
    assert plan.nothing_to_do
    assert sorted(plan.finished) == ["bells", "the-log"]
    assert project.built() == 0
    assert len(project.writer.questions) == asked


def test_without_its_seals_a_finished_project_is_looked_through_and_nothing_is_made(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    (project.folder / "data" / "seals.json").unlink()
    plan = project.plan()
    assert plan.nothing_to_do
    assert plan.finished == ()
    assert project.built() == 0


def test_a_plan_changes_nothing(project: Project) -> None:
    project.topic("log.md", READ)
    assert not project.plan().nothing_to_do
    assert not project.output.exists()
    assert project.voice.calls == []


def test_editing_one_sentence_speaks_one_sentence(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    before = (project.output / "the-log" / "audio.mp3").read_bytes()
    script = project.output / "the-log" / "script.md"
    mine = script.read_text().replace("Was it late?", "Was it early?")
    script.write_text(mine)

    assert project.reasons() == {
        ("speech", "text changed"),
        ("level", "follows from speech"),
        ("gain", "follows from level"),
        ("sound", "follows from gain, speech"),
        ("mix", "follows from level, sound, speech"),
        ("captions", "follows from mix"),
        ("page", "follows from captions, mix"),
    }
    (plan,) = project.plan().episodes
    assert sorted(Counter(verdict.step.place for verdict in plan.to_make).items()) == [
        ("captions", 1), ("gain", 1), ("level", 1), ("mix", 1), ("page", 1), ("sound", 1), ("speech", 1),
    ]  # fmt: skip
    assert project.built() == 1
    assert script.read_text() == mine
    assert (project.output / "the-log" / "audio.mp3").read_bytes() != before
    assert "early" in (project.output / "the-log" / "captions.vtt").read_text()
    assert project.manifest("the-log")["script"]["edited_by_hand"] is True
    assert project.plan().nothing_to_do
    assert project.built() == 0


def test_an_edit_stays_when_the_topic_changes(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nOnly this.\n")
    project.built()
    topic.write_text(READ.replace("Nobody slept", "Everybody slept"))
    assert project.plan().episodes[0].edited
    assert project.built() == 0
    assert "Only this." in script.read_text()


def test_an_edit_stays_when_the_output_is_deleted_and_when_the_data_is(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nOnly this.\n")
    project.built()
    for lost in (project.output, project.folder / "data"):
        shutil.rmtree(lost)
        project.built()
        assert "Only this." in script.read_text()


def test_a_rewritten_episode_is_made_from_its_topic_again(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    ours = script.read_text()
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nOnly this.\n")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    given_up = studio.rewrite("the-log")
    assert given_up.script is Returns.READ
    assert "Only this." in given_up.aside.read_text()
    assert "Only this." in script.read_text(), "what is published stays until it is replaced"
    project.built()
    assert script.read_text() == ours
    assert project.manifest("the-log")["script"]["edited_by_hand"] is False


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("A luz do Sol contém todas as cores. O ar espalha mais a luz azul.", "pt"),
        ("The wind rose before six. Nobody slept on board that night.", None),
    ],
)
def test_a_text_in_another_language_than_it_is_read_in_is_noted(project: Project, text: str, other: str | None) -> None:
    project.topic("sky.md", f"---\ntitle: Sky\nmode: read\n---\n\n{text}\n")
    project.built()
    assert project.manifest("sky")["script"]["how"].get("other_language") == other


def test_an_episode_whose_edit_was_given_up_is_whole_until_the_next_run(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nOnly this.\n")
    project.built()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    studio.rewrite("the-log")
    (checked,) = studio.check()
    assert (checked.faults, checked.edited) == ((), False)
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nThis after all.\n")
    project.built()
    assert "This after all." in script.read_text()


def test_a_script_that_was_replaced_and_is_brought_back_is_a_persons(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    before = script.read_text()
    topic.write_text(READ.replace("six", "nine"))
    project.built()
    script.write_text(before)
    project.built()
    assert script.read_text() == before
    assert project.manifest("the-log")["script"]["edited_by_hand"] is True


def test_a_mistake_in_an_edited_script_is_named_and_the_published_episode_stays(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    audio = (project.output / "the-log" / "audio.mp3").read_bytes()
    script = project.output / "the-log" / "script.md"
    script.write_text("---\ntitle: [broken\n---\n\nText.\n")
    error = project.run()["the-log"]
    assert isinstance(error, InputError)
    assert error.where.startswith("output/the-log/script.md:")
    assert (project.output / "the-log" / "audio.mp3").read_bytes() == audio
    assert "broken" in script.read_text()


def test_a_pronunciation_touches_only_its_sentences(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    assert project.built(said="word,say\nReis,Race\n") == 1
    assert project.voice.calls[-1].sentence.spoken == "Captain Race wrote it down."
    assert "Reis" in (project.output / "the-log" / "captions.srt").read_text()


def test_another_voice_keeps_the_script(project: Project) -> None:
    project.topic("bells.md", WRITE)
    sentences = project.built()
    asked = len(project.writer.questions)
    project.voice = FakeVoice([identity("en_US-other-medium")])
    assert project.reasons(fingerprint="other voice") >= {("speech", "voice changed")}
    assert project.built(fingerprint="other voice") == sentences
    assert len(project.writer.questions) == asked


def test_the_same_text_under_two_names_is_made_once(project: Project) -> None:
    project.topic("a.md", READ)
    project.topic("b.md", READ)
    spoken = project.built()
    assert spoken == 5
    assert len(list(project.output.iterdir())) == 2


def test_deleted_episodes_are_published_again_without_making_anything(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    before = {path.name: path.read_bytes() for path in (project.output / "the-log").iterdir()}
    shutil.rmtree(project.output)
    assert project.plan().episodes[0].to_publish
    assert project.built() == 0
    assert {path.name: path.read_bytes() for path in (project.output / "the-log").iterdir()} == before


def test_a_changed_file_is_published_again(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    (project.output / "the-log" / "captions.srt").write_text("harm")
    assert project.plan().episodes[0].to_publish == ("captions.srt",)
    assert project.built() == 0
    assert verify(project.output / "the-log") == ()


def test_flac_comes_and_goes_with_its_setting(project: Project) -> None:
    project.topic("log.md", READ)
    project.built(sound=Sound(flac=True), fingerprint="flac")
    assert (project.output / "the-log" / "audio.flac").read_bytes()[:4] == b"fLaC"
    assert project.built() == 0
    assert not (project.output / "the-log" / "audio.flac").exists()


def test_a_missing_sentence_is_never_published(project: Project) -> None:
    project.topic("log.md", READ)
    project.voice = FakeVoice(failures={3: EngineNonsense("it is silent", where="fake")})
    error = project.run()["the-log"]
    assert isinstance(error, EngineNonsense)
    assert not (project.output / "the-log").exists()
    project.voice = FakeVoice()
    assert project.built() == 1


def test_one_failing_topic_does_not_stop_the_others(project: Project) -> None:
    project.topic("log.md", READ)
    project.topic("bad.md", READ.replace("The log", "Bad").replace("mode: read", "mode: read\nvoice: xx_XX-none"))
    project.topic("empty.md", "")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    survey = studio.survey()
    errors = {outcome.name: outcome.error for outcome in studio.run(survey, lambda _: None)}
    assert errors["the-log"] is None
    assert isinstance(errors["bad"], InputError)
    assert len(survey.refused) == 1
    failure = studio.failure("bad")
    assert failure is not None
    assert "pipeline voices get xx_XX-none" in failure.hint


def test_a_failure_is_forgotten_once_the_episode_is_made(project: Project) -> None:
    project.topic("log.md", READ)
    project.voice = FakeVoice(failures={1: EngineUnavailable("down", where="fake")})
    assert project.run()["the-log"] is not None
    project.voice = FakeVoice()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert studio.failure("the-log") is not None
    run_all(studio)
    assert studio.failure("the-log") is None


def test_auto_leaves_alone_what_another_engine_finished(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built(auto=True)
    script = (project.output / "bells" / "script.md").read_bytes()
    project.writer = bell_writer("another-model")
    project.voice = FakeVoice([identity("en_US-other-medium")])
    how = {"auto": True, "fingerprint": "other engines"}
    assert project.plan(**how).nothing_to_do
    assert project.built(**how) == 0
    assert len(project.writer.questions) == 0
    assert (project.output / "bells" / "script.md").read_bytes() == script


def test_a_named_engine_makes_everything_its_own(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    project.writer = bell_writer("another-model")
    project.built(fingerprint="other writer")
    assert len(project.writer.questions) > 0


def test_files_of_a_person_in_a_folder_that_was_no_episode_are_left_and_named_before_anything_is_made(
    project: Project,
) -> None:
    project.topic("log.md", READ)
    folder = project.output / "the-log"
    folder.mkdir(parents=True)
    (folder / "cover.png").write_bytes(b"mine")
    (folder / "notes.txt").write_text("mine too")
    error = project.plan().episodes[0].error
    assert isinstance(error, InputError)
    assert "cover.png" in error.what
    assert "notes.txt" not in error.what
    assert isinstance(project.run()["the-log"], InputError)
    assert (folder / "cover.png").read_bytes() == b"mine"
    assert project.voice.calls == []
    (folder / "cover.png").unlink()
    assert project.built() > 0
    assert (folder / "notes.txt").read_text() == "mine too"


def test_an_episode_whose_manifest_was_lost_is_still_ours(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    (project.output / "the-log" / "manifest.json").unlink()
    (project.output / "the-log" / "captions.srt").write_text("damaged")
    assert project.built() == 0
    assert verify(project.output / "the-log") == ()


def test_with_auto_a_changed_topic_is_spoken_by_the_voice_at_hand(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.voice = FakeVoice([identity("en_US-server-medium")])
    assert project.built(auto=True) > 0
    project.voice = FakeVoice([identity("en_US-here-medium")])  # the server has gone
    topic.write_text(READ + "\nAnd a new sentence was added.\n")
    assert project.built(auto=True) > 0
    assert project.manifest("the-log")["engines"]["voice"]["voice"] == "en_US-here-medium"


def test_with_auto_an_edited_sentence_is_spoken_by_the_voice_at_hand(project: Project) -> None:
    project.topic("bells.md", WRITE)
    sentences = project.built(auto=True)
    script = project.output / "bells" / "script.md"
    script.write_text(script.read_text().rstrip() + "\n\nThe end.\n")
    project.voice = FakeVoice([identity("en_US-other-medium")])
    assert project.built(auto=True, fingerprint="other") == sentences + 1


def test_two_runs_at_once_do_no_work_twice(project: Project) -> None:
    for number in range(4):
        project.topic(f"{number}.md", READ.replace("The log", f"Log {number}").replace("six", f"{number + 2}"))
    made: list[str] = []

    def listen(event: Event) -> None:
        if event.kind is Kind.MADE and event.step is not None:
            made.append(event.step.key)

    studios = [make_studio(project.folder, voice=project.voice, writer=project.writer) for _ in range(2)]
    errors: list[BaseException | None] = []

    def run(studio: Any) -> None:
        errors.extend(outcome.error for outcome in studio.run(studio.survey(), listen))

    threads = [threading.Thread(target=run, args=(studio,)) for studio in studios]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [None] * 8
    assert len(made) == len(set(made))
    spoken = [(call.sentence.spoken, call.voice) for call in project.voice.calls]
    assert len(spoken) == len(set(spoken))


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(project: Project) -> None:
    project.topic("log.md", READ)
    stop = threading.Event()

    class Halting(FakeVoice):
        def speak(self, request: SpeechRequest) -> Speech:
            stop.set()  # what is being said is said to its end, by each of two threads
            return super().speak(request)

    voice = Halting()
    studio = make_studio(project.folder, voice=voice, writer=project.writer, stop=stop)
    errors = [outcome.error for outcome in studio.run(studio.survey(), lambda _: None)]
    assert isinstance(errors[0], Interrupted)
    assert not (project.output / "the-log").exists()
    spoken = len(voice.calls)
    assert 1 <= spoken <= 2
    assert project.built() == 5 - spoken


def test_estimates_come_after_something_was_measured(project: Project) -> None:
    project.topic("log.md", READ)
    assert project.plan().seconds is None
    project.built()
    project.topic("more.md", READ.replace("The log", "More").replace("six", "seven"))
    seconds = project.plan().seconds
    assert seconds is not None
    assert seconds > 0


def test_cleaning_keeps_what_topics_need(project: Project) -> None:
    log = project.topic("log.md", READ)
    project.topic("bells.md", WRITE)
    project.built()
    log.unlink()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    old = {key: studio.store.folder / key[:2] / key for key in studio.store.every_key()}
    for path in old.values():
        os.utime(path, (1000, 1000))
    count, freed = studio.clean()
    assert 0 < count < len(old)
    assert freed > 0
    shutil.rmtree(project.output / "bells")
    assert project.built() == 0
    assert (project.output / "the-log" / "audio.mp3").is_file()


def test_cleaning_stops_at_a_topic_it_cannot_read(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    topic.write_text("---\ntitle: [broken\n---\n")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    before = set(studio.store.every_key())
    with pytest.raises(InputError):
        studio.clean()
    assert set(studio.store.every_key()) == before


def test_a_damaged_sentence_is_made_again_when_it_is_needed(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    speech = [key for key in studio.store.every_key() if (found := studio.store.find(key)) and found.rule == "speech/1"]
    path = studio.store.folder / speech[0][:2] / speech[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    # Other loudness: everything behind the speech is made again, and so the damage is met.
    assert project.built(sound=Sound(loudness_lufs=-18.0), fingerprint="quieter") == 1
    assert project.manifest("the-log")["audio"]["loudness_lufs"] == pytest.approx(-18.0, abs=0.5)


def test_the_manifest_says_who_made_it_and_that_a_machine_did(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    manifest = project.manifest("bells")
    assert manifest["ai_generated"]["script"] is True
    assert manifest["engines"]["voice"]["sha256"] == identity().digest
    assert manifest["engines"]["writer"]["model"]
    assert manifest["audio"]["loudness_lufs"] == pytest.approx(-16.0, abs=0.5)
    assert manifest["audio"]["true_peak_dbtp"] <= -1.0
    assert set(manifest["files"]) == {
        "audio.mp3", "captions.srt", "captions.vtt", "chapters.json", "cover.png", "index.html", "picture-01.png",
        "picture-02.png", "script.md", "transcript.json",
    }  # fmt: skip


# -- what once went wrong ----------------------------------------------------------------------------------------


def test_an_interrupted_run_does_not_take_a_changed_topic_for_finished(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    topic.write_text(READ.replace("six", "nine").replace("dusk", "dawn"))
    stop = threading.Event()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer, stop=stop)
    stop.set()
    errors = [outcome.error for outcome in studio.run(studio.survey(), lambda _: None)]
    assert isinstance(errors[0], Interrupted)

    assert not project.plan().nothing_to_do
    assert project.built() == 2
    assert "nine" in (project.output / "the-log" / "script.md").read_text()


def test_an_edit_never_goes_to_another_topic_of_the_same_title(project: Project) -> None:
    project.topic("b.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    script.write_text("---\ntitle: The log\nlanguage: en\n---\n\nWritten for b.\n")
    project.built()
    (project.folder / "data" / "seals.json").unlink()  # as when the run that knew the owner was killed
    project.topic("a.md", READ.replace("six", "nine"))
    project.built()

    assert project.manifest("the-log")["identity"] == "input/b.md"
    assert "Written for b." in script.read_text()
    other = next(folder for folder in project.output.iterdir() if folder.name != "the-log")
    assert project.manifest(other.name)["identity"] == "input/a.md"
    assert "nine" in (other / "script.md").read_text()


def test_an_episode_of_a_removed_topic_is_not_overwritten_by_a_new_one(project: Project) -> None:
    old = project.topic("a.md", READ)
    project.built()
    kept = (project.output / "the-log" / "audio.mp3").read_bytes()
    old.unlink()
    (project.folder / "data" / "seals.json").unlink()
    project.topic("c.md", READ.replace("six", "nine"))
    project.built()
    assert (project.output / "the-log" / "audio.mp3").read_bytes() == kept
    assert len(list(project.output.iterdir())) == 2


def test_taking_an_edit_back_by_hand_is_an_edit_too(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    ours = script.read_text()
    mine = ours.replace("Was it late?", "Was it early?")
    for text in (mine, ours, mine):
        script.write_text(text)
        project.built()
        assert script.read_text() == text
        wanted = "early" if text == mine else "late"
        assert wanted in (project.output / "the-log" / "captions.vtt").read_text()


def test_an_edit_that_was_given_up_can_be_brought_back(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    mine = script.read_text().replace("Was it late?", "Was it early?")
    script.write_text(mine)
    project.built()
    kept = make_studio(project.folder, voice=project.voice, writer=project.writer).rewrite("the-log").aside
    project.built()
    assert "late" in script.read_text()
    script.write_bytes(kept.read_bytes())
    project.built()
    assert script.read_text() == mine
    assert project.manifest("the-log")["script"]["edited_by_hand"] is True


def test_an_edit_in_the_middle_of_a_run_stops_its_publishing_before_anything_is_replaced(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    folder = project.output / "the-log"
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "script.md"}
    topic.write_text(READ.replace("six", "nine"))
    mine = "---\ntitle: The log\nlanguage: en\n---\n\nMine.\n"
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)

    def edit_once_it_is_spoken(event: Event) -> None:
        if event.kind is Kind.MADE and event.step is not None and event.step.place == "mix":
            (folder / "script.md").write_text(mine)

    errors = [outcome.error for outcome in studio.run(studio.survey(), edit_once_it_is_spoken)]
    assert isinstance(errors[0], InputError)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "script.md"} == before
    project.built()
    assert (folder / "script.md").read_text() == mine
    assert "Mine." in (folder / "captions.vtt").read_text()


def test_an_emptied_script_is_a_mistake_to_the_plan_as_to_the_run(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    (project.output / "the-log" / "script.md").write_text("")
    planned = project.plan().episodes[0].error
    ran = project.run()["the-log"]
    assert isinstance(planned, InputError)
    assert isinstance(ran, InputError)
    assert planned.what == ran.what
    assert "pipeline rewrite the-log" in ran.hint


def test_cleaning_stops_where_a_file_is_refused_by_its_name(project: Project) -> None:
    project.topic("log.md", READ).rename(project.folder / "input" / "log.markdown")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    with pytest.raises(InputError):
        studio.clean()
    (project.folder / "input" / "log.markdown").unlink()
    with pytest.raises(InputError, match="no topics"):
        studio.clean()


def test_a_pipe_where_a_script_should_be_is_named_and_never_waited_for(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    script = project.output / "the-log" / "script.md"
    script.unlink()
    os.mkfifo(script)
    error = project.plan().episodes[0].error
    assert error is not None
    assert "no plain file" in str(error)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"files": {"a\\u0000b": {}, "..": {}}, "format": "x"}', "null"])
def test_a_mad_manifest_is_no_manifest(project: Project, text: str) -> None:
    project.topic("log.md", READ)
    project.built()
    (project.output / "the-log" / "manifest.json").write_text(text)
    assert project.built() == 0
    assert verify(project.output / "the-log") == ()


# -- who wrote it ------------------------------------------------------------------------------------------------


def _edit(project: Project, slug: str, old: str, new: str) -> None:
    script = project.output / slug / "script.md"
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new))


def test_an_edited_script_still_says_that_a_model_wrote_it(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    written = project.manifest("bells")
    _edit(project, "bells", "high in the tower", "up in the tower")
    project.built()

    edited = project.manifest("bells")
    assert edited["ai_generated"]["script"] is True
    assert "written by a language model and edited by a person" in edited["ai_generated"]["notice"]
    assert edited["script"]["edited_by_hand"] is True
    for place, name in (("script", "how"), ("script", "style"), ("script", "style_sha256"), ("engines", "writer")):
        assert edited[place][name] == written[place][name]
        assert edited[place][name]


@pytest.mark.parametrize("lost", ["output", "data"])
def test_who_wrote_an_edited_script_outlives_the_loss_of_one_folder(project: Project, lost: str) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    _edit(project, "bells", "high in the tower", "up in the tower")
    project.built()
    before = project.manifest("bells")
    shutil.rmtree(project.folder / lost)
    project.built()
    after = project.manifest("bells")
    assert after["ai_generated"] == before["ai_generated"]
    assert after["engines"]["writer"] == before["engines"]["writer"]
    assert project.plan().nothing_to_do


def test_a_text_read_as_it_stands_was_written_by_no_machine_edited_or_not(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    read = project.manifest("the-log")
    _edit(project, "the-log", "late", "early")
    project.built()
    for manifest in (read, project.manifest("the-log")):
        assert manifest["ai_generated"]["script"] is False
        assert "language model" not in manifest["ai_generated"]["notice"]
        assert manifest["engines"]["writer"] is None
        assert manifest["script"]["style"] is None


def test_a_script_that_a_person_put_there_first_was_written_by_no_machine(project: Project) -> None:
    project.topic("bells.md", WRITE)
    folder = project.output / "bells"
    folder.mkdir(parents=True)
    (folder / "script.md").write_text("---\ntitle: Bells\nlanguage: en\n---\n\nBells ring.\n")
    project.built()
    assert project.manifest("bells")["ai_generated"]["script"] is False


def test_signs_that_are_no_markup_stand_in_the_script_and_the_captions_as_they_were_written(project: Project) -> None:
    project.topic("log.md", READ.replace("Nobody slept on board.", "We run nginx & SQLite at 2 * 3 = 6 a_b."))
    project.built()
    folder = project.output / "the-log"
    for name in ("script.md", "captions.srt", "transcript.json"):
        text = (folder / name).read_text()
        assert "nginx & SQLite" in text.replace("\n", " ")
        assert "\\" not in text


# -- what is said of it ------------------------------------------------------------------------------------------


def test_only_the_file_that_changed_is_put_in_place_again(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    before = (project.output / "the-log" / "manifest.json").stat()
    (project.output / "the-log" / "audio.mp3").write_bytes(b"harm")
    assert project.plan().episodes[0].to_publish == ("audio.mp3",)
    project.built()
    assert (project.output / "the-log" / "manifest.json").stat().st_mtime_ns == before.st_mtime_ns


def test_who_gives_an_edit_up_is_told_which_script_comes_back(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    asked = len(project.writer.questions)
    ours = (project.output / "bells" / "script.md").read_text()
    _edit(project, "bells", "high in the tower", "up in the tower")
    project.built()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert studio.rewrite("bells").script is Returns.STORED
    project.built()
    assert (project.output / "bells" / "script.md").read_text() == ours
    assert len(project.writer.questions) == asked

    _edit(project, "bells", "high in the tower", "up in the tower")
    project.topic("bells.md", WRITE.replace("words: 40", "words: 45"))
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert studio.rewrite("bells").script is Returns.ANEW


def test_what_cannot_be_given_up_is_said(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    with pytest.raises(InputError, match=r"there is no episode 'the-lag'.*Did you mean the-log"):
        studio.rewrite("the-lag")
    with pytest.raises(InputError, match="was not edited by hand"):
        studio.rewrite("the-log")
    _edit(project, "the-log", "late", "early")
    topic.unlink()
    with pytest.raises(InputError, match="no topic asks for 'the-log' now"):
        studio.rewrite("the-log")
    assert "early" in (project.output / "the-log" / "script.md").read_text()


def test_an_edit_that_no_run_has_taken_yet_is_no_fault(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    _edit(project, "the-log", "late", "early")
    (project.output / "the-log" / "audio.mp3").unlink()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert list(studio.check()) == [Checked("the-log", 10, ("audio.mp3 is missing",), edited=True, left=False)]
    project.built()
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert list(studio.check()) == [Checked("the-log", 10, (), edited=False, left=False)]


def test_an_edit_whose_topic_was_renamed_is_not_passed_over_in_silence(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    _edit(project, "the-log", "late", "early")
    project.built()
    topic.rename(topic.with_name("logbook.md"))
    plan = project.plan()
    assert plan.left == (Left("the-log", "input/log.md", edited=True, refused=False),)
    assert [episode.work.slug for episode in plan.episodes] != ["the-log"]
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    assert [one.left for one in studio.check()] == [True]


def test_an_episode_whose_topic_is_refused_is_not_said_to_have_none(project: Project) -> None:
    topic = project.topic("log.md", READ)
    project.built()
    topic.write_text("---\ntitle: [broken\n---\n")
    assert project.plan().left == (Left("the-log", "input/log.md", edited=False, refused=True),)


def told(project: Project, **how: Any) -> set[str]:
    return {line for episode in project.plan(**how).episodes for line in reasons(episode)}


def test_the_plan_says_what_the_person_changed(project: Project) -> None:
    project.topic("log.md", READ)
    project.built()
    pronounced = told(project, said="word,say\nReis,Race\n")
    assert "speech: pronunciation changed" in pronounced
    assert len(pronounced) == 3  # the speech, and that the mix and the captions follow
    _edit(project, "the-log", "late", "early")
    assert "speech: text changed" in told(project)
    project.built()
    # Back to sentences that are all spoken already: only what was changed about the words is the reason.
    _edit(project, "the-log", "early", "late")
    _edit(project, "the-log", "## Evening", "## Night")
    assert "mix: wording and headings edited by hand" in told(project)


# -- what stands in the way --------------------------------------------------------------------------------------


def test_a_folder_in_the_place_of_the_seals_is_named_before_anything_is_made(project: Project) -> None:
    project.topic("log.md", READ)
    seals = project.folder / "data" / "seals.json"
    seals.mkdir(parents=True)
    with pytest.raises(StoreError, match="a folder stands where a file is needed") as caught:
        project.run()
    assert caught.value.where == str(seals)
    assert project.voice.calls == []


def test_a_file_in_the_place_of_an_episode_is_named(project: Project) -> None:
    project.topic("log.md", READ)
    project.output.mkdir()
    (project.output / "the-log").write_text("in the way")
    for error in (project.plan().episodes[0].error, project.run()["the-log"]):
        assert isinstance(error, StoreError)
        assert error.where == str(project.output / "the-log")
        assert "a file stands where a folder is needed" in error.what


def test_an_edited_episode_does_not_change_with_the_style_of_its_topic(project: Project) -> None:
    # The style stands there from the beginning: a line more would move the notes that the manifest points to.
    project.topic("bells.md", WRITE.replace("words: 40", "words: 40\nstyle: explainer"))
    project.built()
    _edit(project, "bells", "high in the tower", "up in the tower")
    project.built()
    project.topic("bells.md", WRITE.replace("words: 40", "words: 40\nstyle: news"))
    assert project.plan().nothing_to_do
    project.built()
    assert project.manifest("bells")["script"]["style"] == "explainer"


def test_the_manifest_names_the_prompt_by_its_digest(project: Project) -> None:
    project.topic("bells.md", WRITE)
    project.built()
    script = project.manifest("bells")["script"]
    assert (script["style"], script["style_sha256"]) == ("explainer", load_style(PROMPTS, "explainer").digest)


# -- a volume that is not there ---------------------------------------------------------------------------------------


@pytest.fixture
def volume(project: Project) -> Iterator[Path]:
    """A folder on another device than the project, as a mounted volume is."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == project.folder.stat().st_dev:
        pytest.skip("there is no second device here")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def mount(project: Project, place: Path) -> None:
    """Have the output folder lie elsewhere; a link does here what a mount does."""
    project.output.unlink(missing_ok=True)
    project.output.symlink_to(place)


@pytest.mark.parametrize("left", ["an empty folder", "a hidden file", "nothing", "a link that leads nowhere"])
def test_an_output_folder_that_went_with_its_volume_is_not_made_anew(project: Project, volume: Path, left: str) -> None:
    project.topic("log.md", READ)
    mount(project, volume)
    assert project.built() > 0
    project.output.unlink()
    match left:
        case "an empty folder":
            project.output.mkdir()
        case "a hidden file":
            project.output.mkdir()
            (project.output / ".gitkeep").touch()
        case "a link that leads nowhere":
            project.output.symlink_to(project.folder / "nowhere")
    for ask in (project.run, project.plan):
        with pytest.raises(StoreError, match="on another device") as caught:
            ask()
        assert "mount that and run it again" in caught.value.hint
    assert not project.output.is_dir() or not [one for one in project.output.iterdir() if one.name != ".gitkeep"]

    if project.output.is_dir():
        shutil.rmtree(project.output)
    mount(project, volume)
    assert project.built() == 0
    assert project.plan().nothing_to_do


def test_what_a_person_emptied_or_moved_is_no_lost_volume(project: Project, volume: Path) -> None:
    project.topic("log.md", READ)
    assert project.built() > 0
    shutil.rmtree(project.output)  # on the same device
    assert project.built() == 0
    moved = volume / "moved"
    shutil.copytree(project.output, moved)
    shutil.rmtree(project.output)
    mount(project, moved)  # on another device, and all is there
    assert project.built() == 0
    for one in (moved / "the-log").iterdir():
        one.unlink()
    (moved / "the-log").rmdir()
    assert project.built() == 0  # known to be there by now
    assert (moved / "the-log" / "audio.mp3").is_file()


def test_a_new_beginning_is_made_where_a_person_says_so(project: Project, volume: Path) -> None:
    project.topic("log.md", READ)
    mount(project, volume)
    assert project.built() > 0
    project.output.unlink()
    with pytest.raises(StoreError) as caught:
        project.run()
    (project.folder / "data" / "output.json").unlink()
    assert str(project.folder / "data" / "output.json") in caught.value.hint
    assert project.built() == 0


def test_a_volume_that_goes_in_the_middle_of_a_run_is_named_and_nothing_lands_below_it(
    project: Project, volume: Path, tmp_path: Path
) -> None:
    project.topic("bells.md", WRITE)
    below = tmp_path / "below"
    below.mkdir()
    mount(project, volume)
    writer = bell_writer()

    def taken_away(question: Question) -> Answer:
        mount(project, below)
        return writer.answer(question)

    project.writer = FakeWriter(taken_away, identity=writer.describe())
    (error,) = project.run().values()
    assert isinstance(error, StoreError)
    assert "a volume was mounted or taken away" in error.what
    assert list(below.iterdir()) == []
    mount(project, volume)
    assert project.built() == 0
    assert (volume / "bells" / "audio.mp3").is_file()


def test_a_run_that_can_remember_nothing_names_every_topic_and_says_so_last(project: Project) -> None:
    voiceless = READ.replace("mode: read", "mode: read\nvoice: xx_XX-none")
    for name in ("one", "two"):
        project.topic(f"{name}.md", voiceless.replace("The log", name))
    project.topic("three.md", READ.replace("The log", "three"))
    (project.folder / "data").mkdir()
    (project.folder / "data" / "failures").write_text("in the way\n")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer)
    outcomes = studio.run(studio.survey(), lambda _: None)
    ended = {outcome.name: outcome.error for outcome in (next(outcomes) for _ in range(3))}
    assert isinstance(ended["one"], EngineRefused | InputError)
    assert isinstance(ended["two"], EngineRefused | InputError)
    assert ended["three"] is None
    with pytest.raises(NotKept) as raised:
        next(outcomes)
    assert "failures" in raised.value.where
    assert raised.value.hint


def test_a_topic_for_which_memory_runs_out_is_named_and_the_others_are_made(project: Project) -> None:
    def more_than_there_is(_: Question) -> str:
        return str(bytearray(1 << 62))

    project.topic("heavy.txt", "Why is the sea salt?\n")
    project.topic("light.md", READ)
    studio = make_studio(project.folder, voice=project.voice, writer=FakeWriter(more_than_there_is))
    ended = run_all(studio)
    failure = ended.pop("why-is-the-sea-salt")
    assert isinstance(failure, OutOfMemory)
    assert "CORES" in failure.hint
    assert list(ended.values()) == [None]
