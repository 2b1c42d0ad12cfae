"""The front cover as files of sound carry it: a PNG or a JPEG, with the numbers that some of them want to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from pipeline.media import id3

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_FRONT_COVER = 3
"""Of ID3's kinds of picture, which FLAC and Ogg count by too."""

_BITS_A_CHANNEL = 8
_DEMUXERS = {"image/png": "png_pipe", "image/jpeg": "jpeg_pipe"}


@dataclass(frozen=True, slots=True)
class Cover:
    picture: bytes
    mime: str
    width: int
    """Pixels."""
    height: int
    bits: int
    """For each pixel."""

    @classmethod
    def parse(cls, picture: bytes) -> Cover:
        """Raises ValueError for what is neither a PNG nor a JPEG, or cannot be read."""
        from PIL import Image

        mime = id3.picture_type(picture)
        try:
            with Image.open(BytesIO(picture)) as opened:
                (width, height), channels = opened.size, len(opened.getbands())
        except (OSError, SyntaxError) as error:  # Pillow's two for a picture with a fault in it
            raise ValueError(f"the picture cannot be read: {error}") from error
        return cls(picture, mime, width, height, channels * _BITS_A_CHANNEL)

    def block(self) -> bytes:
        """The cover as FLAC has it (RFC 9639, 8.8), which is what a comment in Ogg holds too."""
        mime = self.mime.encode()
        no_description, no_palette = 0, 0
        numbers = (no_description, self.width, self.height, self.bits, no_palette, len(self.picture))
        words = b"".join(number.to_bytes(4, "big") for number in numbers)
        return _FRONT_COVER.to_bytes(4, "big") + len(mime).to_bytes(4, "big") + mime + words + self.picture

    def add_to(self, container: OutputContainer) -> Callable[[], None]:
        """A stream for it, in MP4 and FLAC; what is given back writes the picture, once all streams are set."""
        import av
        from av.stream import Disposition

        with av.open(BytesIO(self.picture), "r", format=_DEMUXERS[self.mime]) as picture:
            stream: VideoStream = container.add_stream_from_template(picture.streams.video[0])
        stream.disposition = Disposition.attached_pic
        # What kind of picture it is, FFmpeg's muxer for FLAC reads here; MP4's cover is of no kind.
        stream.metadata["comment"] = "Cover (front)"

        def write() -> None:
            packet: av.Packet[Stream] = av.Packet(self.picture)
            packet.stream = stream
            packet.pts = packet.dts = 0
            packet.is_keyframe = True
            container.mux(packet)

        return write
