"""Whether what a synthesizer gave back can be the sentence it was given.

Synthesizers fail without saying so: a header and no sound, zeros, a fifth of a second for a paragraph. None of it
may reach an episode, so every answer is looked at before it becomes an artifact.
"""

from __future__ import annotations

import math
import unicodedata

from pipeline.domain.sentence import Sentence
from pipeline.errors import EngineNonsense

# Letters a second at a voice's own pace. Piper's en_US-joe-medium speaks 11 to 18 (single words 6 to 9), eSpeak NG's
# fastest setting (450 words a minute) some 40, an unhurried speller 3.
FASTEST_LETTERS_PER_SECOND = 40.0
SLOWEST_LETTERS_PER_SECOND = 3.0
# Silence before and after, and pauses at commas, are there however few the letters are.
SPARE_SECONDS = 3.0

# Speech from Piper lies between -32 and -18 dB below full scale, and its pauses below -80.
SILENT_DECIBELS = -55.0
# A square wave or noise at full scale; loud speech that is normalised to its peak touches it in single samples.
CLIPPED_SHARE = 0.2

_FULL_SCALE = 32768.0


def check(
    speech_pcm: bytes,
    sample_rate: int,
    sentence: Sentence,
    *,
    where: str,
    rate: float = 1.0,
    expected_sample_rate: int | None = None,
) -> None:
    """Pass 16-bit mono PCM that may be the sentence, spoken `rate` times as fast as the voice's own pace.

    `where` names the engine and voice. Raises EngineNonsense with the reason for anything else.
    """
    if problem := _problem(speech_pcm, sample_rate, sentence.spoken, rate, expected_sample_rate):
        raise EngineNonsense(
            f"{problem}, for “{_shortened(sentence.spoken)}”",
            where=where,
            hint="If it happens again, try another voice, or look into the synthesizer's log.",
        )


def letters(spoken: str) -> int:
    """How many letters and digits of a text are spoken; marks of stress and punctuation do not count."""
    return sum(unicodedata.category(character) in {"Ll", "Lu", "Lo", "Lt", "Nd"} for character in spoken)


def _problem(pcm: bytes, sample_rate: int, spoken: str, rate: float, expected_rate: int | None) -> str:
    import numpy as np

    if len(pcm) % 2:
        return f"half a sample: {len(pcm)} bytes are no 16-bit sound"
    if not pcm:
        return "an answer without sound"
    if expected_rate is not None and sample_rate != expected_rate:
        return f"sound of {sample_rate} samples a second, where the voice has {expected_rate}"
    if not 8_000 <= sample_rate <= 96_000:
        return f"sound of {sample_rate} samples a second"
    count = letters(spoken)
    seconds = len(pcm) / 2 / sample_rate
    if seconds < count / (FASTEST_LETTERS_PER_SECOND * rate):
        return f"only {seconds:.2f} s of sound"
    if seconds > (SPARE_SECONDS + count / SLOWEST_LETTERS_PER_SECOND) / min(rate, 1.0):
        return f"as much as {seconds:.1f} s of sound"
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    if float(np.mean(np.abs(samples) >= _FULL_SCALE - 1)) > CLIPPED_SHARE:
        return "noise at full scale"
    # Without its mean: a constant is as silent as zeros.
    loudness = float(np.std(samples)) / _FULL_SCALE
    if loudness <= 0 or 20 * math.log10(loudness) < SILENT_DECIBELS:
        return "silence"
    return ""


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
