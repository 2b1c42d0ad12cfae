"""What is known, in the words of the API. Reads; changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import nsmallest
from pathlib import Path
from typing import TypeVar

from pipeline.inbox import FoundFile
from pipeline.net.outages import Down
from pipeline.ports import Identity, VoiceIdentity
from pipeline.report.reasons import reasons
from pipeline.service import wire
from pipeline.service.board import Board
from pipeline.service.board import Standing as Stands
from pipeline.service.checks import Sight
from pipeline.service.problems import Missing, facts
from pipeline.service.surveys import Look
from pipeline.service.topics import TopicFile, TopicFiles
from pipeline.stages.publish import MANIFEST, read_manifest
from pipeline.studio import EpisodePlan

T = TypeVar("T")

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,119}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
# A file with several topics stands as the worst of them does.
_WORST = ("set-aside", "failed", "making", "waiting", "held", "finished")


def page_of(names: Iterable[str], after: str, limit: int) -> tuple[list[str], str | None]:
    """The next names in their order, and the last of them where more follow."""
    rest = nsmallest(limit + 1, (name for name in names if name > after))
    return rest[:limit], rest[limit - 1] if len(rest) > limit else None


# -- topics ---------------------------------------------------------------------------------------------------------


def topic_of(name: str, found: FoundFile, board: Board, prefix: str) -> wire.Topic:
    episodes = board.of_file(found.name, found.signature)
    return wire.Topic(
        name=name,
        bytes=found.signature[0],
        modified=found.signature[1] / 1e9,
        state=_state_of(episodes),  # type: ignore[arg-type]  # one of _WORST, or the two beside it
        episodes=[standing_of(one, prefix) for one in episodes or ()],
    )


def _state_of(episodes: tuple[Stands, ...] | None) -> str:
    if episodes is None:
        return "new"
    return next((state for state in _WORST if any(one.state == state for one in episodes)), "refused")


def whole_topic_of(topic: TopicFile, files: TopicFiles, board: Board) -> wire.WholeTopic:
    found = files.found().get(topic.name)
    brief = topic_of(topic.name, found, board, files.prefix) if found is not None else None
    return wire.WholeTopic(
        name=topic.name,
        bytes=len(topic.data),
        modified=topic.modified,
        state=brief.state if brief is not None else "new",
        episodes=brief.episodes if brief is not None else [],
        text=topic.data.decode("utf-8", "replace"),
        titles=[one.title for one in topic.topics],
        refused=[wire.Fault(**facts(error)) for error in topic.refused],
    )


# -- episodes -------------------------------------------------------------------------------------------------------


def slugs_on_disk(output: Path) -> list[str]:
    """The folders of `output/` that may be episodes; whether they are is looked at one by one."""
    try:
        with os.scandir(output) as entries:  # which knows a folder without asking the disk again
            return [entry.name for entry in entries if _SLUG.fullmatch(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []


def standing_of(one: Stands, prefix: str) -> wire.Standing:
    return wire.Standing(
        episode=one.slug,
        state=one.state,
        title=one.title,
        topic=one.source.removeprefix(prefix),
        stage=one.stage,
        waits_for=one.waits_for or None,  # type: ignore[arg-type]  # one of the three that a studio has
        made=one.made,
        seconds=round(one.seconds, 3),
        error=fault_of(one.error),
    )


def episode_at(slug: str, output: Path, board: Board, prefix: str) -> wire.Episode | None:
    """An episode by its name; None where there is none, on the disk or in the queue."""
    if not _SLUG.fullmatch(slug):
        return None
    known = board.of(slug)
    manifest = manifest_at(slug, output)
    if known is None and not manifest:
        return None
    title, about = manifest.get("title"), manifest.get("source")
    source = about.get("path") if isinstance(about, Mapping) else ""
    if known is None:
        standing = wire.Standing(
            episode=slug, state="kept", title="", topic="", stage="", waits_for=None, made=0, seconds=0.0, error=None
        )
    else:
        standing = standing_of(known, prefix)
    told = standing.model_dump()
    told["title"] = told["title"] or (title if isinstance(title, str) else "")
    told["topic"] = told["topic"] or (str(source or "").removeprefix(prefix) if known is not None else "")
    return wire.Episode(**told, published=bool(manifest), files=files_of(manifest))


def manifest_at(slug: str, output: Path) -> Mapping[str, object]:
    """What an episode's manifest says; empty where there is none, or the name can be no episode's."""
    folder = output / slug
    return {} if not _SLUG.fullmatch(slug) or folder.is_symlink() else read_manifest(folder)


def files_of(manifest: Mapping[str, object]) -> list[wire.File]:
    files = manifest.get("files")
    if not isinstance(files, Mapping):
        return []
    return [
        wire.File(name=name, bytes=entry["bytes"], sha256=entry["sha256"])
        for name, entry in files.items()
        if isinstance(name, str)
        and _FILE.fullmatch(name)
        and isinstance(entry, Mapping)
        and isinstance(entry.get("bytes"), int)
        and isinstance(entry.get("sha256"), str)
    ]


def file_at(slug: str, name: str, output: Path) -> Path:
    """A published file, by a name that the manifest lists. Raises Missing."""
    path = output / slug / name
    if manifest := manifest_at(slug, output):
        listed = {MANIFEST, *(one.name for one in files_of(manifest))}
        if name in listed and path.is_file() and not path.is_symlink():
            return path
    raise Missing(f"there is no file {name!r} of {slug!r}", hint="GET /api/v1/episodes/{episode} lists its files.")


def planned_of(episode: EpisodePlan) -> wire.Planned:
    return wire.Planned(
        episode=episode.work.slug,
        nothing_to_do=episode.nothing_to_do,
        whole=episode.whole,
        edited_by_hand=episode.edited,
        seconds=episode.seconds,
        why=list(reasons(episode)) if episode.error is None else [],
        publish=list(episode.to_publish),
        error=fault_of(facts(episode.error)) if episode.error is not None else None,
    )


# -- engines --------------------------------------------------------------------------------------------------------


def engine_of(sight: Sight, down: Mapping[str, Down]) -> wire.Engine:
    waited_for = down.get(sight.role)
    return wire.Engine(
        role=sight.role,  # type: ignore[arg-type]  # one of the three that `project` names
        name=sight.name,
        why=sight.why,
        ready=sight.ready and waited_for is None,
        checked=sight.at,
        model=model_of(sight.role, sight.identity) if sight.identity is not None else None,
        error=fault_of(sight.error),
        waited_for=wait_of(waited_for) if waited_for is not None else None,
    )


def wait_of(down: Down) -> wire.Wait:
    return wire.Wait(
        service=down.service,  # type: ignore[arg-type]  # one of the three that a studio has
        where=down.where,
        why=down.why,
        hint=down.hint,
        since=down.since.timestamp(),
        next_try=down.next_try.timestamp(),
    )


def model_of(role: str, identity: Identity) -> wire.Model:
    return wire.Model(
        role=role, engine=identity.engine, name=identity.name, sha256=identity.digest, licence=identity.licence
    )


def models_of(sights: Iterable[Sight]) -> list[wire.Model]:
    found = []
    for sight in sights:
        found += [model_of(sight.role, sight.identity)] if sight.identity is not None else []
        found += [model_of(sight.role, voice) for _, voice in sorted(sight.voices.items())]
    return found


def voices_of(sights: Iterable[Sight]) -> list[wire.Voice]:
    return [voice_of(name, voice) for sight in sights for name, voice in sorted(sight.voices.items())]


def voice_of(name: str, voice: VoiceIdentity) -> wire.Voice:
    return wire.Voice(name=name, language=voice.language, licence=voice.licence, speakers=list(voice.speakers))


def fault_of(said: Mapping[str, str] | None) -> wire.Fault | None:
    if said is None:
        return None
    return wire.Fault(code=said["code"], detail=said["detail"], where=said["where"], hint=said["hint"])


def plan_of(look: Look, after: str, limit: int) -> wire.Plan:
    """A page of what the next round would make, in the order of the episodes' names."""
    works = {work.slug: work for work in look.survey.works}
    names, more = page_of(works, after, limit)
    page = replace(look.survey, works=tuple(works[name] for name in names), whole=False)
    return wire.Plan(
        items=[planned_of(one) for one in look.studio.plan(page).episodes],
        next=more,
        finished=len(look.survey.finished),
        refused=[wire.Fault(**facts(error)) for error in look.survey.refused[: wire.MOST_ITEMS]],
        as_of=look.at,
    )
