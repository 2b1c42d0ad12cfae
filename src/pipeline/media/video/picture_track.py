"""Frames to H.264, a stretch at a time, so that stretches can be put one after another.

What makes that possible: every stretch begins with a key frame that nothing before is needed for (a closed group of
pictures), all have the same parameter sets, and a stretch's last two frames are predicted forward only, so that nothing
is predicted from the last and it may be left out.

One thread, so that the bytes are the same on any number of cores; the cores get a stretch each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.media.video import grid

if TYPE_CHECKING:
    import numpy as np
    from av import VideoCodecContext
    from numpy.typing import NDArray

PARAMETERS, INDEX, FRAMES = "parameters", "index.json", "frames"

# Chosen by measurement (docs/decisions): what a slow camera's frames are predicted from is always the same picture, a
# little moved, so looking ahead, trying several references and small partitions finds nothing, and bidirectional
# frames, of which most need no correction at all, cost the least time and the fewest bits.
_CRF = "26"
_PRESET = "veryfast"
_TUNED = {
    "threads": "1",
    "rc-lookahead": "0",
    "sync-lookahead": "0",
    "mbtree": "0",
    "scenecut": "0",
    "open-gop": "0",
    "bframes": "7",
    "b-adapt": "0",
    "b-pyramid": "none",
    "ref": "1",
    "weightp": "0",
    "trellis": "0",
    "subme": "1",
    "me": "dia",
    "partitions": "none",
    # Without mbtree: key frames, which all others copy from, get the bits instead.
    "ipratio": "2.2",
    "pbratio": "1.6",
    "colorprim": "bt709",
    "transfer": "bt709",
    "colormatrix": "bt709",
    "range": "tv",
}
_BT709 = 1
_LIMITED_RANGE = 1
_FORWARD_AT_THE_END = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """What all stretches of a film have in common."""

    width: int
    """In pixels; even, as is the height: yuv420p halves both for its chroma."""
    height: int
    moving: bool
    """Whether every frame of the grid is drawn."""

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 16 or self.width % 2 or self.height % 2:
            raise ValueError(f"a film's width and height are even, and at least 16: not {self.width} × {self.height}")


@dataclass(frozen=True, slots=True)
class Unit:
    """One coded frame, in the order of decoding."""

    length: int
    """In bytes."""
    place: int
    """Which one it is in the order of showing."""
    key: bool


@dataclass(frozen=True, slots=True)
class Coded:
    """A stretch's index."""

    numbers: tuple[int, ...]
    """The frames' numbers in their segment, in the order of showing."""
    units: tuple[Unit, ...]

    def dump(self) -> bytes:
        units = [[unit.length, unit.place, int(unit.key)] for unit in self.units]
        return json.dumps([list(self.numbers), units], separators=(",", ":")).encode()

    @classmethod
    def parse(cls, data: bytes) -> Coded:
        numbers, units = json.loads(data)
        return cls(tuple(numbers), tuple(Unit(length, place, bool(key)) for length, place, key in units))


def encoded(frames: Iterable[NDArray[np.uint8]], numbers: Sequence[int], shape: Shape) -> dict[str, bytes]:
    """One stretch: the parameter sets, the index, and the coded frames (Annex B) one after another.

    `numbers` are the frames' numbers in their segment.
    """
    encoder = opened(shape)
    data, units = [], []
    for packet in _packets(encoder, frames, len(numbers), shape):
        data.append(packet[2])
        units.append(Unit(len(packet[2]), packet[0], packet[1]))
    return {
        PARAMETERS: bytes(encoder.extradata or b""),
        INDEX: Coded(tuple(numbers), tuple(units)).dump(),
        FRAMES: b"".join(data),
    }


def opened(shape: Shape) -> VideoCodecContext:
    """An encoder for a film's stretches, opened; its parameter sets are the same whenever it is."""
    import av

    encoder: VideoCodecContext = av.CodecContext.create("libx264", "w")
    configure(encoder, shape)
    encoder.open()
    return encoder


def configure(encoder: VideoCodecContext, shape: Shape) -> None:
    from av.codec.context import Flags

    encoder.width, encoder.height, encoder.pix_fmt = shape.width, shape.height, "yuv420p"
    encoder.time_base = Fraction(1, grid.FRAMES_PER_SECOND)
    encoder.framerate = Fraction(grid.FRAMES_PER_SECOND)
    encoder.color_range = _LIMITED_RANGE
    encoder.color_primaries = encoder.color_trc = encoder.colorspace = _BT709
    encoder.thread_count = 1
    # Counted in frames that are drawn: where nothing moves there are fewer.
    apart = grid.FRAMES_PER_SECOND if shape.moving else grid.FRAMES_PER_SECOND / grid.PULSE_FRAMES
    encoder.gop_size = round(grid.KEY_FRAME_SECONDS * apart)
    # No version of the encoder in the film; the parameter sets apart from the frames, where MP4 has them.
    encoder.flags |= Flags.bitexact | Flags.global_header
    # Where nothing moves, frames of unlike lengths are shown in the order of decoding: every time is then exact.
    tuned = ":".join(
        f"{name}={value}" for name, value in (_TUNED if shape.moving else _TUNED | {"bframes": "0"}).items()
    )
    encoder.options = {"preset": _PRESET, "crf": _CRF, "profile": "high", "x264-params": tuned}


def _packets(
    encoder: VideoCodecContext, frames: Iterable[NDArray[np.uint8]], count: int, shape: Shape
) -> Iterator[tuple[int, bool, bytes]]:
    """Each coded frame's place in the order of showing, whether it is a key frame, and its bytes."""
    import av
    from av.video.frame import PictureType

    for place, picture in enumerate(frames):
        frame = av.VideoFrame(shape.width, shape.height, "yuv420p")
        _fill(frame, picture)
        frame.pts = place
        frame.time_base = Fraction(1, grid.FRAMES_PER_SECOND)
        if place > 0 and place >= count - _FORWARD_AT_THE_END:
            frame.pict_type = PictureType.P
        yield from ((packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in encoder.encode(frame))
    yield from ((packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in encoder.encode(None))


def _fill(frame: object, picture: NDArray[np.uint8]) -> None:
    """Copy the planes into a frame, whose rows may be longer than the picture is wide."""
    import numpy as np

    start = 0
    for plane in frame.planes:  # type: ignore[attr-defined]  # av's frames
        room = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        end = start + plane.width * plane.height
        room[:, : plane.width] = picture[start:end].reshape(plane.height, plane.width)
        start = end
