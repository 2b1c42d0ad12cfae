"""A service with something going on: episodes on the shelf, one in the works, one that waits and one that failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

from pipeline.engines.choice import Choice
from pipeline.errors import EngineRefused, Interrupted
from pipeline.net.outages import Outages
from pipeline.ports import Illustrator, Speech, SpeechRequest, Voice, VoiceIdentity, Writer, WriterIdentity
from pipeline.service.project import Opened, Project
from tests.fakes.served import Served, project_of, served
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import FakeWriter

CHORUS = """---
title: The dawn chorus
mode: read
tags: [birds]
---

# The dawn chorus

## Before sunrise

A single bird begins to sing. Its eyes are large for its size.

Nobody is up to hear it.

## The wrens join in

Soon the wrens join in. The air is cool and still at that hour, and a song carries far.
"""
LIGHTHOUSE = """---
title: How a lighthouse throws its light
mode: read
---

A small lamp stands inside a lens as tall as a person. The glass bends every ray the same way.
"""
SALT = """---
title: Why the sea is salty
mode: read
---

Rain dissolves a little salt from the rocks. Rivers carry it to the sea, and only the water leaves again.
"""
STUCK = "It turns once in eight seconds."
WORKS = f"""---
title: The longest tunnel under the Alps
mode: read
---

Two machines began to dig, one at each end. {STUCK} They met after eleven years.
"""
WAITS = """---
title: What the tide tables knew
mode: read
---

A brass machine added up the waves. It was right for a year ahead.
"""
REFUSED = "Its bell was heard in three towns."
FAILS = f"""---
title: The bell that was never rung
mode: read
---

It hung there for a century. {REFUSED}
"""
FINISHED = (CHORUS, LIGHTHOUSE, SALT)
PORTUGUESE = "pt_BR-fake-medium"


class Director(FakeVoice):
    """Speaks as told: waits at some sentences until `go`, and refuses some until it is `mended`."""

    def __init__(
        self, voices: Iterable[VoiceIdentity] = (), *, stuck: Iterable[str] = (), refused: Iterable[str] = ()
    ) -> None:
        super().__init__(list(voices) or [identity(), identity(PORTUGUESE, language="pt-BR")])
        self._stuck, self._refused = frozenset(stuck), frozenset(refused)
        self.go, self.mended, self.waits = Event(), Event(), Event()

    def speak(self, request: SpeechRequest) -> Speech:
        shown = request.sentence.shown
        if shown in self._refused and not self.mended.is_set():
            raise EngineRefused(
                "the voice 'en_GB-alba-medium' is not installed",
                where="Piper at http://piper:5000",
                hint="Fetch it: pipeline voices get en_GB-alba-medium.",
            )
        if shown in self._stuck and not self.go.is_set():
            self.waits.set()
            if not self.go.wait(60):
                raise Interrupted
        return super().speak(request)

    def said(self, shown: str) -> int:
        """How often a sentence reached it."""
        return sum(call.sentence.shown == shown for call in self.calls)


EMBEDDED = WriterIdentity("llama", "SmolLM2-135M-Instruct", "e" * 64, parameters=135_000_000)


def as_installed(project: Project) -> Project:
    """The same project with its engines under the names that they have where nobody chose any: for pictures."""

    def opened(stop: Event, before: Opened | None) -> Opened:
        found = project.open(stop, before)
        why = "no server answers"
        voice = replace(found.shop.voice, name="embedded", why=why)
        writer: Choice[Writer] = Choice(FakeWriter(lambda _: "A word.", identity=EMBEDDED), "embedded", why)
        return replace(found, shop=replace(found.shop, voice=voice, writer=writer))

    return replace(project, open=opened)


@contextmanager
def staged(
    folder: Path,
    *topics: str,
    voice: Voice | None = None,
    writer: Writer | None = None,
    illustrator: Illustrator | None = None,
    token: str | None = None,
    outages: Outages | None = None,
) -> Iterator[Served]:
    """The service over these topic files. A voice that waits is let go at the end, so that the service can stop."""
    project = project_of(folder, voice=voice, writer=writer, illustrator=illustrator, open_at_once=2, outages=outages)
    if illustrator is not None:
        project = as_installed(project)
    for number, text in enumerate(topics):
        (folder / "input" / f"topic-{number}.md").write_text(text)
    try:
        with served(project, token=token) as at:
            try:
                yield at
            finally:
                if isinstance(voice, Director):
                    voice.go.set()
    finally:
        if isinstance(voice, Director):
            voice.go.set()
