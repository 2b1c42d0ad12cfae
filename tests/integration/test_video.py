"""Whole films, made by the stage and read back with FFmpeg's demuxers and decoders."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.build.recipe import Step
from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline
from pipeline.errors import InputError
from pipeline.media import encode, mp3, timeline_file
from pipeline.media.captions import Cue, cues
from pipeline.media.pcm import FRAME_SECONDS, MP3_RATE
from pipeline.media.video import film, grid, picture_track, sound_track
from pipeline.media.video.picture_track import Shape
from pipeline.stages import video
from tests.fakes.flows import Memory, MemoryArtifact

FRAME = 1 / grid.FRAMES_PER_SECOND
SMALL = video.Spec(192, 108)
ABOUT = film.About("Lamp & <keeper>", "pt-BR", "2026-11-21", "Voice synthesised by a machine.")
TRICKY = "A <b>lamp</b> {\\an8} & one --> two “três” {curly}\\N over"


@dataclass(frozen=True)
class Programme:
    """What a mix gives: sentences with a click at the start of each word."""

    timeline: Timeline
    artifact: MemoryArtifact


def programme(*segments: Sequence[str], pause: float = 1.2, pace: float = 0.3, tail: float = 0.6) -> Programme:
    """One or more sentences a segment, each word `pace` seconds long."""
    at = 0.25
    sentences = []
    for number, texts in enumerate(segments):
        for text in texts:
            words = []
            for shown in text.split():
                words.append(TimedWord(shown, Span(round(at, 6), round(at + pace, 6))))
                at += pace
            span = Span(words[0].span.start, words[-1].span.end)
            sentences.append(TimedSentence(tuple(words), span, number, ends_paragraph=True))
            at += 0.35
        at += pause - 0.35
    frames = round((at - pause + tail) / FRAME_SECONDS)
    seconds = frames * FRAME_SECONDS
    firsts = {sentence.segment: sentence.span.start for sentence in reversed(sentences)}
    starts = [0.0, *(firsts[number] for number in range(1, len(segments)))]
    spans = [Span(*pair) for pair in pairwise([*starts, seconds])]
    chapters = tuple(Chapter(f"Part {n} & <i>", span) for n, span in enumerate(spans))
    timeline = Timeline(tuple(sentences), chapters, seconds)
    wave = np.zeros(frames * 1152 - 4000, np.float32)
    for sentence in sentences:
        for word in sentence.words:
            first = round(word.span.start * MP3_RATE)
            tone = np.sin(2 * np.pi * 3000 * np.arange(300) / MP3_RATE) * np.exp(-np.arange(300) / 60)
            wave[first : first + 300] += tone[: len(wave[first : first + 300])].astype(np.float32) * 0.5
    sound = b"".join(mp3.encode(wave, MP3_RATE, kbits=96))
    file = encode.mp3([(0, sound)], frames, tags=encode.Tags("test"))
    parts = {"audio.mp3": file, timeline_file.NAME: timeline_file.dump(timeline)}
    return Programme(timeline_file.parse(parts[timeline_file.NAME]), MemoryArtifact("programme", parts))


def picture(seed: int, size: tuple[int, int] = (480, 270)) -> video.Picture:
    """Soft shapes, bright enough that a black frame would show."""
    random = np.random.default_rng(seed)
    rough = random.integers(60, 250, (6, 9, 3), dtype=np.uint8)
    data = _png(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))
    return video.Picture(MemoryArtifact(f"picture {seed}", {"picture.png": data}), "picture.png")


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def filmed(made: Programme, spec: video.Spec = SMALL, *, memory: Memory | None = None, pictures: int = 9) -> bytes:
    shown = [picture(number) for number in range(pictures)]
    flow = video.make_film(made.artifact, shown, spec, ABOUT, words=10)
    return (memory or Memory()).carry_out(flow).read(spec.name)


@dataclass(frozen=True)
class Film:
    """What a player finds in a film."""

    times: tuple[float, ...]
    lumas: tuple[NDArray[np.uint8], ...]
    video_seconds: float
    audio_seconds: float
    sound: NDArray[np.float32]
    cues: tuple[Cue, ...]
    chapters: tuple[tuple[str, float, float], ...]
    warnings: tuple[str, ...]


def played(data: bytes) -> Film:
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said, av.open(io.BytesIO(data), "r") as container:
            frames = [
                (float(frame.time or 0), frame.to_ndarray().astype(np.uint8)) for frame in container.decode(video=0)
            ]
            stream = container.streams.video[0]
            height = stream.height
            seconds = [
                float((one.duration or 0) * (one.time_base or Fraction(0)))
                for one in (stream, container.streams.audio[0])
            ]
            chapters = tuple(
                (
                    one["metadata"]["title"],
                    round(float(one["start"] * (one["time_base"] or 0)), 3),
                    round(float(one["end"] * (one["time_base"] or 0)), 3),
                )
                for one in container.chapters()
            )
        with av.logging.Capture() as said_too, av.open(io.BytesIO(data), "r") as container:
            sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    finally:
        av.logging.set_level(None)
    return Film(
        times=tuple(time for time, _ in frames),
        lumas=tuple(picture[:height] for _, picture in frames),
        video_seconds=seconds[0],
        audio_seconds=seconds[1],
        sound=sound,
        cues=tuple(_captions(data)),
        chapters=chapters,
        warnings=tuple(text for _, _, text in (*said, *said_too)),
    )


def _captions(data: bytes) -> Iterator[Cue]:
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux(subtitles=0):
            if packet.pts is not None and packet.size > 2:
                raw = bytes(packet)
                text = raw[2 : 2 + int.from_bytes(raw[:2], "big")].decode()
                start = round(packet.pts * packet.time_base, 3)
                end = round((packet.pts + (packet.duration or 0)) * packet.time_base, 3)
                yield Cue(Span(float(start), float(end)), tuple(text.split("\n")))


TWO = (["One two three four five six seven.", "Eight nine ten."], [f"{TRICKY} and on it goes for a while."])


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        video.Spec(108, 192),
        video.Spec(194, 106, burn=True),
        video.Spec(192, 108, motion=False),
        video.Spec(108, 192, motion=False, burn=True),
    ],
    ids=str,
)
def test_a_film_plays_from_start_to_end(spec: video.Spec) -> None:
    made = programme(*TWO)
    found = played(filmed(made, spec))
    seconds = made.timeline.seconds

    assert found.warnings == ()
    # Sound and picture end together, and with the programme.
    assert found.video_seconds == pytest.approx(seconds, abs=FRAME / 2 + 1e-6)
    assert found.audio_seconds == pytest.approx(seconds, abs=0.001)
    # FFmpeg gives the last packet whole, whatever the film says of its length: it ends in silence.
    heard = round(seconds * MP3_RATE)
    assert 0 <= len(found.sound) - heard < sound_track.PACKET_SAMPLES
    assert np.abs(found.sound[heard:]).max(initial=0.0) < 0.001
    # From the first instant on, every frame in its turn, none of them for long.
    apart = np.diff([*found.times, found.video_seconds])
    assert found.times[0] == 0
    assert apart.min() > 0
    assert apart.max() <= (FRAME if spec.motion else grid.PULSE_FRAMES * FRAME) * 1.001
    # Never black, never a jump.
    assert min(luma.mean() for luma in found.lumas) > 50
    above = [luma[: spec.height // 3].astype(int) for luma in found.lumas]  # where no caption stands
    assert max(float(np.abs(after - before).mean()) for before, after in pairwise(above)) < 12
    assert found.lumas[0].shape == (spec.height, spec.width)


def test_a_word_is_heard_when_its_caption_says_so() -> None:
    made = programme(*TWO)
    found = played(filmed(made))
    loud = np.abs(found.sound)

    for sentence in made.timeline.sentences:
        for word in sentence.words:
            first = round(word.span.start * MP3_RATE)
            around = loud[max(0, first - 4410) : first + 4410]
            onset = int(np.flatnonzero(around > 0.15)[0]) - min(first, 4410)
            assert abs(onset) / MP3_RATE < 0.005


def test_captions_chapters_and_tags_come_back_as_they_were() -> None:
    made = programme(*TWO)
    data = filmed(made)
    found = played(data)

    assert found.cues == cues(made.timeline, "pt-BR")
    assert found.chapters == tuple(
        (chapter.title, round(chapter.span.start, 3), round(chapter.span.end, 3)) for chapter in made.timeline.chapters
    )
    with av.open(io.BytesIO(data), "r") as container:
        tags = container.metadata
        assert (tags["title"], tags["comment"], tags["date"]) == (ABOUT.title, ABOUT.comment, ABOUT.date)
        assert [stream.language for stream in (container.streams.audio[0], container.streams.subtitles[0])] == [
            "por",
            "por",
        ]
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.profile, codec.pix_fmt) == ("h264", "High", "yuv420p")
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range) == (1, 1, 1, 1)
        assert container.streams.audio[0].codec_context.profile == "LC"
    # What a player needs to begin stands before the frames.
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_same_inputs_give_the_same_bytes_on_any_number_of_threads() -> None:
    made = programme(*TWO)

    assert filmed(made, memory=Memory(1)) == filmed(made, memory=Memory(4))


@pytest.mark.parametrize("spec", [SMALL, replace(SMALL, motion=False)], ids=str)
def test_a_player_may_begin_anywhere(spec: video.Spec) -> None:
    made = programme(["one two three four five six seven eight nine ten"] * 8)
    data = filmed(made, spec)
    whole = dict(zip((found := played(data)).times, found.lumas, strict=True))
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        for wanted in (0.0, 9.97, 13.0, 24.1, made.timeline.seconds - 0.1):
            container.seek(round(wanted / float(stream.time_base or 1)), stream=stream)
            frame = next(container.decode(video=0))
            time = float(frame.time or 0)
            assert wanted - grid.KEY_FRAME_SECONDS - 1 <= time <= wanted
            assert np.array_equal(frame.to_ndarray()[: spec.height], whole[time])


def test_a_fade_goes_from_picture_to_picture_in_the_pause() -> None:
    made = programme(*TWO)
    found = played(filmed(made, replace(SMALL, motion=False)))
    first = grid.frame_at(made.timeline.chapters[1].span.start)
    # Where the segment takes one frame less than it might, that is the fade's last.
    end = grid.capacity(made.timeline.chapters[0].span.seconds)
    by_time = dict(zip((round(time, 4) for time in found.times), found.lumas, strict=True))
    before, after = by_time[round((end - 11) * FRAME, 4)].astype(float), by_time[round(first * FRAME, 4)].astype(float)

    shares = []
    for number in range(end - 10, first):
        between = by_time[round(number * FRAME, 4)]
        shares.append(float(((between - before) * (after - before)).sum() / ((after - before) ** 2).sum()))
    assert shares == pytest.approx([grid.fade_share(place, 10) for place in range(first - end + 10)], abs=0.03)
    assert len(shares) >= 9


@pytest.mark.parametrize("motion", [True, False])
def test_a_word_is_lit_while_it_is_said(motion: bool) -> None:
    """Told from the pixels: the middle of what is yellow moves on with the words."""
    spec = video.Spec(640, 360, motion=motion, burn=True)
    made = programme(["alpha bravo gamma delta"])
    grey = video.Picture(MemoryArtifact("grey", {"png": _png(Image.new("RGB", (64, 36), "#556677"))}), "png")
    data = Memory().carry_out(video.make_film(made.artifact, [grey], spec, ABOUT, words=4)).read(spec.name)
    with av.open(io.BytesIO(data), "r") as container:
        frames = [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    starts = [word.span.start for word in made.timeline.sentences[0].words]
    middles = []
    for time, colours in frames:
        red, green, blue = (colours[300:, :, part].astype(int) for part in range(3))
        yellow = np.flatnonzero(((red > 180) & (green > 140) & (blue < 120)).any(axis=0))
        middles.append((time, float(yellow.mean()) if len(yellow) else None))

    previous = 0.0
    for start in starts:
        first = next(time for time, middle in middles if middle is not None and middle > previous + 15)
        assert abs(first - start) <= 0.08
        previous = max(middle or 0 for time, middle in middles if time <= start + 0.2)


def wanted(made: Programme, spec: video.Spec = SMALL, *, other: int | None = None) -> dict[str, Step]:
    """What a film is made of, by key; nothing is made. `other` is a segment that has another picture than usual."""
    shown = [picture(number + 50 * (number == other)) for number in range(3)]
    return {step.key: step for step in next(video.make_film(made.artifact, shown, spec, ABOUT, words=10))}


def encoded_again(before: dict[str, Step], after: dict[str, Step]) -> list[object]:
    """The pictures of the stretches that are to be encoded, in order."""
    new = [after[key] for key in after if key not in before]
    return [step.inputs["picture"] for step in new if step.place == "film-stretch"]


LONG = (["one two three four five six seven eight nine ten " * 6], ["one two three " * 9], ["one two three four five"])


@pytest.mark.parametrize("spec", [SMALL, replace(SMALL, burn=True), replace(SMALL, motion=False)], ids=str)
def test_an_edit_of_the_last_segment_encodes_that_segment_alone(spec: video.Spec) -> None:
    edited = programme(*LONG[:2], ["one two three four five six seven eight"])

    assert encoded_again(wanted(programme(*LONG), spec), wanted(edited, spec)) == [picture(2).digest]


@pytest.mark.parametrize("spec", [SMALL, replace(SMALL, burn=True), replace(SMALL, motion=False)], ids=str)
def test_an_edit_of_the_first_segment_leaves_the_others_although_they_move(spec: video.Spec) -> None:
    edited = programme([LONG[0][0] + "eleven twelve"], *LONG[1:])

    again = encoded_again(wanted(programme(*LONG), spec), wanted(edited, spec))
    # Its end alone; but where captions are drawn, those of the whole paragraph are chosen anew.
    assert again == [picture(0).digest] * (2 if spec.burn else 1)


def test_another_picture_touches_its_segment_and_the_fade_before_it() -> None:
    made = programme(*LONG)

    assert encoded_again(wanted(made), wanted(made, other=2)) == [picture(1).digest, picture(52).digest]


def test_what_was_encoded_before_an_edit_is_joined_with_what_was_encoded_after() -> None:
    memory = Memory()
    filmed(programme(["one two three"], *TWO), memory=memory)
    before = len(memory.made)
    found = played(filmed(programme(["one two three four"], *TWO), memory=memory))

    assert [step.place for step in memory.made[before:]] == ["film-stretch", "film-sound", "film"]
    assert found.warnings == ()
    assert np.diff(found.times) == pytest.approx(FRAME)


@pytest.mark.parametrize("motion", [True, False])
@pytest.mark.parametrize(
    ("segments", "pause", "pace"),
    [
        ([["word"]], 0.0, 0.01),
        ([["a"], ["b"], ["c"], ["d"]], 0.0, 0.004),
        ([["a"], ["b"], ["c"], ["d"]], 0.36, 0.1),
        ([["only one segment here"]], 1.2, 0.2),
    ],
)
def test_segments_may_be_shorter_than_a_fade_or_a_frame(
    segments: list[list[str]], pause: float, pace: float, motion: bool
) -> None:
    made = programme(*segments, pause=max(pause, 0.35), pace=pace)
    made = _squeezed(made) if pause == 0.0 else made
    found = played(filmed(made, replace(SMALL, motion=motion)))

    assert found.warnings == ()
    assert found.video_seconds == pytest.approx(made.timeline.seconds, abs=FRAME / 2 + 1e-6)
    assert min(luma.mean() for luma in found.lumas) > 50


def _squeezed(made: Programme) -> Programme:
    """All segments but the last begin within the film's first tenth of a second, 7 ms apart."""
    timeline = made.timeline
    sentences = tuple(
        replace(
            sentence,
            words=tuple(replace(word, span=Span(0.007 * n, 0.007 * n + 0.004)) for word in sentence.words),
            span=Span(0.007 * n, 0.007 * n + 0.004),
        )
        for n, sentence in enumerate(timeline.sentences)
    )
    edges = [0.007 * n for n in range(len(sentences))] + [timeline.seconds]
    chapters = tuple(Chapter(f"{n}", Span(*pair)) for n, pair in enumerate(pairwise(edges)))
    squeezed = replace(timeline, sentences=sentences, chapters=chapters)
    parts = {**made.artifact.parts, timeline_file.NAME: timeline_file.dump(squeezed)}
    return Programme(squeezed, MemoryArtifact("squeezed", parts))


