"""Putting a finished episode where people find it, and remembering what it was made from and by whom."""

from __future__ import annotations

from dataclasses import replace

from pipeline.build.plan import Trail
from pipeline.build.seals import Seals, states_of
from pipeline.build.store import Store, held
from pipeline.errors import StoreError
from pipeline.files import make_folder
from pipeline.records import Home, Record, Records, device_of
from pipeline.slugs import source_identity
from pipeline.stages.publish import MANIFEST, SCRIPT, Edition, Published, digest_on_disk, publish
from pipeline.studio import earlier
from pipeline.studio.plans import Folders, Survey, Work
from pipeline.studio.shelf import Shelf


class Publisher:
    """Of one project. Thread-safe: an episode is published under its own lock."""

    def __init__(
        self, folders: Folders, store: Store, seals: Seals, records: Records, shelf: Shelf, fingerprint: str
    ) -> None:
        self._output = folders.output
        self._store = store
        self._seals = seals
        self._records = records
        self._shelf = shelf
        self._fingerprint = fingerprint
        self._home = Home(folders.data / "output.json")
        self._device: int | None = None
        """What the output folder was on when the run began."""
        self._sealed: set[str] = set()
        """The episodes sealed by this run."""

    def look(self) -> None:
        """Raises StoreError where the output folder is gone with its volume: all would be made anew."""
        self._home.check(self._output)

    def begin(self) -> None:
        """A run begins: the folder that is there now is the one that is published to. Raises StoreError."""
        self.look()
        make_folder(self._output)
        self._device = device_of(self._output)
        if next(iter(self._shelf.episodes()), None) is not None:
            self._home.note(self._output)

    def publish(self, work: Work, edition: Edition, trail: Trail, record: Record) -> Published:
        """Bring the episode's folder to what the edition says. Raises StoreError, InputError."""
        folder = self._output / work.slug
        make_folder(self._store.folder / "locks")
        with held(self._store.folder / "locks" / f"episode-{work.slug}"):
            self._keep_off_another_device()  # before anything is believed of what lies there
            before = self._shelf.ours(work.slug, record)
            digest = str(edition.entries[SCRIPT]["sha256"])
            scripts: tuple[str, ...] = ()
            if SCRIPT in edition.pieces:
                # Known as ours before it is there: a run killed between script and manifest must not find its own
                # script and take it for a person's. The one that it replaces is ours for as long as it stands.
                replaced = digest_on_disk(folder / SCRIPT)
                scripts = (*((replaced,) if replaced in before and replaced != digest else ()), digest)
            manifest, replaced = edition.manifest_sha256, digest_on_disk(folder / MANIFEST)
            going = (replaced,) if replaced in record.manifests and replaced != manifest else ()
            now = replace(
                record,
                trail=trail,
                scripts=scripts,
                identity=source_identity(work.topic),
                engines=earlier.remembered(edition, record),
                origin=dict(edition.origin or {}),
                manifests=(*going, manifest),
            )
            if now != record:
                self._records.save(work.slug, now)
            published = publish(edition, folder, ours={*before, digest})
            self._home.note(self._output)
            settled = replace(now, scripts=scripts[-1:], manifests=(manifest,))
            if settled != now:  # what was replaced is ours no longer: whoever brings it back wants it
                self._records.save(work.slug, settled)
            self._seal_episode(work, edition, published)
        return published

    def _keep_off_another_device(self) -> None:
        """Raises StoreError where the output folder's volume has come or gone since the run began: what is published
        now would lie elsewhere than the rest.
        """
        if self._device is not None and device_of(self._output) != self._device:
            raise StoreError(
                "the folder is on another device than when the run began: a volume was mounted or taken away",
                where=str(self._output),
                hint="Mount it as it was and run it again; what was made is kept.",
            )

    def _seal_episode(self, work: Work, edition: Edition, published: Published) -> None:
        """Seal what was published, unless someone has changed the script since: first the states, then the look at
        what is there, so that a change after the look is a change of state.
        """
        states = states_of(published.folder, published.files)
        if digest_on_disk(published.folder / SCRIPT) == edition.entries[SCRIPT]["sha256"]:
            self._seals.seal(work.slug, self._fingerprint, states)
            self._sealed.add(work.slug)
        self._seals.taken[work.slug] = source_identity(work.topic)

    def seal(self, survey: Survey) -> None:
        """A run is over: what it finished need not be looked into by the next one."""
        if not survey.works and not survey.sources:
            return
        for name, (state, slugs) in survey.sources.items():
            # A file's new state is only known to be dealt with when each of its episodes was finished in this run.
            if self._sealed.issuperset(slugs):
                self._seals.sources[name] = (state, list(slugs))
        self._seals.save()
