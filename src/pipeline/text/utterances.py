"""Which sentences a script is spoken in, and the pause after each."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.domain.script import Script
from pipeline.domain.sentence import Pause, Sentence, Utterance
from pipeline.errors import InputError
from pipeline.text import sentences, spoken
from pipeline.text.pronunciations import Pronunciations


def of(script: Script, pronunciations: Pronunciations) -> tuple[Utterance, ...]:
    """Every sentence of the script in order.

    Pieces in which nothing can be pronounced (a row of asterisks, an emoji) are left out. Raises InputError where
    nothing at all can be spoken.
    """
    heard = list(_heard(script, pronunciations))
    if not heard:
        raise InputError(
            f"nothing in the script {script.title!r} can be spoken",
            hint="Write at least one word with letters or digits in it.",
        )
    after = [*heard[1:], None]
    return tuple(
        Utterance(sentence, segment, _pause(segment, paragraph, following))
        for (sentence, segment, paragraph), following in zip(heard, after, strict=True)
    )


def _heard(script: Script, pronunciations: Pronunciations) -> Iterator[tuple[Sentence, int, int]]:
    for segment, part in enumerate(script.segments):
        for paragraph, text in enumerate(part.paragraphs):
            for shown in sentences.split(text, script.language):
                sentence = spoken.sentence(shown, script.language, pronunciations)
                if spoken.has_speech(sentence):
                    yield sentence, segment, paragraph


def _pause(segment: int, paragraph: int, following: tuple[Sentence, int, int] | None) -> Pause:
    if following is None or following[1] != segment:
        return Pause.SEGMENT
    return Pause.SENTENCE if following[2] == paragraph else Pause.PARAGRAPH
