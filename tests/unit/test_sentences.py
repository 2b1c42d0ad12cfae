"""Paragraphs are cut where a speaker would stop, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.text import sentences


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Dr. Smith paid $3.5 million.", "He left at 5 p.m. on Monday.", "She stayed."]),
        ("en", ["J. R. R. Tolkien wrote it.", "It is long."]),
        ("en", ["He is in the U.S. army.", "Is he?", "Yes!"]),
        ("en", ["See e.g. example.com or version 3.11.7.", "It works."]),
        ("en", ["“Stop!” he said.", "“Why?” she asked."]),
        ("en", ["(It was late.)", "They went home."]),
        ("en", ["Really... no.", "Then nothing."]),
        ("en", ["No. 5 is alive.", "No.", "I won't."]),
        ("en", ["1. Boil water.", "2. Add salt."]),
        ("en", ["iPhone sales fell.", "eBay rose."]),
        ("en", ["It ended after World War II.", "Then came peace."]),
        ("en-GB", ["Mt. Everest is high.", "St. Paul is not."]),
        ("pt-BR", ["O Sr. Silva e a Dra. Souza vieram, p. ex., às 14h30.", "A Av. Paulista parou."]),
        ("pt", ["Custa R$ 1.234,56.", "Será?", "Sim... talvez."]),
        ("pt", ["A Profa. Ana, etc. e tal.", "O Exmo. Sr. Dr. falou."]),
        ("pt", ["Foi no séc. V a.C. em Roma.", "Ver pág. 5 e art. 3º."]),
        ("pt", ["D. Pedro II abdicou.", "S. Paulo cresceu."]),
        ("pt", ["“Olá!”, disse ele.", "Saiu."]),
        ("de", ["Am 3. Oktober kam er.", "Er ging."]),
        ("ja", ["今日は。", "元気ですか？"]),
    ],
)
def test_a_paragraph_is_cut_into_its_sentences(language: str, expected: list[str]) -> None:
    joined = "".join(expected) if language == "ja" else " ".join(expected)

    assert sentences.split(joined, language) == expected


def test_what_cannot_be_said_alone_goes_with_its_neighbour() -> None:
    assert sentences.split("Done. *** Next one.", "en") == ["Done.", "*** Next one."]
    assert sentences.split("— … Next one.", "en") == ["— … Next one."]
    assert sentences.split("So they say. [1] Next one.", "en") == ["So they say. [1]", "Next one."]


@pytest.mark.parametrize("paragraph", ["", "   ", "\n\t"])
def test_a_blank_paragraph_has_no_sentences(paragraph: str) -> None:
    assert sentences.split(paragraph, "en") == []


def test_a_long_sentence_is_cut_at_a_clause_near_its_middle() -> None:
    clause = "the river rose above the old stone bridge in the night"
    long = f"{clause}, {clause}; {clause}, and {clause}."

    parts = sentences.split(long.capitalize(), "en")

    assert len(parts) == 2
    assert parts[0].endswith(";")


def test_a_long_sentence_is_rather_cut_at_a_comma_than_between_words() -> None:
    words = " ".join(["word"] * 25)

    assert [part[-1] for part in sentences.split(f"{words}, {words}.", "en")] == [",", "."]


def test_no_part_is_longer_than_a_breath() -> None:
    parts = sentences.split(" ".join(["syllables"] * 200) + ".", "en")

    assert max(len(part) for part in parts) <= sentences.LONGEST_CHARACTERS
    assert max(len(part.split()) for part in parts) <= sentences.LONGEST_WORDS


_PIECES = (
    "word Word a.C. p. ex. Dr. No. U.S. etc. 3.5 R$ 1.234,56 end. End? “Stop!” (it) ) ( … ... — [1] *** 1. . ! II. "
    "e.g. example.com. a.b.c. É. é😀 x.Y"
)
_PROSE = st.lists(st.sampled_from(_PIECES.split()), max_size=60).map(" ".join)


@given(paragraph=st.one_of(_PROSE, st.text(max_size=80)), language=st.sampled_from(["en", "pt-BR", "de", "", "zz"]))
@example(paragraph="a.C. x.Y The end.Next one.", language="pt")
def test_no_character_is_lost_or_moved(paragraph: str, language: str) -> None:
    parts = sentences.split(paragraph, language)

    assert "".join("".join(parts).split()) == "".join(paragraph.split())
    assert all(part and part == part.strip() for part in parts)


@given(paragraph=_PROSE)
def test_every_sentence_has_something_to_say_unless_the_paragraph_has_nothing(paragraph: str) -> None:
    parts = sentences.split(paragraph, "en")

    if len(parts) > 1:
        assert all(any(map(str.isalnum, part)) for part in parts)
