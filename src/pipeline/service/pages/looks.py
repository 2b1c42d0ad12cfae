"""What the pages show. Reads; changes nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any

from pipeline.domain.topic import WORDS_PER_MINUTE
from pipeline.errors import InputError, PipelineError, SettingsError, StoreError
from pipeline.files import open_plain, read_plain
from pipeline.media.page import Picture
from pipeline.media.page.png_size import png_size
from pipeline.net.outages import Down
from pipeline.service import views, wire
from pipeline.service.board import Standing
from pipeline.service.checks import Sight
from pipeline.service.pages.forecast import Estimate, Forecast
from pipeline.service.pages.shelf import Item, Shelf, seconds_of
from pipeline.service.pages.transcript import Chapter, Heard, chapters_of, heard_in
from pipeline.service.problems import Missing, facts
from pipeline.service.routes import House
from pipeline.service.topics import TopicFile
from pipeline.service.wire import Fault
from pipeline.stages.publish import SCRIPT
from pipeline.studio import EpisodePlan
from pipeline.text import script_file

WAITING_SHOWN, FAILED_SHOWN, REFUSED_SHOWN = 6, 20, 10
ON_HOME, ON_SHELF = 6, 24
PLANNED_AT_ONCE = 20
# Estimated one by one; the rest is taken to be like them.
_ESTIMATED = 40
_RECENT_SECONDS = 1.0
STEPS = ("script", "speech", "mix", "pictures", "video", "page")
_STEP_OF = {"captions": "mix", "credentials": "page"}
_TRANSCRIPT, _AUDIO, _COVER = "transcript.json", "audio.mp3", "cover.png"
_FILMS = (Picture("video.mp4", 1280, 720), Picture("video-tall.mp4", 1080, 1920))


@dataclass(frozen=True, slots=True)
class Row:
    """An episode in the queue."""

    slug: str
    title: str
    state: str
    stage: str = ""
    waits_for: str = ""
    seconds: float | None = None
    """What is left to do; None where nobody knows."""
    part: float | None = None
    """How much of it is done, from 0 to 1."""
    error: Mapping[str, str] | None = None

    @property
    def step(self) -> int:
        """Which of STEPS it is at, from 0; -1 before the first."""
        stage = _STEP_OF.get(self.stage, self.stage)
        return STEPS.index(stage) if stage in STEPS else -1


@dataclass(frozen=True, slots=True)
class Now:
    """What runs and what waits."""

    state: str
    about: str
    paused: bool
    making: Sequence[Row]
    waiting: Sequence[Row]
    """The first few."""
    waits: int
    """How many wait in all."""
    failed: Sequence[Row]
    failures: int
    refused: Sequence[Fault]
    refusals: int
    down: Sequence[Down]
    left: float | None
    """Seconds until nothing waits any more; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, and which of the folders lie on it."""

    folders: Sequence[str]
    free: int
    """Bytes."""
    total: int

    @property
    def used(self) -> float:
        """From 0 to 1."""
        return 1 - self.free / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Choices:
    """What a topic can choose from."""

    styles: Sequence[tuple[str, str]]
    """Name and what it is."""
    voices: Sequence[wire.Voice]
    languages: Sequence[str]
    style: str = ""
    language: str = ""
    seconds: float = 0.0
    """What it gets where it chooses nothing; empty and 0 where the settings cannot be read just now."""


@dataclass(frozen=True, slots=True)
class EpisodeLook:
    """Everything that an episode's page shows."""

    slug: str
    title: str
    language: str
    row: Row
    published: bool
    edited: bool
    seconds: float
    notice: str
    tags: Sequence[str]
    made_with: Sequence[tuple[str, str]]
    """Role and who did it."""
    files: Sequence[wire.File]
    cover: bool
    film: Picture | None
    chapters: Sequence[Chapter]
    pictures: Sequence[Picture | None]
    """Of each chapter."""
    script: str
    etag: str
    plan: wire.Planned | None
    """What the next round would do, where it is not at it."""
    sound: str
    """Names the sound as it is: another sound has another name."""


