"""A film's pictures at 720p: with a moving camera, against FFmpeg's zoompan and x264's veryfast in one run, and still.

Both begin with the same picture and make 25 frames a second on all cores. What they made is compared with the frames as
they should be, cut from the picture between its pixels with the best filter there is: zoompan's with its own way.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.figure import Figure
from pipeline.media.video import camera, canvas, drawing, grid, picture_track
from pipeline.wiring import available_cores

WIDTH, HEIGHT = 1280, 720
STRETCHES = 4
SECONDS = STRETCHES * grid.STRETCH_FRAMES / grid.FRAMES_PER_SECOND
STILL_STRETCHES = 6
# Of every so many frames one is compared.
EVERY = 47
_SOURCE = (1408, 792)
_END_ZOOM = 1.06

Frame = Any
"""One plane of luma."""


@dataclass(frozen=True)
class Made:
    seconds: float
    bits: int
    psnr: float
    ssim: float


def figures() -> Iterator[Figure]:
    picture = _picture()
    best: list[tuple[Made, Made]] = [(_moving(picture), _zoompan(picture)) for _ in range(2)]
    ours = min((pair[0] for pair in best), key=lambda made: made.seconds)
    theirs = min((pair[1] for pair in best), key=lambda made: made.seconds)
    yield Figure(
        "720p with a moving camera, against zoompan",
        theirs.seconds / ours.seconds,
        "×",
        "≥ 1.5",
        theirs.seconds / ours.seconds >= 1.5,
        f"{SECONDS / ours.seconds:.1f} × real time and {ours.bits / SECONDS / 1000:.0f} kbit/s, zoompan"
        f" {SECONDS / theirs.seconds:.1f} × and {theirs.bits / SECONDS / 1000:.0f}",
    )
    yield Figure(
        "… its likeness to the frames as they should be",
        ours.psnr - theirs.psnr,
        "dB more",
        "≥ 0, SSIM too",
        ours.psnr >= theirs.psnr and ours.ssim >= theirs.ssim,
        f"{ours.psnr:.1f} dB and SSIM {ours.ssim:.4f}; zoompan {theirs.psnr:.1f} dB and {theirs.ssim:.4f}",
    )
    seconds = min(_still(picture) for _ in range(2))
    length = STILL_STRETCHES * 30
    yield Figure("720p of still pictures, with fades", length / seconds, "× real time", "≥ 50", length / seconds >= 50)


def _picture() -> bytes:
    """Clouds, hard edges in all directions, and letters."""
    random = np.random.default_rng(5)
    clouds = np.zeros((_SOURCE[1], _SOURCE[0]))
    for octave in range(1, 9):
        rough = random.normal(size=(max(2, _SOURCE[1] >> octave), max(2, _SOURCE[0] >> octave))).astype(np.float32)
        clouds += np.asarray(Image.fromarray(rough).resize(_SOURCE, Image.Resampling.BICUBIC)) * (1 << octave) ** 0.9
    grey = (clouds - clouds.min()) / (clouds.max() - clouds.min()) * 200 + 20
    picture = Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y, across, down = (int(number) for number in random.integers((0, 0, -200, -200), (*_SOURCE, 200, 200)))
        colour = tuple(int(part) for part in random.integers(0, 255, 3))
        draw.line((x, y, x + across, y + down), fill=colour, width=int(random.integers(1, 6)))
    draw.text((200, 560), "The lamp and its keeper", font_size=64, fill="white")
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def _stretch(picture: bytes, seed: int, *, moving: bool, stretch: grid.Stretch) -> dict[str, bytes]:
    def scene(seed: int) -> drawing.Scene:
        ready = canvas.canvas(picture, WIDTH, HEIGHT, moving=moving)
        return drawing.Scene(ready, camera.Camera(f"{seed}") if moving else None)

    numbers = grid.drawn(stretch, (), moving=moving)
    after = scene(seed + 1) if stretch.fade else None
    frames = drawing.frames(stretch, numbers, scene(seed), after, stretch.end)
    return picture_track.encoded(frames, numbers, picture_track.Shape(WIDTH, HEIGHT, moving))


def _moving(picture: bytes) -> Made:
    stretch = grid.Stretch(0, grid.STRETCH_FRAMES, 0)
    begun = perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        made = list(pool.map(lambda seed: _stretch(picture, seed, moving=True, stretch=stretch), range(STRETCHES)))
    seconds = perf_counter() - begun
    index = picture_track.Coded.parse(made[0][picture_track.INDEX])
    starts = np.cumsum([0, *(unit.length for unit in index.units)])
    packets = [made[0][picture_track.FRAMES][one:end] for one, end in pairwise(starts)]
    ready = canvas.canvas(picture, WIDTH, HEIGHT, moving=True)
    found = _decoded(made[0][picture_track.PARAMETERS], packets)
    likeness = _likeness(found, lambda number: _cut(ready.planes[0], _box(ready, camera.Camera("0").view(number))))
    return Made(seconds, 8 * sum(len(one[picture_track.FRAMES]) for one in made), *likeness)


def _still(picture: bytes) -> float:
    stretch = grid.Stretch(0, 30 * grid.FRAMES_PER_SECOND, 10)
    begun = perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(lambda seed: _stretch(picture, seed, moving=False, stretch=stretch), range(STILL_STRETCHES)))
    return perf_counter() - begun


def _box(ready: canvas.Canvas, view: camera.View) -> tuple[float, float, float, float]:
    wide, high = ready.inner
    margin = (ready.planes[0].width - wide) / 2
    return (
        view.left * wide + margin,
        view.top * high + margin,
        view.right * wide + margin,
        view.bottom * high + margin,
    )


def _zoompan(picture: bytes) -> Made:
    """As it is used everywhere: the filter, then x264 with its preset veryfast, which takes every core by itself."""
    import av

    planes = [np.asarray(plane) for plane in canvas.planes_of(np.asarray(Image.open(io.BytesIO(picture))))]
    count = STRETCHES * grid.STRETCH_FRAMES
    slope = (_END_ZOOM - 1) / grid.STRETCH_FRAMES
    begun = perf_counter()
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(width=_SOURCE[0], height=_SOURCE[1], format="yuv420p", time_base=Fraction(1, 25))
    zoom = f"1+{slope}*mod(on,{grid.STRETCH_FRAMES})"
    place = f"x='(iw-iw/zoom)*0.7':y='(ih-ih/zoom)*0.3':d={count}:s={WIDTH}x{HEIGHT}:fps=25"
    filter_, sink = graph.add("zoompan", f"z='{zoom}':{place}"), graph.add("buffersink")
    source.link_to(filter_)
    filter_.link_to(sink)
    graph.configure()
    frame: Any = av.VideoFrame(*_SOURCE, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        room = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        room[:, : plane.width] = values
    graph.push(frame)
    graph.push(None)
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "veryfast", "crf": "23"}
    encoder.flags |= av.codec.context.Flags.global_header
    packets = []
    for number in range(count):
        made = graph.pull()
        made.pts, made.time_base, made.pict_type = number, Fraction(1, 25), av.video.frame.PictureType.NONE
        packets += [bytes(packet) for packet in encoder.encode(made)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    seconds = perf_counter() - begun
    found = _decoded(encoder.extradata, packets)[: grid.STRETCH_FRAMES]

    def ideal(number: int) -> Frame:
        zoomed = 1 + slope * number
        wide, high = _SOURCE[0] / zoomed, _SOURCE[1] / zoomed
        left, top = (_SOURCE[0] - wide) * 0.7, (_SOURCE[1] - high) * 0.3
        return _cut(Image.fromarray(planes[0]), (left, top, left + wide, top + high))

    return Made(seconds, 8 * sum(map(len, packets)), *_likeness(found, ideal))


def _cut(luma: Image.Image, box: tuple[float, float, float, float]) -> Frame:
    return np.asarray(luma.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box))


def _decoded(parameters: bytes, packets: Sequence[bytes]) -> list[Frame]:
    import av

    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.extradata = parameters
    frames: list[Frame] = []
    for data in (*packets, None):
        for frame in decoder.decode(av.Packet(data) if data is not None else None):
            kept = len(frames) % EVERY == 0 and len(frames) < grid.STRETCH_FRAMES
            frames.append(frame.to_ndarray()[:HEIGHT] if kept else None)
    return frames


def _likeness(found: Sequence[Frame], ideal: Callable[[int], Frame]) -> tuple[float, float]:
    """The mean PSNR in dB, and the mean SSIM (8 × 8), of luma."""
    psnrs, ssims = [], []
    for number in range(0, min(len(found), grid.STRETCH_FRAMES), EVERY):
        one, other = found[number].astype(np.float64), ideal(number).astype(np.float64)
        psnrs.append(10 * np.log10(255**2 / np.mean((one - other) ** 2)))
        ssims.append(_ssim(one, other))
    return float(np.mean(psnrs)), float(np.mean(ssims))


def _ssim(one: Any, other: Any) -> float:  # noqa: ANN401  # numpy's array types say nothing more to a reader here
    def mean(values: Any) -> Any:  # noqa: ANN401
        sums = np.cumsum(np.cumsum(np.pad(values, ((1, 0), (1, 0))), 0), 1)
        return (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64

    means = mean(one), mean(other)
    spreads = mean(one * one) - means[0] ** 2, mean(other * other) - means[1] ** 2
    common = mean(one * other) - means[0] * means[1]
    small, large = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * means[0] * means[1] + small) * (2 * common + large)
    return float((above / ((means[0] ** 2 + means[1] ** 2 + small) * (spreads[0] + spreads[1] + large))).mean())
