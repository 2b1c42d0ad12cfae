from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.sentence import Pause
from pipeline.domain.timeline import Span
from pipeline.media.programme import Clip, Pauses, assemble
from tests.unit.sound import RATE, click, silence, speech

PAUSES = Pauses(sentence=0.4, paragraph=0.8, segment=1.5, question=1.5, lead_in=0.25, tail=0.6)


def clip(
    samples: NDArray[np.int16],
    words: str = "Hello there.",
    *,
    segment: int = 0,
    pause: Pause = Pause.SENTENCE,
    rate: int = RATE,
    spans: tuple[Span, ...] | None = None,
    exact: bool = True,
) -> Clip:
    parts = tuple(words.split())
    each = len(samples) / rate / len(parts)
    return Clip(
        pcm=samples.tobytes(),
        sample_rate=rate,
        spans=spans or tuple(Span(n * each, (n + 1) * each) for n in range(len(parts))),
        words=parts,
        segment=segment,
        pause=pause,
        exact=exact,
    )


def padded(samples: NDArray[np.int16], *, before: float, after: float) -> NDArray[np.int16]:
    return np.concatenate([silence(before), samples, silence(after)])


def quiet_stretches(samples: NDArray[np.int16], rate: int) -> list[float]:
    """Seconds of each stretch of silence longer than 0.1 s."""
    loud = np.flatnonzero(np.abs(samples) > 40)
    edges = np.concatenate([[-1], loud, [len(samples)]])
    return [round(float(gap) / rate, 2) for gap in np.diff(edges) - 1 if gap / rate > 0.1]


@pytest.mark.parametrize(
    ("pause", "words", "seconds"),
    [
        (Pause.SENTENCE, "One.", 0.4),
        (Pause.SENTENCE, "One?", 0.6),
        (Pause.SENTENCE, "«One?»", 0.6),
        (Pause.PARAGRAPH, "One.", 0.8),
        (Pause.PARAGRAPH, "One?", 0.8),
        (Pause.SEGMENT, "One.", 1.5),
    ],
)
@pytest.mark.parametrize("own_silence", [0.0, 0.3])
def test_a_pause_is_what_is_heard_whatever_silence_the_voice_leaves(
    pause: Pause, words: str, seconds: float, own_silence: float
) -> None:
    sound = padded(speech(1.0), before=own_silence, after=own_silence)
    made = assemble([clip(sound, words, pause=pause), clip(sound)], chapter_titles=["A"], pauses=PAUSES)

    between = quiet_stretches(made.samples, made.sample_rate)[1]

    assert between == pytest.approx(seconds, abs=0.09 if own_silence == 0 else 0.03)


def test_the_programme_begins_and_ends_with_a_little_silence() -> None:
    made = assemble([clip(speech(1.0))], chapter_titles=["A"], pauses=PAUSES)

    before, after = quiet_stretches(made.samples, made.sample_rate)
    assert before == pytest.approx(0.25, abs=0.02)
    assert after == pytest.approx(0.6, abs=0.07)
    assert made.timeline.seconds == len(made.samples) / made.sample_rate


def test_a_word_is_heard_at_its_time() -> None:
    sound = padded(speech(1.2, peak=0.05), before=0.2, after=0.4)
    click(sound, 1.0)
    timed = clip(sound, "Now click", spans=(Span(0.2, 0.9), Span(1.0, 1.3)))
    made = assemble([timed] * 40, chapter_titles=["A"], pauses=PAUSES)

    for sentence in made.timeline.sentences:
        place = round(sentence.words[1].span.start * made.sample_rate)
        around = np.abs(made.samples[place - 200 : place + 200].astype(int))
        assert int(np.argmax(around > 5000)) == pytest.approx(200, abs=5)


def test_words_never_reach_into_silence_that_was_cut_off() -> None:
    sound = padded(speech(1.0), before=0.5, after=0.5)
    timed = clip(sound, "a b -", spans=(Span(0.0, 1.0), Span(1.0, 2.0), Span(2.0, 2.0)))
    first, second = assemble([timed, timed], chapter_titles=["A"], pauses=PAUSES).timeline.sentences

    assert first.span.start == pytest.approx(0.25, abs=0.001)
    assert first.span.seconds == pytest.approx(1.08, abs=0.03)
    assert first.words[2].span.seconds == 0
    assert first.span.end < second.span.start


def test_chapters_cover_the_programme_and_begin_with_their_first_sentence() -> None:
    clips = [clip(speech(0.5), segment=segment) for segment in (0, 0, 2, 3)]
    timeline = assemble(clips, chapter_titles=["A", "no words", "C", "D"], pauses=PAUSES).timeline

    assert [chapter.title for chapter in timeline.chapters] == ["A", "C", "D"]
    assert timeline.chapters[0].span.start == 0
    assert timeline.chapters[1].span.start == timeline.sentences[2].span.start
    assert timeline.chapters[-1].span.end == timeline.seconds
    for one, other in zip(timeline.chapters, timeline.chapters[1:], strict=False):
        assert one.span.end == other.span.start


def test_paragraphs_end_where_the_pause_says_so() -> None:
    clips = [clip(speech(0.5), pause=pause) for pause in Pause]
    sentences = assemble(clips, chapter_titles=["A"]).timeline.sentences

    assert [sentence.ends_paragraph for sentence in sentences] == [False, True, True]


def test_voices_of_different_rates_are_brought_to_the_highest_without_moving_a_word() -> None:
    low = speech(1.2, rate=16000, peak=0.05)
    click(low, 0.8, rate=16000)
    spans = (Span(0.0, 0.7), Span(0.8, 1.1))
    made = assemble([clip(speech(0.5)), clip(low, rate=16000, spans=spans)], chapter_titles=["A"], pauses=PAUSES)

    assert made.sample_rate == RATE
    place = round(made.timeline.sentences[1].words[1].span.start * RATE)
    around = np.abs(made.samples[place - 200 : place + 200].astype(int))
    assert int(np.argmax(around > 5000)) == pytest.approx(200, abs=8)


def test_joins_do_not_click() -> None:
    loud = np.full(RATE, 20000, dtype=np.int16)
    made = assemble([clip(loud), clip(loud)], chapter_titles=["A"], pauses=PAUSES)

    assert np.abs(np.diff(made.samples.astype(int))).max() < 400


def test_a_silent_clip_keeps_its_length() -> None:
    made = assemble([clip(silence(1.0))], chapter_titles=["A"], pauses=PAUSES)

    assert made.timeline.sentences[0].span.seconds == pytest.approx(1.0)


def test_times_are_exact_only_where_every_clip_is() -> None:
    exact, guessed = clip(speech(0.3)), clip(speech(0.3), exact=False)

    assert assemble([exact, exact], chapter_titles=["A"]).timeline.exact
    assert not assemble([exact, guessed], chapter_titles=["A"]).timeline.exact


def test_nothing_that_cannot_be_a_programme_is_taken() -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        assemble([], chapter_titles=[])
    with pytest.raises(ValueError, match="no title"):
        assemble([clip(speech(0.3), segment=1)], chapter_titles=["A"])
    with pytest.raises(ValueError, match="2 words and 1 times"):
        clip(speech(0.3), "two words", spans=(Span(0, 0.1),))
    with pytest.raises(ValueError, match="never negative"):
        Pauses(sentence=-0.1)
