"""The programme as a file that people play: MP3 for every player, FLAC for those who work on with it.

Everything happens in memory and nothing depends on the clock: the same samples and tags give the same bytes, with the
same build of FFmpeg's libraries. The MP3's Xing header says how many samples the encoder put before and after, so a
decoder drops them and a caption's second is the file's second.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.timeline import Chapter
from pipeline.media import id3
from pipeline.media.loudness import Loudness, measure_frames
from pipeline.media.pcm import frames

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from pipeline.media.pcm import Samples

MP3_RATE = 44100
"""Hz. Some players handle nothing below it well (MPEG-2 layer III), and Piper's voices have 16,000 or 22,050."""

MP3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""What MPEG-1 layer III has; an encoder would take the next one without a word."""

# LAME makes everything it encodes a twentieth quieter, against clipping (3.100: the default of `--scale`; measured:
# 0.950 at every bit rate). That is 0.45 dB, as much as the loudness may be off; so it is given that much more.
_LAME_SCALE = 0.95

# LAME's 7 encodes 1.6 times as fast as its default, 5, and at 96 kbit/s comes closer to the original in all bands
# from 200 Hz to 8 kHz (by 1 to 3 dB, on Piper's speech).
_LAME_SPEED = "7"

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
    samples: Samples,
    sample_rate: int,
    *,
    tags: Tags,
    chapters: Sequence[Chapter] = (),
    cover: bytes | None = None,
    kbits: int = 96,
) -> bytes:
    """44.1 kHz mono MP3 at a constant bit rate, with ID3v2.4 tags and chapters.

    `cover` is a PNG or JPEG. Raises ValueError for another picture, and for a bit rate that MP3 does not have.
    """
    if kbits not in MP3_KBITS:
        raise ValueError(f"MP3 has no {kbits} kbit/s; it has {', '.join(map(str, MP3_KBITS))}")
    import av

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
    file = io.BytesIO()
    # FFmpeg's own tag is switched off; the Xing header it still writes.
    with av.open(file, "w", format="mp3", options={**_EXACT_FILE, "id3v2_version": "0"}) as container:
        stream = container.add_stream(
            "libmp3lame", rate=MP3_RATE, layout="mono", options={**_EXACT_CODEC, "compression_level": _LAME_SPEED}
        )
        stream.format = av.AudioFormat("fltp")
        stream.bit_rate = kbits * 1000
        _fill(container, stream, frames(samples, sample_rate, scale=1 / _LAME_SCALE))
    return head + file.getvalue()


def flac(samples: Samples, sample_rate: int, *, tags: Tags, chapters: Sequence[Chapter] = ()) -> bytes:
    """The samples as they are, at their own rate, without loss; tags and chapters as Vorbis comments."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="flac", options=_EXACT_FILE) as container:
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
        container.metadata.update({name: text for name, text in texts.items() if text})
        container.metadata.update(_vorbis_chapters(chapters))
        stream = container.add_stream("flac", rate=sample_rate, layout="mono", options=_EXACT_CODEC)
        stream.format = av.AudioFormat("s16")
        _fill(container, stream, frames(samples, sample_rate))
    return file.getvalue()


def measure_file(data: bytes) -> Loudness:
    """Loudness and true peak of a finished file, as a player's decoder hears it."""
    import av

    with av.open(io.BytesIO(data), "r") as container:
        return measure_frames(container.decode(audio=0))


def seconds_of(data: bytes) -> float:
    """How long a finished file plays, without what the encoder put before and after the sound."""
    import av

    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        if stream.duration is None or stream.time_base is None:
            raise ValueError("the file does not say how long it is")
        return float(stream.duration * stream.time_base)


def _fill(container: OutputContainer, stream: AudioStream, sound: Iterator[AudioFrame]) -> None:
    """Encode and write all of it; the stream brings frames to its encoder's rate, format and size."""
    for frame in sound:
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _vorbis_chapters(chapters: Sequence[Chapter]) -> dict[str, str]:
    """Chapters as the Vorbis comments that players read (wiki.xiph.org, "Chapter Extension"); FFmpeg writes none
    into FLAC.
    """
    comments = {}
    for number, chapter in enumerate(chapters):
        milliseconds = round(chapter.span.start * 1000)
        minutes, rest = divmod(milliseconds, 60_000)
        comments[f"CHAPTER{number:03}"] = f"{minutes // 60:02}:{minutes % 60:02}:{rest / 1000:06.3f}"
        comments[f"CHAPTER{number:03}NAME"] = chapter.title
    return comments
