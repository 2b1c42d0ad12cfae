"""What an MP3 is made of: frames, each sentence's made by itself, and the header that says how many there are.

Frames of MPEG-1 layer III can be put one after another like words on a line when none of them borrows bits from the one
before (LAME's reservoir is switched off) and each stretch begins and ends in silence: a decoder carries less than two
frames of sound over from one frame to the next, and silence carries nothing. So a sentence is encoded once, wherever
it stands; a pause is a number of silent frames; and the programme is all of them in order. It decodes to the same
samples as each sentence does by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from pipeline.media.pcm import FRAME_SAMPLES, MP3_RATE, frames, resampled

if TYPE_CHECKING:
    from pipeline.media.pcm import Wave

KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""What MPEG-1 layer III has; an encoder would take the next one without a word."""

# LAME makes everything it encodes a twentieth quieter, against clipping (3.100: the default of `--scale`; measured:
# 0.950 at every bit rate). That is 0.45 dB, as much as the loudness may be off; so it is given that much more.
_LAME_SCALE = 0.95

# LAME's 7 encodes 1.6 times as fast as its default, 5, and at 96 kbit/s comes closer to the original in all bands
# from 200 Hz to 8 kHz (by 1 to 3 dB, on Piper's speech).
_LAME_SPEED = "7"

# What is heard at a sample comes out of a decoder so much later: 576 by the encoder, 529 by the decoder (lame.h,
# `lame_get_encoder_delay`; what FFmpeg gives as `initial_padding`).
_ENCODER_DELAY = 576
_DECODER_DELAY = 529
_DELAY = _ENCODER_DELAY + _DECODER_DELAY
# How far a sample's sound spreads beyond that: half a window of the transform and half of the filter bank's.
_SPREAD = 576 + 256

_FRAME_HEADER = 4
_SIDE_INFORMATION = 17
"""Bytes, in a mono frame; all zero, it says that there is nothing but silence in the frame."""
_PADDING_BIT = 0x02
_MONO_WITHOUT_CHECKSUM = b"\xff\xfb"
_MONO = 0xC0
_ORIGINAL = 0x04

# The header frame: "Info" (a constant bit rate), what it holds, frames, bytes, 100 entries for seeking, quality; then
# LAME's extension, of which players read the delay and the padding.
_INFO_HOLDS = (0x0F).to_bytes(4, "big")
_INFO_LENGTH = 120
_LAME_LENGTH = 36
_ENCODER = b"LAME3.100"
_CONSTANT_BIT_RATE = 0x01


def frame_count(seconds: float) -> int:
    """How many frames a sound of so many seconds takes, until nothing of it is left to be heard."""
    return math.ceil((math.ceil(seconds * MP3_RATE) + _DELAY + _SPREAD) / FRAME_SAMPLES)


def encode(wave: Wave, sample_rate: int, *, kbits: int) -> tuple[bytes, ...]:
    """The frames of one sound that begins and ends in silence: mono, 44.1 kHz, at a constant bit rate.

    Raises ValueError for a bit rate that MP3 does not have.
    """
    if kbits not in KBITS:
        raise ValueError(f"MP3 has no {kbits} kbit/s; it has {', '.join(map(str, KBITS))}")
    import av
    import numpy as np

    count = frame_count(len(wave) / sample_rate)
    sound = resampled(wave, sample_rate, MP3_RATE) / np.float32(_LAME_SCALE)
    whole = np.pad(sound, (0, count * FRAME_SAMPLES - len(sound)))
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate = MP3_RATE
    encoder.layout = "mono"
    encoder.format = "fltp"
    encoder.bit_rate = kbits * 1000
    encoder.options = {"compression_level": _LAME_SPEED, "reservoir": "0", "flags": "+bitexact"}
    made = [
        bytes(packet)
        for start in range(0, len(whole), FRAME_SAMPLES)
        for frame in frames(whole[start : start + FRAME_SAMPLES], MP3_RATE, first=start)
        for packet in encoder.encode(frame)
    ]
    made += [bytes(packet) for packet in encoder.encode(None)]
    # What follows is the encoder's own ending.
    return tuple(made[:count])


