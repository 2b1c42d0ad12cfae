"""Which files an episode is exported to, what each is made of, and how it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from pipeline.errors import InputError
from pipeline.exports.episode import PUBLISHED, Episode
from pipeline.exports.names import file_name
from pipeline.files import chunks_of
from pipeline.media import page
from pipeline.media.export import WRITERS, About
from pipeline.stages.publish import MANIFEST, digest_on_disk

Tick = Callable[[int], None]

# Bumped by hand when the same episode gives other bytes.
_VERSION = 1
_PAGE = "index.html"
# What a ZIP can tell of time (APPNOTE 4.4.6: MS-DOS) begins here.
_EARLIEST = datetime(1980, 1, 1)  # noqa: DTZ001  # a ZIP's times have no zone
_LATEST_YEAR = 2107
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3

# Opening the folder shows the episode, and the link to all episodes leads somewhere.
_FRONT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={slug}/index.html">
<title>{slug}</title>
</head>
<body><p><a href="{slug}/index.html">{slug}</a></p></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be made."""

    name: str
    """Its path below the folder that is exported to."""
    kind: str
    source: str
    """The episode's file that it is made from, or empty for all of them."""
    key: str
    bytes_read: int
    """How much there is to do."""
    write: Callable[[Path, Tick], None]
    """Puts it under a new name. Raises OSError, InputError, and what the tick raises."""


def sound(episode: Episode, kind: str, about: About) -> Target:
    """The programme as `kind`; an MP3 is the published one, to the byte."""
    name = file_name(episode.entry.title, episode.slug, kind)
    if kind == "mp3":
        return _copy(episode, kind, PUBLISHED, name)
    of = episode.sound
    published = episode.entry.files[of.path.name]

    def write(path: Path, tick: Tick) -> None:
        from av.error import FFmpegError

        try:
            WRITERS[kind](path, of, about, tick)
        except OSError:  # av's own are both
            raise
        except FFmpegError as error:
            raise InputError(
                f"its sound cannot be decoded ({error})",
                where=str(of.path),
                hint="pipeline verify says whether the file was changed; pipeline run puts it right.",
            ) from error
        if digest_on_disk(of.path) != published.sha256:
            raise _changed(of.path)

    tags = about.tags
    made_of = {
        "tags": [tags.title, tags.language, tags.artist, tags.album, tags.date, tags.genre, tags.comment],
        "chapters": [[one.title, one.span.start, one.span.end] for one in about.chapters],
        "cover": hashlib.sha256(about.cover.picture).hexdigest() if about.cover else None,
        "loudness": about.loudness_lufs,
        "sound": published.sha256,
        "encoder": f"av {version('av')}",
    }
    return Target(name, kind, of.path.name, _key(kind, made_of), published.bytes, write)


def zipped(episode: Episode) -> Target:
    """All that the episode consists of in one ZIP, stored and not deflated: sound and pictures do not get smaller,
    and the bytes depend on no library.
    """
    name = file_name(episode.entry.title, episode.slug, "zip")
    when = _moment(episode.entry.facts)

    def write(path: Path, tick: Tick) -> None:
        with ZipFile(path, "w", ZIP_STORED) as archive:
            for one in _all_files(episode):
                entry = ZipInfo(one.name, when)
                entry.create_system, entry.external_attr, entry.file_size = _UNIX, _PLAIN_FILE, one.bytes_read
                with archive.open(entry, "w") as file:
                    for chunk in one.chunks():
                        file.write(chunk)
                        tick(len(chunk))

    parts = _all_files(episode)
    return Target(
        name,
        "zip",
        "",
        _key("zip", [[one.name, one.sha256] for one in parts] + [list(when)]),
        sum(one.bytes_read for one in parts),
        write,
    )


def unzipped(episode: Episode) -> list[Target]:
    """What the ZIP would unpack to, in a folder of its name; the manifest is the last to come."""
    folder = file_name(episode.entry.title, episode.slug)
    files = sorted(_all_files(episode), key=lambda one: (one.name.endswith(f"/{MANIFEST}"), one.name))
    return [one.as_target(f"{folder}/{one.name}", "folder") for one in files]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of an episode, by its name in a pack."""

    name: str
    sha256: str
    bytes_read: int
    chunks: Callable[[], Iterable[bytes]]

    def as_target(self, name: str, kind: str) -> Target:
        def write(path: Path, tick: Tick) -> None:
            with path.open("xb") as file:
                for chunk in self.chunks():
                    file.write(chunk)
                    tick(len(chunk))

        return Target(name, kind, "", _key("copy", self.sha256), self.bytes_read, write)


def _copy(episode: Episode, kind: str, published: str, name: str) -> Target:
    return replace(_published(episode, published).as_target(name, kind), source=published)


def _all_files(episode: Episode) -> list[_File]:
    """The episode's own files, and what its page is shown with, as they lie in `output/`."""
    files = [_published(episode, name) for name in episode.entry.files]
    manifest = episode.folder / MANIFEST
    files.append(_File(f"{episode.slug}/{MANIFEST}", *_measured(episode), lambda: chunks_of(manifest)))
    if episode.entry.has(_PAGE):
        files += [_given(f"assets/{name}", page.asset(name)) for name in page.ASSETS]
        files.append(_given(_PAGE, _FRONT.format(slug=episode.slug).encode()))
    return sorted(files, key=lambda one: one.name)


def _measured(episode: Episode) -> tuple[str, int]:
    return episode.manifest_sha256, (episode.folder / MANIFEST).stat().st_size


def _published(episode: Episode, name: str) -> _File:
    about = episode.entry.files[name]
    path = episode.folder / name
    return _File(f"{episode.slug}/{name}", about.sha256, about.bytes, lambda: _checked(path, about.sha256))


def _given(name: str, data: bytes) -> _File:
    return _File(name, hashlib.sha256(data).hexdigest(), len(data), lambda: (data,))


def _checked(path: Path, sha256: str) -> Iterator[bytes]:
    """A file's bytes; raises InputError after the last one where they are others than the manifest tells of."""
    digest = hashlib.sha256()
    for chunk in chunks_of(path):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise _changed(path)


def _changed(path: Path) -> InputError:
    return InputError("it changed while it was exported", where=str(path), hint="Export it again.")


def _moment(facts: Mapping[str, object]) -> tuple[int, int, int, int, int, int]:
    """When the episode was made, as a ZIP tells it: the same whenever it is exported."""
    when = _EARLIEST
    with suppress(ValueError):
        told = datetime.fromisoformat(str(facts.get("made_at")))
        if _EARLIEST.year <= told.year <= _LATEST_YEAR:
            when = told
    return when.year, when.month, when.day, when.hour, when.minute, when.second


def _key(kind: str, made_of: object) -> str:
    return hashlib.sha256(json.dumps([_VERSION, kind, made_of], sort_keys=True).encode()).hexdigest()
