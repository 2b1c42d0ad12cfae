from __future__ import annotations

import json

from pipeline.domain.timeline import Span, TimedSentence, TimedWord, Timeline
from pipeline.media.transcript import transcript
from tests.unit.sound import shown, spoken


def test_each_sentence_is_a_segment_with_its_words_and_times() -> None:
    words = (TimedWord("Olá,", Span(0.25, 0.60004)), TimedWord("mundo!", Span(0.60004, 1.2)))
    timeline = Timeline((TimedSentence(words, Span(0.25, 1.2), 0),), (), 2.0)

    assert json.loads(transcript(timeline, "pt-BR")) == {
        "version": "1.0.0",
        "language": "pt-BR",
        "segments": [
            {
                "startTime": 0.25,
                "endTime": 1.2,
                "body": "Olá, mundo!",
                "words": [
                    {"startTime": 0.25, "endTime": 0.6, "body": "Olá,"},
                    {"startTime": 0.6, "endTime": 1.2, "body": "mundo!"},
                ],
            }
        ],
    }


def test_every_word_is_in_the_transcript_once_and_in_order() -> None:
    timeline = spoken("One two.|Three four!\nFive.\n\nSix seven eight.")
    segments = json.loads(transcript(timeline, "en"))["segments"]

    assert [word["body"] for segment in segments for word in segment["words"]] == shown(timeline.sentences)
    assert [segment["body"] for segment in segments] == ["One two.", "Three four!", "Five.", "Six seven eight."]


def test_letters_are_written_as_they_are() -> None:
    assert "Olá".encode() in transcript(spoken("Olá."), "pt")