def decode(made: Iterable[bytes]) -> Wave:
    """What is heard of a sound's frames, from its first sample on."""
    import av
    import numpy as np

    decoder = cast("av.AudioCodecContext", av.CodecContext.create("mp3float", "r"))
    pieces = [frame.to_ndarray()[0] for data in made for frame in decoder.decode(av.Packet(data))]
    wave: Wave = np.concatenate(pieces)[_DELAY:]
    return wave


def split(data: bytes, *, kbits: int) -> tuple[bytes, ...]:
    """The frames that were put one after another in `data`."""
    made, start = [], 0
    while start < len(data):
        end = start + _length(kbits, padded=bool(data[start + 2] & _PADDING_BIT))
        made.append(data[start:end])
        start = end
    return tuple(made)


def join(sounds: Iterable[tuple[int, bytes]], count: int, *, kbits: int) -> bytes:
    """A programme of `count` frames: sounds, given by their first frame in rising order, with silence between them.

    It plays for exactly that long: the header tells players what the encoder's delay put before the first sample.
    """
    stream = bytearray()
    here = 0

    def silence(until: int) -> None:
        nonlocal here
        for place in range(here, until):
            # A frame is now and then a byte longer, so that the bit rate comes out; silence makes up for what the
            # sounds, which each count by themselves, are short of.
            owed = (place + 1) * FRAME_SAMPLES * kbits * 125 // MP3_RATE - len(stream)
            stream.extend(silent_frame(kbits, padded=owed > _length(kbits, padded=False)))
        here = max(here, until)

    for first, data in sounds:
        silence(first)
        stream += data
        here = first + len(split(data, kbits=kbits))
    # One more than is heard, because all of it comes out later by the delay.
    silence(count + 1)
    return _info_frame(count + 1, len(stream), kbits=kbits) + bytes(stream)


def silent_frame(kbits: int, *, padded: bool = False) -> bytes:
    """A frame of silence."""
    return _header(kbits, padded=padded).ljust(_length(kbits, padded=padded), b"\x00")


def _header(kbits: int, *, padded: bool) -> bytes:
    rate = (KBITS.index(kbits) + 1) << 4
    return _MONO_WITHOUT_CHECKSUM + bytes([rate | (_PADDING_BIT if padded else 0), _MONO | _ORIGINAL])


def _length(kbits: int, *, padded: bool) -> int:
    """A frame's bytes."""
    return FRAME_SAMPLES * kbits * 125 // MP3_RATE + padded


def _info_frame(count: int, stream_bytes: int, *, kbits: int) -> bytes:
    """The frame that players read and do not play (gabriel.mp3-tech.org/mp3infotag.html); in the programme's bit
    rate, or in the lowest that has room for it.
    """
    start = _FRAME_HEADER + _SIDE_INFORMATION
    room = start + _INFO_LENGTH + _LAME_LENGTH
    own = next(rate for rate in KBITS if rate >= kbits and _length(rate, padded=False) >= room)
    file_bytes = _length(own, padded=False) + stream_bytes
    seek = bytes(percent * 256 // 100 for percent in range(100))
    info = b"Info" + _INFO_HOLDS + count.to_bytes(4, "big") + file_bytes.to_bytes(4, "big") + seek + bytes(4)
    delay_and_padding = _ENCODER_DELAY << 12 | (FRAME_SAMPLES - _ENCODER_DELAY)
    lame = b"".join(
        (
            _ENCODER,
            bytes([_CONSTANT_BIT_RATE]),
            bytes(1 + 8 + 1),  # low-pass, peak and replay gains, flags: not told
            bytes([min(kbits, 255)]),
            delay_and_padding.to_bytes(3, "big"),
            bytes(4),  # noise shaping, gain, preset
            file_bytes.to_bytes(4, "big"),
            bytes(2),  # the sound's checksum: no player reads it
        )
    )
    frame = _header(own, padded=False) + bytes(_SIDE_INFORMATION) + info + lame
    return (frame + _crc_16(frame).to_bytes(2, "big")).ljust(_length(own, padded=False), b"\x00")


def _crc_16(data: bytes) -> int:
    """CRC-16/ARC, as LAME's tag has it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
