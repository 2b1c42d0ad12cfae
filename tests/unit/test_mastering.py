from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import EngineNonsense
from pipeline.media.limiter import true_peak
from pipeline.media.loudness import measure
from pipeline.media.mastering import CODING_HEADROOM_DB, MAX_GAIN_DB, Row, gain_for, mastered, row_of
from pipeline.media.pcm import as_wave
from tests.unit.reference_meter import reading
from tests.unit.sound import RATE, silence, speech

# What the gain makes up for: `_CODING_LOSS_LU`.
CODING_LOSS_LU = 0.05


def at_target(
    wave: NDArray[np.float32], *, rate: int = RATE, target: float = -16.0, ceiling: float = -1.0
) -> tuple[NDArray[np.float32], float, bool]:
    row = row_of(wave, rate, ceiling_dbtp=ceiling)
    gain_db = gain_for([(0, row)], row.energies.shape[1], target_lufs=target)
    made, limited = mastered(wave, rate, gain_db, ceiling_dbtp=ceiling)
    return made, gain_db, limited


def decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)


@pytest.mark.parametrize("peak", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("rate", [16000, RATE])
@pytest.mark.parametrize("target", [-16.0, -14.0, -23.0])
def test_a_programme_comes_out_at_its_target_below_its_ceiling(peak: float, rate: int, target: float) -> None:
    made, _, _ = at_target(as_wave(speech(8.0, rate=rate, peak=peak)), rate=rate, target=target)
    found = reading(made, rate)

    # 0.05 by the rounding of the gain; the rest, because limiting what is filtered is taken for filtering what is
    # limited, which these pulses, limited by 15 dB, are the hardest test of.
    assert found.integrated_lufs == pytest.approx(target + CODING_LOSS_LU, abs=0.12)
    assert found.true_peak_dbtp <= -1.0 - CODING_HEADROOM_DB + 0.3


def test_peaks_are_held_down_wherever_they_stand() -> None:
    """At the very ends, across the seams between pieces handed over at once, and thick and thin."""
    wave = as_wave(speech(7.0, peak=0.3))
    for place in (0, 1, 65535, 65536, 65537, 70000, len(wave) - 1):
        wave[place] = 1.0
    made, _, limited = at_target(wave)

    assert limited
    assert decibels(true_peak(made, RATE)) <= -1.0 - CODING_HEADROOM_DB + 0.4


def test_sound_below_the_ceiling_is_only_made_louder() -> None:
    wave = as_wave(speech(5.0, peak=0.05))
    made, gain_db, limited = at_target(wave, target=-30.0)

    assert not limited
    assert np.abs(made - wave * 10 ** (gain_db / 20)).max() < 1e-6


def test_the_limiter_leaves_alone_what_is_far_from_a_peak() -> None:
    wave = as_wave(speech(4.0, peak=0.2))
    wave[RATE : RATE + 20] = 1.0
    made, gain_db, limited = at_target(wave, target=-28.0)

    far = slice(2 * RATE, 4 * RATE)
    assert limited
    assert np.abs(made[far] - wave[far] * 10 ** (gain_db / 20)).max() < 1e-6


def test_peaks_between_the_samples_are_found() -> None:
    """A tone at a quarter of the rate, sampled 45 degrees off its crests: samples at 0.354, the wave at 0.5."""
    place = np.arange(RATE * 2)
    wave = (np.minimum(place / RATE, 1.0) * np.sin(np.pi / 2 * place + np.pi / 4) * 0.5).astype(np.float32)

    assert decibels(float(np.abs(wave).max())) == pytest.approx(-9.0, abs=0.1)
    assert decibels(true_peak(wave, RATE)) == pytest.approx(-6.0, abs=0.3)
    assert true_peak(wave[:0], RATE) == 0.0


def test_a_row_says_what_the_limiter_leaves_at_any_gain() -> None:
    """Between the gains that were tried, below the first and at the last, as loud as the limited sound really is."""
    wave = as_wave(speech(4.0, peak=0.7))
    row = row_of(wave, RATE, ceiling_dbtp=-1.0)
    for above in (-6.0, 0.0, 2.4, 7.5, 12.9, 17.0):
        gain_db = row.onset_db + above
        made, _ = mastered(wave, RATE, gain_db, ceiling_dbtp=-1.0)
        told = measure(row.at(gain_db))

        assert told.integrated_lufs == pytest.approx(reading(made, RATE).integrated_lufs, abs=0.1), above


def test_a_row_comes_back_as_it_was_kept() -> None:
    row = row_of(as_wave(speech(1.0)), RATE, ceiling_dbtp=-1.0)
    again = Row.parse(row.dump())

    assert again.onset_db == row.onset_db
    assert np.array_equal(again.energies, row.energies)


def test_one_sentence_among_many_seldom_moves_the_gain() -> None:
    """Forty sentences, one of them a little louder or quieter: in most cases the others keep their gain."""
    several = [row_of(as_wave(speech(1.0, peak=0.4, pitch_hz=90.0 + n)), RATE, ceiling_dbtp=-1.0) for n in range(8)]
    rows = several * 5
    others = [row_of(as_wave(speech(1.0, peak=0.3 + 0.02 * n)), RATE, ceiling_dbtp=-1.0) for n in range(10)]
    places = range(0, 50 * len(rows), 50)

    def gain(some: list[Row]) -> float:
        return gain_for(list(zip(places, some, strict=True)), 50 * len(rows), target_lufs=-16.0)

    before = gain(rows)
    after = [gain([*rows[:-1], other]) for other in others]
    assert after.count(before) >= 7
    assert max(abs(one - before) for one in after) <= 0.21


def test_noise_with_a_whisper_in_it_is_not_blown_up() -> None:
    assert at_target(as_wave(speech(4.0, peak=0.005)))[1] == MAX_GAIN_DB


def test_a_silent_programme_is_refused_by_name() -> None:
    with pytest.raises(EngineNonsense, match="silent"):
        at_target(as_wave(silence(3.0)))


def test_a_silent_sentence_among_others_is_no_fault() -> None:
    spoken = row_of(as_wave(speech(2.0)), RATE, ceiling_dbtp=-1.0)
    still = row_of(as_wave(silence(1.0)), RATE, ceiling_dbtp=-1.0)

    alone = gain_for([(0, spoken)], 150, target_lufs=-16.0)
    assert gain_for([(0, spoken), (100, still)], 150, target_lufs=-16.0) == alone
