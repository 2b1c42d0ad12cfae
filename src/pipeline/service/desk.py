"""What the API's writing calls do, one after the other: topics once for each key, edits of scripts, what is called off.

Every one of them is a file on the disk when it returns; the maker is only told that there is something to look at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pipeline.build.store import held
from pipeline.errors import InputError
from pipeline.files import make_folder, read_plain, write_whole
from pipeline.records import Failures
from pipeline.service.maker import Maker
from pipeline.service.problems import Missing, Mistaken, Stale
from pipeline.service.promises import Promises
from pipeline.service.topics import TopicFile, TopicFiles, changed_since, etag_of, text_of
from pipeline.service.views import manifest_at
from pipeline.service.wire import NewTopic
from pipeline.stages.publish import SCRIPT
from pipeline.text import script_file

_NEW = "new.md"


@dataclass(frozen=True, slots=True)
class Desk:
    files: TopicFiles
    promises: Promises
    maker: Maker
    output: Path
    data: Path
    _one_at_a_time: Lock = field(default_factory=Lock)

    # -- topics -----------------------------------------------------------------------------------------------------

    def create(self, asked: NewTopic, key: str | None) -> tuple[TopicFile, bool]:
        """The topic, on the disk, and whether an earlier call with this key had made it.

        Raises InputError, StoreError, and Mistaken where the key was used for something else.
        """
        fields = asked.model_dump(mode="json", exclude_none=True)
        text = text_of(fields)
        try:
            (topic,) = self.files.checked(text, _NEW)
        except InputError as error:
            raise InputError(error.what, hint=error.hint) from error
        if key is None:
            made, again = self.files.create(text, topic), False
        else:
            request = json.dumps(fields, sort_keys=True).encode()
            with self._one_at_a_time:
                promise = self.promises.of(key, request)
                if promise is not None and promise.kept:
                    return self._as_promised(promise.name), True
                name = promise.name if promise is not None else self.files.free_name(topic)
                if promise is None:
                    self.promises.make(key, request, name, kept=False)
                made, again = self.files.create(text, topic, name=name), promise is not None
                self.promises.make(key, request, made.name, kept=True)
        self.maker.askers.note(f"{self.files.prefix}{made.name}")
        self.maker.look()
        return made, again

    def _as_promised(self, name: str) -> TopicFile:
        try:
            return self.files.read(name)
        except Missing as gone:
            raise Mistaken(
                "what was made for this Idempotency-Key is no longer there",
                where="Idempotency-Key",
                hint="Take a new key to make it anew.",
                status=409,
            ) from gone

    def replace(self, name: str, text: str, etag: str | None) -> TopicFile:
        """Raises Missing, Stale, InputError, StoreError."""
        made = self.files.replace(name, self.files_text(name, text), _given(etag))
        self.maker.askers.note(f"{self.files.prefix}{name}")
        self.maker.look()
        return made

    def files_text(self, name: str, text: str) -> str:
        """Checked. Raises Missing, InputError with every fault."""
        if name not in self.files.found():
            raise Missing(f"there is no topic file {name!r}", hint="GET /api/v1/topics lists them.")
        if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
            raise InputError("a sign that no text holds", where=name, hint="Send plain text.")
        self.files.checked(text, name)
        return text

    def delete(self, name: str, etag: str | None) -> Path:
        """Raises Missing, Stale, StoreError."""
        kept = self.files.delete(name, etag)
        self.maker.look()
        return kept

    # -- scripts ----------------------------------------------------------------------------------------------------

    def script(self, slug: str) -> tuple[bytes, str]:
        """A published script and its tag. Raises Missing, StoreError."""
        missing = Missing(f"there is no script of {slug!r} yet", hint="It comes with the episode.")
        if not manifest_at(slug, self.output):
            raise missing
        try:
            text = read_plain(self.output / slug / SCRIPT)
        except FileNotFoundError:
            raise missing from None
        return text, etag_of(text)

    def edit(self, slug: str, text: bytes, etag: str | None) -> str:
        """Put a person's script in the place of an episode's; returns its tag.

        Raises Missing, Stale, InputError for what is no script, StoreError.
        """
        tag = _given(etag)
        self.script(slug)
        try:
            script_file.parse(text.decode("utf-8-sig"), where=SCRIPT)
        except UnicodeDecodeError as error:
            raise InputError("the script is not UTF-8 text", where=SCRIPT, hint="Send it as UTF-8.") from error
        locks = self.data / "store" / "locks"
        make_folder(locks)
        with held(locks / f"episode-{slug}"):  # publishing takes the same one
            if tag not in {self.script(slug)[1], "*"}:
                raise changed_since(f"{slug}/{SCRIPT}")
            write_whole(self.output / slug / SCRIPT, text)
        self.maker.ask(slug)
        return etag_of(text)

    # -- episodes ---------------------------------------------------------------------------------------------------

    def retry(self, slug: str) -> None:
        """Also what was set aside: how it failed is forgotten. Raises Missing, StoreError."""
        if self.maker.board.of(slug) is None:
            raise _unasked(slug)
        Failures(self.data / "failures").clear(slug)
        self.maker.ask(slug)

    def call_off(self, slug: str) -> None:
        """Raises Missing, StoreError."""
        wish = self.maker.wish(slug)
        if wish is None:
            raise _unasked(slug)
        self.maker.hold({slug: wish})


def _given(etag: str | None) -> str:
    if etag is None:
        raise Stale(
            "the request does not say which text it changes",
            where="If-Match",
            hint="Send the ETag of the text that was read.",
            status=428,
        )
    return etag


def _unasked(slug: str) -> Missing:
    return Missing(f"no topic asks for an episode {slug!r}", hint="GET /api/v1/episodes lists them.")
