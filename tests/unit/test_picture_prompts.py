"""Prompts for pictures: what the model wrote, else what is said; the look is the project's and is checked whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain.script import Segment
from pipeline.errors import SettingsError
from pipeline.media.cards.palette import Scheme
from pipeline.text.picture_prompts import SCHEMES, Look, cover_prompt, parse_look, prompt_for

LOOK = Look(style="woodcut, two colours", negative="text, watermark")
SALT = ("Rain dissolves a little salt from the rocks. Rivers carry it to the sea.",)


def test_a_scene_that_was_written_is_asked_for_in_the_projects_style() -> None:
    found = prompt_for(Segment("Rivers", SALT, "a river\n at dusk "), title="The sea", look=LOOK, language="en")

    assert found.prompt == "a river at dusk, woodcut, two colours"
    assert found.negative == "text, watermark"
    assert not found.derived


@pytest.mark.parametrize(
    ("heading", "begins"),
    [
        ("Rain and rivers", "Rain and rivers (The sea), "),
        ("", "The sea, "),
        ("Part 2", "The sea, "),
        ("Parte IV", "The sea, "),
        ("3", "The sea, "),
        ("Apollo 11", "The sea, "),
    ],
)
def test_without_one_the_heading_and_a_sentence_are_the_scene(heading: str, begins: str) -> None:
    found = prompt_for(Segment(heading, SALT), title="The sea", look=LOOK, language="en")

    assert found.prompt.startswith(begins)
    assert "salt from the rocks" in found.prompt or "Rivers carry" in found.prompt
    assert found.prompt.endswith("woodcut, two colours")
    assert found.derived


def test_the_style_is_never_pushed_out_by_a_long_scene() -> None:
    scene = "an old harbour, with boats and nets and ropes and gulls, " * 12
    found = prompt_for(Segment("", SALT, scene), title="", look=LOOK, language="en").prompt

    assert len(found.split()) <= 34
    assert found.endswith(", woodcut, two colours")
    assert ",," not in found.replace(" ", "")


def test_without_a_style_the_scene_stands_alone() -> None:
    assert prompt_for(Segment("", SALT, "a river"), title="x", look=Look(), language="en").prompt == "a river"


def test_a_cover_shows_the_title_and_the_first_scene_that_was_written() -> None:
    segments = [Segment("One", SALT), Segment("Two", SALT, "a river"), Segment("Three", SALT, "a rock")]

    assert cover_prompt(segments, title="The sea", look=LOOK).prompt == "The sea, a river, woodcut, two colours"
    assert cover_prompt([], title="The sea", look=LOOK).prompt == "The sea, woodcut, two colours"


def test_the_file_that_comes_with_the_pipeline_can_be_used() -> None:
    look = parse_look(Path("config/pictures.toml").read_text("utf-8"), where="config/pictures.toml")

    assert look.style
    assert "text" in look.negative
    assert look.scheme == "title"
    assert look.fonts == ()


def test_an_empty_file_is_no_look_at_all() -> None:
    assert parse_look("", where="pictures.toml") == Look()


def test_every_fault_is_reported_with_its_line() -> None:
    text = '[promt]\nstyle = 3\n[prompt]\nstyle = 3\nnegtive = "x"\n[cards]\nscheme = "dark"\nfonts = "a"'
    with pytest.raises(SettingsError) as caught:
        parse_look(text, where="p.toml")

    assert caught.value.problems == (
        "p.toml:1: there is no `promt`; did you mean `prompt`?",
        "p.toml:5: there is no `prompt.negtive`; did you mean `negative`?",
        "p.toml:4: `style` is a text, not 3",
        "p.toml:7: `scheme` is one of title, night, deep, paper, bright, not 'dark'",
        "p.toml:8: `fonts` is a list of paths, [\"fonts/one.ttf\"], not 'a'",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[prompt]\nstyle = a b", "p.toml:2: not TOML"),
        ("a." * 20_000 + "b = 1", "p.toml:1: not TOML: a key has more than 32 parts"),
        ("x = " + "1" * 5_000, "p.toml: not TOML: a number has more digits than can be read"),
        ("x = " + "[" * 100_000, "p.toml: not TOML: it is nested too deeply"),
        ("prompt = 3", "p.toml:1: `prompt` is a table"),
        ('[prompt]\nstyle = "' + "word " * 40 + '"', "p.toml:2: `style` has more than 35 words"),
    ],
)
def test_other_faults_are_named_too(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_look(text, where="p.toml")

    assert caught.value.problems[0].startswith(says)


def test_the_schemes_are_those_that_the_cards_have() -> None:
    assert set(SCHEMES) == {"title", *Scheme}
