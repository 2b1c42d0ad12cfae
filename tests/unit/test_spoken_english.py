"""English is read aloud as the table in tests/data/spoken_en.tsv says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.text import spoken
from pipeline.text.pronunciations import Pronunciations

TABLE = Path(__file__).parent.parent / "data" / "spoken_en.tsv"
ROWS = [
    tuple(line.split("\t"))
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("# ") and line != "#"
]


@pytest.mark.parametrize(("shown", "said"), ROWS)
def test_what_is_written_is_read_as_a_person_reads_it(shown: str, said: str) -> None:
    sentence = spoken.sentence(shown, "en-US", Pronunciations())

    assert sentence.spoken == said
    assert [word.shown for word in sentence.words] == shown.split()


@pytest.mark.parametrize("said", [said for _, said in ROWS])
def test_reading_what_was_already_written_out_changes_no_letter(said: str) -> None:
    again = spoken.sentence(said, "en-US", Pronunciations()).spoken

    assert again.replace(",", "").rstrip(".") == said.replace(",", "").rstrip(".")


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("$3.5 million was paid.", ("three point five", "million dollars", "was", "paid.")),
        ("US$ 2 bn", ("", "two", "billion US dollars.")),
        ("It ran 10 km, then slept.", ("It", "ran", "ten", "kilometers,", "then", "slept.")),
        ("On May 17, 2024, she left.", ("On", "May", "seventeenth,", "twenty twenty-four,", "she", "left.")),
        ("He left at 5 p.m. on Monday.", ("He", "left", "at", "five", "p-m", "on", "Monday.")),
        ("word — word", ("word,", "", "word.")),
    ],
)
def test_each_written_word_keeps_its_own_piece_of_speech(shown: str, words: tuple[str, ...]) -> None:
    assert tuple(word.spoken for word in spoken.sentence(shown, "en", Pronunciations()).words) == words


@pytest.mark.parametrize(
    ("shown", "american", "british"),
    [
        ("5/6/2024", "May sixth, twenty twenty-four.", "the fifth of June, twenty twenty-four."),
        ("1,001 nights", "one thousand one nights.", "one thousand and one nights."),
    ],
)
def test_the_region_decides_between_american_and_british_reading(shown: str, american: str, british: str) -> None:
    assert spoken.sentence(shown, "en-US", Pronunciations()).spoken == american
    assert spoken.sentence(shown, "en-GB", Pronunciations()).spoken == british