@dataclass(frozen=True, slots=True)
class PlanLook:
    """A page of the plan."""

    episodes: Sequence[wire.Planned]
    titles: Mapping[str, str]
    finished: int
    refused: Sequence[Fault]
    next: str | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Looks:
    """Over one service."""

    house: House
    shelf: Shelf
    forecast: Forecast
    surveys_up_to: int = 500
    """With more topic files than this a plan is of what was found in the last round, and the queue is looked at once a
    second, whoever asks: ten thousand take 80 ms of a core."""
    _recent: list[tuple[float, Now]] = field(default_factory=list)

    # -- the queue ------------------------------------------------------------------------------------------------

    def now(self) -> Now:
        recent = self._recent[-1:]
        if recent and monotonic() - recent[0][0] < _RECENT_SECONDS:
            return recent[0][1]
        now = self._now()
        self._recent[:] = [(monotonic(), now)] if len(self.house.files.found()) > self.surveys_up_to else []
        return now

    def _now(self) -> Now:
        house = self.house
        by_state: dict[str, list[Standing]] = {}
        for one in house.board.all().values():
            by_state.setdefault(one.state, []).append(one)
        making, waiting = by_state.get("making", []), by_state.get("waiting", [])
        failed = [*by_state.get("set-aside", []), *by_state.get("failed", [])]
        asked, _ = house.board.queue((one.name, one.signature) for one in house.files.found().values())
        # Before the first survey nobody knows which of them are finished: to call all of them new would alarm.
        unseen = max(0, asked - len(making) - len(waiting)) if house.maker.state != "starting" else 0
        known = self.forecast.of([*making, *waiting[:_ESTIMATED]])
        shown = [_row(one, known.get(one.slug)) for one in waiting[:WAITING_SHOWN]]
        shown += self._unseen(min(unseen, WAITING_SHOWN - len(shown)))
        return Now(
            state=house.maker.state,
            about=house.maker.about,
            paused=house.maker.paused,
            making=[_row(one, known.get(one.slug)) for one in making],
            waiting=shown,
            waits=len(waiting) + unseen,
            failed=[_row(one, None) for one in failed[:FAILED_SHOWN]],
            failures=len(failed),
            refused=[Fault(**facts(error)) for error in house.board.refused[:REFUSED_SHOWN]],
            refusals=len(house.board.refused),
            down=sorted(house.board.down.values(), key=lambda down: down.service),
            left=_left(list(known.values()), len(making) + len(waiting) + unseen),
        )

    def _unseen(self, count: int) -> Iterator[Row]:
        """Topics of files that no survey has seen yet: they must lie still for a moment first."""
        found = self.house.files.found()
        for name, one in reversed(list(found.items())):
            if count <= 0:
                return
            if self.house.board.of_file(one.name, one.signature) is None:
                title = name
                with suppress(PipelineError):
                    title = next((topic.title for topic in self.house.files.read(name).topics), name)
                yield Row("", title, "new")
                count -= 1

    # -- engines and disk -----------------------------------------------------------------------------------------

    def engines(self) -> Sequence[tuple[Sight, wire.Engine]]:
        down = self.house.board.down
        return [(sight, views.engine_of(sight, down)) for sight in self.house.checks.sights()]

    def disks(self) -> Sequence[Disk]:
        places = self.house.project.folders
        found: dict[object, Disk] = {}
        for name, folder in (("input", places.input), ("output", places.output), ("data", places.data)):
            with suppress(OSError):
                while not folder.exists():
                    folder = folder.parent  # noqa: PLW2901  # a new project has no output yet: where it will be
                device, usage = folder.stat().st_dev, shutil.disk_usage(folder)
                before = found.get(device, Disk((), usage.free, usage.total))
                found[device] = replace(before, folders=(*before.folders, name))
        return list(found.values())

    def choices(self) -> Choices:
        voices = views.voices_of(self.house.checks.sights())
        languages = sorted({voice.language for voice in voices if voice.language})
        choices = Choices(tuple(self._styles()), voices, languages)
        with suppress(PipelineError):
            usual = self.house.keeper.at_hand().shop.studio.defaults
            seconds = 60 * (usual.minutes or usual.words / WORDS_PER_MINUTE)
            return replace(choices, style=usual.style, language=usual.language, seconds=seconds)
        return choices

    def _styles(self) -> Iterator[tuple[str, str]]:
        with suppress(OSError, PipelineError):
            desk = self.house.keeper.at_hand().shop.studio.desk
            for path in sorted((self.house.project.config / "prompts").glob("*.md")):
                with suppress(InputError, SettingsError):
                    yield path.stem, desk.style(path.stem).about

    # -- episodes -------------------------------------------------------------------------------------------------

    def items(self, first: int, count: int) -> tuple[Sequence[Item], int]:
        return self.shelf.items(first, count)

    def episode(self, slug: str) -> EpisodeLook:
        """Raises Missing, StoreError."""
        house, output = self.house, self.house.project.folders.output
        found = views.episode_at(slug, output, house.board, house.files.prefix)
        if found is None:
            raise Missing(f"there is no episode {slug!r}")
        manifest = views.manifest_at(slug, output)
        standing = house.board.of(slug) or Standing(slug, "finished")
        estimate = self.forecast.of([standing]).get(slug) if standing.state in {"making", "waiting"} else None
        row = replace(_row(standing, estimate), state=found.state, title=found.title or slug)
        text, etag = house.desk.script(slug) if manifest else (b"", "")
        told = _mapping(manifest.get("script"))
        chapters = self._chapters(slug, text, manifest)
        names = {file.name: file for file in found.files}
        pictures = [self._picture(slug, f"picture-{number:02}.png", names) for number in range(1, len(chapters) + 1)]
        return EpisodeLook(
            slug=slug,
            title=row.title,
            language=str(manifest.get("language") or "en"),
            row=row,
            published=bool(manifest) and _AUDIO in names,
            edited=told.get("edited_by_hand") is True,
            seconds=seconds_of(manifest),
            notice=str(_mapping(manifest.get("ai_generated")).get("notice") or ""),
            tags=[tag for tag in _list(manifest.get("tags")) if isinstance(tag, str)],
            made_with=tuple(_made_with(_mapping(manifest.get("engines")))),
            files=found.files,
            cover=_COVER in names,
            film=next((film for film in _FILMS if film.name in names), None),
            chapters=chapters,
            pictures=pictures,
            script=text.decode("utf-8", "replace"),
            etag=etag,
            plan=self._plan_of(standing),
            sound=names[_AUDIO].sha256[:16] if _AUDIO in names else "",
        )

    def _plan_of(self, standing: Standing) -> wire.Planned | None:
        if standing.state in {"finished", "making"} or not standing.title:
            return None
        with suppress(PipelineError):  # told with the failure itself
            planned = self.forecast.plan(standing)
            return views.planned_of(planned) if planned is not None else None
        return None

    def _chapters(self, slug: str, text: bytes, manifest: Mapping[str, Any]) -> Sequence[Chapter]:
        """None where the script cannot be read: its text is shown as it is, to be mended."""
        if not manifest:
            return ()
        output = self.house.project.folders.output
        heard: Sequence[Heard] = ()
        with suppress(Missing, StoreError, OSError):
            heard = heard_in(read_plain(views.file_at(slug, _TRANSCRIPT, output)))
        claims = _mapping(_mapping(manifest.get("script")).get("claims"))
        unsupported = {one for one in _list(claims.get("unsupported")) if isinstance(one, int)}
        try:
            return chapters_of(script_file.parse(text.decode("utf-8-sig"), where=SCRIPT), heard, unsupported)
        except (InputError, UnicodeDecodeError):
            return ()

    def _picture(self, slug: str, name: str, names: Mapping[str, wire.File]) -> Picture | None:
        if name not in names:
            return None
        with suppress(Missing, StoreError, OSError):
            with open_plain(views.file_at(slug, name, self.house.project.folders.output)) as file:
                size = png_size(file.read(64))
            return Picture(name, *size) if size is not None else None
        return None

    # -- the plan -------------------------------------------------------------------------------------------------

    def plan(self, after: str) -> PlanLook:
        """A page of it. Raises SettingsError, EngineError, StoreError."""
        if len(self.house.files.found()) > self.surveys_up_to and self.house.board.surveyed:
            return self._plan_as_surveyed(after)
        studio = self.house.keeper.at_hand().shop.studio
        survey = studio.survey()
        works = {work.slug: work for work in survey.works}
        names, more = views.page_of(works, after, PLANNED_AT_ONCE)
        planned = studio.plan(replace(survey, works=tuple(works[name] for name in names), whole=False))
        titles = {name: works[name].topic.title for name in names}
        return _plan_look(planned.episodes, titles, len(survey.finished), survey.refused, more)

    def _plan_as_surveyed(self, after: str) -> PlanLook:
        """Of what the round under way has found: ten thousand topic files take seconds to look at again."""
        board = self.house.board.all()
        open_ = {slug: one for slug, one in board.items() if one.state != "finished" and one.title}
        names, more = views.page_of(open_, after, PLANNED_AT_ONCE)
        read: dict[str, TopicFile] = {}
        planned = [one for name in names if (one := self._planned(open_[name], read)) is not None]
        titles = {name: open_[name].title for name in names}
        return _plan_look(planned, titles, len(board) - len(open_), self.house.board.refused, more)

    def _planned(self, standing: Standing, read: dict[str, TopicFile]) -> EpisodePlan | None:
        with suppress(Missing):  # its topic file went away meanwhile
            return self.forecast.plan(standing, read)
        return None


