"""What a request may say: its text in pieces that can be spoken, and its own words as they are."""

from __future__ import annotations

import pytest

from pipeline.speech_server import wire
from pipeline.speech_server.faults import TooLong, Unspeakable


def shown(text: str, language: str = "en-US") -> list[str]:
    return [piece.shown for piece in wire.pieces(text, language)]


def test_a_text_is_spoken_sentence_by_sentence() -> None:
    assert shown("It rains. We stay.\n\nTomorrow, too!") == ["It rains.", "We stay.", "Tomorrow, too!"]


def test_what_is_written_is_read_as_people_say_it() -> None:
    (piece,) = wire.pieces("In 1984 it cost $3.50.", "en-US")

    assert piece.spoken == "In nineteen eighty-four it cost three dollars and fifty cents."


def test_phonemes_are_left_as_they_are_and_the_words_around_them_are_read() -> None:
    (piece,) = wire.pieces("In 1984 we said [[bˈɑː dˈɑː]], and went.", "en-US")

    assert [word.spoken for word in piece.words[-3:]] == ["[[bˈɑː dˈɑː]],", "and", "went."]
    assert piece.words[1].spoken == "nineteen eighty-four"


@pytest.mark.parametrize("text", ["", "   ", "… — !", "\u200b", "\x00", "\ud800"])
def test_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(Unspeakable):
        wire.pieces(text, "en-US")


@pytest.mark.parametrize("text", ["x" * 5000, "ab" * 4000 + " end.", "9" * 3000])
def test_a_word_without_end_is_spoken_in_parts(text: str) -> None:
    pieces = wire.pieces(text, "de-DE")

    assert all(len(piece.shown) <= 400 for piece in pieces)
    assert "".join(piece.shown for piece in pieces).replace(" ", "") == text.replace(" ", "")


def test_a_long_first_sentence_is_cut_at_a_clause_and_a_short_one_is_not() -> None:
    long = "The lamp was lit an hour before sunset, and it burned until the sky over the water turned grey."
    first, second = wire.early(wire.pieces(long, "en-US"))

    assert first.shown == "The lamp was lit an hour before sunset,"
    assert f"{first.shown} {second.shown}" == long
    assert len(wire.early(wire.pieces("One, two, three. Four.", "en-US"))) == 2


def test_a_client_s_own_words_are_one_sentence_as_they_are() -> None:
    sentence = wire.given([("1871,", "eighteen seventy-one,"), ("—", ""), ("li\x00ght", "light")])

    assert [word.shown for word in sentence.words] == ["1871,", "—", "li ght"]
    assert sentence.spoken == "eighteen seventy-one, light"


def test_a_client_s_own_words_have_an_end() -> None:
    with pytest.raises(TooLong):
        wire.given([("word", "word" * 40)] * 10)
    with pytest.raises(Unspeakable):
        wire.given([("—", "")])
