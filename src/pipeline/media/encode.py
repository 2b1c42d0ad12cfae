"""The programme as a file that people play: MP3 for every player, FLAC for those who work on with it.

Nothing depends on the clock: the same sounds and tags give the same bytes, with the same build of FFmpeg's libraries. A
caption's second is the file's second: an MP3's header says how many samples come out before the first, and players
drop them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.timeline import Chapter
from pipeline.media import id3
from pipeline.media.mp3 import join
from pipeline.media.pcm import frames

if TYPE_CHECKING:
    from pipeline.media.pcm import Wave

# No version of the encoder in the file.
_EXACT_FILE = {"fflags": "+bitexact"}
_EXACT_CODEC = {"flags": "+bitexact"}


@dataclass(frozen=True, slots=True)
class Tags:
    """What a player shows about the file; what is empty is left out."""

    title: str
    language: str = "en"
    """BCP 47."""
    artist: str = ""
    album: str = ""
    date: str = ""
    """ISO 8601: `2026`, `2026-11-03`."""
    genre: str = "Podcast"
    comment: str = ""
    """Where the notice goes that the speech is made by a machine."""
    encoded_by: str = "Media Pipeline"


def mp3(
    sounds: Iterable[tuple[int, bytes]],
    frame_count: int,
    *,
    tags: Tags,
    chapters: Sequence[Chapter] = (),
    cover: bytes | None = None,
    kbits: int = 96,
) -> bytes:
    """44.1 kHz mono MP3 at a constant bit rate, with ID3v2.4 tags and chapters, of sounds that are encoded already:
    each one's first frame, in rising order, and its frames.

    `cover` is a PNG or JPEG. Raises ValueError for another picture.
    """
    head = id3.tag(
        {
            "TIT2": tags.title,
            "TPE1": tags.artist,
            "TALB": tags.album,
            "TDRC": tags.date,
            "TCON": tags.genre,
            "TENC": tags.encoded_by,
        },
        language=tags.language,
        comment=tags.comment,
        chapters=chapters,
        cover=cover or b"",
    )
    return head + join(sounds, frame_count, kbits=kbits)


def flac(
    sounds: Iterable[tuple[float, Wave]],
    sample_rate: int,
    seconds: float,
    *,
    tags: Tags,
    chapters: Sequence[Chapter] = (),
) -> bytes:
    """The programme in 16 bits without loss; tags and chapters as Vorbis comments. `sounds` are each one's start in
    seconds, in rising order, and its samples; they are taken one by one, and never held together.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="flac", options=_EXACT_FILE) as container:
        container.metadata.update(vorbis_comments(tags, chapters))
        stream = container.add_stream("flac", rate=sample_rate, layout="mono", options=_EXACT_CODEC)
        stream.format = av.AudioFormat("s16")
        place = 0
        for wave in _with_silence(sounds, sample_rate, seconds):
            for frame in frames(wave, sample_rate, first=place):
                container.mux(stream.encode(frame))
            place += len(wave)
        container.mux(stream.encode(None))
    return file.getvalue()


def _with_silence(sounds: Iterable[tuple[float, Wave]], sample_rate: int, seconds: float) -> Iterator[Wave]:
    """The sounds at their places, and the silence before, between and after them."""
    import numpy as np

    place = 0
    for start, wave in sounds:
        first = round(start * sample_rate)
        yield np.zeros(first - place, dtype=np.float32)
        yield wave
        place = first + len(wave)
    yield np.zeros(max(0, round(seconds * sample_rate) - place), dtype=np.float32)


def vorbis_comments(tags: Tags, chapters: Sequence[Chapter]) -> dict[str, str]:
    """What FLAC and Ogg files say of themselves, chapters in the form that players read (wiki.xiph.org, "Chapter
    Extension"); FFmpeg writes none into FLAC.
    """
    texts = {
        "title": tags.title,
        "artist": tags.artist,
        "album": tags.album,
        "date": tags.date,
        "genre": tags.genre,
        "comment": tags.comment,
        "language": tags.language,
        "encoded_by": tags.encoded_by,
    }
    comments = {name: text for name, text in texts.items() if text}
    for number, chapter in enumerate(chapters):
        milliseconds = round(chapter.span.start * 1000)
        minutes, rest = divmod(milliseconds, 60_000)
        comments[f"CHAPTER{number:03}"] = f"{minutes // 60:02}:{minutes % 60:02}:{rest / 1000:06.3f}"
        comments[f"CHAPTER{number:03}NAME"] = chapter.title
    return comments
