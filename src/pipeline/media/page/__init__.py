"""The pages that a browser shows: one for an episode, one for all of them. Values in, HTML out.

They stand alone: no request goes anywhere else, they work from a disk (`file://`), without JavaScript everything can
be read and heard, and with it the transcript follows the sound. Every value is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from pipeline.media.page.words import Words, words_for

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = ("site.css", "player.js")
"""What the pages share, below `assets/`."""

VERSION = 3
"""Of the episode's page; goes up when the same values give another page."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence as it is spoken."""

    start: float
    words: tuple[Word, ...]
    unsupported: bool = False
    """Nothing in the topic's notes says so."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or a film beside the page, with its own size, so that nothing jumps when it comes."""

    name: str
    width: int
    """Pixels."""
    height: int


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    start: float
    """Seconds."""
    paragraphs: tuple[tuple[Line, ...], ...]
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Download:
    label: str
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class EpisodePage:
    """Everything that an episode's page shows."""

    title: str
    language: str
    """BCP 47."""
    seconds: float
    notice: str
    chapters: tuple[Chapter, ...]
    downloads: tuple[Download, ...]
    tags: tuple[str, ...] = ()
    summary: str = ""
    """For whoever shows a link to the page."""
    cover: Picture | None = None
    video: Picture | None = None
    poster: str = ""
    """What stands in the film's place until it plays."""
    captions: str = "captions.vtt"
    address: str = ""
    """Where the episode's folder lies for the world, without a slash at its end; empty where nobody knows."""

    @property
    def has_unsupported(self) -> bool:
        return any(line.unsupported for chapter in self.chapters for lines in chapter.paragraphs for line in lines)

    facts: tuple[tuple[str, str], ...] = ()
    """What it was made with: name and value."""
    hue: int = 250
    """Of its colours, in degrees of OKLCH."""


@dataclass(frozen=True, slots=True)
class IndexItem:
    slug: str
    title: str
    language: str
    date: date
    seconds: float
    summary: str
    tags: tuple[str, ...] = ()
    cover: str = ""
    hue: int = 250


@dataclass(frozen=True, slots=True)
class IndexPage:
    title: str
    description: str
    language: str
    items: tuple[IndexItem, ...]
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Episodes that cannot be shown, and why."""
    cover: str = ""
    """A file beside the page."""
    address: str = ""
    """Where the page lies for the world, without a slash at its end; empty where nobody else can reach it."""
    hue: int = 250


def episode_page(page: EpisodePage) -> bytes:
    """UTF-8 HTML for `output/<slug>/index.html`."""
    return _render("episode.html", page, words_for(page.language), root="../")


def index_page(page: IndexPage) -> bytes:
    """UTF-8 HTML for `output/index.html`."""
    return _render("index.html", page, words_for(page.language), root="")


def asset(name: str) -> bytes:
    """One of `ASSETS`."""
    return resources.files(__package__).joinpath("assets", name).read_bytes()


def clock(seconds: float) -> str:
    """`1:02:03`, `12:05`."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _render(template: str, page: EpisodePage | IndexPage, words: Words, *, root: str) -> bytes:
    text = _environment().get_template(template).render(page=page, words=words, root=root)
    return text.encode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.media.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {"clock": clock, "size": _size, "seconds": _seconds, "spoken": _spoken}
    environment.filters.update(filters)
    return environment


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{max(1, round(count / 1e3))} kB"


def _spoken(words: Sequence[Word]) -> str:
    """Words that can be clicked, as HTML: what they hold is escaped here. An hour has nine thousand, and a template's
    loop takes thrice as long over them."""
    return " ".join(f'<span class="w" data-start="{_seconds(word.start)}">{escape(word.text)}</span>' for word in words)


def _seconds(value: float) -> str:
    """Seconds for an attribute, to the millisecond: `12.5`."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
