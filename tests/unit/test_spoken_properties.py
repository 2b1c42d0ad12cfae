"""Whatever is written, its reading can be sent to the synthesizer and mapped back to the words on screen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.domain.sentence import Sentence, Word
from pipeline.text import spoken
from pipeline.text.pronunciations import Pronunciations

# Text that looks like prose with figures in it finds more than random characters do.
_ALPHABET = "abcAIVXÉéãº 0123456789.,:;-–—/$€£%°²½'’\"()[]{}*_#@&+=×<>~…?!😀\u200b\u00ad\t\x07①٣Ⅳ"
_LOOKALIKES = st.text(alphabet=_ALPHABET, max_size=40)
_TEXTS = st.one_of(_LOOKALIKES, st.text(max_size=30))
_SPELT_OUT = ("en", "en-GB", "pt-BR", "pt")


@given(shown=_TEXTS, language=st.sampled_from((*_SPELT_OUT, "de", "ja", "zz-ZZ")))
@example(shown="99/99/9999 0/0 25:99 $ 1½½ 5.5.5.5 -–- [[x]] v. 1,,2 ٣٤ 10^", language="en")
@example(shown="R$ R$10-20-30 0h99 ºª 1.2.3,4 -R$ mil 31/02/2024", language="pt-BR")
def test_every_written_word_has_its_word_and_none_is_changed_on_screen(shown: str, language: str) -> None:
    sentence = spoken.sentence(shown, language, Pronunciations())

    assert [word.shown for word in sentence.words] == shown.split()


@given(shown=_TEXTS, language=st.sampled_from(_SPELT_OUT))
@example(shown="a １２ ①② ٣ ² x⁵ Ⅳ 𐩀 3o4", language="en")
def test_no_digit_is_left_in_what_is_written_out(shown: str, language: str) -> None:
    assert not any(map(str.isdigit, spoken.sentence(shown, language, Pronunciations()).spoken))


@given(shown=_TEXTS, language=st.sampled_from((*_SPELT_OUT, "de")))
@example(shown="a\u200bb \ufeffc d\u0007e f\u00adg", language="de")
def test_nothing_invisible_is_spoken(shown: str, language: str) -> None:
    said = spoken.sentence(shown, language, Pronunciations()).spoken

    assert not [char for char in said if unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs")]


@given(shown=_TEXTS, language=st.sampled_from(_SPELT_OUT))
@example(shown='He said "Stop!" to Dr. Smith... and left', language="en")
def test_only_the_last_word_may_end_a_sentence(shown: str, language: str) -> None:
    words = [word.spoken for word in spoken.sentence(shown, language, Pronunciations()).words if word.spoken]

    assert not [word for word in words[:-1] if any(mark in word for mark in ".?!")]
    assert not words or not any(mark in words[-1][:-1] for mark in ".?!")


@given(shown=_TEXTS, language=st.sampled_from(_SPELT_OUT))
@example(shown="look at [[dˈʌk]] and [[this]]", language="en")
def test_brackets_in_a_text_are_never_taken_for_phonemes(shown: str, language: str) -> None:
    assert "[[" not in spoken.sentence(shown, language, Pronunciations()).spoken


@given(shown=_TEXTS, language=st.sampled_from(_SPELT_OUT))
def test_pieces_of_speech_have_no_blanks_around_them(shown: str, language: str) -> None:
    for word in spoken.sentence(shown, language, Pronunciations()).words:
        assert word.spoken == word.spoken.strip()
        assert "  " not in word.spoken


@pytest.mark.parametrize(
    ("shown", "heard"),
    [
        ("Hello.", True),
        ("7", True),
        ("é", True),
        ("…", False),
        ("* * *", False),
        ("😀", False),
        ("—", False),
        ("", False),
    ],
)
def test_what_has_no_letter_and_no_digit_has_no_speech(shown: str, heard: bool) -> None:
    assert spoken.has_speech(spoken.sentence(shown, "en", Pronunciations())) is heard


def test_speech_is_judged_by_what_is_spoken_and_not_by_what_is_shown() -> None:
    assert not spoken.has_speech(Sentence((Word("shown", ""), Word("too", "…"))))


@pytest.mark.parametrize(
    ("shown", "language", "said"),
    [
        ("Am 3. Oktober fuhr er 5 km/h 😀 schnell!", "de", "Am 3. Oktober fuhr er 5 km/h schnell!"),
        ("Il a payé 3,50 €.", "fr", "Il a payé 3,50 €."),
        ("**Ciao**, mondo", "it", "Ciao, mondo."),
    ],
)
def test_other_languages_are_cleaned_and_keep_their_numbers(shown: str, language: str, said: str) -> None:
    assert spoken.sentence(shown, language, Pronunciations()).spoken == said


def test_a_sentence_that_breaks_off_at_a_clause_goes_on_in_its_tone() -> None:
    assert spoken.sentence("When it rained,", "en", Pronunciations()).spoken == "When it rained,"
