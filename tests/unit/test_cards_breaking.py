"""Lines: every word once and in order, none too wide, of like length, and no word cut in two by an ellipsis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.cards.breaking import ELLIPSIS, Box, set_text
from pipeline.media.cards.wording import clusters, wording

BOX = Box(width=600, height=400, leading=1.1, largest=120, smallest=40, most_lines=5)


def ems(text: str) -> float:
    """A typewriter's width: half an em a character."""
    return 0.5 * len(text)


WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=12), min_size=1, max_size=60).map(" ".join)
BOXES = st.builds(
    Box,
    width=st.floats(200, 2000),
    height=st.floats(100, 1500),
    leading=st.floats(1.0, 1.5),
    largest=st.floats(60, 200),
    smallest=st.floats(15, 50),
    most_lines=st.integers(1, 8),
)


@given(WORDS, BOXES)
def test_words_stay_in_order_and_in_the_box(text: str, box: Box) -> None:
    found = set_text(text, box, ems, "en")

    said = " ".join(found.lines)
    if found.cut:
        assert said.endswith(ELLIPSIS)
        kept = said.removesuffix(ELLIPSIS).rstrip(" ").replace(" ", "")
        assert text.replace(" ", "").startswith(kept)
    else:
        assert said.replace(" ", "") == text.replace(" ", "")
        assert found.size <= box.largest
    assert len(found.lines) <= box.most_lines or found.lines == (ELLIPSIS,)
    assert all(ems(line) * found.size <= box.width * 1.0001 for line in found.lines)


@given(WORDS, BOXES)
def test_an_ellipsis_follows_a_whole_word(text: str, box: Box) -> None:
    found = set_text(text, box, ems, "en")
    fits = all(ems(word + ELLIPSIS) * box.smallest <= box.width for word in text.split())

    if found.cut and fits and found.lines != (ELLIPSIS,):
        assert found.lines[-1].removesuffix(ELLIPSIS).split()[-1] in text.split()


@given(WORDS)
def test_a_large_enough_box_leaves_nothing_out(text: str) -> None:
    assert not set_text(text, Box(4000, 4000, 1.1, 100, 20, 20), ems, "en").cut


@given(WORDS, BOXES)
def test_the_same_text_is_set_the_same(text: str, box: Box) -> None:
    assert set_text(text, box, ems, "en") == set_text(text, box, ems, "en")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Tides", ("Tides",)),
        ("The longest way home to the hill", ("The longest way", "home to the hill")),
        ("The old history of the lighthouse", ("The old history", "of the lighthouse")),
        ("A história do café no Brasil", ("A história", "do café", "no Brasil")),
        # A number stays with what it counts.
        ("Light crosses 384,000 kilometres", ("Light crosses", "384,000 kilometres")),
        # Capitals are no names where every word has one.
        ("The Longest Way Home To The Hill", ("The Longest Way", "Home To The Hill")),
    ],
)
def test_lines_end_where_the_sentence_parts(text: str, lines: tuple[str, ...]) -> None:
    assert set_text(text, Box(740, 320, 1.1, 84, 40, 3), ems, "pt" if "ó" in text else "en").lines == lines


def test_a_short_last_word_does_not_stand_alone() -> None:
    for text in (
        "Whatever becomes of all the old",
        "Where do the oldest rivers go",
        "Everything that anybody ever saw is",
    ):
        assert len(set_text(text, BOX, ems, "en").lines[-1].split()) > 1


def test_a_word_that_is_too_wide_becomes_smaller_before_it_is_parted() -> None:
    found = set_text("a" * 40, BOX, ems, "en")
    assert found.lines == ("a" * 40,)
    assert 28 <= found.size < 40

    parted = set_text("a" * 90, BOX, ems, "en")
    assert "".join(parted.lines) == "a" * 90
    assert not parted.cut


def test_an_address_is_parted_at_its_joints() -> None:
    lines = set_text(
        "https://example.org/a-long-path/to-some-page/and-another-page/of-it/all.html", BOX, ems, "en"
    ).lines

    assert all(line[-1] in "-/._" for line in lines[:-1])


def test_compounds_may_part_at_their_hyphen_and_chinese_between_characters() -> None:
    assert set_text("state-of-the-art machines", Box(300, 400, 1.1, 60, 30, 4), ems, "en").lines[0].endswith("-")
    assert (
        "".join(set_text("天空为什么是蓝色的呢", Box(100, 400, 1.1, 60, 30, 6), ems, "zh").lines)
        == "天空为什么是蓝色的呢"
    )


@pytest.mark.parametrize(
    ("text", "shown", "left_out"),
    [
        ("🌙 1969: one small step 🚀", "1969: one small step", ("🌙", "🚀")),
        ("A day 👩‍🚀.", "A day.", ("👩", "🚀")),
        ("I ❤️ bread", "I bread", ("❤",)),
        ("a\tb\n c\u00ad\u200b", "a b c", ()),
        ("e\u0301 → ½ ≥ €", "é → ½ ≥ €", ()),
        ("لأنّ\u200cك", "لأنّ\u200cك", ()),
    ],
)
def test_pictographs_are_left_out_and_named(text: str, shown: str, left_out: tuple[str, ...]) -> None:
    assert (wording(text).text, wording(text).left_out) == (shown, left_out)


@given(st.text(max_size=60))
def test_what_is_shown_stays_as_it_is_and_in_whole_letters(text: str) -> None:
    shown = wording(text).text

    assert wording(shown).text == shown
    assert "".join(clusters(shown)) == shown
