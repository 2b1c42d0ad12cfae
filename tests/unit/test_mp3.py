"""Frames made apart and put together play as the same sound, by FFmpeg's decoder."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.media.coded import Coded, coded
from pipeline.media.loudness import measure, placed
from pipeline.media.mp3 import KBITS, decode, encode, frame_count, join, silent_frame, split
from pipeline.media.pcm import FRAME_SAMPLES, FRAME_SECONDS, MP3_RATE, as_wave, frames, resampled
from tests.unit.reference_meter import played, reading, seconds_told
from tests.unit.sound import RATE, click, silence, speech

GAP = 9
"""Frames of silence between sentences: 0.24 s."""


def sentences(rate: int = RATE) -> list[NDArray[np.float32]]:
    """Three, that begin and end at zero as cut clips do."""
    made = []
    for seconds, pitch_hz in ((1.31, 110.0), (0.42, 140.0), (2.05, 95.0)):
        wave = as_wave(speech(seconds, rate=rate, peak=0.6, pitch_hz=pitch_hz))
        fade = np.minimum(1.0, np.arange(len(wave)) / (0.005 * rate)).astype(np.float32)
        made.append(wave * fade * fade[::-1])
    return made


def in_a_row(waves: list[NDArray[np.float32]], rate: int) -> tuple[list[int], int]:
    firsts, place = [], 10
    for wave in waves:
        firsts.append(place)
        place += frame_count(len(wave) / rate) + GAP
    return firsts, place


def whole(waves: list[NDArray[np.float32]], firsts: list[int], count: int, rate: int) -> NDArray[np.float32]:
    """The programme as samples at 44.1 kHz."""
    samples = np.zeros(count * FRAME_SAMPLES, dtype=np.float32)
    for wave, first in zip(waves, firsts, strict=True):
        sound = resampled(wave, rate, MP3_RATE)
        samples[first * FRAME_SAMPLES : first * FRAME_SAMPLES + len(sound)] = sound
    return samples


def in_one_go(samples: NDArray[np.float32], *, kbits: int) -> bytes:
    """The whole programme through LAME at once, bit reservoir and all, written by FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=MP3_RATE, layout="mono", options={"compression_level": "7"})
        stream.format = av.AudioFormat("fltp")
        stream.bit_rate = kbits * 1000
        for frame in frames(samples / np.float32(0.95), MP3_RATE):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def noise_db(heard: NDArray[np.float32], original: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.square(heard - original).mean() / np.square(original).mean()))


@pytest.mark.parametrize("rate", [16000, RATE, 48000])
@pytest.mark.parametrize("kbits", [48, 96])
def test_sentences_encoded_apart_come_as_near_to_the_original_as_a_programme_encoded_at_once(
    rate: int, kbits: int
) -> None:
    waves = sentences(rate)
    firsts, count = in_a_row(waves, rate)
    original = whole(waves, firsts, count, rate)
    apart = [b"".join(encode(wave, rate, kbits=kbits)) for wave in waves]
    heard = played(join(zip(firsts, apart, strict=True), count, kbits=kbits))

    assert len(heard) == len(original)
    assert noise_db(heard, original) <= noise_db(played(in_one_go(original, kbits=kbits)), original) + 0.5


@pytest.mark.parametrize("kbits", KBITS)
def test_a_sentence_decodes_in_its_programme_to_the_samples_it_has_by_itself(kbits: int) -> None:
    waves = sentences()
    firsts, count = in_a_row(waves, RATE)
    made = [encode(wave, RATE, kbits=kbits) for wave in waves]
    sounds = [(first, b"".join(one)) for first, one in zip(firsts, made, strict=True)]
    heard = played(join(sounds, count, kbits=kbits))

    for first, one in zip(firsts, made, strict=True):
        alone = decode((*one, silent_frame(kbits)))
        start = first * FRAME_SAMPLES
        assert np.abs(heard[start : start + len(alone)] - alone).max() < 1e-6


def test_between_sentences_there_is_silence_and_no_click() -> None:
    waves = sentences()
    firsts, count = in_a_row(waves, RATE)
    sounds = [(first, b"".join(encode(wave, RATE, kbits=96))) for first, wave in zip(firsts, waves, strict=True)]
    heard = played(join(sounds, count, kbits=96))

    ends = [0, *(first + frame_count(len(wave) / RATE) for first, wave in zip(firsts, waves, strict=True))]
    for end, following in zip(ends, (*firsts, count), strict=True):
        # Up to the next sentence, but for what its first frame spreads before it.
        quiet = heard[end * FRAME_SAMPLES : following * FRAME_SAMPLES - 600]
        assert np.abs(quiet).max() < 10 ** (-90 / 20)


@pytest.mark.parametrize("rate", [16000, RATE, 48000])
def test_what_is_heard_at_a_second_is_heard_there_in_the_file(rate: int) -> None:
    """A delay of the encoder would show at once; 400 sentences would add up whatever each one is off by."""
    sound = silence(0.3, rate=rate)
    click(sound, 0.1, rate=rate)
    data = b"".join(encode(as_wave(sound), rate, kbits=64))
    step = frame_count(0.3) + 3
    heard = played(join([(number * step, data) for number in range(400)], 400 * step, kbits=64))

    for number in (0, 1, 200, 399):
        start = number * step * FRAME_SAMPLES
        onset = int(np.argmax(np.abs(heard[start : start + 12000]) > 0.1))
        assert onset / MP3_RATE == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("kbits", KBITS)
