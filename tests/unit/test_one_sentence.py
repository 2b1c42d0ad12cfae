"""One sentence of a script's file is changed, and nothing besides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.script import Script, Segment
from pipeline.errors import InputError
from pipeline.text import one_sentence, script_file, sentences
from pipeline.text.claims import Marks

WHERE = "script.md"
FILE = """---
title: The sea is old
language: en
---

<!-- mine: keep this -->

## Rain

> picture: The sea is old.

Rain takes *a little* salt
from the rocks.[^1] The sea is old.[^?] It is 5 \\* 3 deep.

- A list of things

## Again

The sea is old. He said: "No." The sea is old.

[^1]: The sea is old.
"""
SAID = [
    "Rain takes a little salt from the rocks.",
    "The sea is old.",
    "It is 5 * 3 deep.",
    "A list of things.",
    "The sea is old.",
    'He said: "No."',
    "The sea is old.",
]


def said(text: str) -> list[str]:
    return [one.text for one in one_sentence.listed(script_file.parse(text, where=WHERE))]


def test_the_sentences_are_those_of_the_script() -> None:
    assert said(FILE) == SAID


@pytest.mark.parametrize(
    ("number", "words", "before", "after"),
    [
        (1, "Rain takes salt.", "Rain takes *a little* salt\nfrom the rocks.[^1]", "Rain takes salt.[^1]"),
        (
            2,
            "The sea is young.",
            "from the rocks.[^1] The sea is old.[^?]",
            "from the rocks.[^1] The sea is young.[^?]",
        ),
        (3, "It is deep.", "It is 5 \\* 3 deep.", "It is deep."),
        (5, "The sea is new.", "## Again\n\nThe sea is old.", "## Again\n\nThe sea is new."),
        (7, "It is.", '"No." The sea is old.', '"No." It is.'),
        (2, "  Two\n lines ", "[^1] The sea is old.", "[^1] Two lines."),
        (5, "# 1 [^2] <b>*x*</b> &amp; yes", "## Again\n\nThe sea is old.", None),
    ],
)
def test_only_that_sentence_changes(number: int, words: str, before: str, after: str | None) -> None:
    changed = one_sentence.changed(FILE, number, words, where=WHERE)
    if after is not None:
        assert changed == FILE.replace(before, after)
    wanted = [*SAID[: number - 1], one_sentence.as_written(words), *SAID[number:]]
    assert said(changed) == wanted
    assert "<!-- mine: keep this -->" in changed


@pytest.mark.parametrize(
    ("number", "words", "what"),
    [
        (0, "A.", "there is no sentence 0"),
        (8, "A.", "there is no sentence 8"),
        (1, " \n\x00 ", "nothing to say"),
        (1, "?!", "nothing to say"),
        (1, "a " * 600, "1,000 are the most"),
        # Its full stop is not in the file.
        (4, "Another thing.", "cannot be changed by itself"),
    ],
)
def test_what_cannot_be_changed_is_said(number: int, words: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        one_sentence.changed(FILE, number, words, where=WHERE)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Co", "Cn"]), min_size=1, max_size=60)


@given(st.lists(st.sampled_from(SAID), min_size=1, max_size=4), st.data(), WORDS)
def test_whatever_is_written_is_what_is_said_afterwards(texts: list[str], data: st.DataObject, words: str) -> None:
    script = Script("T", "en", (Segment("", (" ".join(texts),)),))
    marks = Marks({texts[0]: (1,)}, {1: texts[0]})
    file = script_file.format(script, marks)
    before = said(file)
    number = data.draw(st.integers(1, len(before)))
    try:
        new = one_sentence.as_written(words)
        changed = one_sentence.changed(file, number, words, where=WHERE)
    except InputError:
        return
    paragraph = " ".join([*before[: number - 1], new, *before[number:]])
    assert said(changed) == list(sentences.split(paragraph, "en"))
