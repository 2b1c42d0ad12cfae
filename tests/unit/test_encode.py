from __future__ import annotations

import io
import zlib
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.timeline import Chapter, Span
from pipeline.media import encode, id3
from pipeline.media.encode import Tags
from pipeline.media.mp3 import encode as frames_of
from pipeline.media.mp3 import frame_count
from pipeline.media.pcm import FRAME_SECONDS, MP3_RATE, as_wave
from tests.unit.reference_meter import played, seconds_told
from tests.unit.sound import RATE, speech

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


def mp3(sound: NDArray[np.int16], *, kbits: int = 96, **about: Any) -> bytes:
    """A programme of one sentence, from its very beginning."""
    made = frames_of(as_wave(sound), RATE, kbits=kbits)
    return encode.mp3([(0, b"".join(made))], len(made), kbits=kbits, **about)


def flac(sound: NDArray[np.int16], *, start: float = 0.0, rate: int = RATE, **about: Any) -> bytes:
    return encode.flac([(start, as_wave(sound))], rate, start + len(sound) / rate + 0.5, **about)


def about(data: bytes) -> tuple[dict[str, str], list[Any]]:
    with av.open(io.BytesIO(data), "r") as container:
        return dict(container.metadata), list(container.chapters())


def test_an_mp3_says_what_it_is() -> None:
    metadata, chapters = about(mp3(speech(4.0), tags=TAGS, chapters=CHAPTERS))

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
    assert b"COMM" in mp3(speech(0.5), tags=TAGS)[:600]


def test_a_tag_that_says_nothing_is_left_out() -> None:
    metadata, chapters = about(mp3(speech(0.5), tags=Tags("T")))

    assert metadata == {"title": "T", "genre": "Podcast", "language": "eng", "encoded_by": "Media Pipeline"}
    assert chapters == []


def test_an_mp3_is_mono_at_the_rate_that_every_player_takes() -> None:
    with av.open(io.BytesIO(mp3(speech(1.0), tags=TAGS, kbits=64)), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.layout.name, stream.bit_rate) == (MP3_RATE, "mono", 64000)


def test_a_cover_is_seen() -> None:
    with av.open(io.BytesIO(mp3(speech(0.5), tags=TAGS, cover=png())), "r") as container:
        assert (container.streams.video[0].width, container.streams.video[0].codec.name) == (1, "png")


def test_a_cover_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="PNG or a JPEG"):
        mp3(speech(0.5), tags=TAGS, cover=b"GIF89a")


def test_tags_and_a_cover_do_not_change_how_long_a_file_plays() -> None:
    data = mp3(speech(2.0), tags=TAGS, chapters=CHAPTERS, cover=png())

    assert seconds_told(data) == pytest.approx(frame_count(2.0) * FRAME_SECONDS, abs=0.0001)
    assert len(played(data)) == frame_count(2.0) * 1152


def test_equal_samples_and_tags_give_equal_bytes() -> None:
    def both() -> tuple[bytes, bytes]:
        sound = speech(2.0)
        return mp3(sound, tags=TAGS, chapters=CHAPTERS, cover=png()), flac(sound, tags=TAGS, chapters=CHAPTERS)

    assert both() == both()


def test_flac_gives_back_every_sample_its_tags_and_chapters() -> None:
    sound = speech(4.0)
    data = flac(sound, start=0.25, tags=TAGS, chapters=CHAPTERS)
    metadata, chapters = about(data)
    heard = played(data)
    first = round(0.25 * RATE)

    assert np.array_equal(heard[first : first + len(sound)], sound)
    assert not heard[:first].any()
    assert not heard[first + len(sound) :].any()
    assert len(heard) == round(4.75 * RATE)
    assert metadata["title"] == "A maré é alta"
    assert metadata["comment"] == TAGS.comment
    assert [(chapter["start"], chapter["metadata"]["title"]) for chapter in chapters] == [
        (0, "Começo"),
        (1500, "Fim & <resto>"),
    ]


@pytest.mark.parametrize("rate", [16000, RATE, 44100, 48000])
def test_a_flac_plays_as_long_as_its_programme(rate: int) -> None:
    assert seconds_told(flac(speech(0.7, rate=rate), rate=rate, tags=TAGS)) == pytest.approx(1.2, abs=0.001)


@pytest.mark.parametrize(
    ("language", "code"), [("en", "eng"), ("pt-BR", "por"), ("yue-HK", "yue"), ("xx", "XXX"), ("ZH-Hant-TW", "zho")]
)
def test_a_language_is_told_in_three_letters(language: str, code: str) -> None:
    assert id3.three_letters(language) == code


def test_a_tag_of_many_chapters_lists_as_many_as_a_table_of_contents_holds() -> None:
    many = [Chapter(f"Chapter {number}", Span(number, number + 1)) for number in range(300)]

    assert len(about(mp3(speech(0.5), tags=TAGS, chapters=many))[1]) == 300