def test_a_picture_that_is_none_is_named() -> None:
    broken = video.Picture(MemoryArtifact("broken", {"picture.png": b"oops"}), "picture.png")

    with pytest.raises(InputError, match="cannot be read as an image"):
        Memory().carry_out(video.make_film(programme(["a b"]).artifact, [broken], SMALL, ABOUT, words=2))


def test_a_segment_in_which_nothing_is_said_has_no_place_in_the_film() -> None:
    made = programme(["one two"], ["three four"])
    sentences = tuple(replace(sentence, segment=sentence.segment * 2) for sentence in made.timeline.sentences)
    parts = {
        **made.artifact.parts,
        timeline_file.NAME: timeline_file.dump(replace(made.timeline, sentences=sentences)),
    }
    memory = Memory()
    filmed(Programme(made.timeline, MemoryArtifact("gap", parts)), memory=memory, pictures=3)
    shown = [step.inputs["picture"] for step in memory.made if step.place == "film-stretch"]

    assert shown == [picture(0).digest, picture(2).digest]


class Held(bytes):
    """Bytes that say when they are let go."""

    alive = 0
    most = 0

    def __init__(self, data: bytes) -> None:
        Held.alive += 1
        Held.most = max(Held.most, Held.alive)

    def __del__(self) -> None:
        Held.alive -= 1


