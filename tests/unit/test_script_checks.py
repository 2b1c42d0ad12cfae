"""What is wrong with a script is found and named; what is right is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.script import Script, Segment
from pipeline.text.script_checks import faults, form_faults, repeats, says_the_same, sentence_faults, sentences

GOOD = (
    "Rain dissolves a little salt from the rocks, and rivers carry it down to the sea. "
    "The sun lifts the water back into the sky. The salt stays behind, a little more of it each year."
)
WALKS = tuple(f"A walk in the forest at night {end}." for end in ("is long", "was dark", "ends"))


def script(*paragraphs: str, title: str = "The sea") -> Script:
    return Script(title, "en", (Segment("", paragraphs),))


def names(found: object) -> list[str]:
    assert isinstance(found, tuple)
    return [fault.name for fault in found]


@pytest.mark.parametrize(
    "sentence",
    [
        "In this episode, we will look at bees.",
        "He was sure of it, of course.",
        "The judge read the sentence aloud.",
        "I am glad to help you, said the fox.",
        "Here is the lighthouse of Alexandria, a hundred metres tall.",
        "Claro que a luz é boa.",
        "It cost 3.50 dollars (about three euros) in 1998.",
        "A note of C is higher than A.",
        "Was it 5 p.m. in São Paulo?",
        "“Run!” she cried, and they ran…",
    ],
)
def test_good_sentences_have_no_fault(sentence: str) -> None:
    assert form_faults(sentence) == ()


@pytest.mark.parametrize(
    ("sentence", "fault"),
    [
        ("Sure! Bees are insects.", "meta"),
        ("Certainly, bees are insects.", "meta"),
        ("Here is a short script about bees.", "meta"),
        ("Here's the rewritten sentence.", "meta"),
        ("As an AI, I have never seen a bee.", "meta"),
        ("I'm an AI language model.", "meta"),
        ("Let me know if you want more.", "meta"),
        ("Claro! As abelhas são insetos.", "meta"),
        ("Aqui está o roteiro sobre abelhas.", "meta"),
        ("Como um modelo de linguagem, não vejo abelhas.", "meta"),
        ("Espero que ajude.", "meta"),
        ("[music] Bees are insects.", "markup"),
        ("Bees (pause) are insects.", "markup"),
        ("Host: Bees are insects.", "markup"),
        ("Narradora: As abelhas são insetos.", "markup"),
        ("**Bees** are insects.", "markup"),
        ("*sighs* Bees are insects.", "markup"),
        ("# Bees are insects.", "markup"),
        ("1. Bees are insects.", "markup"),
        ("- Bees are insects.", "markup"),
        ("Bees are <b>insects</b>.", "markup"),
        ("Bees are insects 🐝.", "unspeakable"),
        ("Bees \ufffd are insects.", "unspeakable"),
        ("word " * 71 + "end.", "unspeakable"),
        ("Bees are insects and they", "unfinished"),
        ("42.", "empty"),
        ("...", "empty"),
    ],
)
def test_each_kind_of_bad_sentence_is_named(sentence: str, fault: str) -> None:
    assert fault in names(form_faults(sentence))


def test_suspicion_also_refuses_talk_about_the_wording() -> None:
    sentence = "The revised sentence keeps its meaning."
    assert form_faults(sentence) == ()
    assert names(form_faults(sentence, suspicious=True)) == ["meta"]


def test_a_sentence_in_another_language_is_a_fault() -> None:
    assert names(sentence_faults("As abelhas voam de flor em flor e levam o pólen.", "en")) == ["language"]


def test_a_good_script_has_no_faults() -> None:
    assert faults(script(GOOD), language="en", words=40) == ()


@pytest.mark.parametrize(
    ("words", "fewest", "expected"),
    [
        (40, None, []),
        (30, None, []),
        (49, None, ["length"]),
        (20, None, ["length"]),
        (200, 30, []),
        (200, 60, ["length"]),
    ],
)
def test_the_length_must_be_near_what_was_asked(words: int, fewest: int | None, expected: list[str]) -> None:
    assert script(GOOD).word_count == 36
    assert names(faults(script(GOOD), language="en", words=words, fewest=fewest)) == expected


@pytest.mark.parametrize(
    ("paragraphs", "title", "expected"),
    [
        ((GOOD, "The sun lifts the water back into the sky."), "The sea", ["repetition"]),
        (WALKS, "Owls", ["repetition"]),
        (WALKS, "A walk in the forest at night", []),
        (("So what? It rains. So what? It is only rain.",), "Rain", []),
        (("",), "x", ["empty"]),
        (("Sure! It rains. And Host: the sun shines",), "x", ["meta", "unfinished"]),
    ],
)  # fmt: skip
def test_the_whole_is_looked_at_too(paragraphs: tuple[str, ...], title: str, expected: list[str]) -> None:
    found = faults(script(*paragraphs, title=title), language="en", words=20, fewest=0)
    assert sorted(set(names(found)) - {"length"}) == expected


def test_a_script_in_another_language_is_a_fault() -> None:
    text = "A chuva dissolve um pouco de sal das rochas. Os rios levam esse sal para o mar, e ele fica na água."
    assert names(faults(script(text), language="en", words=22)) == ["language"]


@pytest.mark.parametrize(
    ("sentence", "other", "same"),
    [
        ("The salt stays behind.", "the salt stays behind", True),
        ("The salt stays behind.", "And so the salt stays behind in the sea.", True),
        ("The salt stays behind.", "The water rises.", False),
        ("", "The water rises.", False),
    ],
)
def test_nearly_the_same_words_say_the_same(sentence: str, other: str, same: bool) -> None:
    assert says_the_same(sentence, [other]) is same


def test_a_long_run_of_shared_words_is_a_repetition_unless_it_is_the_title() -> None:
    said = ["The air was filled with the scent of pine, and an owl called."]
    again = "Later the air was filled with the scent of rain on distant hills far from there."
    assert repeats(again, said, "Owls")
    assert not repeats(again, said, "The air was filled with the scent of things")


def test_sentences_do_not_end_at_abbreviations() -> None:
    assert sentences("Dr. Lee left at 5 p.m. for Rome.\nHe ran.", "en-GB") == (
        "Dr. Lee left at 5 p.m. for Rome.",
        "He ran.",
    )


@given(st.lists(st.text(max_size=80), max_size=4), st.text(max_size=20), st.integers(1, 500))
def test_no_text_whatever_breaks_the_checks(paragraphs: list[str], title: str, words: int) -> None:
    for fault in faults(script(*paragraphs, title=title), language="en", words=words):
        assert fault.name
        assert fault.what
