"""Sound as it is sent, a piece at a time, so that the beginning is heard while the rest is made."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
PCM_RATE = 24_000
"""What OpenAI's clients take raw samples to be: 24 kHz, 16 bits, little-endian, one channel."""

# Container, encoder, sample rate the encoder takes (0: any), bits a second (0: the encoder's own).
_CODECS = {
    "mp3": ("mp3", "libmp3lame", 44_100, 96_000),
    "opus": ("ogg", "libopus", 48_000, 48_000),
    "aac": ("adts", "aac", 44_100, 96_000),
    "flac": ("flac", "flac", 0, 0),
}
# A length that is not known yet is told as the largest there is; players then read to the end.
_UNKNOWN_LENGTH = 0xFFFFFFFF


class Stream(Protocol):
    def add(self, pcm: bytes) -> bytes:
        """More samples in, what can be sent of them out."""
        ...

    def end(self) -> bytes:
        """The rest."""
        ...


def stream(form: str, rate: int) -> Stream:
    """A stream of `form` for 16-bit mono samples at `rate` a second."""
    if form == "wav":
        return _Wav(rate)
    if form == "pcm":
        return _Pcm(rate)
    return _Encoded(form, rate)


def wav(pcm: bytes, rate: int) -> bytes:
    """A whole WAV file."""
    return _wav_header(rate, len(pcm)) + pcm


def _wav_header(rate: int, length: int) -> bytes:
    riff = min(length + 36, _UNKNOWN_LENGTH)
    fmt = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", riff)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt
        + b"data"
        + struct.pack("<I", length)
    )


class _Wav:
    def __init__(self, rate: int) -> None:
        self._header = _wav_header(rate, _UNKNOWN_LENGTH)

    def add(self, pcm: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + pcm

    def end(self) -> bytes:
        return b""


class _Pcm:
    def __init__(self, rate: int) -> None:
        import av

        self._rate = rate
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=PCM_RATE)

    def add(self, pcm: bytes) -> bytes:
        if self._rate == PCM_RATE:
            return pcm
        frames = self._resampler.resample(_frame(pcm, self._rate))
        return b"".join(frame.to_ndarray().tobytes() for frame in frames)

    def end(self) -> bytes:
        if self._rate == PCM_RATE:
            return b""
        return b"".join(frame.to_ndarray().tobytes() for frame in self._resampler.resample(None))


class _Sink:
    """Where the container writes; it cannot seek, as a socket cannot."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class _Encoded:
    def __init__(self, form: str, rate: int) -> None:
        import av

        container, codec, wanted, bits = _CODECS[form]
        self._sink = _Sink()
        # Without a Xing header (its numbers are known at the end only), and each page of Ogg as soon as it is full.
        options = {"flush_packets": "1"}
        options |= {"write_xing": "0"} if form == "mp3" else {"page_duration": "200000"} if form == "opus" else {}
        self._container: OutputContainer = av.open(self._sink, "w", format=container, options=options)
        self._stream = cast("AudioStream", self._container.add_stream(codec, rate=wanted or rate, layout="mono"))
        if bits:
            self._stream.bit_rate = bits
        self._stream.time_base = Fraction(1, wanted or rate)
        self._resampler = av.AudioResampler(
            format=self._stream.codec_context.format, layout="mono", rate=wanted or rate,
            frame_size=self._stream.codec_context.frame_size or 0,
        )  # fmt: skip
        self._rate = rate
        self._samples = 0

    def add(self, pcm: bytes) -> bytes:
        for frame in self._resampler.resample(_frame(pcm, self._rate)):
            self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def end(self) -> bytes:
        for frame in self._resampler.resample(None):
            self._container.mux(self._stream.encode(frame))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


def _frame(pcm: bytes, rate: int):  # type: ignore[no-untyped-def]  # noqa: ANN202  # av.AudioFrame, imported late
    import av
    import numpy as np

    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, dtype="<i2").reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    return frame
