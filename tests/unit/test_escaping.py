"""Plain text survives Markdown, with a backslash only where one is needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import escaping, plain

signs = st.text(alphabet=st.sampled_from("\\`*_[]()<>&#~-+=.!:|;1a é/"), max_size=16)
texts = signs.map(lambda text: " ".join(text.split())).filter(bool)


def read(markdown: str) -> tuple[str, ...]:
    return tuple(
        paragraph for part in plain.parts(markdown) for paragraph in (part.title, *part.paragraphs) if paragraph
    )


@pytest.mark.parametrize(
    "text",
    [
        "nginx & SQLite", "AT&T; R&D", "2 * 3 = 6", "a_name_with_lines", "f(x) = [1, 2]", "3 < 4 > 2", "C:\\dir", "C#",
        "a ~ b", "#1 of all", "-1 degree", "+5", "1.5 metres", "5)five", "one ` tick", "a *star alone",
        "[note] he", "_under alone", "x | y", "a\\ b", "!", "e-mail: a_b@c.org",
    ],
)  # fmt: skip
def test_what_is_no_markup_stays_as_it_is(text: str) -> None:
    marked = escaping.paragraph(text)
    assert read(marked) == (text,)
    assert marked == text


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("&amp; is a name", "\\&amp; is a name"),
        ("# x", "\\# x"),
        ("> x", "\\> x"),
        ("- x", "\\- x"),
        ("1. x", "1\\. x"),
        ("---", "\\---"),
        ("* * *", "\\* * *"),
        ("<b>x", "\\<b>x"),
        ("*so* it is", "\\*so\\* it is"),
        ("[a](b)", "[a\\](b)"),
        ("[a]: b", "[a\\]: b"),
        ("`x`", "\\`x\\`"),
        ("a\\*b", "a\\\\*b"),
        ("~~~", "\\~~~"),
    ],
)
def test_what_would_be_markup_is_escaped_once(text: str, marked: str) -> None:
    assert escaping.paragraph(text) == marked
    assert read(marked) == (text,)


@given(texts)
def test_any_text_is_read_back(text: str) -> None:
    assert read(escaping.paragraph(text)) == (text,)
    assert read(f"## {escaping.heading(text)}") == (text,)
    assert plain.inline(escaping.inline(text)) == text


@given(st.text(alphabet=st.sampled_from("abc é,.;!?'’“”&%$€/=@ "), max_size=40))
def test_ordinary_prose_has_no_backslash(text: str) -> None:
    text = " ".join(text.split())
    assert escaping.paragraph(text) == text


@pytest.mark.parametrize("text", ["# #", "#", "C#", "a ##", "# a"])
def test_a_heading_keeps_its_own_hashes(text: str) -> None:
    assert read(f"## {escaping.heading(text)}") == (text,)
    assert escaping.heading(text).count("\\") == (text not in {"C#", "# a"})
