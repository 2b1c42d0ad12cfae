"""The programme's sound as AAC, in place to the sample: what is heard at a time of the MP3 is heard at that time here.

AAC's first packet holds what the encoder needs to get going; a film says so in its edit list, and players drop it.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from pipeline.media import heard

if TYPE_CHECKING:
    from av import AudioCodecContext

RATE = 44100
PACKET_SAMPLES = 1024
PRIMING_SAMPLES = 1024
"""What FFmpeg's own AAC encoder puts before the first sample."""

KBITS = 96
"""Mono speech: what was lost in the MP3 at 96 kbit/s is lost; this loses nothing more that is heard."""

# FFmpeg's default, an exhaustive search, takes three times as long for what a speaker's voice does not need.
_CODER = "fast"

INDEX, FRAMES = "index.json", "frames"


def encoded(mp3: bytes) -> dict[str, bytes]:
    """The packets of a whole programme, how long each is, and how many samples are heard."""
    encoder = opened()
    lengths, data = [], []
    samples = 0
    for frame in heard.frames(io.BytesIO(mp3), RATE, PACKET_SAMPLES):
        samples += frame.samples
        for packet in encoder.encode(frame):
            lengths.append(packet.size)
            data.append(bytes(packet))
    for packet in encoder.encode(None):
        lengths.append(packet.size)
        data.append(bytes(packet))
    index = json.dumps({"samples": samples, "lengths": lengths}, separators=(",", ":"))
    return {INDEX: index.encode(), FRAMES: b"".join(data)}


def opened() -> AudioCodecContext:
    """The encoder, opened."""
    import av

    encoder: AudioCodecContext = av.CodecContext.create("aac", "w")
    configure(encoder)
    encoder.open()
    return encoder


def configure(encoder: AudioCodecContext) -> None:
    from av.codec.context import Flags

    encoder.sample_rate = RATE
    encoder.layout = "mono"
    encoder.format = "fltp"
    encoder.bit_rate = KBITS * 1000
    encoder.options = {"aac_coder": _CODER}
    encoder.flags |= Flags.bitexact | Flags.global_header
