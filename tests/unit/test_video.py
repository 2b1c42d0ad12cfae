"""What is seen in a film: frames and their numbers, the camera's way, colours, captions on the picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline
from pipeline.media.video import camera, canvas, drawing, grid, picture_track, spoken_lines
from pipeline.media.video.lettering import Lettering
from pipeline.media.video.spoken_lines import Line
from tests.unit.sound import spoken

LENGTHS = st.lists(st.floats(0.001, 90).map(lambda seconds: round(seconds, 6)), min_size=1, max_size=12)


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def luma(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return frame[: width * height].reshape(height, width)


# -- the grid ----------------------------------------------------------------------------------------------------------


@given(LENGTHS)
def test_a_segment_takes_its_capacity_or_one_frame_less_and_the_film_ends_with_the_sound(lengths: list[float]) -> None:
    edges = [round(sum(lengths[:count]), 6) for count in range(len(lengths) + 1)]
    borders = grid.borders(edges[:-1], edges[-1])

    for begins, ends, seconds in zip(borders, borders[1:], lengths, strict=False):
        assert ends - begins in {grid.capacity(seconds), grid.capacity(seconds) - 1}
    assert borders[0] == 0
    assert (
        abs(borders[-1] / grid.FRAMES_PER_SECOND - edges[-1]) <= 0.5 / grid.FRAMES_PER_SECOND + 1e-9 or borders[-1] == 1
    )


@given(st.integers(1, 100_000), st.booleans(), st.booleans())
def test_stretches_hold_every_frame_once(frame_count: int, moving: bool, fades: bool) -> None:
    length = grid.STRETCH_FRAMES if moving else grid.STILL_STRETCH_FRAMES
    made = grid.stretches(frame_count, moving=moving, fades=fades)

    assert [stretch.first for stretch in made] == [0, *(stretch.end for stretch in made[:-1])]
    assert made[-1].end == frame_count
    assert all(stretch.count == length and stretch.fade == 0 for stretch in made[:-1])
    assert made[-1].count <= length * 1.5
    assert made[-1].fade <= min(10, frame_count // 2, made[-1].count)
    assert bool(made[-1].fade) == (fades and frame_count > 1)


@given(st.integers(1, 2000), st.booleans(), st.lists(st.integers(-10, 2100), max_size=20))
def test_where_nothing_moves_no_frame_is_shown_for_more_than_a_second(
    count: int, fades: bool, changes: list[int]
) -> None:
    (stretch, *_) = grid.stretches(count, moving=False, fades=fades)
    numbers = grid.drawn(stretch, changes, moving=False)

    assert numbers[0] == stretch.first
    assert numbers[-1] == stretch.end - 1
    assert all(0 < after - before <= grid.PULSE_FRAMES for before, after in pairwise(numbers))
    assert set(numbers) >= {*range(stretch.end - stretch.fade, stretch.end)} | ({*changes} & {*range(stretch.end)})
    assert grid.drawn(stretch, changes, moving=True) == tuple(range(stretch.first, stretch.end))


@pytest.mark.parametrize("fade", [1, 2, 10])
def test_a_fade_goes_from_one_picture_to_the_other_and_never_back(fade: int) -> None:
    shares = [0.0, *(grid.fade_share(place, fade) for place in range(fade)), 1.0]

    assert shares == sorted(set(shares))


# -- the camera --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=8), st.floats(-100, 100_000))
def test_the_camera_never_leaves_the_picture_and_never_jumps(seed: str, frame: float) -> None:
    one, two = camera.Camera(seed).view(frame), camera.Camera(seed).view(frame + 1)

    assert 0 <= one.left < one.right <= 1
    assert 0 <= one.top < one.bottom <= 1
    for before, after in ((one.left, two.left), (one.right, two.right), (one.top, two.top), (one.bottom, two.bottom)):
        assert abs(after - before) * 1280 * camera.NEAR <= camera.fastest(1280) + 1e-6


def test_a_picture_has_its_own_way_and_keeps_it() -> None:
    assert camera.Camera("a").view(123) == camera.Camera("a").view(123)
    assert camera.Camera("a").view(123) != camera.Camera("b").view(123)


def test_what_is_seen_moves_evenly_and_by_parts_of_a_pixel() -> None:
    """The place of a pattern of waves, told from its phase to a thousandth of a pixel, in 60 frames after another."""
    width, height, wave = 640, 360, 16.0
    columns = np.arange(width * 2)
    pattern = np.broadcast_to(128 + 90 * np.cos(2 * np.pi * columns / (2 * wave)), (height * 2, width * 2))
    ready = canvas.canvas(png(Image.fromarray(pattern.astype(np.uint8))), width, height, moving=True)
    scene = drawing.Scene(ready, camera.Camera("even"))
    numbers = range(100, 160)

    def phase(row: NDArray[np.float64], pixels_a_wave: float) -> float:
        part = row[20:84] * np.hanning(64)
        return float(np.angle(np.sum(part * np.exp(-2j * np.pi * np.arange(64) / pixels_a_wave))))

    views = [camera.Camera("even").view(number) for number in numbers]
    waves = [wave / (view.right - view.left) for view in views]
    rows = [luma(scene.frame(number), width, height).mean(axis=0) - 128 for number in numbers]
    phases = np.unwrap([phase(row, pixels) for row, pixels in zip(rows, waves, strict=True)])
    steps = np.diff(phases) / (2 * np.pi) * np.mean(waves)

    assert 0.01 < np.abs(steps).mean() < 0.3
    assert np.abs(steps - steps.mean()).max() < 0.05


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("black", (16, 128, 128)), ("white", (235, 128, 128)), ("red", (63, 102, 240)), ("blue", (32, 240, 118))],
)
@pytest.mark.parametrize("moving", [True, False])
def test_colours_are_those_of_bt_709(colour: str, expected: tuple[int, ...], moving: bool) -> None:
    ready = canvas.canvas(png(Image.new("RGB", (77, 43), colour)), 64, 36, moving=moving)
    frame = ready.seen(camera.Camera("x").view(7) if moving else camera.WHOLE)

    assert len(frame) == 64 * 36 * 3 // 2
    assert set(frame[: 64 * 36]) == {expected[0]}
    assert set(frame[64 * 36 : 64 * 36 * 5 // 4]) == {expected[1]}
    assert set(frame[64 * 36 * 5 // 4 :]) == {expected[2]}


def test_a_still_picture_of_the_frames_size_is_shown_pixel_for_pixel() -> None:
    grey = np.random.default_rng(3).integers(0, 256, (36, 64), dtype=np.uint8)
    ready = canvas.canvas(png(Image.fromarray(grey)), 64, 36, moving=False)

    wanted = np.rint(grey / 255 * 219 + 16)
    assert np.abs(luma(ready.seen(camera.WHOLE), 64, 36) - wanted).max() <= 1


def test_a_picture_of_another_shape_is_seen_whole_before_itself() -> None:
    wide = Image.new("RGB", (160, 90), "white")
    wide.paste("red", (0, 0, 4, 90))
    tall = np.asarray(canvas.fitted(wide, 90, 160).convert("RGB"))

    assert tall[80, 0].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert tall[80, 80].tolist() == [255, 255, 255]
    assert 20 < tall[5].mean() < 200
    assert canvas.fitted(wide, 150, 90).size == (150, 90)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1", "I;16"])
def test_pictures_come_in_all_modes(mode: str) -> None:
    assert canvas.canvas(png(Image.new(mode, (50, 40))), 64, 36, moving=True).inner == (70.0, 40.0)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        canvas.canvas(b"not a picture", 64, 36, moving=True)


# -- captions on the picture -------------------------------------------------------------------------------------------


def chaptered(text: str, *, later: float = 0.0) -> Timeline:
    """`spoken`, with a chapter a segment, and everything after the first segment later by some seconds."""
    made = spoken(text)
    moved = tuple(
        TimedSentence(
            tuple(TimedWord(word.shown, word.span.moved(later)) for word in sentence.words),
            sentence.span.moved(later),
            sentence.segment,
            sentence.ends_paragraph,
        )
        if sentence.segment
        else sentence
        for sentence in made.sentences
    )
    firsts = {sentence.segment: sentence.span.start for sentence in reversed(moved)}
    starts = [0.0 if segment == 0 else firsts[segment] for segment in sorted(firsts)]
    ends = [*starts[1:], made.seconds + later]
    chapters = tuple(Chapter(f"part {n}", Span(*pair)) for n, pair in enumerate(zip(starts, ends, strict=True)))
    return Timeline(moved, chapters, made.seconds + later)


TEXT = (
    "The keeper climbed a hundred and nine steps every evening | and never counted them aloud again\n"
    "She wrote it down\n\nNobody read it for nineteen years | then somebody did"
)


def lit(line: Line | None) -> str:
    return "" if line is None else "".join(line.rows[row][first:end] for row, first, end in line.lit)


@pytest.mark.parametrize("tall", [False, True])
def test_every_word_is_lit_from_its_first_sound_to_its_last(tall: bool) -> None:
    timeline = chaptered(TEXT)
    shown = spoken_lines.shown(timeline, "en", tall=tall)

    for sentence in timeline.sentences:
        chapter = timeline.chapters[sentence.segment]
        for word in sentence.words:
            begins, ends = (grid.frame_at(at - chapter.span.start) for at in (word.span.start, word.span.end))
            numbers = range(begins, max(begins + 1, ends))
            assert [lit(drawing.line_at(shown[sentence.segment], number)) for number in numbers] == [
                word.shown for _ in numbers
            ]


def test_a_tall_film_has_shorter_rows() -> None:
    def longest(tall: bool) -> int:
        lines = (line for chapter in spoken_lines.shown(chaptered(TEXT), "en", tall=tall) for _, line in chapter)
        return max(len(row) for line in lines if line is not None for row in line.rows)

    assert longest(True) <= 24 < longest(False) <= 42


@given(st.integers(1, 3000))
def test_captions_keep_their_frames_when_what_is_before_them_becomes_longer(mp3_frames: int) -> None:
    later = mp3_frames * 1152 / 44100

    assert (
        spoken_lines.shown(chaptered(TEXT, later=later), "en", tall=False)[1]
        == (spoken_lines.shown(chaptered(TEXT), "en", tall=False)[1])
    )


def test_scripts_without_blanks_and_words_that_are_not_heard() -> None:
    words = (TimedWord("東京都", Span(0, 0.6)), TimedWord("—", Span(0.6, 0.6)), TimedWord("です", Span(0.6, 1.0)))
    timeline = Timeline((TimedSentence(words, Span(0, 1), 0, True),), (Chapter("", Span(0, 2)),), 2.0)
    (shown,) = spoken_lines.shown(timeline, "ja", tall=False)

    assert {lit(line) for _, line in shown} == {"", "東京都", "です"}


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (16, 16)])
def test_a_caption_changes_its_box_alone_and_lights_its_word(width: int, height: int) -> None:
    frame = np.full(width * height * 3 // 2, 200, np.uint8)
    lettering = Lettering(width, height, None)
    plain = luma(lettering.on(frame, Line(("One word",))), width, height)
    frame_again = lettering.on(frame, Line(("One word",), ((0, 4, 8),)))

    assert set(frame) == {200}
    rows, columns = np.nonzero(plain != 200)
    if width > 16:
        assert 0 < rows.min() <= rows.max() < height - 10
        assert 0 < columns.min() <= columns.max() < width - 1
        assert plain.max() > 220
        assert (plain[rows.min() : rows.max()] < 90).sum() > 200
    # Blue's part: what is lit is yellow.
    blue = frame_again[width * height : width * height * 5 // 4].reshape(height // 2, width // 2)
    before = lettering.on(frame, Line(("One word",)))[width * height : width * height * 5 // 4]
    changed = np.nonzero(blue != before.reshape(height // 2, width // 2))[1] * 2
    if width > 16:
        assert changed.min() > width / 2 - 30
        assert changed.max() <= columns.max()


def test_a_row_from_right_to_left_is_lit_at_its_place() -> None:
    frame = np.full(640 * 360 * 3 // 2, 120, np.uint8)

    def where(first: int, end: int) -> float:
        made = Lettering(640, 360, None).on(frame, Line(("אאאא בבבב",), ((0, first, end),)))
        without = Lettering(640, 360, None).on(frame, Line(("אאאא בבבב",)))
        return float(np.nonzero((made != without)[640 * 360 : 640 * 360 * 5 // 4].reshape(180, 320))[1].mean())

    assert where(0, 4) > where(5, 9)


# -- encoding ----------------------------------------------------------------------------------------------------------

SHAPE = picture_track.Shape(64, 36, moving=True)


def noise(count: int, seed: int = 1) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    return [random.integers(16, 236, 64 * 36 * 3 // 2, dtype=np.uint8) for _ in range(count)]


def test_stretches_have_the_same_parameter_sets_and_the_same_bytes_again() -> None:
    one = picture_track.encoded(noise(30), range(30), SHAPE)
    other = picture_track.encoded(noise(7, seed=2), range(7), SHAPE)

    assert one[picture_track.PARAMETERS] == other[picture_track.PARAMETERS]
    assert one == picture_track.encoded(noise(30), range(30), SHAPE)


@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 11, 260])
def test_a_stretch_begins_with_a_key_frame_and_its_last_frame_can_be_left_out(count: int) -> None:
    made = picture_track.encoded(noise(count), range(count), SHAPE)
    index = picture_track.Coded.parse(made[picture_track.INDEX])

    assert sorted(unit.place for unit in index.units) == list(range(count))
    assert index.units[0].key
    assert index.units[0].place == 0
    assert index.units[-1].place == count - 1
    assert sum(unit.length for unit in index.units) == len(made[picture_track.FRAMES])
    assert decoded(made, len(index.units)) == count
    assert decoded(made, len(index.units) - 1) == count - 1


def decoded(made: dict[str, bytes], units: int) -> int:
    import av
    from av.logging import Capture

    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = made[picture_track.PARAMETERS]
    start, frames = 0, 0
    with Capture() as said:
        for unit in picture_track.Coded.parse(made[picture_track.INDEX]).units[:units]:
            frames += len(decoder.decode(av.Packet(made[picture_track.FRAMES][start : start + unit.length])))
            start += unit.length
        frames += len(decoder.decode(None)) if units else 0
    assert not _warnings(said)
    return frames


def _warnings(said: Sequence[tuple[int, str, str]]) -> list[str]:
    import av.logging

    return [text for level, _, text in said if level <= av.logging.WARNING]


@pytest.mark.parametrize(("width", "height"), [(1281, 720), (1280, 721), (0, 0), (-2, 720)])
def test_an_odd_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="even"):
        picture_track.Shape(width, height, moving=True)
