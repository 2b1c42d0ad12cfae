"""Pictures, programme and captions become a film: each stretch of frames encoded once, and joined.

    each segment's picture ─► stretches of 12 s ─┐
    the programme's MP3    ─► AAC               ─┴─► the film

A stretch hangs on its picture, on where it lies in its segment and on the captions drawn on it; the last one of a
segment also on the segment's length and on the next picture, which it fades into. So an edited sentence costs its
segment's last stretches, and the join.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step, Written
from pipeline.domain.timeline import Timeline
from pipeline.errors import InputError
from pipeline.media import timeline_file
from pipeline.media.captions import cues
from pipeline.media.video import camera, canvas, drawing, film, grid, picture_track, sound_track, spoken_lines
from pipeline.media.video.lettering import Lettering

STRETCH = Rule("film-stretch", version=1, resource="cpu")
SOUND = Rule("film-sound", version=1, resource="cpu")
FILM = Rule("film", version=1, resource="cpu")
RULES = (STRETCH, SOUND, FILM)

_NO_PICTURE = "the picture of a segment cannot be read as an image"


@dataclass(frozen=True, slots=True)
class Font:
    """The font that burned-in captions are set in."""

    data: bytes
    digest: str
    """SHA-256 of the data."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a film is like, as the settings say."""

    width: int = 1280
    height: int = 720
    """In pixels; both even."""
    motion: bool = True
    """Whether the camera moves."""
    burn: bool = False
    """Whether the captions are drawn on the picture, the spoken word lit; they are always in a track of their own."""
    font: Font | None = field(default=None, repr=False)
    """None is Pillow's own, which has Latin letters alone."""

    @property
    def name(self) -> str:
        """The file's: `video.mp4` where it is wider than high, `video-tall.mp4` where it is not."""
        return "video-tall.mp4" if self.height > self.width else "video.mp4"

    @property
    def shape(self) -> picture_track.Shape:
        return picture_track.Shape(self.width, self.height, self.motion)


@dataclass(frozen=True, slots=True)
class Picture:
    """A segment's picture: a part of an artifact that holds a PNG (or whatever else Pillow reads)."""

    artifact: Artifact
    part: str

    @property
    def digest(self) -> str:
        return self.artifact.part_digest(self.part)

    def read(self) -> bytes:
        return self.artifact.read(self.part)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment as it is in the film."""

    picture: Picture
    following: Picture | None
    frame_count: int
    """Its capacity (`grid`)."""
    begins: int
    """The film's frame that is its first."""
    ends: int
    lines: tuple[spoken_lines.Shown, ...]
    """Captions that are drawn on it; none where they are not."""


_Encoded: TypeAlias = tuple[_Segment, grid.Stretch]


def make_film(
    programme: Artifact,
    pictures: Sequence[Picture],
    spec: Spec,
    about: film.About,
    *,
    words: int,
) -> Flow[Artifact]:
    """The film of a programme: its one part is named `spec.name`.

    `pictures` holds one a segment of the script, `programme` is the mix's artifact (`audio.mp3` and the timeline).
    Raises InputError where a picture cannot be read.
    """
    timeline = timeline_file.parse(programme.read(timeline_file.NAME))
    parts = [
        (segment, stretch)
        for segment in _segments(timeline, pictures, spec, about.language)
        for stretch in grid.stretches(segment.frame_count, moving=spec.motion, fades=segment.following is not None)
    ]
    made = yield [*(_stretch(segment, stretch, spec) for segment, stretch in parts), _sound(programme, words)]
    (whole,) = yield [_film(made[:-1], made[-1], parts, programme, timeline, spec, about, words)]
    return whole


def _segments(timeline: Timeline, pictures: Sequence[Picture], spec: Spec, language: str) -> Iterator[_Segment]:
    # A segment in which nothing is said has no chapter, and no place in the film.
    heard = list(dict.fromkeys(sentence.segment for sentence in timeline.sentences))
    shown = [pictures[number] for number in heard]
    chapters = timeline.chapters
    borders = grid.borders([chapter.span.start for chapter in chapters], timeline.seconds)
    tall = spec.height > spec.width
    lines = spoken_lines.shown(timeline, language, tall=tall) if spec.burn else ((),) * len(chapters)
    for number, chapter in enumerate(chapters):
        yield _Segment(
            picture=shown[number],
            following=shown[number + 1] if number + 1 < len(chapters) else None,
            # What the last one has to hold is what is left of the film, also where that is rounded up to a frame.
            frame_count=max(grid.capacity(chapter.span.seconds), borders[number + 1] - borders[number]),
            begins=borders[number],
            ends=borders[number + 1],
            lines=lines[number],
        )


