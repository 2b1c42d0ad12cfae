"""The episode's own page: what is heard, said and known of it, made of the artifacts that it shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.timeline import TimedSentence, Timeline
from pipeline.media import page, timeline_file
from pipeline.media.colour import hue_of
from pipeline.media.page.png_size import png_size
from pipeline.text.summary import summary

NAME = "index.html"
RULE = Rule("page", version=page.VERSION, resource="cpu")

_COVER = "cover.png"
# The film is as its pictures are: wide before tall, where there are both.
_FILMS = (page.Picture("video.mp4", 1280, 720), page.Picture("video-tall.mp4", 1080, 1920))

_LABELS: Mapping[str, str] = {
    "audio.mp3": "MP3",
    "audio.flac": "FLAC",
    "video.mp4": "MP4",
    "video-tall.mp4": "MP4",
    "captions.vtt": "WebVTT",
    "captions.srt": "SRT",
    "transcript.json": "JSON",
    "script.md": "Markdown",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A file beside the page: its name and what it is."""

    name: str
    artifact: Artifact
    part: str


@dataclass(frozen=True, slots=True)
class About:
    """What the page says beside the sound."""

    title: str
    language: str
    notice: str
    tags: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """What it was made with: name and value."""
    address: str = ""
    """Where the episode's folder will lie for the world, without a slash at its end; empty where that is not known."""


def page_of(
    about: About,
    programme: Artifact,
    files: Sequence[Shown],
    *,
    pictures: Sequence[str] = (),
    unsupported: Collection[int] = (),
) -> Flow[Artifact]:
    """`index.html` for the episode's folder. `files` lie beside it, and are offered to be kept; `pictures` are the
    names of those among them that belong to the segments, in order; `unsupported` holds the indices of the sentences
    that rest on none of the notes."""
    by_name = {file.name: file for file in files}

    def make() -> Parts:
        timeline = timeline_file.parse(programme.read(timeline_file.NAME))
        seen = [_picture(by_name, name) for name in pictures]
        film = next((film for film in _FILMS if film.name in by_name), None)
        shown = page.EpisodePage(
            title=about.title,
            language=about.language,
            seconds=timeline.seconds,
            notice=about.notice,
            chapters=_chapters(timeline, seen, frozenset(unsupported)),
            downloads=tuple(
                page.Download(_LABELS[name], name, by_name[name].artifact.part_length(by_name[name].part))
                for name in _LABELS
                if name in by_name
            ),
            tags=about.tags,
            summary=summary((sentence.shown for sentence in timeline.sentences), about.title),
            cover=_picture(by_name, _COVER),
            video=film,
            # What the film begins with, in that picture's place; a square cover would stand between two bars.
            poster=seen[0].name if seen and seen[0] is not None else "",
            facts=about.facts,
            hue=hue_of(about.title),
            address=about.address,
        )
        return {NAME: page.episode_page(shown)}

    inputs: dict[str, Canonical] = {
        "title": about.title,
        "language": about.language,
        "notice": about.notice,
        "tags": list(about.tags),
        "facts": [list(fact) for fact in about.facts],
        "address": about.address,
        "timeline": programme.part_digest(timeline_file.NAME),
        "files": {file.name: file.artifact.part_digest(file.part) for file in files},
        "pictures": list(pictures),
        "unsupported": sorted(unsupported),
    }
    (artifact,) = yield [Step(RULE, place="page", inputs=inputs, make=make, label="page")]
    return artifact


def _picture(files: Mapping[str, Shown], name: str) -> page.Picture | None:
    """A picture with its own size, which is in its first bytes; None where there is none that a page can show."""
    file = files.get(name)
    size = png_size(next(file.artifact.chunks(file.part), b"")) if file is not None else None
    return page.Picture(name, *size) if size is not None else None


def _chapters(
    timeline: Timeline, pictures: Sequence[page.Picture | None], unsupported: Collection[int] = ()
) -> tuple[page.Chapter, ...]:
    made = []
    lone = len(timeline.chapters) == 1
    for number, chapter in enumerate(timeline.chapters):
        sentences = [
            (sentence, index in unsupported)
            for index, sentence in enumerate(timeline.sentences)
            if sentence.segment == number
        ]
        picture = pictures[number] if number < len(pictures) else None
        # A lone chapter is called as the episode is, which stands above it already.
        title = "" if lone else chapter.title
        made.append(page.Chapter(title, chapter.span.start, _paragraphs(sentences), picture))
    return tuple(made)


def _paragraphs(sentences: Sequence[tuple[TimedSentence, bool]]) -> tuple[tuple[page.Line, ...], ...]:
    paragraphs: list[tuple[page.Line, ...]] = []
    lines: list[page.Line] = []
    for sentence, is_unsupported in sentences:
        words = tuple(page.Word(word.shown, word.span.start) for word in sentence.words)
        lines.append(page.Line(sentence.span.start, words, is_unsupported))
        if sentence.ends_paragraph:
            paragraphs.append(tuple(lines))
            lines = []
    if lines:
        paragraphs.append(tuple(lines))
    return tuple(paragraphs)
