from __future__ import annotations

import io
import zlib
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.timeline import Chapter, Span
from pipeline.media import id3
from pipeline.media.encode import MP3_RATE, Tags, flac, measure_file, mp3, seconds_of
from pipeline.media.loudness import master, measure
from tests.unit.sound import RATE, click, silence, speech

TAGS = Tags(
    title="A maré é alta",
    language="pt-BR",
    artist="Media Pipeline",
    album="Episódios",
    date="2026-11-03",
    comment="The voice in this episode is made by a machine.",
)
CHAPTERS = (Chapter("Começo", Span(0, 1.5)), Chapter("Fim & <resto>", Span(1.5, 4.0)))


def png() -> bytes:
    """One grey pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00\x80")) + chunk(b"IEND", b"")
    )


def decoded(data: bytes) -> NDArray[np.float32]:
    with av.open(io.BytesIO(data), "r") as container:
        sound: NDArray[np.float32] = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        return sound


def about(data: bytes) -> tuple[dict[str, str], list[Any]]:
    with av.open(io.BytesIO(data), "r") as container:
        return dict(container.metadata), list(container.chapters())


def test_an_mp3_says_what_it_is() -> None:
    metadata, chapters = about(mp3(speech(4.0), RATE, tags=TAGS, chapters=CHAPTERS))

    assert metadata == {
        "title": "A maré é alta",
        "artist": "Media Pipeline",
        "album": "Episódios",
        "date": "2026-11-03",
        "genre": "Podcast",
        "comment": "The voice in this episode is made by a machine.",
        "language": "por",
        "encoded_by": "Media Pipeline",
    }
    assert [chapter["metadata"]["title"] for chapter in chapters] == ["Começo", "Fim & <resto>"]
    assert [(chapter["start"], chapter["end"]) for chapter in chapters] == [(0, 1500), (1500, 4000)]


def test_the_notice_is_where_players_show_comments() -> None:
    assert b"COMM" in mp3(speech(0.5), RATE, tags=TAGS)[:600]


def test_a_tag_that_says_nothing_is_left_out() -> None:
    metadata, chapters = about(mp3(speech(0.5), RATE, tags=Tags("T")))

    assert metadata == {"title": "T", "genre": "Podcast", "language": "eng", "encoded_by": "Media Pipeline"}
    assert chapters == []


def test_an_mp3_is_mono_at_the_rate_that_every_player_takes() -> None:
    with av.open(io.BytesIO(mp3(speech(1.0), RATE, tags=TAGS, kbits=64)), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.layout.name, stream.bit_rate) == (MP3_RATE, "mono", 64000)


def test_a_cover_is_seen() -> None:
    with av.open(io.BytesIO(mp3(speech(0.5), RATE, tags=TAGS, cover=png())), "r") as container:
        assert (container.streams.video[0].width, container.streams.video[0].codec.name) == (1, "png")


def test_what_mp3_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="PNG or a JPEG"):
        mp3(speech(0.5), RATE, tags=TAGS, cover=b"GIF89a")
    with pytest.raises(ValueError, match="MP3 has no 100 kbit/s"):
        mp3(speech(0.5), RATE, tags=TAGS, kbits=100)


def test_equal_samples_and_tags_give_equal_bytes() -> None:
    def both() -> tuple[bytes, bytes]:
        samples = speech(2.0)
        return (
            mp3(samples, RATE, tags=TAGS, chapters=CHAPTERS, cover=png()),
            flac(samples, RATE, tags=TAGS, chapters=CHAPTERS),
        )

    assert both() == both()


@pytest.mark.parametrize("rate", [16000, RATE, 44100, 48000])
@pytest.mark.parametrize("samples", [2205, 4608, 30001])
def test_a_file_plays_as_long_as_its_samples_do(rate: int, samples: int) -> None:
    sound = speech(samples / rate, rate=rate)
    data = mp3(sound, rate, tags=TAGS)

    assert seconds_of(data) == pytest.approx(samples / rate, abs=0.001)
    assert len(decoded(data)) / MP3_RATE == pytest.approx(samples / rate, abs=0.001)
    assert seconds_of(flac(sound, rate, tags=TAGS)) == pytest.approx(samples / rate, abs=0.001)


@pytest.mark.parametrize("rate", [16000, RATE])
def test_what_is_heard_at_a_second_is_heard_there_in_the_file(rate: int) -> None:
    """A delay of the encoder would show at the start, a wrong rate at the end: 20 in a million in this minute."""
    seconds = (0.5, 30.0, 59.0)
    sound = silence(60, rate=rate)
    for second in seconds:
        click(sound, second, rate=rate)
    heard = decoded(mp3(sound, rate, tags=TAGS))

    for second in seconds:
        start = round((second - 0.2) * MP3_RATE)
        onset = start + int(np.argmax(np.abs(heard[start : start + MP3_RATE]) > 0.1))
        assert onset / MP3_RATE == pytest.approx(second, abs=0.001)


@pytest.mark.parametrize("kbits", [48, 64, 96, 128])
def test_the_finished_file_is_at_its_target_below_its_ceiling(kbits: int) -> None:
    mastered = master(speech(12.0, peak=0.6), RATE)
    found = measure_file(mp3(mastered.samples, RATE, tags=TAGS, kbits=kbits))

    assert found.integrated_lufs == pytest.approx(-16.0, abs=0.2)
    assert found.true_peak_dbtp <= -1.0


def test_encoding_does_not_change_the_level() -> None:
    sound = speech(6.0, peak=0.5)
    before, after = measure(sound, RATE), measure_file(mp3(sound, RATE, tags=TAGS, kbits=192))

    assert after.integrated_lufs == pytest.approx(before.integrated_lufs, abs=0.2)


def test_flac_gives_back_every_sample_its_tags_and_chapters() -> None:
    sound = speech(4.0)
    data = flac(sound, RATE, tags=TAGS, chapters=CHAPTERS)
    metadata, chapters = about(data)

    assert np.array_equal(decoded(data), sound)
    assert metadata["title"] == "A maré é alta"
    assert metadata["comment"] == TAGS.comment
    assert [(chapter["start"], chapter["metadata"]["title"]) for chapter in chapters] == [
        (0, "Começo"),
        (1500, "Fim & <resto>"),
    ]


@pytest.mark.parametrize(
    ("language", "code"), [("en", "eng"), ("pt-BR", "por"), ("yue-HK", "yue"), ("xx", "XXX"), ("ZH-Hant-TW", "zho")]
)
def test_a_language_is_told_in_three_letters(language: str, code: str) -> None:
    assert id3.three_letters(language) == code


def test_a_tag_of_many_chapters_lists_as_many_as_a_table_of_contents_holds() -> None:
    many = [Chapter(f"Chapter {number}", Span(number, number + 1)) for number in range(300)]

    assert len(about(mp3(speech(0.5), RATE, tags=TAGS, chapters=many))[1]) == 300
