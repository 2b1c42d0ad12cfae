"""Opus in Ogg: the smallest file that sounds as the programme does, with what RFC 7845 has it say of itself."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from pipeline.media.encode import vorbis_comments
from pipeline.media.export.source import About, Sound, encode_into

RATE = 48000
"""Hz: Opus has no other."""

_FRAME_SAMPLES = 960
# A speaker's voice in full bandwidth: Xiph's own recommendation for podcasts is 24 to 32 (wiki.xiph.org, "Opus
# Recommended Settings"); this leaves room for what an MP3 at 96 kbit/s has already added.
_KBITS = 48
# RFC 7845, 5.2.1: the gain to -23 LUFS in 256ths of a decibel, in 16 bits.
_REFERENCE_LUFS = -23.0
_GAINS_A_DECIBEL = 256
_LARGEST_GAIN = 32767


def write(path: Path, sound: Sound, about: About, tick: Callable[[int], None]) -> None:
    """See `export.Write`."""
    import av

    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(vorbis_comments(about.tags, about.chapters))
        if about.loudness_lufs is not None:
            container.metadata["R128_TRACK_GAIN"] = str(track_gain(about.loudness_lufs))
        if about.cover is not None:
            container.metadata["METADATA_BLOCK_PICTURE"] = base64.b64encode(about.cover.block()).decode()
        options = {"flags": "+bitexact", "application": "audio"}
        stream = container.add_stream("libopus", rate=RATE, layout="mono", options=options)
        stream.bit_rate = _KBITS * 1000
        encode_into(container, stream, _FRAME_SAMPLES, sound, tick)


def track_gain(loudness_lufs: float) -> int:
    """What a player that levels its tracks adds to this one."""
    gain = round((_REFERENCE_LUFS - loudness_lufs) * _GAINS_A_DECIBEL)
    return max(-_LARGEST_GAIN - 1, min(_LARGEST_GAIN, gain))
