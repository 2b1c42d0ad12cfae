"""A script becomes a row of sentences with the right silence after each."""

from __future__ import annotations

import pytest

from pipeline.domain.script import Script, Segment
from pipeline.domain.sentence import Pause
from pipeline.errors import InputError
from pipeline.text import pronunciations, utterances
from pipeline.text.pronunciations import Pronunciations


def script(*segments: tuple[str, ...], language: str = "en") -> Script:
    return Script("The Moon", language, tuple(Segment(f"Part {n}", texts) for n, texts in enumerate(segments, 1)))


def test_sentences_come_in_order_with_their_segment_and_the_pause_after_each() -> None:
    spoken = utterances.of(script(("One. Two.", "Three."), ("Four.",)), Pronunciations())

    assert [(u.sentence.shown, u.segment, u.pause) for u in spoken] == [
        ("One.", 0, Pause.SENTENCE),
        ("Two.", 0, Pause.PARAGRAPH),
        ("Three.", 0, Pause.SEGMENT),
        ("Four.", 1, Pause.SEGMENT),
    ]


def test_what_cannot_be_spoken_is_left_out_and_the_pauses_close_up() -> None:
    spoken = utterances.of(script(("One.", "* * *", "😀"), ("—",), ("Two.",)), Pronunciations())

    assert [(u.sentence.shown, u.segment, u.pause) for u in spoken] == [
        ("One.", 0, Pause.SEGMENT),
        ("Two.", 2, Pause.SEGMENT),
    ]


@pytest.mark.parametrize("nothing", [script(("* * *", "😀")), script()])
def test_a_script_with_nothing_to_say_is_refused_by_name(nothing: Script) -> None:
    with pytest.raises(InputError, match="The Moon") as caught:
        utterances.of(nothing, Pronunciations())

    assert caught.value.hint


def test_the_scripts_language_decides_how_it_is_read() -> None:
    assert utterances.of(script(("Em 2024.",), language="pt-BR"), Pronunciations())[0].sentence.spoken == (
        "Em dois mil e vinte e quatro."
    )


def test_a_new_pronunciation_changes_the_sentences_that_hold_its_word_and_no_other() -> None:
    text = script(("Ollama writes. Piper speaks.", "In 1984 Ollama's ancestors wrote."))
    known = pronunciations.parse("Ollama,oh lah ma\n", where="p.csv")

    before = utterances.of(text, Pronunciations())
    after = utterances.of(text, known)

    assert [old.sentence == new.sentence for old, new in zip(before, after, strict=True)] == [False, True, False]
