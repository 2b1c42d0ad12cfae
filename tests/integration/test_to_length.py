"""`minutes:` is met: an episode is written, spoken, measured and mended until it takes as long as was asked."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.ports import Question
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import LARGE, SMALL, FakeWriter, Reply

_WORDS = """
    harbour morning window garden silver mountain letter kitchen painter summer village bottle station branch candle
    desert engine farmer gravel hammer island jacket kettle lantern meadow needle orchard pepper quarry ribbon saddle
    timber uncle valley wagon yellow zebra anchor basket carpet dragon eagle feather guitar
""".split()  # noqa: SIM905  # forty words are better read in rows


def prose(words: int, start: int) -> str:
    """So many words in sentences of ten, another text for each start."""
    chosen = random.Random(start).choices(_WORDS, k=words)
    sentences = [chosen[first : first + 10] for first in range(0, words, 10)]
    return " ".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences)


def script(*words: int) -> str:
    segments = [
        {"title": f"Part {n}", "narration": prose(count, 7 * n + 1), "picture_prompt": ""}
        for n, count in enumerate(words)
    ]
    return json.dumps({"segments": segments})


def revised(question: Question, share: float = 1.0) -> str:
    """What an obedient model answers: each segment with the words that were asked for, or a share of them."""
    wanted = re.findall(r"Segment (\d+) has \d+ words now\. Write it with about (\d+) words", question.prompt)
    seeds = question.seed * 3
    return json.dumps(
        {
            "segments": [
                {"number": int(number), "narration": prose(round(int(words) * share), seeds + int(number) * 11)}
                for number, words in wanted
            ]
        }
    )


def writer(first: str, then: Callable[[Question], Reply]) -> FakeWriter:
    return FakeWriter(lambda question: then(question) if "words now" in question.prompt else first, identity=LARGE)


def made(project: Path, topic: str, who: FakeWriter, voice: FakeVoice | None = None) -> dict[str, Any]:
    (project / "input").mkdir(exist_ok=True)
    (project / "input" / "sea.md").write_text(topic)
    studio = make_studio(project, voice=voice or FakeVoice(), writer=who)
    assert run_all(studio) == {"the-sea": None}
    manifest: dict[str, Any] = json.loads((project / "output" / "the-sea" / "manifest.json").read_text())
    return manifest


ASKED = "---\ntitle: The sea\nminutes: 1\n---\n"


def test_a_script_that_is_too_short_is_lengthened_where_it_is_short_and_the_rest_kept(tmp_path: Path) -> None:
    who = writer(script(40, 50), lambda question: revised(question))
    manifest = made(tmp_path, ASKED, who)

    about = manifest["length"]
    assert about["met"]
    assert abs(manifest["audio"]["seconds"] - 60) <= 3
    assert about["reached_seconds"] == pytest.approx(manifest["audio"]["seconds"], abs=0.01)
    assert len(about["rounds"]) == 2
    assert about["rounds"][0]["words"] == 90
    assert "Segment 1 has 40 words now" in who.questions[1].prompt


def test_a_script_that_is_too_long_is_shortened(tmp_path: Path) -> None:
    manifest = made(tmp_path, ASKED, writer(script(90, 80), lambda question: revised(question)))

    assert manifest["length"]["met"]
    assert manifest["length"]["rounds"][0]["seconds"] > 70
    assert manifest["script"]["words"] < 170


def test_the_last_few_percent_are_the_voices(tmp_path: Path) -> None:
    voice = FakeVoice()
    # 108 words of these take the fake voice some 55 s.
    who = writer(script(50, 58), lambda _: "")
    manifest = made(tmp_path, ASKED, who, voice)

    assert len(who.questions) == 1
    assert manifest["length"]["met"]
    assert manifest["length"]["pace"] == pytest.approx(manifest["engines"]["voice"]["speaking_rate"], abs=0.02)
    assert manifest["length"]["pace"] < 1.0
    assert abs(manifest["audio"]["seconds"] - 60) <= 3


def test_a_writer_that_does_not_obey_is_asked_a_bounded_number_of_times_and_it_says_so(tmp_path: Path) -> None:
    who = writer(script(80, 95), lambda question: revised(question, share=0.65))
    manifest = made(tmp_path, ASKED.replace("1", "2"), who)

    about = manifest["length"]
    assert not about["met"]
    assert "gave nothing better in 3 answers: segment 1 has 92 words, and 142 were asked for" in about["why_not"]
    assert about["off_percent"] < -5
    assert about["pace"] == pytest.approx(0.92, abs=0.02)
    assert len(who.questions) == 1 + 3 * 3


def test_a_writer_that_gives_nothing_usable_costs_the_length_and_not_the_episode(tmp_path: Path) -> None:
    manifest = made(tmp_path, ASKED, writer(script(40, 50), lambda _: "I cannot."))

    assert "fake:8b gave nothing better in 3 answers" in manifest["length"]["why_not"]
    assert manifest["script"]["words"] == 90


def test_a_second_run_asks_nobody_anything_and_a_plan_sees_nothing_to_do(tmp_path: Path) -> None:
    made(tmp_path, ASKED, writer(script(40, 50), lambda question: revised(question)))
    (tmp_path / "data" / "seals.json").unlink()
    asleep, mute = FakeWriter([]), FakeVoice()
    studio = make_studio(tmp_path, voice=mute, writer=asleep)

    assert studio.plan(studio.survey()).nothing_to_do
    assert run_all(studio) == {"the-sea": None}
    assert (asleep.questions, mute.calls) == ([], [])


def test_what_a_round_leaves_alone_is_not_spoken_again(tmp_path: Path) -> None:
    voice = FakeVoice()
    made(tmp_path, ASKED, writer(script(30, 60), lambda question: revised(question)), voice)

    spoken = [(call.sentence.shown, call.rate) for call in voice.calls]
    assert len(spoken) == len(set(spoken))


def test_a_script_edited_by_hand_stays_to_the_letter_and_only_the_pace_follows(tmp_path: Path) -> None:
    made(tmp_path, ASKED, writer(script(40, 50), lambda question: revised(question)))
    path = tmp_path / "output" / "the-sea" / "script.md"
    mine = f"---\ntitle: The sea\nlanguage: en\n---\n\n{prose(60, 3)}\n"
    path.write_text(mine)
    studio = make_studio(tmp_path, voice=FakeVoice(), writer=FakeWriter([]))
    assert run_all(studio) == {"the-sea": None}

    about = json.loads((path.parent / "manifest.json").read_text())["length"]
    assert path.read_text() == mine
    assert (about["met"], len(about["rounds"])) == (False, 1)
    assert about["pace"] == pytest.approx(0.92, abs=0.02)
    assert "person's own" in about["why_not"]


def test_a_text_that_is_read_is_only_spoken_faster_or_slower(tmp_path: Path) -> None:
    topic = f"---\ntitle: The sea\nmode: read\nminutes: 1\n---\n{prose(108, 5)}\n"
    about = made(tmp_path, topic, FakeWriter([]))["length"]

    assert about["pace"] != 1.0
    assert about["met"]


NOTES = "".join(
    f"- The {a} keeper of the {b} brings a {c} to the {d} before winter.\n"
    for a, b, c, d in zip(_WORDS, _WORDS[11:], _WORDS[23:], _WORDS[5:], strict=False)
)


def test_a_small_model_tells_as_many_of_the_notes_as_there_is_time_for(tmp_path: Path) -> None:
    manifest = made(tmp_path, ASKED + NOTES, FakeWriter(lambda _: "No.", identity=SMALL))

    assert manifest["length"]["met"]
    assert abs(manifest["audio"]["seconds"] - 60) <= 3


def test_a_small_model_makes_nothing_up_where_the_notes_are_too_short_and_says_it(tmp_path: Path) -> None:
    few = "".join(NOTES.splitlines(keepends=True)[:3])
    manifest = made(tmp_path, ASKED + few, FakeWriter(lambda _: "No.", identity=SMALL))

    assert manifest["length"]["off_percent"] < -20
    assert "the notes hold no more" in manifest["length"]["why_not"]


def test_a_small_model_without_notes_is_asked_for_more_sentences_until_it_has_no_more(tmp_path: Path) -> None:
    def reply(question: Question) -> Reply:
        return f"The sea has a {prose(8, question.seed * 31 + len(question.prompt)).lower()}"

    manifest = made(tmp_path, ASKED, FakeWriter(reply, identity=SMALL))
    assert manifest["length"]["met"]

    short = made(tmp_path, ASKED.replace("1", "4"), FakeWriter(reply, identity=SMALL))
    assert short["length"]["off_percent"] < -10
    assert "has no more to say" in short["length"]["why_not"]
