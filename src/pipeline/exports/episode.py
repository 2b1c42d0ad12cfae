"""A published episode as an export needs it, and why one cannot be exported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pipeline.domain.timeline import Chapter, Span
from pipeline.errors import InputError
from pipeline.files import read_plain
from pipeline.media.encode import Tags
from pipeline.media.export import About, Cover, Sound
from pipeline.site.entries import Entry, entries_of
from pipeline.stages.publish import MANIFEST, digest_on_disk, verify

LOSSLESS = "audio.flac"
PUBLISHED = "audio.mp3"
_COVERS = ("cover.jpg", "cover.png")


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode whose files were all what its manifest says."""

    folder: Path
    entry: Entry
    manifest_sha256: str

    @property
    def slug(self) -> str:
        return self.entry.slug

    @property
    def sound(self) -> Sound:
        """What other kinds of sound are made from: the lossless programme where it was published."""
        if self.entry.has(LOSSLESS):
            return Sound(self.folder / LOSSLESS, "flac")
        return Sound(self.folder / PUBLISHED, "mp3")

    def about(self, *, artist: str, album: str) -> About:
        """What its files of sound say of themselves. Raises InputError for a cover that is no picture."""
        entry = self.entry
        tags = Tags(
            title=entry.title,
            language=entry.language,
            artist=artist,
            album=album,
            date=entry.date.date().isoformat(),
            comment=entry.notice,
        )
        return About(tags, _chapters(entry), self._cover(), _loudness(entry))

    def still_so(self) -> bool:
        """Whether it is still the edition that was looked at: a run may have published another one since."""
        return digest_on_disk(self.folder / MANIFEST) == self.manifest_sha256

    def _cover(self) -> Cover | None:
        name = next((name for name in _COVERS if self.entry.has(name)), None)
        if name is None:
            return None
        picture = read_plain(self.folder / name)
        try:
            return Cover.parse(picture)
        except ValueError as error:
            raise InputError(
                "the cover is no picture", where=str(self.folder / name), hint="`pipeline run` makes it again."
            ) from error


def found(output: Path) -> tuple[str, ...]:
    """The slugs of everything that is published in `output`, also of what cannot be exported."""
    entries, hidden = entries_of(output)
    return tuple(sorted([*(entry.slug for entry in entries), *(one.slug for one in hidden)]))


def looked_at(output: Path, slug: str) -> Episode:
    """The episode, once every file of it was read and found to be what its manifest says.

    Raises InputError that names what is wrong, StoreError for a file that cannot be read.
    """
    folder = output / slug
    if Path(slug).name != slug or slug in {".", ".."} or not (folder / MANIFEST).is_file():
        raise InputError("there is no such episode", where=slug, hint="`pipeline status` names them all.")
    before = digest_on_disk(folder / MANIFEST)
    entries, hidden = entries_of(output, [slug])
    faults: Iterable[str] = verify(folder) or [one.why for one in hidden]
    if faults or not entries or before is None:
        raise InputError(
            f"not exported, because {'; '.join(faults) or 'it changed meanwhile'}",
            where=slug,
            hint="`pipeline run` makes it right; `pipeline verify` shows how all of them stand.",
        )
    return Episode(folder, entries[0], before)


def _chapters(entry: Entry) -> tuple[Chapter, ...]:
    """From each start to the next one and the last to the end; one without a title has the episode's."""
    spans = pairwise([*(chapter.start for chapter in entry.chapters), entry.seconds])
    return tuple(
        Chapter(chapter.title or entry.title, Span(start, end))
        for chapter, (start, end) in zip(entry.chapters, spans, strict=True)
        if 0 <= start < end
    )


def _loudness(entry: Entry) -> float | None:
    told = entry.facts.get("audio")
    loudness = told.get("loudness_lufs") if isinstance(told, dict) else None
    return float(loudness) if isinstance(loudness, int | float) else None
