"""The pronunciations file: which words it changes, how, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.text import pronunciations, spoken
from pipeline.text.pronunciations import Pronunciations

HERE = "config/pronunciations.csv"
KNOWN = pronunciations.parse(
    "# how we say things\n"
    "word,say,language,case\n"
    "Ollama,oh lah ma\n"
    "GIF,[[dʒˈɪf]],en,\n"
    "WHO,double-you aitch oh,en,exact\n"
    "New Orleans,nyoo orlins,en,\n"
    "Los Alamos,[[lˈɔs ˈæləmoʊs]],en,\n"
    "GIF,guif,pt,\n"
    "route,root,en,\n"
    "route,rowt,en-US,\n"
    "C++,see plus plus,,\n",
    where=HERE,
)


def said(shown: str, language: str = "en-US", known: Pronunciations = KNOWN) -> str:
    return spoken.sentence(shown, language, known).spoken


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("Ask Ollama.", "Ask oh lah ma."),
        ("OLLAMA, please", "oh lah ma, please."),
        ("(“Ollama”)", "oh lah ma."),
        ("Ollama's model", "oh lah ma's model."),
        ("Ollama’s model", "oh lah ma's model."),
        ("an Ollama-based tool", "an oh lah ma based tool."),
        ("Ollamas", "Ollamas."),
        ("the WHO", "the double-you aitch oh."),
        ("who is it", "who is it."),
        ("in New Orleans.", "in nyoo orlins."),
        ("New, Orleans", "New, Orleans."),
        ("the new Orleans", "the nyoo orlins."),
        ("C++, they say", "see plus plus, they say."),
    ],
)
def test_a_word_is_said_as_the_file_says_wherever_it_stands_whole(shown: str, expected: str) -> None:
    assert said(shown) == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("a GIF here", "a [[dʒˈɪf]] here."),
        ("a GIF, here", "a [[dʒˈɪf,]] here."),
        ("a GIF.", "a [[dʒˈɪf.]]"),
        ("the GIF's size", "the [[dʒˈɪfs]] size."),
        ("Los Alamos!", "[[lˈɔs ˈæləmoʊs!]]"),
    ],
)
def test_punctuation_and_possessives_go_inside_phonemes_because_piper_drops_them_outside(
    shown: str, expected: str
) -> None:
    assert said(shown) == expected


def test_a_phrase_gives_each_written_word_its_share_where_the_numbers_agree() -> None:
    words = spoken.sentence("New Orleans and Los Alamos", "en", KNOWN).words

    assert [word.spoken for word in words] == ["nyoo", "orlins", "and", "[[lˈɔs ˈæləmoʊs.]]", ""]


def test_only_its_own_language_hears_an_entry_and_the_nearer_region_wins() -> None:
    assert said("GIF", "pt-BR") == "guif."
    assert said("GIF", "de") == "GIF."
    assert said("route", "en-GB") == "root."
    assert said("route", "en-US") == "rowt."
    assert KNOWN.say("route", "en-US") == "rowt"
    assert KNOWN.say("route", "eng") is None


def test_a_sentence_without_the_word_stays_as_it_was() -> None:
    plain = "In 1984, Dr. Smith paid $3.50 and/or left."

    assert spoken.sentence(plain, "en", KNOWN) == spoken.sentence(plain, "en", Pronunciations())


def test_a_phrase_is_looked_up_as_a_whole() -> None:
    assert KNOWN.say("New Orleans", "en") == "nyoo orlins"
    assert KNOWN.say("New", "en") is None
    assert KNOWN.say("", "en") is None


def test_every_fault_is_reported_with_its_line() -> None:
    rows = ["only", "a,b,c,d,e", ",x", "...,x", "word,", "stop,end it.", "gif,[[a]] b", "x,y,english!,", "x,y,en,lower"]
    text = "\n".join(["word,say,language,case", *rows, "Twice,a", "twice,b", '"open,x'])

    with pytest.raises(SettingsError) as caught:
        pronunciations.parse(text, where=HERE)

    lines = [problem.split(":")[1] for problem in caught.value.problems]
    assert lines == ["2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13"]
    assert all(problem.startswith(f"{HERE}:") for problem in caught.value.problems)


def test_an_empty_file_and_one_of_comments_know_no_words() -> None:
    assert not pronunciations.parse("", where=HERE)
    assert not pronunciations.parse("\ufeff# nothing yet\n\nword,say,language,case\n", where=HERE)


def test_the_header_may_be_left_out() -> None:
    assert pronunciations.parse("Ollama,oh lah ma\n", where=HERE).say("ollama", "en") == "oh lah ma"


def test_equal_files_give_equal_values() -> None:
    assert pronunciations.parse("a,b\n", where="one") == pronunciations.parse("# c\na,b\n", where="two")


def test_the_file_that_comes_with_the_project_is_sound() -> None:
    path = Path(__file__).parents[2] / HERE

    assert pronunciations.parse(path.read_text(encoding="utf-8"), where=HERE).say("nginx", "en-US") == "engine ex"
