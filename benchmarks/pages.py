"""A thousand episodes of three minutes: their own pages, the page of them all, the feed, and what one change costs.

The folders hold what the pipeline publishes, as far as page and feed look into it; what is measured, in this process,
is what every run ends with. Seconds are of the processor, because the disk is not ours.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, cpu_seconds
from pipeline import site
from pipeline.media import page
from pipeline.site import Channel

EPISODES = 1000
# Three minutes: six segments of six sentences with twelve words each.
_SEGMENTS, _SENTENCES, _WORDS = 6, 6, 12
_FILES = (
    "audio.mp3", "captions.srt", "captions.vtt", "chapters.json", "cover.png", "index.html", "picture-01.png",
    "script.md", "transcript.json", "video.mp4",
)  # fmt: skip
_CHAPTERS = json.dumps(
    {"version": "1.2.0", "chapters": [{"startTime": 30.0 * n, "title": f"Chapter {n}"} for n in range(6)]}
)


def figures() -> Iterator[Figure]:
    took = _own_pages()
    yield Figure(f"own pages of {EPISODES:,} episodes of three minutes", took, "s CPU", "≤ 3", took <= 3)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        output = Path(folder)
        for number in range(EPISODES):
            publish(output, number)
        channel = Channel("A thousand", "All of them.", "en", "https://example.org/podcast")

        def once(name: str, expected: set[str]) -> Iterator[Figure]:
            begun = cpu_seconds()
            done = site.bring_up_to_date(output, channel)
            took = cpu_seconds() - begun
            assert done.episodes == EPISODES
            assert not done.hidden
            yield Figure(
                f"page and feed of {EPISODES:,} episodes, {name}",
                took,
                "s CPU",
                f"≤ 2, and {len(expected)} files written",
                took <= 2 and set(done.written) == expected,
                f"written: {', '.join(done.written) or 'nothing'}",
            )

        shared = {"assets/site.css", "assets/player.js", "cover.png"}
        yield from once("the first time", shared | {"index.html", "feed.xml"})
        yield from once("again", set())
        publish(output, 7, title="Another title")
        yield from once("one changed", {"index.html", "feed.xml"})


def publish(output: Path, number: int, *, title: str = "") -> None:
    """An episode's folder as far as page and feed look into it."""
    folder = output / f"episode-{number:04}"
    folder.mkdir(exist_ok=True)
    claims = [{"sentence": n, "notes": [n % 9]} for n in range(_SEGMENTS * _SENTENCES)]
    manifest = {
        "format": "media-pipeline/manifest/1",
        "title": title or f"The episode with the number {number}",
        "summary": "What the first of its sentences say, as long as podcast applications show. " * 3,
        "slug": folder.name,
        "language": "en",
        "tags": ["one", "two"],
        "date": None,
        "identity": f"input/{folder.name}.md",
        "ai_generated": {"script": True, "speech": True, "notice": "Voice synthesised by a machine."},
        "script": {"words": 450, "claims": claims},
        "audio": {"seconds": 180.25},
        "made_at": f"2026-11-21T06:{number // 60:02}:{number % 60:02}.000Z",
        "files": {name: {"bytes": 123_456, "sha256": "0" * 64, "key": "1" * 64} for name in _FILES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    (folder / "chapters.json").write_text(_CHAPTERS)


def _own_pages() -> float:
    """Seconds of the processor for a page of each episode."""
    chapters = tuple(
        page.Chapter(f"Segment {n}", 30.0 * n, (_lines(30.0 * n),), page.Picture(f"picture-{n}.png", 1280, 720))
        for n in range(_SEGMENTS)
    )
    page.index_page(page.IndexPage("", "", "en", ()))  # the templates are read once in a run
    begun = cpu_seconds()
    for number in range(EPISODES):
        page.episode_page(
            page.EpisodePage(
                title=f"The episode with the number {number}",
                language="en",
                seconds=180.0,
                notice="Voice synthesised by a machine.",
                chapters=chapters,
                downloads=(page.Download("MP3", "audio.mp3", 4_321_000),),
                cover=page.Picture("cover.png", 1500, 1500),
            )
        )
    return cpu_seconds() - begun


def _lines(begin: float) -> tuple[page.Line, ...]:
    starts = [begin + 5.0 * n for n in range(_SENTENCES)]
    return tuple(
        page.Line(start, tuple(page.Word(f"word{n}", start + 0.4 * n) for n in range(_WORDS))) for start in starts
    )