def test_a_file_says_how_long_it_plays_and_plays_so_long(kbits: int) -> None:
    wave = sentences()[1]
    data = b"".join(encode(wave, RATE, kbits=kbits))
    file = join([(7, data)], 60, kbits=kbits)

    assert seconds_told(file) == pytest.approx(60 * FRAME_SECONDS, abs=0.0001)
    assert len(played(file)) == 60 * FRAME_SAMPLES
    with av.open(io.BytesIO(file), "r") as container:
        assert container.streams.audio[0].bit_rate == pytest.approx(kbits * 1000, rel=0.001)


def test_the_bit_rate_comes_out_over_many_sentences() -> None:
    data = b"".join(encode(sentences()[1], RATE, kbits=96))
    step = frame_count(0.42) + GAP
    file = join([(number * step, data) for number in range(50)], 50 * step, kbits=96)

    # With the header's frame, and the one by which the sound comes out later.
    assert len(file) == pytest.approx((50 * step + 2) * FRAME_SECONDS * 96_000 / 8, abs=2)


@pytest.mark.parametrize("second", [1.0, 20.0, 55.5])
def test_a_player_that_seeks_arrives_where_it_wanted_to(second: float) -> None:
    """A tone for each second, its pitch telling which."""
    sounds = []
    per_second = round(1 / FRAME_SECONDS)
    for number in range(60):
        time = np.arange(round(0.8 * RATE)) / RATE
        wave = (0.5 * np.sin(2 * np.pi * (400 + 50 * number) * time) * np.hanning(len(time))).astype(np.float32)
        sounds.append((number * per_second, b"".join(encode(wave, RATE, kbits=96))))
    with av.open(io.BytesIO(join(sounds, 60 * per_second, kbits=96)), "r") as container:
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        container.seek(round(second / stream.time_base), stream=stream)
        arrived = []
        for frame in container.decode(stream):
            arrived.append(frame.to_ndarray()[0])
            if len(arrived) == 80:
                break
    heard = np.concatenate(arrived)[FRAME_SAMPLES:MP3_RATE]
    pitch = float(np.argmax(np.abs(np.fft.rfft(heard * np.hanning(len(heard)), MP3_RATE))))
    assert abs((pitch - 400) / 50 - second) < 1.5


def test_frames_come_apart_as_they_were_put_together() -> None:
    made = encode(sentences()[0], RATE, kbits=96)

    assert {len(frame) for frame in made} == {313, 314}
    assert split(b"".join(made), kbits=96) == made


def test_no_frame_borrows_from_the_one_before() -> None:
    """The first 9 bits after the header say how many bytes of the sound stand in earlier frames."""
    for frame in encode(sentences()[2], RATE, kbits=32):
        assert frame[4] == 0
        assert frame[5] & 0x80 == 0


def test_a_bit_rate_that_mp3_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="MP3 has no 100 kbit/s"):
        encode(sentences()[1], RATE, kbits=100)


def test_equal_sounds_give_equal_bytes() -> None:
    wave = sentences()[0]

    assert encode(wave, RATE, kbits=96) == encode(wave, RATE, kbits=96)


# -- as it is heard ----------------------------------------------------------------------------------------------


def code(wave: NDArray[np.float32], gain_db: float, kbits: int, ceiling_dbtp: float = -1.0) -> Coded:
    return coded(wave, RATE, gain_db=gain_db, ceiling_dbtp=ceiling_dbtp, kbits=kbits)


@pytest.mark.parametrize("kbits", [32, 48, 96])
def test_what_is_said_of_sentences_is_what_a_meter_finds_in_the_file(kbits: int) -> None:
    waves = sentences()
    firsts, count = in_a_row(waves, RATE)
    made = [code(wave, 6.0, kbits) for wave in waves]
    file = join([(first, one.frames) for first, one in zip(firsts, made, strict=True)], count, kbits=kbits)
    found = measure(placed(zip(firsts, (one.energies for one in made), strict=True), count))
    reference = reading(played(file), MP3_RATE)

    assert found.integrated_lufs == pytest.approx(reference.integrated_lufs, abs=0.05)
    highest = 20 * np.log10(max(one.true_peak for one in made))
    assert highest == pytest.approx(reference.true_peak_dbtp, abs=0.1)


@pytest.mark.parametrize("kbits", [32, 40])
def test_a_peak_that_coding_lifts_above_the_ceiling_is_held_down(kbits: int) -> None:
    """Noise at the lowest bit rates comes back several decibels off; the ceiling holds for what is heard."""
    noise = np.random.default_rng(3).standard_normal(RATE).astype(np.float32)
    made = code(noise * np.hanning(RATE).astype(np.float32), 12.0, kbits)

    assert made.limited
    assert made.true_peak <= 10 ** (-1 / 20)


def test_a_silent_sentence_stays_silent() -> None:
    made = code(as_wave(silence(0.5)), 20.0, 96)

    assert (made.true_peak, made.limited) == (0.0, False)
    assert not made.energies.any()
