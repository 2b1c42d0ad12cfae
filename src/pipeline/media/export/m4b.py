"""An audiobook: AAC in MP4, named so that players keep the listener's place and show chapters and cover."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.media import mp4
from pipeline.media.export.source import About, Sound, begin, encode_into
from pipeline.media.video import sound_track

# An edit list counts in the movie's own ticks: with FFmpeg's, a millisecond, the end would be cut by up to half of one.
_TICKS = {"movie_timescale": str(sound_track.RATE)}
# Apple's brand for audiobooks. FFmpeg's own muxer for it (`ipod`) takes no picture; the one for MP4 writes the same.
_BRAND = {"brand": "M4B "}
# The `stik` atom: 2 is an audiobook (Apple's players remember the place in one).
_AUDIOBOOK = "2"


def write(path: Path, sound: Sound, about: About, tick: Callable[[int], None]) -> None:
    """See `export.Write`."""
    import av

    tags = about.tags
    texts = {
        "title": tags.title,
        "artist": tags.artist,
        "album": tags.album,
        "date": tags.date,
        "genre": tags.genre,
        "comment": tags.comment,
        "media_type": _AUDIOBOOK,
    }
    with av.open(str(path), "w", format="mp4", options=mp4.LAYOUT | _TICKS | _BRAND) as container:
        container.metadata.update({name: text for name, text in texts.items() if text})
        container.set_chapters(mp4.chapters(about.chapters))
        stream = container.add_stream("aac")
        sound_track.configure(stream.codec_context)
        stream.metadata["language"] = mp4.language(tags.language)
        begin(container, about.cover)
        encode_into(container, stream, sound_track.PACKET_SAMPLES, sound, tick)
