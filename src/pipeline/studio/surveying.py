"""Which topics there are, and which folder each one's episode has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline import inbox
from pipeline.build.seals import Seals
from pipeline.domain.topic import Topic
from pipeline.records import Records
from pipeline.slugs import assign, source_identity
from pipeline.stages.publish import read_manifest
from pipeline.studio.plans import Folders, Survey, Work


class Surveyor:
    """Looks at a project's `input/`."""

    def __init__(
        self, folders: Folders, seals: Seals, records: Records, defaults: inbox.TopicDefaults, fingerprint: str
    ) -> None:
        self._folders = folders
        self._seals = seals
        self._records = records
        self._defaults = defaults
        self._fingerprint = fingerprint

    def survey(self) -> Survey:
        """Reads only the files whose state, or whose episodes' state, has changed. Raises OSError."""
        scan = inbox.scan(self._folders.input, self._folders.project)
        refused = list(scan.refused)
        finished: list[str] = []
        finished_sources: dict[str, tuple[str, ...]] = {}
        read: list[tuple[inbox.FoundFile, Sequence[Topic], bool]] = []
        for found in scan.files:
            names = self._seals.unbroken(found.name, found.signature, self._fingerprint, self._folders.output)
            if names is not None:
                finished += names
                finished_sources[found.name] = tuple(names)
                continue
            reading = inbox.read(found, defaults=self._defaults)
            refused += reading.refused
            read.append((found, reading.topics, not reading.refused))
        topics = [topic for _, topics, _ in read for topic in topics]
        slugs = assign(topics, self._taken(topics))
        works = tuple(_named(topics, slugs))
        sources = {
            found.name: (found.signature, tuple(slugs[source_identity(topic)] for topic in topics_of))
            for found, topics_of, good in read
            if good
        }
        return Survey(tuple(finished), works, tuple(refused), finished_sources, sources)

    def readable_works(self) -> Iterator[Work]:
        """Every topic that can be read, finished or not."""
        return self._works(inbox.scan(self._folders.input, self._folders.project).files, strict=False)

    def all_works(self) -> list[Work]:
        """Every topic, finished or not. Raises InputError where one cannot be read."""
        scan = inbox.scan(self._folders.input, self._folders.project)
        for refused in scan.refused:
            raise refused
        return list(self._works(scan.files, strict=True))

    def _works(self, files: Iterable[inbox.FoundFile], *, strict: bool) -> Iterator[Work]:
        topics: list[Topic] = []
        for found in files:
            reading = inbox.read(found, defaults=self._defaults)
            for refused in reading.refused if strict else ():
                raise refused
            topics += reading.topics
        return _named(topics, assign(topics, self._taken(topics)))

    def _taken(self, topics: Sequence[Topic]) -> Mapping[str, str]:
        """Which source owns which folder: by the seals, and, where topics are new to those, by what each other
        folder says of itself. Seals are written at the end of a run; a killed one has owners that they do not know.
        """
        taken = dict(self._seals.taken)
        owners = set(taken.values())
        if all(source_identity(topic) in owners for topic in topics):
            return taken
        folders = set(self._records.slugs())
        if self._folders.output.is_dir():
            folders |= {entry.name for entry in os.scandir(self._folders.output)}
        for name in folders - taken.keys():
            identity = read_manifest(self._folders.output / name).get("identity") or self._records.load(name).identity
            if isinstance(identity, str) and identity:
                taken[name] = identity
        return taken


def _named(topics: Sequence[Topic], slugs: Mapping[str, str]) -> Iterator[Work]:
    return (Work(topic, slugs[source_identity(topic)]) for topic in topics)
