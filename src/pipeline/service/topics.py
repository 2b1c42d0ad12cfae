"""Topics that come over the API: files in `input/` like every other, whole on the disk before anybody is told so.

A name that somebody sends is never made a path: it is looked for among the names that the inbox found. A new file's
name is made here, from its title.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, time

from pipeline import inbox
from pipeline.domain.topic import Topic
from pipeline.errors import InputError
from pipeline.files import (
    chunks_of,
    disk_error,
    drop,
    make_folder,
    open_plain,
    read_plain,
    remove_parts,
    stage,
    sync_folder,
    write_chunks,
)
from pipeline.inbox import FoundFile
from pipeline.service.problems import Missing, Stale
from pipeline.slugs import slug_of

# After so long the folder is looked at again, beside the calls; after so long, before a call is answered. Ten thousand
# files take up to half a second on a busy machine.
_LOOK_SECONDS, _OLDEST_LOOK_SECONDS = 1.0, 10.0
# JSON leaves these as they are, and YAML does not take them, or takes them for line ends.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NUMBERED = 1000
_TIDY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class TopicFile:
    """One topic file as it is now."""

    name: str
    """Below the input folder: `moon.md`."""
    data: bytes
    topics: tuple[Topic, ...]
    refused: tuple[InputError, ...]
    modified: float
    """Seconds since 1970."""

    @property
    def etag(self) -> str:
        return etag_of(self.data)


@dataclass(slots=True)
class TopicFiles:
    """The topic files of one project. Thread-safe."""

    folder: Path
    project: Path
    trash: Path
    defaults: Callable[[], inbox.TopicDefaults]
    _writing: Lock = field(default_factory=Lock)
    _looking: Lock = field(default_factory=Lock)
    _seen: Mapping[str, FoundFile] = field(default_factory=dict)
    _noting: Lock = field(default_factory=Lock)
    _changes: int = 0
    _seen_at: float = float("-inf")

    @property
    def prefix(self) -> str:
        """What the inbox writes before a file's name: `input/`."""
        with suppress(ValueError):
            return f"{self.folder.relative_to(self.project).as_posix()}/"
        return f"{self.folder.name}/"

    def tidy(self) -> None:
        """Take away what a killed service was writing into the folder an hour ago or longer."""
        remove_parts((self.folder,), older_than=time() - _TIDY_SECONDS)

    def found(self) -> Mapping[str, FoundFile]:
        """Every topic file by its name: as of a few seconds ago, but for what was written here since."""
        age = monotonic() - self._seen_at
        if age > _OLDEST_LOOK_SECONDS:
            with self._looking:
                if monotonic() - self._seen_at > _OLDEST_LOOK_SECONDS:
                    self._look()
        elif age > _LOOK_SECONDS and self._looking.acquire(blocking=False):
            Thread(target=self._look_beside, name="topics", daemon=True).start()
        return self._seen

    def _look_beside(self) -> None:
        try:
            self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        begun, changes = monotonic(), self._changes
        scan = inbox.scan(self.folder, self.project)
        with self._noting:
            if changes == self._changes:  # else what was written meanwhile may be missing; the next look has it
                self._seen = {one.name.removeprefix(self.prefix): one for one in scan.files}
                self._seen_at = begun

    def _note(self, name: str, path: Path | None) -> None:
        """What was just written is known at once, or taken away."""
        with self._noting:
            seen = {one: found for one, found in self._seen.items() if one != name}
            if path is not None:
                status = path.stat()
                signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                seen[name] = FoundFile(str(path), f"{self.prefix}{name}", signature)
            self._seen = seen
            self._changes += 1

    def read(self, name: str) -> TopicFile:
        """Raises Missing, StoreError."""
        found = self.found().get(name)
        if found is None:
            raise _missing(name)
        try:
            with open_plain(found.path) as file:
                data = file.read(self.defaults().max_bytes + 1)
                status = os.fstat(file.fileno())
        except FileNotFoundError:
            raise _missing(name) from None
        modified = status.st_mtime
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        found = FoundFile(found.location, found.name, signature)
        reading = inbox.read(found, defaults=self.defaults())
        return TopicFile(name, data, reading.topics, reading.refused, modified)

    def create(self, text: str, topic: Topic, *, name: str | None = None) -> TopicFile:
        """Put a checked topic into `input/`; on the disk when this returns. `name` is one that was promised before.

        Raises StoreError.
        """
        data = text.encode()
        make_folder(self.folder)
        part = stage(self.folder / "topic.md", data)
        try:
            with self._writing:
                final = self._placed(part, self.folder / name if name else None, slug_of(topic.title, topic.language))
                sync_folder(self.folder)
        except OSError as error:
            raise disk_error(error, self.folder) from error
        finally:
            drop(part)
        self._note(final.name, final)
        return TopicFile(final.name, data, (topic,), (), final.stat().st_mtime)

    def _placed(self, part: Path, promised: Path | None, stem: str) -> Path:
        """Give a finished file a name that no other file has. Raises OSError."""
        if promised is not None and (_linked(part, promised) or read_plain(promised) == read_plain(part)):
            return promised
        for number in range(1, _NUMBERED):
            final = self.folder / (f"{stem}.md" if number == 1 else f"{stem}-{number}.md")
            if _linked(part, final):
                return final
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def free_name(self, topic: Topic) -> str:
        """The name that a new topic's file would have now."""
        stem = slug_of(topic.title, topic.language)
        names = (f"{stem}.md" if number == 1 else f"{stem}-{number}.md" for number in range(1, _NUMBERED))
        return next((name for name in names if not (self.folder / name).exists()), f"{stem}-{_NUMBERED}.md")

    def replace(self, name: str, text: str, etag: str) -> TopicFile:
        """Put other text in a file's place. Raises Missing, Stale, InputError for what is no topic, StoreError."""
        data = text.encode()
        with self._writing:
            self._as_read(name, etag)
            path = self.found()[name].path
            self.checked(text, name)
            write_chunks(path, (data,))
        self._note(name, path)
        return self.read(name)

    def checked(self, text: str, name: str) -> tuple[Topic, ...]:
        """The topics of a text. Raises InputError with every fault in it."""
        make_folder(self.trash)
        part = stage(self.trash / name.rpartition("/")[2], text.encode())
        # The inbox knows a format by its file's ending.
        trial = part.with_name(f"{part.name}{Path(name).suffix}")
        try:
            part.rename(trial)
            seen = trial.stat()
            signature = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
            found = inbox.FoundFile(str(trial), f"{self.prefix}{name}", signature)
            reading = inbox.read(found, defaults=self.defaults())
        except OSError as error:
            raise disk_error(error, trial) from error
        finally:
            drop(trial)
            drop(part)
        refuse(reading.refused)
        return reading.topics

    def delete(self, name: str, etag: str | None) -> Path:
        """Move a file to the trash; returns where it lies. Raises Missing, Stale, StoreError."""
        with self._writing:
            if etag is not None:
                self._as_read(name, etag)
            found = self.found().get(name)
            if found is None:
                raise _missing(name)
            make_folder(self.trash)
            kept = self.trash / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{name.replace('/', '-')}"
            try:
                self._moved(found.path, kept)
            except FileNotFoundError:
                raise _missing(name) from None
            except OSError as error:
                raise disk_error(error, found.path) from error
        self._note(name, None)
        return kept

    def _moved(self, path: Path, kept: Path) -> None:
        try:
            path.rename(kept)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            write_chunks(kept, chunks_of(path))  # input and data are different file systems, as in containers
            path.unlink()
        sync_folder(kept.parent)
        sync_folder(path.parent)

    def _as_read(self, name: str, etag: str) -> None:
        if self.read(name).etag != etag and etag != "*":
            raise changed_since(f"{self.prefix}{name}")


