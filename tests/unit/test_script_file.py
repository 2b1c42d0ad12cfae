"""A script survives its file, and a person's editing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.script import Script, Segment
from pipeline.errors import InputError
from pipeline.text import script_file

FRONT = "---\ntitle: The sea\nlanguage: en\n---\n"

awkward = st.sampled_from(
    ["# x", "## y ##", "- dash", "+ plus", "1. one", "12) two", "> picture: no", "> quote", "*a*", "_b_", "`c`", "~~~",
     "[d](e)", "[f]: g", "<!-- h -->", "<b>", "&amp;", "\\", "\\*", "---", "===", "| a | b |", "![i](j)", "C#", "a\\",
     "<http://x.org>", "picture: k", "-->", "```", "2026", "yes", "~", "'", '"', ": x", "a: b", "#", "é\u00a0ü"]
)  # fmt: skip
letters = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)
tidy = st.lists(awkward | letters, max_size=5).map(lambda words: " ".join(" ".join(words).split()))
said = tidy.filter(bool)
segments = st.builds(Segment, title=tidy, paragraphs=st.lists(said, min_size=1, max_size=3).map(tuple),
                     picture_prompt=tidy)  # fmt: skip
scripts = st.builds(
    Script,
    title=said,
    language=st.sampled_from(["en", "pt-BR", "zh-Hant"]),
    segments=st.lists(segments, min_size=1, max_size=4).map(tuple),
)


@given(scripts)
def test_what_is_written_is_read_back_exactly(script: Script) -> None:
    assert script_file.parse(script_file.format(script), where="s.md") == script


def test_the_file_is_made_to_be_edited() -> None:
    script = Script(
        "Salt: a story",
        "en",
        (Segment("Rain", ("It rains.", "It runs off."), "a river"), Segment("Sun", ("It dries.",))),
    )
    text = script_file.format(script)
    assert text.startswith("---\ntitle: 'Salt: a story'\nlanguage: en\n---\n\n<!-- Edit this file as you like")
    assert text.endswith("## Rain\n\n> picture: a river\n\nIt rains.\n\nIt runs off.\n\n## Sun\n\nIt dries.\n")


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("One\nline *here*.", [Segment("", ("One line here.",))]),
        ("# Part\n- salt\n- sun", [Segment("Part", ("salt. sun.",))]),
        ("> picture: a boat\nSaid all the same.", [Segment("", ("Said all the same.",), "a boat")]),
        ("## A\nSaid.\n>Picture:  a **big**\n> boat", [Segment("A", ("Said.",), "a big boat")]),
        ("> picture: first\n\n## A\nSaid.", [Segment("A", ("Said.",), "first")]),
        ("A. <!-- a note\n\n## gone -->\n\nB.", [Segment("", ("A.", "B."))]),
    ],
)
def test_a_persons_layout_is_understood(body: str, segments: list[Segment]) -> None:
    assert list(script_file.parse(FRONT + body, where="s.md").segments) == segments


def test_values_in_the_front_matter_are_text_whatever_they_look_like() -> None:
    script = script_file.parse("\ufeff---\ntitle: 1984\nlanguage: no\n---\nSaid.", where="s.md")
    assert (script.title, script.language) == ("1984", "no")


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("", "s.md:1", "front matter is missing"),
        ("Said.", "s.md:1", "front matter is missing"),
        ("---\ntitle: x\nSaid.", "s.md:1", "no end"),
        ("---\ntitle: a: b\nlanguage: en\n---\nSaid.", "s.md:2", "not YAML.*quotes"),
        ("---\ntitle: [\n---\nSaid.", "s.md:2", "not YAML.*Close the bracket"),
        ("---\ntitle: [The sea\nlanguage: en\n---\nSaid.", "s.md:2", "not YAML.*Close the \\["),
        ("---\ntitle: {a\nlanguage: en\n---\nSaid.", "s.md:2", "not YAML.*Close the {"),
        ("---\ntitle: 'The sea\nlanguage: en\n---\nSaid.", "s.md:2", "not YAML.*Close the quotation mark"),
        ("---\n- x\n---\nSaid.", "s.md:1", "holds no `title`"),
        ("---\ntitle: x\n---\nSaid.", "s.md:", "needs a `language`.*language: en"),
        ("---\ntitle: ''\nlanguage: en\n---\nSaid.", "s.md:2", "needs a `title`"),
        ("---\ntitle: [a]\nlanguage: en\n---\nSaid.", "s.md:2", "needs a `title`"),
        ("---\ntitle: x\nlangauge: en\n---\nSaid.", "s.md:3", "Did you mean `language`"),
        ("---\ntitle: x\nlanguage: English!\n---\nSaid.", "s.md:3", "not a language code"),
        (FRONT, "s.md:5", "nothing to say in this script"),
        (FRONT + "<!-- only this -->", "s.md:5", "nothing to say"),
        (FRONT + "## A\n\n## B\n\nSaid.", "s.md:5", "nothing to say under the heading 'A'"),
        (FRONT + "Said.\n\n<!-- open", "s.md:7", "never closed"),
        (FRONT + "> picture: a\n\nSaid.\n\n> picture: b", "s.md:9", "two pictures"),
        (FRONT + "> picture:\n\nSaid.", "s.md:5", "picture line is empty"),
        (FRONT + "x" * 1_000_001, "s.md", "Make several topics"),
    ],
)
def test_what_would_go_missing_is_refused_with_its_line(text: str, where: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        script_file.parse(text, where="s.md")
    assert caught.value.where.startswith(where)
    assert caught.value.hint


@given(st.text(alphabet=st.sampled_from("-#>:<!ab \n*[]`|1."), max_size=60))
def test_any_body_is_read_or_refused_by_name(body: str) -> None:
    try:
        script = script_file.parse(FRONT + body, where="s.md")
    except InputError:
        return
    assert all(segment.paragraphs for segment in script.segments)