def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    shape = Shape(64, 36, moving=True)
    count = 250
    grey = [np.full(64 * 36 * 3 // 2, 128, np.uint8)] * count
    stretch = picture_track.encoded(grey, range(count), shape)
    sound = sound_track.encoded(programme(["a"]).artifact.read("audio.mp3"))

    def read(part: str) -> bytes:
        return Held(stretch[part]) if part == picture_track.FRAMES else stretch[part]

    pieces = [film.Piece(number * count, (number + 1) * count, read) for number in range(360)]
    path = tmp_path / "hour.mp4"
    film.write(path, shape, pieces, sound.__getitem__, cues=(), chapters=(), about=ABOUT)

    assert 1 <= Held.most <= 2
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 90_000
        assert container.streams.video[0].duration == 3600 * 12_800


def test_a_stretch_of_another_encoder_is_not_joined(tmp_path: Path) -> None:
    shape = Shape(64, 36, moving=True)
    stretch = picture_track.encoded([np.full(32 * 36 * 3 // 2, 128, np.uint8)], [0], Shape(32, 36, moving=True))
    piece = film.Piece(0, 1, stretch.__getitem__)
    sound = sound_track.encoded(programme(["a"]).artifact.read("audio.mp3"))

    with pytest.raises(film.Unlike):
        film.write(tmp_path / "film.mp4", shape, [piece], sound.__getitem__, cues=(), chapters=(), about=ABOUT)
