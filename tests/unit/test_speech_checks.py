"""Nothing that cannot be the sentence passes for speech."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.errors import EngineNonsense
from pipeline.media.speech_checks import check

RATE = 22_050
SPOKEN = "The moon is the only natural satellite of the Earth."
MOON = Sentence(tuple(Word(word, word) for word in SPOKEN.split()))


def tone(seconds: float, *, level: float = 0.1, offset: float = 0.0) -> bytes:
    wave = level * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE) + offset
    samples: bytes = np.clip(wave * 32768, -32768, 32767).astype("<i2").tobytes()
    return samples


@pytest.mark.parametrize(
    ("pcm", "sample_rate", "rate"),
    [
        pytest.param(tone(3.0), RATE, 1.0, id="as Piper speaks it"),
        pytest.param(tone(3.0, level=0.01), RATE, 1.0, id="a quiet voice"),
        pytest.param(tone(3.0, level=0.99), RATE, 1.0, id="normalised to its peak"),
        pytest.param(tone(0.75), RATE, 4.0, id="as fast as it may be asked for"),
        pytest.param(tone(12.0), RATE, 0.25, id="as slow as it may be asked for"),
    ],
)
def test_speech_passes(pcm: bytes, sample_rate: int, rate: float) -> None:
    check(pcm, sample_rate, MOON, where="piper", rate=rate)


@pytest.mark.parametrize(
    ("make", "sample_rate", "reason"),
    [
        pytest.param(lambda: b"", RATE, "without sound", id="a header and nothing else"),
        pytest.param(lambda: tone(3.0)[:-1], RATE, "half a sample", id="an odd number of bytes"),
        pytest.param(lambda: bytes(6 * RATE), RATE, "silence", id="zeros"),
        pytest.param(lambda: tone(3.0, level=0.001), RATE, "silence", id="next to nothing"),
        pytest.param(lambda: tone(3.0, level=0.0, offset=0.5), RATE, "silence", id="a constant"),
        pytest.param(lambda: tone(0.2), RATE, r"only 0\.20 s", id="too short for its text"),
        pytest.param(lambda: tone(60.0), RATE, r"as much as 60\.0 s", id="too long for its text"),
        pytest.param(lambda: tone(3.0, level=50.0), RATE, "full scale", id="clipped from end to end"),
        pytest.param(lambda: tone(3.0), 16_000, "16000 samples a second, where", id="another rate than the voice's"),
    ],
)
def test_what_cannot_be_the_sentence_is_refused_with_its_reason(
    make: Callable[[], bytes], sample_rate: int, reason: str
) -> None:
    with pytest.raises(EngineNonsense, match=reason) as refused:
        check(make(), sample_rate, MOON, where="piper en_US-joe-medium", rate=1.0, expected_sample_rate=RATE)

    assert refused.value.where == "piper en_US-joe-medium"
    assert "The moon is the only" in refused.value.what


def test_a_rate_that_no_voice_has_is_refused() -> None:
    with pytest.raises(EngineNonsense, match="sound of 2 samples"):
        check(tone(3.0), 2, MOON, where="piper", rate=1.0)


def test_half_a_second_for_five_hundred_words_is_too_short() -> None:
    essay = Sentence(tuple(Word("word", "word") for _ in range(500)))

    with pytest.raises(EngineNonsense, match="only"):
        check(tone(0.5), RATE, essay, where="piper", rate=1.0)
