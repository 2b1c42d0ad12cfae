from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.media.loudness import Loudness, energies, k_weighted, measure, placed
from pipeline.media.pcm import FRAME_SECONDS, as_wave
from tests.unit.reference_meter import reading
from tests.unit.sound import RATE, silence, speech


def tone(seconds: float, *, rate: int, level_db: float, hz: float) -> NDArray[np.float32]:
    time = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * hz * time) * 10 ** (level_db / 20)).astype(np.float32)


def measured(wave: NDArray[np.float32], rate: int) -> Loudness:
    return measure(energies(np.square(k_weighted(wave, rate)), rate))


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("hz", [60, 400, 997, 3000, 6000])
def test_the_measure_reads_tones_as_a_reference_meter_does(rate: int, hz: float) -> None:
    wave = tone(10, rate=rate, level_db=-23, hz=hz)

    assert measured(wave, rate).integrated_lufs == pytest.approx(reading(wave, rate).integrated_lufs, abs=0.03)


def test_a_reference_tone_reads_as_the_standard_says() -> None:
    """EBU Tech 3341, case 1, for one channel: 997 Hz at -23 dBFS in both is -23 LUFS, in one of them -26."""
    found = measured(tone(20, rate=48000, level_db=-23, hz=997), 48000)

    assert found.integrated_lufs == pytest.approx(-26.0, abs=0.05)
    assert found.range_lu == pytest.approx(0.0, abs=0.1)


def test_what_is_far_quieter_is_gated_as_by_a_reference_meter() -> None:
    """Loud, 15 LU quieter, silent, 5 LU quieter: both gates work, and the range sees them."""
    loud = as_wave(speech(8.0))
    wave = np.concatenate([loud, loud * np.float32(0.18), as_wave(silence(6.0)), loud * np.float32(0.56)])
    found, reference = measured(wave, RATE), reading(wave, RATE)

    assert found.integrated_lufs == pytest.approx(reference.integrated_lufs, abs=0.05)
    assert found.range_lu == pytest.approx(reference.range_lu, abs=0.3)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_sentences_measured_apart_are_as_loud_as_the_whole(count: int) -> None:
    """Each at its own place on the grid, with short pauses: as loud as `ebur128` finds all of them together."""
    rate = 44100
    sounds = [
        as_wave(speech(1.1 + 0.37 * number, rate=rate, peak=0.3 + 0.05 * number, pitch_hz=100.0 + 9 * number))
        for number in range(count)
    ]
    firsts, place = [], 10
    for sound in sounds:
        firsts.append(place)
        place += int(len(sound) / rate / FRAME_SECONDS) + 14
    whole = np.zeros(round(place * FRAME_SECONDS * rate), dtype=np.float32)
    for first, sound in zip(firsts, sounds, strict=True):
        start = round(first * FRAME_SECONDS * rate)
        whole[start : start + len(sound)] = sound
    apart = [energies(np.square(k_weighted(sound, rate)), rate) for sound in sounds]
    found = measure(placed(zip(firsts, apart, strict=True), place))

    assert found.integrated_lufs == pytest.approx(reading(whole, rate).integrated_lufs, abs=0.05)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.4, 2.0])
def test_silence_is_as_quiet_as_the_measure_knows(seconds: float) -> None:
    found = measured(as_wave(silence(seconds)), RATE)

    assert (found.integrated_lufs, found.range_lu) == (-70.0, 0.0)
    assert found.is_silence


def test_a_programme_shorter_than_one_block_is_measured() -> None:
    assert -40 < measured(as_wave(speech(0.1)), RATE).integrated_lufs < 0


def test_the_energy_of_frames_is_that_of_the_sound() -> None:
    wave = as_wave(speech(2.0))
    found = energies(np.square(wave), RATE)

    assert float(found.sum()) * FRAME_SECONDS == pytest.approx(float(np.square(wave).sum()) / RATE, rel=1e-4)
