from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import EngineNonsense
from pipeline.media.loudness import CODING_HEADROOM_DB, MAX_GAIN_DB, master, measure
from tests.unit.sound import RATE, silence, speech


def tone(seconds: float, *, rate: int, level_db: float, hz: float) -> NDArray[np.int16]:
    time = np.arange(round(seconds * rate)) / rate
    return np.rint(np.sin(2 * np.pi * hz * time) * 10 ** (level_db / 20) * 32767).astype(np.int16)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_the_meter_reads_a_reference_tone_as_the_standard_says(rate: int) -> None:
    """EBU Tech 3341, case 1, for one channel: 997 Hz at -23 dBFS in both is -23 LUFS, in one of them -26."""
    found = measure(tone(20, rate=rate, level_db=-23, hz=997), rate)

    assert found.integrated_lufs == pytest.approx(-26.0, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(-23.0, abs=0.2)
    assert found.range_lu == pytest.approx(0.0, abs=0.1)


def test_the_meter_hears_peaks_between_the_samples() -> None:
    """A tone at a quarter of the rate, sampled 45 degrees off its crests: samples at 0.707, the wave at 1."""
    place = np.arange(RATE * 2)
    rise = np.minimum(place / RATE, 1.0)
    samples = np.rint(rise * np.sin(np.pi / 2 * place + np.pi / 4) * 16384).astype(np.int16)

    assert measure(samples, RATE).true_peak_dbtp == pytest.approx(-6.0, abs=0.3)
    assert 20 * math.log10(np.abs(samples).max() / 32768) == pytest.approx(-9.0, abs=0.1)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.4, 2.0])
def test_silence_is_as_quiet_as_the_measure_knows(seconds: float) -> None:
    found = measure(silence(seconds), RATE)

    assert (found.integrated_lufs, found.true_peak_dbtp) == (-70.0, -math.inf)
    assert found.is_silence


def test_a_programme_shorter_than_one_block_is_measured() -> None:
    assert -40 < measure(speech(0.1), RATE).integrated_lufs < 0


@pytest.mark.parametrize("peak", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("rate", [16000, RATE])
@pytest.mark.parametrize("target", [-16.0, -14.0, -23.0])
def test_a_programme_comes_out_at_its_target_below_its_ceiling(peak: float, rate: int, target: float) -> None:
    mastered = master(speech(8.0, rate=rate, peak=peak), rate, target_lufs=target)
    found = measure(mastered.samples, rate)

    assert found.integrated_lufs == pytest.approx(target, abs=0.1)
    assert found.true_peak_dbtp <= -1.0 - CODING_HEADROOM_DB + 0.3


def test_peaks_are_held_down_wherever_they_stand() -> None:
    """At the very ends, across the seams between pieces worked on at once, and thick and thin."""
    samples = speech(7.0, peak=0.3)
    for place in (0, 1, 65535, 65536, 65537, 70000, len(samples) - 1):
        samples[place] = 32767
    mastered = master(samples, RATE)

    assert mastered.limited
    assert measure(mastered.samples, RATE).true_peak_dbtp <= -1.0 - CODING_HEADROOM_DB + 0.4


def test_sound_below_the_ceiling_is_only_made_louder() -> None:
    samples = tone(5, rate=RATE, level_db=-30, hz=500)
    mastered = master(samples, RATE, target_lufs=-20)

    assert not mastered.limited
    again = np.rint(samples * 10 ** (mastered.gain_db / 20))
    assert np.abs(mastered.samples - again).max() <= 1


def test_the_limiter_leaves_alone_what_is_far_from_a_peak() -> None:
    samples = speech(4.0, peak=0.2)
    samples[RATE : RATE + 20] = 32767
    mastered = master(samples, RATE, target_lufs=-28)
    factor = 10 ** (mastered.gain_db / 20)

    far = slice(2 * RATE, 4 * RATE)
    assert mastered.limited
    assert np.abs(mastered.samples[far] - samples[far] * factor).max() <= 1


def test_noise_with_a_whisper_in_it_is_not_blown_up() -> None:
    mastered = master(speech(4.0, peak=0.005), RATE)

    assert mastered.gain_db == MAX_GAIN_DB


def test_a_silent_programme_is_refused_by_name() -> None:
    with pytest.raises(EngineNonsense, match="silent"):
        master(silence(3.0), RATE)
