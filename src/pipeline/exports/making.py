"""One episode after another into a folder: looked at, made beside its name, then named; what fails holds up no other.

output/<slug>/ ─► every file as its manifest says? ─► whose is the file of that name? ─► made ─► still the same
                              no: refused, by name        a person's: left alone               edition? ─► named,
                                                                                        where nobody's is by now
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import InputError, Interrupted, PipelineError, StoreError
from pipeline.exports import targets
from pipeline.exports.episode import Episode, looked_at
from pipeline.exports.record import Noted, Record, Verdict, judge
from pipeline.exports.targets import Target, Tick
from pipeline.files import disk_error, drop, make_folder, part_of, remove_parts, settle, settle_new
from pipeline.stages.publish import digest_on_disk

Show = Callable[[str, int], Tick]
"""Is told what begins and how many bytes of it there are; what it gives back is told of each stretch of them."""

# What is wrong with the folder is wrong for every episode.
_HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# Longer than any export runs; what is younger may be another one's.
_LEFTOVER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made of each episode."""

    sounds: tuple[str, ...] = ()
    """Of `names.SOUNDS`."""
    pack: Literal["", "zip", "folder"] = ""
    artist: str = ""
    album: str = ""
    force: bool = False
    """Write over what is in the way, whoever made it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file, and what became of it."""

    path: Path
    kind: str
    source: str
    """The episode's file that it was made from (`audio.flac` is without loss); empty for all of them."""
    outcome: Literal["made", "unchanged", "kept"]
    """`kept`: a file that was not made here was in the way and was left alone."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Exported:
    slug: str
    files: tuple[Made, ...]
    problem: str = ""
    """Why there is not all that was asked for."""

    @property
    def whole(self) -> bool:
        return not self.problem and all(made.outcome != "kept" for made in self.files)


def export(
    output: Path, slugs: Sequence[str], folder: Path, wish: Wish, *, now: float, show: Show
) -> Iterator[Exported]:
    """Each episode's files in `folder`, told one episode at a time. `now` is a time in seconds.

    Raises StoreError where the folder can take nothing more, and what `show`'s ticks raise; what is finished stays.
    """
    make_folder(folder)
    remove_parts((folder,), older_than=now - _LEFTOVER_SECONDS)
    record = Record(folder)
    for slug in slugs:
        files: list[Made] = []
        problem = ""
        try:
            episode = looked_at(output, slug)
            wanted = _targets(episode, wish)
            files.extend(_made(target, episode, folder, record, wish, show) for target in wanted)
            _withdraw(wanted, folder, record)
        except Interrupted:
            raise
        except PipelineError as error:
            if isinstance(error, StoreError) and error.errno in _HOPELESS:
                raise
            problem = str(error)
        yield Exported(slug, tuple(files), problem)


def _targets(episode: Episode, wish: Wish) -> list[Target]:
    about = episode.about(artist=wish.artist, album=wish.album)
    wanted = [targets.sound(episode, kind, about) for kind in wish.sounds]
    if wish.pack == "zip":
        wanted.append(targets.zipped(episode))
    elif wish.pack == "folder":
        wanted += targets.unzipped(episode)
    return wanted


def _made(target: Target, episode: Episode, folder: Path, record: Record, wish: Wish, show: Show) -> Made:
    path = folder / target.name
    _keep_within(folder, target.name)

    def told(outcome: Literal["made", "unchanged", "kept"]) -> Made:
        return Made(path, target.kind, target.source, outcome, path.lstat().st_size)

    if path.is_symlink() and not wish.force:
        return told("kept")
    there = digest_on_disk(path)
    verdict = judge(target.key, record.all().get(target.name), there, force=wish.force)
    if verdict is Verdict.KEEP:
        return told("kept")
    if verdict is Verdict.UP_TO_DATE:
        return told("unchanged")
    make_folder(path.parent)
    part = part_of(path)
    try:
        target.write(part, show(f"{episode.slug}: {path.name}", target.bytes_read))
        _sync(part)
        if not episode.still_so():
            raise InputError(
                "a run published it anew while it was exported", where=episode.slug, hint="Export it again."
            )
        digest = digest_on_disk(part)
        if verdict is Verdict.COMPARE and digest != there:
            return told("kept")
        if (digest != there or path.is_symlink()) and not _named(part, path, there, force=wish.force):
            return told("kept")
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        drop(part)
    record.note(target.name, Noted(target.key, digest or ""))
    return told("unchanged" if digest == there else "made")


def _named(part: Path, path: Path, there: str | None, *, force: bool) -> bool:
    """Give a finished file its name, unless something else lies there than what was looked at before: it took minutes
    to make. Returns whether it has it. Raises OSError, StoreError.
    """
    if force:
        settle(part, path)
    elif there is None:
        try:
            settle_new(part, path)
        except FileExistsError:
            return False
    elif path.is_symlink() or digest_on_disk(path) != there:
        return False
    else:
        settle(part, path)
    return True


def _keep_within(folder: Path, name: str) -> None:
    """Raises InputError where a folder below the one that is exported to is a link: what is written there would lie
    elsewhere.
    """
    for above in Path(name).parents:
        if (folder / above).is_symlink() and above != Path():
            raise InputError("a link stands where a folder is needed", where=str(folder / above), hint="Move it away.")


def _sync(part: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _withdraw(wanted: Sequence[Target], folder: Path, record: Record) -> None:
    """Remove from an unpacked episode what an earlier edition had and this one has not, where it is as it was made."""
    now = {target.name for target in wanted}
    packs = {name.partition("/")[0] for name in now if "/" in name}
    for name, noted in record.all().items():
        if name in now or name.partition("/")[0] not in packs or ".." in Path(name).parts:
            continue
        _keep_within(folder, name)
        if digest_on_disk(folder / name) == noted.sha256 and not (folder / name).is_symlink():
            (folder / name).unlink(missing_ok=True)
            record.note(name, None)