def _stretch(segment: _Segment, stretch: grid.Stretch, spec: Spec) -> Step:
    """Some frames of one segment. What enters the key is what is seen in them, wherever the segment stands."""
    lines = _lines_within(segment.lines, stretch)
    numbers = grid.drawn(stretch, [first for first, _ in lines], moving=spec.motion)
    following = segment.following if stretch.fade else None

    def make() -> Parts:
        scene = _scene(segment.picture, spec)
        after = _scene(following, spec) if following is not None else None
        font = spec.font.data if spec.font is not None else None
        captions = (Lettering(spec.width, spec.height, font), lines) if lines else None
        frames = drawing.frames(stretch, numbers, scene, after, segment.frame_count, captions)
        return picture_track.encoded(frames, numbers, spec.shape)

    return Step(
        STRETCH,
        place="film-stretch",
        inputs={
            "picture": segment.picture.digest,
            "next picture": following.digest if following is not None else None,
            "frames": [stretch.first, stretch.count, stretch.fade],
            "size": [spec.width, spec.height],
            "motion": spec.motion,
            "captions": [[first, _plain(line)] for first, line in lines],
            "font": spec.font.digest if spec.font is not None and lines else None,
            "encoder": _encoder(),
        },
        make=make,
        label=f"film from frame {segment.begins + stretch.first}",
        units=stretch.count / grid.FRAMES_PER_SECOND,
    )


def _lines_within(lines: Sequence[spoken_lines.Shown], stretch: grid.Stretch) -> tuple[spoken_lines.Shown, ...]:
    """What is shown in a stretch, from its first frame on; nothing where nothing is."""
    within = [(first, line) for first, line in lines if stretch.first < first < stretch.end]
    already = drawing.line_at(lines, stretch.first)
    found = ([(stretch.first, already)] if already is not None else []) + within
    return tuple(found) if any(line is not None for _, line in found) else ()


def _plain(line: spoken_lines.Line | None) -> Canonical:
    return None if line is None else [list(line.rows), [list(part) for part in line.lit]]


def _scene(picture: Picture, spec: Spec) -> drawing.Scene:
    data = picture.read()
    try:
        ready = canvas.canvas(data, spec.width, spec.height, moving=spec.motion)
    except OSError as error:
        raise InputError(_NO_PICTURE, where=picture.part, hint="Take it away, and it is made again.") from error
    # The way follows from the picture, so a picture keeps its way whatever stands before it.
    return drawing.Scene(ready, camera.Camera(picture.digest) if spec.motion else None)


def _sound(programme: Artifact, words: int) -> Step:
    def make() -> Parts:
        return sound_track.encoded(programme.read("audio.mp3"))

    return Step(
        SOUND,
        place="film-sound",
        inputs={"programme": programme.part_digest("audio.mp3"), "kbits": sound_track.KBITS, "encoder": _encoder()},
        make=make,
        label="sound of the film",
        units=float(words),
    )


def _film(
    stretches: Sequence[Artifact],
    sound: Artifact,
    parts: Sequence[_Encoded],
    programme: Artifact,
    timeline: Timeline,
    spec: Spec,
    about: film.About,
    words: int,
) -> Step:
    def make() -> Parts:
        pieces = [
            film.Piece(segment.begins, segment.ends, artifact.read)
            for artifact, (segment, _) in zip(stretches, parts, strict=True)
        ]
        said = cues(timeline, about.language)

        def write(path: Path) -> None:
            film.write(path, spec.shape, pieces, sound.read, cues=said, chapters=timeline.chapters, about=about)

        return {spec.name: Written(write)}

    inputs: Mapping[str, Canonical] = {
        "stretches": [artifact.digest for artifact in stretches],
        "places": [[segment.begins, segment.ends] for segment, _ in parts],
        "sound": sound.digest,
        "timeline": programme.part_digest(timeline_file.NAME),
        "tags": [about.title, about.language, about.date, about.comment],
        "size": [spec.width, spec.height],
        "motion": spec.motion,
        "encoder": _encoder(),
    }
    return Step(FILM, place="film", inputs=inputs, make=make, label="film", units=float(words))


def _encoder() -> str:
    """Stretches of another build may have other parameter sets, and could not be joined with these."""
    return f"av {version('av')}"
