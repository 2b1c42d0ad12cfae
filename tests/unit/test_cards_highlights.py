"""What of a segment is shown in letters: its striking number, else a sentence that stands for it, else its heading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.script import Segment
from pipeline.text.highlights import NONE, highlight_of


def _figure(text: str, language: str = "en") -> str:
    return highlight_of(Segment("Heading", (text,)), language).figure


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("The Moon is about 384,000 kilometres away.", "384,000 kilometres"),
        ("It goes around the Earth in about 27 days.", "27 days"),
        ("Air is 78% nitrogen.", "78%"),
        ("It cost $5 million to build.", "$5 million"),
        ("The price fell to R$ 1.500,00 in May.", "R$ 1.500,00"),
        ("There are 8 billion people on Earth.", "8 billion people"),
        ("It weighs 1.5 kg and is 300 °C hot.", "300 °C"),
        ("O Brasil colhe 3,2 milhões de toneladas de café.", "3,2 milhões de toneladas"),
        ("A Lua está a 384.400 quilômetros da Terra.", "384.400 quilômetros"),
        ("Il y a 40 000 litres d'eau.", "40 000 litres"),
        # The largest of several.
        ("In 27 days it moves 2,300,000 kilometres.", "2,300,000 kilometres"),
    ],
)
def test_a_number_is_shown_with_what_it_counts(text: str, figure: str) -> None:
    assert _figure(text) == figure


@pytest.mark.parametrize(
    "text",
    [
        "Lord Rayleigh explained this in 1871.",
        "Twelve people walked on it between 1969 and 1972.",
        "We rise at 10:30 on 12/05/2020.",
        "See page 12 and the rest.",
        "They landed on 20 July 1969.",
        "It has 2 wings.",
        "Version 3.11.2 is out.",
        "No number here at all.",
    ],
)
def test_a_year_a_date_a_time_and_a_small_count_are_no_figures(text: str) -> None:
    assert _figure(text) == ""


def test_a_figure_comes_with_the_sentence_it_is_said_in() -> None:
    text = "Nobody has been there. The Moon is about 384,000 kilometres away. That is far."

    assert highlight_of(Segment("Far", (text,)), "en").sentence == "The Moon is about 384,000 kilometres away."


def test_a_sentence_that_leans_on_another_is_not_quoted() -> None:
    text = "They sing to keep their place in the garden. An hour before sunrise a single bird begins to sing. Is it?"

    found = highlight_of(Segment("The dawn", (text,)), "en")

    assert found.figure == ""
    assert found.sentence == "An hour before sunrise a single bird begins to sing."


def test_where_nothing_stands_alone_the_heading_is_enough() -> None:
    assert (
        highlight_of(Segment("Why", ("It is. They do. Is that so, and if it is, who would know of it?",)), "en") == NONE
    )


@given(st.text(max_size=200))
def test_what_is_shown_is_said_in_the_segment(text: str) -> None:
    found = highlight_of(Segment("Heading", (text or "Nothing.",)), "en")

    said = " ".join((text or "Nothing.").split())
    assert found.figure in found.sentence
    assert found.sentence in said
