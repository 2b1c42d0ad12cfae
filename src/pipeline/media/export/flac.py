"""FLAC with a cover and chapters: of the lossless programme sample for sample, else of what is heard of the MP3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.files import open_plain
from pipeline.media.encode import vorbis_comments
from pipeline.media.export.source import About, Sound, begin, encode_into
from pipeline.media.pcm import MP3_RATE

if TYPE_CHECKING:
    from av.container import OutputContainer

# A metadata block tells its length in 24 bits (RFC 9639, 8.1). FFmpeg leaves a larger picture out without a word.
_LARGEST_BLOCK_BYTES = (1 << 24) - 1

_FRAME_SAMPLES = 4608
"""What FFmpeg's encoder puts into one frame at 44.1 kHz."""


def write(path: Path, sound: Sound, about: About, tick: Callable[[int], None]) -> None:
    """See `export.Write`. Raises InputError for a cover that FLAC cannot hold."""
    import av

    if about.cover is not None and len(about.cover.block()) > _LARGEST_BLOCK_BYTES:
        raise InputError(
            "the cover is too large: FLAC holds pictures up to 16 MB", hint="Export another kind of sound."
        )
    with av.open(str(path), "w", format="flac", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(vorbis_comments(about.tags, about.chapters))
        if sound.form == "flac":
            _copy(container, sound, about, tick)
        else:
            _encode(container, sound, about, tick)


def _encode(container: OutputContainer, sound: Sound, about: About, tick: Callable[[int], None]) -> None:
    import av

    options = {"flags": "+bitexact"}
    stream = container.add_stream("flac", rate=MP3_RATE, layout="mono", options=options)
    stream.format = av.AudioFormat("s16")
    begin(container, about.cover)
    encode_into(container, stream, _FRAME_SAMPLES, sound, tick)


def _copy(container: OutputContainer, sound: Sound, about: About, tick: Callable[[int], None]) -> None:
    """The same frames under another head."""
    import av

    with open_plain(sound.path) as file, av.open(file, "r", format="flac") as source:
        of = source.streams.audio[0]
        stream = container.add_stream_from_template(of)
        begin(container, about.cover)
        for packet in source.demux(of):
            if packet.dts is not None:  # the last one is empty
                size = packet.size
                packet.stream = stream
                container.mux(packet)
                tick(size)