def _plan_look(
    planned: Sequence[EpisodePlan],
    titles: Mapping[str, str],
    finished: int,
    refused: Sequence[PipelineError],
    more: str | None,
) -> PlanLook:
    known = [one.seconds for one in planned if one.seconds is not None]
    return PlanLook(
        episodes=[views.planned_of(one) for one in planned if not one.nothing_to_do],
        titles=titles,
        finished=finished,
        refused=[Fault(**facts(error)) for error in refused[:REFUSED_SHOWN]],
        next=more,
        seconds=sum(known) if known else None,
    )


def _row(one: Standing, estimate: Estimate | None) -> Row:
    left = estimate.left(monotonic()) if estimate is not None else None
    part = None
    if estimate is not None and left is not None and estimate.whole > 0 and one.state == "making":
        part = min(0.99, max(0.02, 1 - left / estimate.whole))
    return Row(one.slug, one.title or one.slug, one.state, one.stage, one.waits_for, left, part, one.error)


def _left(known: Sequence[Estimate], count: int) -> float | None:
    """Seconds for so many episodes, of which these are known."""
    now = monotonic()
    seconds = [left for one in known if (left := one.left(now)) is not None]
    return sum(seconds) / len(seconds) * count if seconds and count else None


def _made_with(engines: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role, named in (("writer", "model"), ("voice", "voice"), ("illustrator", "model")):
        told = _mapping(engines.get(role))
        name = str(told.get(named) or "")
        if name and told.get("engine") != "cards":
            yield role, ", ".join(filter(None, (name, str(told.get("licence") or ""), str(told.get("engine") or ""))))


def seconds_until(when: datetime) -> int:
    """Whole seconds, none where it is past."""
    return max(0, round(when.timestamp() - time.time()))


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
