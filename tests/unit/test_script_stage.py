"""A topic becomes a script: whole from a large model, in steps from a small one, or as it stands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.plan import look_through
from pipeline.domain.script import Script, Segment
from pipeline.domain.topic import Mode, Source, Topic
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, InputError
from pipeline.ports import Answer, Question, WriterIdentity
from pipeline.stages import script as scripts
from pipeline.text import script_file
from pipeline.text.style_file import Style, load_style
from tests.fakes.flows import Memory
from tests.fakes.writer import LARGE, SMALL, FakeWriter, Reply

STYLE = load_style(Path(__file__).parents[2] / "config" / "prompts", "explainer")

SALT = (
    "Rain dissolves a little salt from the rocks. Rivers carry it down to the sea. "
    "The sun lifts the water back into the sky, and the salt stays behind."
)
TOPIC = Topic("Why is the sea salty?", Source("input/sea.md", 1), words=30)
NOTED = replace(TOPIC, notes=SALT)


def as_json(*narrations: str) -> str:
    segments = [
        {"title": f"Part {n}", "narration": text, "picture_prompt": "a sea"} for n, text in enumerate(narrations)
    ]
    return json.dumps({"segments": segments})


def write(topic: Topic, writer: FakeWriter, *, tries: int = 3, memory: Memory | None = None) -> scripts.Written:
    return (memory or Memory()).carry_out(scripts.write(topic, STYLE, writer, tries=tries))


# -- at once -----------------------------------------------------------------------------------------------------


def test_a_large_model_is_asked_once_for_json() -> None:
    writer = FakeWriter([as_json(SALT)])
    written = write(NOTED, writer)
    assert written.script == Script(TOPIC.title, "en", (Segment("Part 0", (SALT,), "a sea"),))
    assert script_file.parse(written.artifact.read("script.md").decode(), where="x") == written.script
    assert (written.about["asked"], written.about["seeds"], written.about["words"]) == ("at once", [0], 29)
    (question,) = writer.questions
    assert question.schema is not None
    assert json.dumps(question.schema) in question.prompt
    assert SALT in question.prompt
    assert "30 words" in question.prompt
    assert 90 <= question.max_tokens <= 1000


BAD_ANSWERS: list[Reply] = [
    "I cannot do that.",
    "{",
    '{"segments": "none"}',
    as_json("Too short."),
    as_json(SALT + " " + SALT),
    as_json("Sure! Here is your script. " + SALT),
    as_json("A chuva dissolve o sal das rochas. Os rios levam esse sal. O sol leva a água, e então o sal fica no mar."),
    Answer(as_json(SALT), complete=False, tokens=9, seconds=0.1),
    EngineNonsense("the answer broke off", answer="half"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
def test_a_bad_answer_is_asked_for_again_with_another_seed_and_its_faults(bad: Reply) -> None:
    writer = FakeWriter([bad, as_json(SALT)])
    assert write(NOTED, writer).script.word_count == 29
    first, second = writer.questions
    assert first.seed != second.seed
    assert "could not be used" in second.prompt


def test_json_in_a_code_fence_is_understood() -> None:
    written = write(NOTED, FakeWriter([f"```json\n{as_json(SALT)}\n```"]))
    assert written.script.word_count == 29


def test_after_so_many_tries_it_fails_by_name_with_the_answer_kept() -> None:
    writer = FakeWriter(lambda _: "Sorry.")
    with pytest.raises(EngineNonsense, match=r"input/sea\.md:1: no usable script in 2 tries") as caught:
        write(NOTED, writer, tries=2)
    assert caught.value.answer == "Sorry."
    assert len(writer.questions) == 2


def test_an_engine_that_is_down_is_not_asked_again_here() -> None:
    writer = FakeWriter([EngineUnavailable("nobody answers")])
    with pytest.raises(EngineUnavailable):
        write(NOTED, writer)
    assert len(writer.questions) == 1


# -- in steps ----------------------------------------------------------------------------------------------------


def test_a_small_model_tells_every_fact_and_adds_nothing() -> None:
    def reply(question: Question) -> Reply:
        if "Rivers carry" in question.prompt:
            return "Down to the sea, rivers carry it. I hope this helps!"
        if "dissolves" in question.prompt:
            return "In 1850, Captain Nemo put salt into the rocks of France."
        return EngineNonsense("the answer is empty")

    writer = FakeWriter(reply, identity=SMALL)
    written = write(NOTED, writer)
    opening, told = written.script.segments[0].paragraphs
    assert opening == "Why is the sea salty?"
    assert told == (
        "Rain dissolves a little salt from the rocks. Down to the sea, rivers carry it. "
        "The sun lifts the water back into the sky, and the salt stays behind."
    )
    assert written.about["facts_in_the_notes_own_words"] == 2
    assert written.about["questions"] == 3
    assert "shorter_than_asked" not in written.about
    assert all(question.schema is None for question in writer.questions)


def test_short_notes_make_a_short_script_that_says_so() -> None:
    written = write(replace(NOTED, words=200), FakeWriter(lambda _: "No.", identity=SMALL))
    assert written.script.word_count == 34
    assert "notes hold no more" in str(written.about["shorter_than_asked"])


def test_an_edited_fact_is_the_only_one_asked_about_again() -> None:
    memory = Memory()
    writer = FakeWriter(lambda _: "No.", identity=SMALL)
    write(NOTED, writer, memory=memory)
    writer.questions.clear()
    write(replace(NOTED, notes=SALT.replace("Rivers", "Streams")), writer, memory=memory)
    assert ["Streams" in question.prompt for question in writer.questions] == [True]


def test_passages_that_were_told_survive_a_broken_run() -> None:
    memory = Memory()

    def reply(question: Question) -> Reply:
        return EngineUnavailable("gone") if "The sun" in question.prompt else "No."

    with pytest.raises(EngineUnavailable):
        write(NOTED, FakeWriter(reply, identity=SMALL), memory=memory)
    writer = FakeWriter(lambda _: "No.", identity=SMALL)
    write(NOTED, writer, memory=memory)
    assert len(writer.questions) == 1


CATS = Topic("Why do cats purr?", Source("input/cats.txt", 2), words=40)


def test_without_notes_bad_sentences_and_what_leans_on_them_are_left_out() -> None:
    replies = iter(
        [
            "Cats purr when they rest in a warm place. In 1950 a cat named Tom purred in Oslo. It was loud.",
            "A cat also purrs to calm itself when it is hurt or afraid. I love my cat. They are sweet.",
            "Cats purr when they rest in a warm place. Kittens purr while they drink their mother's milk.",
            "Sure! Cats purr a lot.",
            "1. Cats purr. 2. They sleep.",
            "Purring cats make a low sound that people find calming at the end of a long day.",
        ]
    )
    written = write(CATS, FakeWriter(lambda _: next(replies, "Cats are"), identity=SMALL))
    text = " ".join(sentence for part in written.script.segments for sentence in part.paragraphs)
    assert text == (
        "Why do cats purr? Cats purr when they rest in a warm place. "
        "A cat also purrs to calm itself when it is hurt or afraid. "
        "Purring cats make a low sound that people find calming at the end of a long day."
    )


def test_a_model_with_nothing_to_say_fails_by_name_with_its_answers_kept() -> None:
    writer = FakeWriter(lambda _: "I am a teapot", identity=SMALL)
    with pytest.raises(EngineNonsense, match=r"input/cats\.txt:2: no usable script.*give it notes") as caught:
        write(CATS, writer, tries=2)
    assert "teapot" in caught.value.answer
    assert 0 < len(writer.questions) <= 8


# -- either way --------------------------------------------------------------------------------------------------


def test_a_language_the_model_cannot_write_is_refused_before_it_is_asked() -> None:
    writer = FakeWriter([], identity=SMALL)
    with pytest.raises(EngineRefused, match=r"cannot write in 'pt-BR', only in en.*mode: read"):
        write(replace(NOTED, language="pt-BR"), writer)
    assert writer.questions == []


@pytest.mark.parametrize(
    ("name", "parameters", "small"),
    [
        ("gemma3:4b", 4_300_000_000, False),
        ("gemma3:4b", 134_520_000, True),
        ("qwen3:0.6b", None, True),
        ("smollm2:135m", None, True),
        ("llama3.2:1b-instruct-q4_K_M", None, True),
        ("gemma3:12b", None, False),
        ("mistral", None, False),
        ("llama3.2", None, False),
    ],
)
def test_how_a_model_is_asked_is_told_by_its_size_then_by_its_name(
    name: str, parameters: int | None, small: bool
) -> None:
    assert scripts.is_small(WriterIdentity("ollama", name, "0" * 64, parameters=parameters)) is small


def keys(topic: Topic, *, style: Style = STYLE, identity: WriterIdentity = LARGE) -> list[str]:
    flow = scripts.write(topic, style, FakeWriter([], identity=identity), tries=3)
    return [verdict.step.key for verdict in look_through(flow, lambda _: None).verdicts]


@pytest.mark.parametrize("identity", [LARGE, SMALL], ids=["at once", "in steps"])
def test_what_changes_the_words_changes_the_key_and_nothing_else_does(identity: WriterIdentity) -> None:
    base = keys(NOTED, identity=identity)
    same = replace(NOTED, source=Source("input/b.csv", 9), voice="en_US-joe-medium", tags=("salt",))
    assert keys(same, identity=identity) == base
    for changed in (
        replace(NOTED, title="The salt sea"),
        replace(NOTED, notes=SALT + " Ice is fresh."),
        replace(NOTED, words=31),
        replace(NOTED, seed=1),
        replace(NOTED, language="en-GB"),
    ):
        assert keys(changed, identity=identity) != base
    assert keys(NOTED, style=replace(STYLE, opening="Hear this."), identity=identity) != base
    assert keys(NOTED, identity=replace(identity, digest="0" * 64)) != base
    assert keys(NOTED, identity=replace(identity, licence="MIT", details={"server": "2"})) == base


# -- read --------------------------------------------------------------------------------------------------------


def test_a_text_to_be_read_is_spoken_as_it_stands() -> None:
    topic = replace(TOPIC, mode=Mode.READ, notes="Hello *there*.\n\n## Next\n- one\n- two")
    written = Memory().carry_out(scripts.read(topic))
    assert written.script.segments == (Segment("", ("Hello there.",)), Segment("Next", ("one. two.",)))


@pytest.mark.parametrize("notes", ["", "## Only a heading", "<!-- nothing -->"])
def test_a_text_with_nothing_to_say_is_refused(notes: str) -> None:
    with pytest.raises(InputError, match=r"input/sea\.md:1: there is no text to read"):
        Memory().carry_out(scripts.read(replace(TOPIC, mode=Mode.READ, notes=notes)))
