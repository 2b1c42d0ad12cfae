"""What brings a programme to its length: how far the pace goes, and which segments a writer is asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import length
from pipeline.domain.length import (
    Change,
    Measured,
    changes,
    corrected,
    is_met,
    is_within_pace,
    pace_for,
    words_for,
    words_missing,
)


@pytest.mark.parametrize(
    ("seconds", "pace"),
    [
        (60.0, 1.0),
        (63.0, 1.0),  # within 5 %: the voice keeps its own pace
        (57.0, 1.0),
        (63.5, 1.06),
        (64.0, 1.08),  # the pauses, a tenth here, keep their length: the speech alone makes up for them
        (56.5, 0.94),
        (80.0, 1.08),
        (30.0, 0.92),
    ],
)
def test_the_pace_changes_where_the_length_is_missed_and_never_by_more_than_8_percent(
    seconds: float, pace: float
) -> None:
    assert pace_for(Measured(seconds, seconds * 0.9, 150), 60.0) == pace


def test_what_the_pace_cannot_bring_near_is_for_the_writer() -> None:
    assert is_within_pace(Measured(64.0, 58.0, 150), 60.0)
    assert not is_within_pace(Measured(68.0, 58.0, 150), 60.0)


@given(st.floats(20, 400), st.floats(0.5, 1.0), st.floats(20, 400))
def test_a_pace_is_a_step_within_its_bounds_and_never_makes_it_worse(
    seconds: float, speech: float, asked: float
) -> None:
    measured = Measured(seconds, seconds * speech, 100)
    pace = pace_for(measured, asked)

    assert abs(pace - 1) <= length.MOST_PACE + 1e-9
    assert round(pace / length.PACE_STEP, 6).is_integer()
    assert length.off(measured, asked) <= abs(seconds / asked - 1) + 1e-9
    if is_within_pace(measured, asked):
        assert is_met(seconds * (1 - speech) + seconds * speech / pace, asked)


def test_words_are_counted_in_fives_so_that_a_hair_more_speech_asks_for_the_same() -> None:
    assert [words_for(60, a_word) for a_word in (0.4, 0.401, 0.399)] == [150, 150, 150]
    assert words_missing(Measured(45.0, 40.0, 120), 60.0) == 40
    assert words_missing(Measured(45.1, 40.0, 120), 60.0) == 40
    assert words_missing(Measured(75.0, 66.0, 200), 60.0) == -40


@pytest.mark.parametrize(
    ("segments", "words", "expected"),
    [
        ([40, 80, 60], 30, [Change(0, 40, 70)]),
        ([40, 80, 60], 70, [Change(0, 40, 80), Change(2, 60, 90)]),
        ([40, 80, 60], -30, [Change(1, 80, 50)]),
        ([40, 80, 60], -60, [Change(1, 80, 40), Change(2, 60, 40)]),
        ([40], 500, [Change(0, 40, 80)]),
        ([3], 20, [Change(0, 3, 13)]),
        ([40, 80], 0, []),
    ],
)
def test_as_few_segments_as_will_do_are_changed_and_none_beyond_half_or_double(
    segments: list[int], words: int, expected: list[Change]
) -> None:
    assert list(changes(segments, words)) == expected


@pytest.mark.parametrize(
    ("rate", "pace", "wanted", "again"),
    [
        (1.08, 1.034, 1.08, 1.2),  # a voice that does half of what it is asked
        (0.92, 0.97, 0.92, 0.8),
        (1.08, 1.08, 1.08, 1.08),
        (1.08, 1.001, 1.08, 1.3),  # one that hardly does anything is asked for no more than this
        (1.08, 0.99, 1.08, 1.3),
    ],
)
def test_a_voice_is_asked_for_more_where_it_did_less(rate: float, pace: float, wanted: float, again: float) -> None:
    assert corrected(rate, pace, wanted) == again