def changed_since(where: str) -> Stale:
    return Stale("it was changed since it was read", where=where, hint="Read it again, and change that.")


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def text_of(fields: Mapping[str, object]) -> str:
    """A topic's fields as a Markdown file with front matter; `notes` stand below it. Empty ones are left out."""
    front = [f"{name}: {_yaml(value)}" for name, value in fields.items() if name != "notes" and value is not None]
    notes = str(fields.get("notes") or "")
    return (
        "\n".join(["---", *front, "---", "", notes.rstrip("\n"), ""])
        if notes
        else "\n".join(["---", *front, "---", ""])
    )


def _yaml(value: object) -> str:
    """JSON is YAML but for a few signs, which are written by their numbers."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def refuse(faults: Sequence[InputError]) -> None:
    """Raise what is wrong, all at once, where something is. Raises InputError."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InputError(
            "; ".join(str(fault) for fault in faults),
            where=faults[0].where.split(":")[0],
            hint="Mend each of them, and send it again.",
        )


def _linked(part: Path, final: Path) -> bool:
    """Give a file its name unless another has it. Raises OSError."""
    try:
        os.link(part, final)
    except FileExistsError:
        return False
    except OSError as error:
        # File systems without hard links (FAT, some FUSE and network mounts); the service writes one at a time.
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        if final.exists():
            return False
        part.rename(final)
    return True


def _missing(name: str) -> Missing:
    return Missing(f"there is no topic file {name!r}", hint="GET /api/v1/topics lists them.")
