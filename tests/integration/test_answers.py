"""What `status`, `plan` and `verify` tell a person, over real projects with fake engines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline import report
from pipeline.engines.choice import Choice
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator
from pipeline.stages.casting import Preferences
from pipeline.stages.mix import Sound
from pipeline.studio import Studio
from pipeline.wiring import Workshop
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import SMALL, FakeWriter

LOG = "---\ntitle: The log\nmode: read\n---\n\nThe wind rose. Nobody slept.\n"
BELLS = "---\ntitle: Bells\nwords: 100\n---\n\n- A bell is cast in bronze.\n- The clapper strikes the rim.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {"log.md": LOG, "bells.md": BELLS}.items():
        (tmp_path / "input").mkdir(exist_ok=True)
        (tmp_path / "input" / name).write_text(text)
    run_all(studio(tmp_path))
    return tmp_path


def studio(folder: Path) -> Studio:
    # A model that says nothing of use: every fact is told in the notes' own words.
    return make_studio(folder, voice=FakeVoice(), writer=FakeWriter(lambda _: "No.", identity=SMALL))


def shop_of(studio: Studio) -> Workshop:
    drawn: Choice[Illustrator] = Choice(FakeIllustrator(), "cards", "named")
    return Workshop(studio, Choice(FakeWriter([]), "w", "named"), Choice(FakeVoice(), "v", "named"), drawn, Tls())


def edit(folder: Path) -> None:
    script = folder / "output" / "the-log" / "script.md"
    script.write_text(script.read_text().replace("slept", "spoke"))


def verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    ended = report.show_verification(studio(folder), as_json=False)
    return ended, capsys.readouterr().out.splitlines()


def status(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    report.show_status(studio(folder), as_json=True)
    rows = json.loads(capsys.readouterr().out)["episodes"]
    return {row["episode"]: f"{row['state']}: {row['why']}" for row in rows}


def test_one_is_not_said_as_many(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "input" / "bells.md").unlink()
    shutil.rmtree(project / "output" / "bells")
    assert verified(project, capsys) == (0, ["1 episode, 9 files: all as their manifests say."])


def test_an_episode_whose_manifest_is_gone_is_not_passed_over(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "output" / "bells" / "manifest.json").unlink()
    shutil.rmtree(project / "output" / "the-log")
    ended, said = verified(project, capsys)
    assert ended == 1
    assert said[:2] == ["bells: manifest.json is missing", "the-log: manifest.json is missing"]


def test_a_file_of_somebody_s_own_is_told_and_no_fault(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "output" / "the-log" / "notes.txt").write_text("mine")
    assert verified(project, capsys) == (
        0,
        [
            "the-log: notes.txt is none of the episode's files",
            "2 episodes, 18 files: all as their manifests say.",
        ],
    )


def test_an_edit_is_no_alarm(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project)
    ended, said = verified(project, capsys)
    assert ended == 0
    assert said == [
        "the-log: script.md is edited by hand; the next run takes it",
        "2 episodes, 18 files: all as their manifests say, but for the edits.",
    ]


def test_a_cure_is_only_told_where_it_helps(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "output" / "the-log" / "audio.mp3").unlink()
    ended, said = verified(project, capsys)
    assert ended == 1
    assert said[0] == "the-log: audio.mp3 is missing"
    assert "`pipeline run` publishes" in said[-1]

    (project / "input" / "log.md").unlink()
    ended, said = verified(project, capsys)
    assert ended == 1
    assert not any("pipeline run" in line for line in said)
    assert said[-1].startswith("No topic asks for the-log, so no run publishes it again")


def test_a_short_script_is_said_to_be(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(project, capsys) == {
        "bells": "finished: shorter than asked: 12 of 100 words",
        "the-log": "finished: ",
    }


def test_an_edit_that_lost_its_topic_is_said_with_the_way_to_use_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project)
    run_all(studio(project))
    (project / "input" / "log.md").rename(project / "input" / "logbook.md")
    said = status(project, capsys)["the-log"]
    assert said.startswith("kept: edited by hand, and its topic (input/log.md) is gone")
    assert "cp output/the-log/script.md output/EPISODE/script.md" in said

    shop = shop_of(studio(project))
    capsys.readouterr()
    report.show_plan(shop.studio.plan(shop.studio.survey()), shop, as_json=False)
    assert "the-log: edited by hand, and its topic (input/log.md) is gone" in capsys.readouterr().out


def test_only_what_is_named_is_counted(project: Path) -> None:
    survey = studio(project).survey()
    assert set(survey.finished) == {"bells", "the-log"}
    for name in ("bells", "input/bells.md"):
        assert report.narrowed(survey, [name]).finished == ("bells",)


def test_a_plan_names_the_files_that_a_run_would_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "log.md").write_text(LOG)

    def with_sound(*, flac: bool) -> Studio:
        return make_studio(
            tmp_path, voice=FakeVoice(), writer=FakeWriter([]), sound=Sound(flac=flac), fingerprint=str(flac)
        )

    assert run_all(with_sound(flac=True)) == {"the-log": None}
    fewer = with_sound(flac=False)
    plan = fewer.plan(fewer.survey())
    report.show_plan(plan, shop_of(fewer), as_json=True)
    assert json.loads(capsys.readouterr().out)["episodes"][0]["remove"] == ["audio.flac"]
    report.show_plan(plan, shop_of(fewer), as_json=False)
    assert "remove from output/: audio.flac" in capsys.readouterr().out
    assert run_all(with_sound(flac=False)) == {"the-log": None}
    assert not (tmp_path / "output" / "the-log" / "audio.flac").exists()


def test_a_run_and_a_plan_say_in_the_same_words_that_all_is_there(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = shop_of(studio(project))
    survey = shop.studio.survey()
    capsys.readouterr()
    report.show_plan(shop.studio.plan(survey), shop, as_json=False)
    planned = capsys.readouterr().out
    screen = report.screen_for(survey, as_json=False)
    with screen:
        assert list(shop.studio.run(survey, screen.event)) == []
    screen.end()
    assert capsys.readouterr().out == planned == "Nothing to do: 2 episodes are up to date.\n"


def test_what_is_wrong_with_a_setting_is_said_once_and_names_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "output")
    wrong = make_studio(
        project, voice=FakeVoice(), writer=FakeWriter([]), voices=Preferences("nobody", named=True), fingerprint="other"
    )
    shop = shop_of(wrong)
    capsys.readouterr()
    report.show_plan(wrong.plan(wrong.survey()), shop, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bells, the-log: cannot be made: VOICE: the voice 'nobody', asked for in the settings,")
    assert len(lines) == 2


def test_an_episode_s_folder_that_is_a_link_is_named_by_verify(
    project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (project / "output" / "bells").rename(tmp_path / "elsewhere")
    (project / "output" / "bells").symlink_to(tmp_path / "elsewhere")
    ended, lines = verified(project, capsys)
    assert ended == 1
    assert "bells: its folder is a link, which is not followed; put the folder itself there" in lines
