"""The episode's own page: what is heard, said and known of it, made of the artifacts that it shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.timeline import TimedSentence, Timeline
from pipeline.media import page, timeline_file
from pipeline.media.colour import hue_of

NAME = "index.html"
RULE = Rule("page", version=page.VERSION, resource="cpu")

_LABELS: Mapping[str, str] = {
    "audio.mp3": "MP3",
    "audio.flac": "FLAC",
    "video.mp4": "MP4",
    "video-tall.mp4": "MP4 (9:16)",
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


def page_of(
    about: About,
    programme: Artifact,
    files: Sequence[Shown],
    *,
    pictures: Sequence[str] = (),
    unsupported: Collection[int] = (),
) -> Flow[Artifact]:
    """`index.html` for the episode's folder. `files` are offered to be kept; `pictures` are the names of the
    segments' pictures, in order; `unsupported` holds the indices of the sentences that rest on none of the notes."""

    def make() -> Parts:
        timeline = timeline_file.parse(programme.read(timeline_file.NAME))
        names = {file.name for file in files}
        shown = page.EpisodePage(
            title=about.title,
            language=about.language,
            seconds=timeline.seconds,
            notice=about.notice,
            chapters=_chapters(timeline, pictures, frozenset(unsupported)),
            downloads=tuple(
                page.Download(_LABELS[file.name], file.name, file.artifact.part_length(file.part))
                for file in files
                if file.name in _LABELS
            ),
            tags=about.tags,
            cover=next((name for name in ("cover.jpg", "cover.png") if name in names), ""),
            video="video.mp4" if "video.mp4" in names else "",
            facts=about.facts,
            hue=hue_of(about.title),
        )
        return {NAME: page.episode_page(shown)}

    inputs: dict[str, Canonical] = {
        "title": about.title,
        "language": about.language,
        "notice": about.notice,
        "tags": list(about.tags),
        "facts": [list(fact) for fact in about.facts],
        "timeline": programme.part_digest(timeline_file.NAME),
        "files": {file.name: file.artifact.part_digest(file.part) for file in files},
        "pictures": list(pictures),
        "unsupported": sorted(unsupported),
    }
    (artifact,) = yield [Step(RULE, place="page", inputs=inputs, make=make, label="page")]
    return artifact


def _chapters(
    timeline: Timeline, pictures: Sequence[str], unsupported: Collection[int] = ()
) -> tuple[page.Chapter, ...]:
    made = []
    lone = len(timeline.chapters) == 1
    for number, chapter in enumerate(timeline.chapters):
        sentences = [
            (sentence, index in unsupported)
            for index, sentence in enumerate(timeline.sentences)
            if sentence.segment == number
        ]
        picture = pictures[number] if number < len(pictures) else ""
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
