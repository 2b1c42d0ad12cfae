"""Words find their phonemes, whatever the synthesizer made of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.alignment import Sound, letters_as_phonemes, shared_by_letters, word_spans


def heard(words: Sequence[str], phonemes: str) -> list[str]:
    """The phonemes that each word was given, where every sound lasts one second."""
    spans = word_spans(words, [Sound(symbol, 1.0) for symbol in phonemes], seconds=len(phonemes))
    assert all(span.start.is_integer() and span.end.is_integer() for span in spans)
    return [phonemes[int(span.start) : int(span.end)] for span in spans]


# Phonemes as espeak-ng gives them, for the words alone and for the sentence.
@pytest.mark.parametrize(
    ("words", "phonemes", "expected"),
    [
        pytest.param(["jˈɛs"], "jˈɛs.", ["jˈɛs"], id="one word, without its full stop"),
        pytest.param(["ˈɪn", "ðə", "jˈɪɹ"], "ɪnðə jˈɪɹ", ["ɪn", "ðə", "jˈɪɹ"], id="words run together"),
        pytest.param(["wˈʌn", "ˈʌv", "ðə", "bˈɛst"], "wˈʌn ʌvðə bˈɛst.", ["wˈʌn", "ʌv", "ðə", "bˈɛst"], id="of the"),
        pytest.param(
            ["nˈaɪntiːn hˈʌndɹɪd", "ænd", "fˈaɪv"],
            "nˈaɪntiːn hˈʌndɹɪd ænd fˈaɪv",
            ["nˈaɪntiːn hˈʌndɹɪd", "ænd", "fˈaɪv"],
            id="a word of two phoneme words",
        ),
        pytest.param(["hˈiː", "sˈɛd", "ɡˈoʊ"], "hiː sˈɛd: ɡˈoʊ!", ["hiː", "sˈɛd", "ɡˈoʊ"], id="the pause is no word's"),
        pytest.param(["ðˈæt", "ˈeɪ"], "ðˌæɾ ə", ["ðˌæɾ", "ə"], id="weaker and flapped in company"),
        pytest.param(["wˈɜːks", "", "ænd"], "wˈɜːks ænd", ["wˈɜːks", "", "ænd"], id="a dash that is not heard"),
        pytest.param(["ðə", "ðə", "ðə"], "ðə ðəðə", ["ðə", "ðə", "ðə"], id="the same word again and again"),
        pytest.param(
            ["eˈu", "nˈɐ̃ʊ̃", "dʒˈi"], "ˈeʊ nɐ̃ʊ̃ dʒɪ", ["ˈeʊ", "nɐ̃ʊ̃", "dʒɪ"], id="nasal vowels, as Portuguese has them"
        ),
        pytest.param(["ðə", "ˈɜːθ"], "ðɪʲ ˈɜːθ", ["ðɪʲ", "ˈɜːθ"], id="a glide between words stays with the first"),
        pytest.param(
            ["fˈaɪv", "tˈɛn"], "ænd fˈaɪv tˈɛn", ["ænd fˈaɪv", "tˈɛn"], id="what nobody asked for is not lost"
        ),
    ],
)
def test_each_word_has_its_phonemes(words: list[str], phonemes: str, expected: list[str]) -> None:
    assert heard(words, phonemes) == expected


def test_a_word_lasts_as_long_as_its_phonemes_and_no_longer() -> None:
    sounds = [Sound(" ", 0.05), Sound("o", 0.1), Sound("n", 0.2), Sound(",", 0.3), Sound(" ", 0.4), Sound("i", 0.5)]

    one, other = word_spans(["on", "i"], sounds, seconds=1.55)

    assert (one.start, one.end) == pytest.approx((0.05, 0.35))
    assert (other.start, other.end) == pytest.approx((1.05, 1.55))


def test_a_word_that_was_swallowed_has_its_share_of_the_one_before() -> None:
    spans = word_spans(["tˈɛl", "hɪm", "nˈaʊ"], [Sound(symbol, 1.0) for symbol in "tˈɛl nˈaʊ"], seconds=9)

    assert (spans[0].start, spans[1].end, spans[2].start) == (0, 4, 5)
    assert spans[0].seconds == spans[1].seconds == 2


def test_silent_words_lie_between_their_neighbours_also_at_the_ends() -> None:
    first, one, middle, two, last = word_spans(
        ["", "a", "", "i", ""], [Sound(symbol, 1.0) for symbol in " a, i "], seconds=6
    )

    assert (first.start, first.end) == (1, 1)
    assert (one.start, one.end, middle.start, middle.end) == (1, 2, 2, 2)
    assert (two.start, two.end, last.start, last.end) == (4, 5, 5, 5)


def test_where_no_phoneme_is_told_the_time_is_shared() -> None:
    one, other = word_spans(["aa", "bb"], [Sound(".", 2.0)], seconds=2.0)

    assert (one.start, one.end, other.start, other.end) == (0, 1, 1, 2)


def test_spans_stay_inside_a_sound_that_is_shorter_than_its_phonemes_say() -> None:
    assert word_spans(["on"], [Sound("o", 1.0), Sound("n", 1.0)], seconds=1.5)[0].end == 1.5


@pytest.mark.parametrize(
    ("spoken", "phonemes", "expected"),
    [
        (
            ["The", "quick", "knight", "thought", "of", "the", "phone."],
            "ðə kwˈɪk nˈaɪt θˈɔːt ʌvðə fˈoʊn.",
            ["ðə", "kwˈɪk", "nˈaɪt", "θˈɔːt", "ʌv", "ðə", "fˈoʊn"],
        ),
        (["Eu", "não", "tinha", "filhos."], "ˈeʊ nɐ̃ʊ̃ tʃˈiɲɐ fˈiljʊs.", ["ˈeʊ", "nɐ̃ʊ̃", "tʃˈiɲɐ", "fˈiljʊs"]),
        (["Луна", "это", "спутник."], "lʊnˈa ˈɛtə spˈutnʲɪk.", ["lʊnˈa", "ˈɛtə", "spˈutnʲɪk"]),
        (["a", "[[fˈuː]]", "bar"], "ɐ fˈuː bˈɑːɹ", ["ɐ", "fˈuː", "bˈɑːɹ"]),
    ],
)
def test_letters_find_a_words_phonemes_where_no_phonemizer_is_at_hand(
    spoken: list[str], phonemes: str, expected: list[str]
) -> None:
    assert heard([letters_as_phonemes(word) for word in spoken], phonemes) == expected


PHONEMES = "abdeiklmnoprstuvzæðŋɐɑɔəɚɛɡɪɹɾʃʊʌʒθ"
WORDS = st.lists(st.text(PHONEMES + "ˈː ", max_size=8), min_size=1, max_size=12)
SOUNDS = st.lists(st.builds(Sound, st.sampled_from(PHONEMES + "ˈˌː  ,.^$"), st.floats(0, 0.5)), min_size=1, max_size=60)


@given(WORDS, SOUNDS)
def test_any_words_over_any_sounds_give_a_span_each_in_order_and_inside(words: list[str], sounds: list[Sound]) -> None:
    seconds = sum(sound.seconds for sound in sounds)

    spans = word_spans(words, sounds, seconds=seconds)

    assert len(spans) == len(words)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert spans[-1].end <= seconds


@given(st.lists(st.text(PHONEMES, min_size=1, max_size=8), min_size=1, max_size=12))
def test_words_spoken_just_as_they_are_alone_are_found_exactly(words: list[str]) -> None:
    assert heard(words, " ".join(words) + ".") == words


SPOKEN = st.lists(st.sampled_from(["", "a", "moon,", "Earth.", "[[fˈuː]]", "nineteen eighty-four;", "é"]), max_size=12)


@given(SPOKEN, st.floats(0, 100))
def test_shares_by_letters_ascend_inside_the_sound_and_only_what_is_heard_takes_time(
    spoken: list[str], seconds: float
) -> None:
    spans = shared_by_letters(spoken, seconds)

    assert len(spans) == len(spoken)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(0 <= span.start <= span.end <= seconds for span in spans)
    assert all(span.seconds == 0 for word, span in zip(spoken, spans, strict=True) if not word)


def test_shares_by_letters_give_long_words_more_time_and_commas_a_pause() -> None:
    short, long, after = shared_by_letters(["It", "illuminates,", "often."], 3.0)

    assert long.seconds > 2 * short.seconds
    assert short.end == long.start
    assert after.start - long.end == pytest.approx(0.2)
    assert after.end < 3.0
