"""The frames of one stretch, drawn: the picture as the camera sees it, the fade into the next, the captions.

Cutting a frame from a picture between its pixels takes longer than encoding it. But the camera is so slow that frames
a few numbers apart differ by less than a pixel, and between two such frames a weighted mean of both is what a
resampling filter would make of the place between them: so every second to fourth frame is cut, and those between are
mixed. Which frames are cut follows from their numbers in the segment alone, so a stretch's frames are the same however
the segment is divided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.media.video import camera, grid
from pipeline.media.video.canvas import Canvas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.media.video.lettering import Lettering
    from pipeline.media.video.spoken_lines import Line

    Frame = NDArray[np.uint8]

# How far an edge may move between two frames that are cut. Half-way between them fine detail (a cycle in four pixels)
# keeps 0.85 of its contrast at the frame's edge where the camera is fastest, and more everywhere else: what a bicubic
# filter leaves of it between two pixels.
_MIXED_PIXELS = 0.7
_FARTHEST = 4


@dataclass
class Scene:
    """One picture with its camera, frame by frame; made for being asked in order."""

    canvas: Canvas
    camera: camera.Camera | None
    """None where nothing moves."""
    _cut: dict[int, Frame] = field(default_factory=dict)
    _room: list[NDArray[np.uint16]] = field(default_factory=list)

    def frame(self, number: int) -> Frame:
        """The segment's frame of that number. It may be used until the next is asked for, and must not be changed."""
        if self.camera is None:
            return self._cut_at(0)
        apart = self._apart
        before = number // apart * apart
        if number == before:
            return self._cut_at(before)
        return self._mixed(self._cut_at(before), self._cut_at(before + apart), (number - before) / apart)

    @property
    def _apart(self) -> int:
        pace = camera.fastest(max(self.canvas.width, self.canvas.height))
        return max(1, min(_FARTHEST, int(_MIXED_PIXELS / pace)))

    def _cut_at(self, number: int) -> Frame:
        found = self._cut.get(number)
        if found is None:
            for old in [old for old in self._cut if old < number - self._apart]:
                del self._cut[old]
            view = self.camera.view(number) if self.camera is not None else camera.WHOLE
            found = self._cut[number] = self.canvas.seen(view)
        return found

    def _mixed(self, before: Frame, after: Frame, share: float) -> Frame:
        if not self._room:
            self._room += _room_for(before)
        return mixed(before, after, share, self._room)


def frames(
    stretch: grid.Stretch,
    numbers: Sequence[int],
    scene: Scene,
    following: Scene | None,
    frame_count: int,
    captions: tuple[Lettering, Sequence[tuple[int, Line | None]]] | None = None,
) -> Iterator[Frame]:
    """The frames of these numbers, in order; each may be used until the next is asked for.

    `frame_count` is the whole segment's, which `following` begins after. `captions` says from which frame on which
    line is shown, from the stretch's first frame on.
    """
    room: list[NDArray[np.uint16]] = []
    for number in numbers:
        frame = scene.frame(number)
        if following is not None and number >= stretch.end - stretch.fade:
            room = room or _room_for(frame)
            place = number - (stretch.end - stretch.fade)
            share = grid.fade_share(place, stretch.fade)
            frame = mixed(frame, following.frame(number - frame_count), share, room)
        if captions is not None:
            lettering, lines = captions
            line = line_at(lines, number)
            if line is not None:
                frame = lettering.on(frame, line)
        yield frame


def line_at(lines: Sequence[tuple[int, Line | None]], number: int) -> Line | None:
    """What is shown at a frame, of what is shown from which frame on."""
    shown = None
    for first, line in lines:
        if first > number:
            break
        shown = line
    return shown


def mixed(one: Frame, other: Frame, share: float, room: Sequence[NDArray[np.uint16]]) -> Frame:
    """`share` of the other, the rest of the one, to the 256th; worked out in `room`, which holds the result's data."""
    import numpy as np

    weight = round(share * 256)
    sum_, part = room
    np.multiply(one, np.uint16(256 - weight), out=sum_)
    np.multiply(other, np.uint16(weight), out=part)
    sum_ += part
    sum_ += np.uint16(128)
    sum_ >>= np.uint16(8)
    return sum_.astype(np.uint8)


def _room_for(frame: Frame) -> list[NDArray[np.uint16]]:
    import numpy as np

    return [np.empty(len(frame), np.uint16), np.empty(len(frame), np.uint16)]
