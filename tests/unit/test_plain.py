"""What of a Markdown text is said aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import plain


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("One line\nand the next.", "One line and the next."),
        ("A **bold** and *quiet* [link](http://x.org) to `code`.", "A bold and quiet link to code."),
        ("- salt\n- water,\n- time!", "salt. water. time!"),
        ("1. first\n2. second\n   - nested", "first. second. nested."),
        ("    indented as in a letter", "indented as in a letter"),
        ("| depth | salt |\n|---|---|\n| 10 m | 35 g |", "depth, salt. 10 m, 35 g."),
        ("> A quotation\n> in two lines.", "A quotation in two lines."),
        ("before<br>after", "beforeafter"),
        ("Fish &amp; chips", "Fish & chips"),
        ("Not \\*bold\\*.", "Not *bold*."),
        ("A picture ![of a dog](dog.png) here.", "A picture here."),
    ],
)
def test_markdown_is_said_as_plain_sentences(markdown: str, said: str) -> None:
    assert [part.paragraphs for part in plain.parts(markdown)] == [(said,)]


@pytest.mark.parametrize("markdown", ["", "\n\n", "```\ncode()\n```", "<!-- a note -->", "---", "<div></div>"])
def test_what_cannot_be_said_is_left_out(markdown: str) -> None:
    assert plain.parts(markdown) == ()


def test_headings_begin_parts_and_know_their_lines() -> None:
    text = "Before.\n\n# One\n\nSaid.\n\nMore.\n\nTwo\n---\n\n## Three *x*\n\n- item"
    assert plain.parts(text) == (
        plain.Part("", ("Before.",), 1),
        plain.Part("One", ("Said.", "More."), 3),
        plain.Part("Two", (), 9),
        plain.Part("Three x", ("item.",), 12),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("salt", "salt."), ("Why?", "Why?"), ('He said "no."', 'He said "no."'), ("so,", "so."), ("", ""), ("a:", "a:")],
)
def test_a_sentence_gets_an_end_where_it_has_none(text: str, sentence: str) -> None:
    assert plain.as_sentence(text) == sentence


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_can_be_read_and_every_paragraph_is_one_tidy_line(text: str) -> None:
    for part in plain.parts(text):
        for paragraph in part.paragraphs:
            assert paragraph
            assert paragraph == " ".join(paragraph.split())
