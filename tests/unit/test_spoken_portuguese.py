"""Portuguese is read aloud as the table in tests/data/spoken_pt.tsv says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.text import spoken
from pipeline.text.pronunciations import Pronunciations

TABLE = Path(__file__).parent.parent / "data" / "spoken_pt.tsv"
ROWS = [
    tuple(line.split("\t"))
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("# ") and line != "#"
]


@pytest.mark.parametrize(("shown", "said"), ROWS)
def test_what_is_written_is_read_as_a_person_reads_it(shown: str, said: str) -> None:
    sentence = spoken.sentence(shown, "pt-BR", Pronunciations())

    assert sentence.spoken == said
    assert [word.shown for word in sentence.words] == shown.split()


@pytest.mark.parametrize("said", [said for _, said in ROWS])
def test_reading_what_was_already_written_out_changes_no_letter(said: str) -> None:
    again = spoken.sentence(said, "pt-BR", Pronunciations()).spoken

    assert again.replace(",", "").rstrip(".") == said.replace(",", "").rstrip(".")


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("Custa R$ 10 mil.", ("Custa", "", "dez", "mil reais.")),
        ("Pagou R$ 1,50, e saiu.", ("Pagou", "", "um real e cinquenta centavos,", "e", "saiu.")),
        ("Viu, p. ex., 2 km de areia.", ("Viu,", "por", "exemplo,", "dois", "quilômetros", "de", "areia.")),
    ],
)
def test_each_written_word_keeps_its_own_piece_of_speech(shown: str, words: tuple[str, ...]) -> None:
    assert tuple(word.spoken for word in spoken.sentence(shown, "pt-BR", Pronunciations()).words) == words


def test_european_portuguese_has_its_own_numbers() -> None:
    assert spoken.sentence("16", "pt-PT", Pronunciations()).spoken == "dezasseis."
