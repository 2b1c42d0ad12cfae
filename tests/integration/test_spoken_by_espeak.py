"""The synthesizer's own front end hears one sentence where one was written, in every row of the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.engines
@pytest.mark.parametrize(("table", "voice"), [("spoken_en.tsv", "en-us"), ("spoken_pt.tsv", "pt-br")])
def test_piper_never_cuts_a_spoken_sentence_in_two(table: str, voice: str) -> None:
    from piper.phonemize_espeak import EspeakPhonemizer

    phonemizer = EspeakPhonemizer()
    rows = (DATA / table).read_text(encoding="utf-8").splitlines()
    said = [row.split("\t")[1] for row in rows if "\t" in row]

    cut = [text for text in said if len(phonemizer.phonemize(voice, text)) != 1]

    assert said
    assert not cut
