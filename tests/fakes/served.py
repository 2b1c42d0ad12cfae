"""The service over a project with fake engines: in a thread of a test, or, to be killed, in a process of its own:
`python -m tests.fakes.served PROJECT`, which prints its address.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import uvicorn

from pipeline import telemetry
from pipeline.engines.choice import Choice
from pipeline.inbox import TopicDefaults
from pipeline.net.outages import Outages
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice, Writer
from pipeline.service.app import Service, make_service
from pipeline.service.guard import Guard, hosts_of
from pipeline.service.project import Opened, Project
from pipeline.service.serving import listen, serve
from pipeline.site import Channel
from pipeline.studio import Folders
from pipeline.wiring import Workshop
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

CHANNEL = Channel(
    title="Test", description="", language="en", base_url="http://127.0.0.1:8000", author="", email="",
    category="Education", explicit=False,
)  # fmt: skip
SETTINGS = ({"name": "voice", "value": "fake", "origin": "default", "about": "The voice."},)


def project_of(
    folder: Path,
    *,
    voice: Voice | None = None,
    writer: Writer | None = None,
    illustrator: Illustrator | None = None,
    watch_seconds: float = 0.05,
    before_opening: Callable[[], None] = lambda: None,
    outages: Outages | None = None,
    topic_tries: int = 5,
    open_at_once: int = 6,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Project:
    """A project whose studio has fake engines, opened anew each time it is asked for."""
    outages = outages or Outages()
    voice, writer = voice or FakeVoice(), writer or FakeWriter(lambda _: "A word.")
    (folder / "input").mkdir(parents=True, exist_ok=True)
    (folder / "config").mkdir(exist_ok=True)

    def opened(stop: Event, _: Opened | None) -> Opened:
        before_opening()
        studio = make_studio(
            folder,
            voice=voice,
            writer=writer,
            illustrator=illustrator,
            type_setter=illustrator,
            stop=stop,
            outages=outages,
            topic_tries=topic_tries,
            open_at_once=open_at_once,
            clock=clock,
        )
        shop = Workshop(
            studio,
            Choice(writer, "fake", "named in the settings"),
            Choice(voice, "fake", "named in the settings"),
            Choice(illustrator or FakeIllustrator(), "cards", "Stable Diffusion is off"),
            Tls(),
            outages,
        )
        return Opened(shop, CHANNEL, None)

    return Project(
        Folders(folder, folder / "input", folder / "output", folder / "data"),
        folder / "config",
        open=opened,
        defaults=TopicDefaults,
        settings=lambda: SETTINGS,
        watch_seconds=watch_seconds,
    )


@dataclass(frozen=True)
class Served:
    address: str
    service: Service


@contextmanager
def served(project: Project, *, token: str | None = None, also: tuple[str, ...] = ()) -> Iterator[Served]:
    """The service on a loopback port, for as long as the block lasts."""
    service = make_service(project, Guard(hosts_of("127.0.0.1", also), token))
    up = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            loops.append(asyncio.get_running_loop())
            await super().startup(sockets)
            up.set()

    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(service.door, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        assert up.wait(20)
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", service)
    finally:
        server.should_exit = True
        # Else open streams of events would be waited for, until they are cut off.
        for loop in loops:
            loop.call_soon_threadsafe(service.house.hub.close)
        thread.join()
        listening.close()


def main(folder: Path, *, later: timedelta = timedelta()) -> None:
    """Until it is told to stop. For its studio it is `later` than it is."""
    telemetry.configure(form="json", level="error")
    service = make_service(
        project_of(folder, clock=lambda: datetime.now(UTC) + later), Guard(hosts_of("127.0.0.1", ()))
    )
    listening = listen("127.0.0.1", 0)
    serve(service, listening, grace_seconds=5, told=_say)


def _say(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
