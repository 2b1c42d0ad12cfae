from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.sentence import Pause
from pipeline.domain.timeline import Span, Timeline
from pipeline.media.mp3 import frame_count
from pipeline.media.pcm import FRAME_SECONDS
from pipeline.media.programme import Clip, Pauses, cut, places, timeline
from tests.unit.sound import RATE, click, silence, speech

PAUSES = Pauses(sentence=0.4, paragraph=0.8, segment=1.5, question=1.5, lead_in=0.25, tail=0.6)


def made(
    sounds: Sequence[NDArray[np.int16]],
    words: str = "Hello there.",
    *,
    pause: Pause = Pause.SENTENCE,
    segments: Sequence[int] | None = None,
    rate: int = RATE,
    spans: tuple[Span, ...] | None = None,
    exact: bool = True,
    titles: Sequence[str] = ("A",),
    pauses: Pauses = PAUSES,
) -> tuple[NDArray[np.int16], Timeline]:
    """Sentences of the same words put together, and when they are heard."""
    parts = tuple(words.split())
    cuts = [cut(sound.tobytes(), rate) for sound in sounds]
    clips = []
    for number, (sound, heard) in enumerate(zip(sounds, cuts, strict=True)):
        each = len(sound) / rate / len(parts)
        clips.append(
            Clip(
                start_seconds=heard.start_seconds,
                seconds=len(heard.samples) / rate,
                spans=spans or tuple(Span(n * each, (n + 1) * each) for n in range(len(parts))),
                words=parts,
                segment=segments[number] if segments else 0,
                pause=pause,
                exact=exact,
            )
        )
    at = places([clip.seconds for clip in clips], [pauses.after(pause, parts[-1])] * len(clips), pauses)
    whole = silence(at.frame_count * FRAME_SECONDS, rate=rate)
    for first, heard in zip(at.firsts, cuts, strict=True):
        start = round(first * FRAME_SECONDS * rate)
        whole[start : start + len(heard.samples)] = heard.samples
    return whole, timeline(clips, at, titles)


def padded(samples: NDArray[np.int16], *, before: float, after: float) -> NDArray[np.int16]:
    return np.concatenate([silence(before), samples, silence(after)])


def quiet_stretches(samples: NDArray[np.int16], rate: int = RATE) -> list[float]:
    """Seconds of each stretch of silence longer than 0.1 s."""
    loud = np.flatnonzero(np.abs(samples) > 40)
    edges = np.concatenate([[-1], loud, [len(samples)]])
    return [float(gap) / rate for gap in np.diff(edges) - 1 if gap / rate > 0.1]


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
    samples, _ = made([sound, sound], words, pause=pause)

    between = quiet_stretches(samples)[1]

    # Half a frame of the grid, and with no silence of its own the sentence has none to be kept of.
    assert between == pytest.approx(seconds, abs=0.1 if own_silence == 0 else 0.035)


def test_a_pause_is_never_too_short_for_a_frame_to_fall_silent() -> None:
    none = Pauses(sentence=0.0, paragraph=0.0, segment=0.0, lead_in=0.0, tail=0.0)
    sounds = [speech(0.5), speech(0.7), speech(1.1)]
    at = places([len(sound) / RATE for sound in sounds], [0.0] * 3, none)

    for first, after, sound in zip(at.firsts, (*at.firsts[1:], at.frame_count), sounds, strict=True):
        assert after - first == frame_count(len(sound) / RATE)


def test_the_programme_begins_and_ends_with_a_little_silence() -> None:
    samples, heard = made([speech(1.0)])

    before, after = quiet_stretches(samples)
    assert before == pytest.approx(0.25, abs=0.035)
    assert after == pytest.approx(0.6, abs=0.085)
    assert heard.seconds == pytest.approx(len(samples) / RATE, abs=0.0001)


@pytest.mark.parametrize("rate", [16000, RATE])
def test_a_word_is_heard_at_its_time(rate: int) -> None:
    sound = np.concatenate([silence(0.2, rate=rate), speech(1.2, peak=0.05, rate=rate), silence(0.4, rate=rate)])
    click(sound, 1.0, rate=rate)
    samples, heard = made([sound] * 40, "Now click", spans=(Span(0.2, 0.9), Span(1.0, 1.3)), rate=rate)

    for sentence in heard.sentences:
        place = round(sentence.words[1].span.start * rate)
        around = np.abs(samples[place - 200 : place + 200].astype(int))
        assert int(np.argmax(around > 5000)) == pytest.approx(200, abs=5)


def test_words_never_reach_into_silence_that_was_cut_off() -> None:
    sound = padded(speech(1.0), before=0.5, after=0.5)
    _, heard = made([sound, sound], "a b -", spans=(Span(0.0, 1.0), Span(1.0, 2.0), Span(2.0, 2.0)))
    first, second = heard.sentences

    assert first.span.start == pytest.approx(0.25, abs=0.014)
    assert first.span.seconds == pytest.approx(1.08, abs=0.03)
    assert first.words[2].span.seconds == 0
    assert first.span.end < second.span.start


def test_chapters_cover_the_programme_and_begin_with_their_first_sentence() -> None:
    _, heard = made([speech(0.5)] * 4, segments=(0, 0, 2, 3), titles=["A", "no words", "C", "D"])

    assert [chapter.title for chapter in heard.chapters] == ["A", "C", "D"]
    assert heard.chapters[0].span.start == 0
    assert heard.chapters[1].span.start == heard.sentences[2].span.start
    assert heard.chapters[-1].span.end == heard.seconds
    for one, other in zip(heard.chapters, heard.chapters[1:], strict=False):
        assert one.span.end == other.span.start


@pytest.mark.parametrize("pause", list(Pause))
def test_paragraphs_end_where_the_pause_says_so(pause: Pause) -> None:
    (sentence,) = made([speech(0.5)], pause=pause)[1].sentences

    assert sentence.ends_paragraph is (pause is not Pause.SENTENCE)


def test_joins_do_not_click() -> None:
    loud = np.full(RATE, 20000, dtype=np.int16)
    samples, _ = made([loud, loud])

    assert np.abs(np.diff(samples.astype(int))).max() < 400


def test_a_silent_clip_keeps_its_length() -> None:
    assert made([silence(1.0)])[1].sentences[0].span.seconds == pytest.approx(1.0)


def test_times_are_exact_only_where_every_clip_is() -> None:
    assert made([speech(0.3)])[1].exact
    assert not made([speech(0.3)], exact=False)[1].exact


def test_nothing_that_cannot_be_a_programme_is_taken() -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        places([], [], PAUSES)
    with pytest.raises(ValueError, match="no title"):
        made([speech(0.3)], segments=[1])
    with pytest.raises(ValueError, match="2 words and 1 times"):
        made([speech(0.3)], "two words", spans=(Span(0, 0.1),))
    with pytest.raises(ValueError, match="never negative"):
        Pauses(sentence=-0.1)
