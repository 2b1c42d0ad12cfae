"""The episode's page is an artifact of what it shows: the same inputs give the same page, and nothing else its key."""

from __future__ import annotations

import json
import re

import pytest

from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline
from pipeline.media.chapters import chapters
from pipeline.text.summary import LONGEST_CHARACTERS, summary


def sentence(text: str, start: float, *, segment: int, ends: bool) -> TimedSentence:
    words = tuple(TimedWord(word, Span(start + n / 2, start + n / 2 + 0.4)) for n, word in enumerate(text.split()))
    return TimedSentence(words, Span(start, words[-1].span.end), segment, ends)


TIMELINE = Timeline(
    sentences=(
        sentence("One two.", 0.5, segment=0, ends=False),
        sentence("Three four.", 2.0, segment=0, ends=True),
        sentence("Five.", 4.0, segment=1, ends=True),
    ),
    chapters=(Chapter("First", Span(0.0, 3.5)), Chapter("", Span(3.5, 5.0))),
    seconds=5.0,
)


def test_chapters_have_the_standard_s_shape() -> None:
    assert json.loads(chapters(TIMELINE)) == {
        "version": "1.2.0",
        "chapters": [{"startTime": 0.0, "title": "First"}, {"startTime": 3.5}],
    }


def test_sentences_stand_in_their_chapters_and_paragraphs() -> None:
    from pipeline.media import page
    from pipeline.stages.pages import _chapters

    made = _chapters(TIMELINE, ["1.png"])
    assert [chapter.picture for chapter in made] == ["1.png", ""]
    assert [len(chapter.paragraphs) for chapter in made] == [1, 1]
    assert made[0].paragraphs[0][1] == page.Line(2.0, (page.Word("Three", 2.0), page.Word("four.", 2.5)))


@pytest.mark.parametrize(
    ("sentences", "title", "expected"),
    [
        (["The sky.", "It is blue.", "It is high."], "The sky", "It is blue. It is high."),
        (["It is blue."], "The sky", "It is blue."),
        (["The sky!"], "The sky", ""),
        ([], "The sky", ""),
        (["a" * 200 + ".", "b" * 200 + "."], "x", "a" * 200 + "."),
    ],
)
def test_a_summary_is_the_first_sentences_without_the_title(sentences: list[str], title: str, expected: str) -> None:
    assert summary(sentences, title) == expected


def test_a_sentence_too_long_for_a_summary_is_cut_at_a_word() -> None:
    made = summary(["word, " * 100], "x")
    assert len(made) <= LONGEST_CHARACTERS
    assert re.fullmatch(r"(?:word, )*word…", made)
