"""Which models an Ollama server has, and how it is made to fetch one: done only when it says `success`."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

import requests

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.border import Border, Timeouts, complaint
from pipeline.net.reach import Names
from pipeline.net.retry import Policy, call
from pipeline.net.session import Service, open_session, pieces_of, proxies_for
from pipeline.net.tls import Tls

Progress = Callable[[int, int | None], None]
"""Called with the bytes that the server has, and how many it knows of by then."""

# In Compose it is being started at the same time; a person who forgot to start it waits no longer than this.
PATIENCE = Policy(attempts=60, first_wait_seconds=0.5, longest_wait_seconds=2.0, total_seconds=60.0)
# A server that reaches nobody says so within seconds.
PULL_PATIENCE = Policy(attempts=3, first_wait_seconds=0.5, longest_wait_seconds=5.0, total_seconds=120.0)
# While it verifies a layer it says nothing: a slow disk takes minutes for 40 GB.
TIMEOUTS = Timeouts(connect=5.0, read=900.0)
_LOOK_SECONDS = 0.2
_LONGEST_LINE_BYTES = 1 << 20
_START_IT = "Start it (`ollama serve`), or set OLLAMA_BASE_URL."


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    tls: Tls
    stop: Event
    api_key: str | None = field(default=None, repr=False)
    timeouts: Timeouts = TIMEOUTS
    policy: Policy = PATIENCE
    """For finding out what the server has: it may yet have to come up."""
    pull_policy: Policy = PULL_PATIENCE
    """For tries in a row that bring nothing."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def installed(server: Server) -> Mapping[str, int]:
    """Name with tag → bytes. Raises EngineUnavailable, EngineRefused, EngineNonsense, Interrupted."""
    service = Service(
        "Ollama", server.url, tls=server.tls, timeouts=server.timeouts, headers=server.headers, hint=_START_IT
    )
    try:
        said = call(
            lambda: service.get_json("/api/tags"), service=service.where, policy=server.policy, stop=server.stop
        )
    finally:
        service.close()
    match said:
        case {"models": [*models]}:
            return {str(model["name"]): int(model.get("size") or 0) for model in models if _is_entry(model)}
    raise EngineNonsense(
        "what it lists are no models",
        where=service.where,
        hint="Is OLLAMA_BASE_URL the address of an Ollama server?",
        answer=json.dumps(said)[:2000],
    )


def pull(model: str, server: Server, progress: Progress) -> bool:
    """Have the server fetch a model, if it does not have it yet; returns whether it had to.

    Asked again as long as each round of tries brings something; the server goes on from where it stopped. Raises
    EngineUnavailable, EngineRefused, EngineNonsense, Interrupted.
    """
    if tagged(model) in installed(server):
        return False
    pulling = _Pull(model, server, progress)
    while True:
        before = pulling.most
        try:
            call(pulling.once, service=pulling.where, policy=server.pull_policy, stop=server.stop)
        except EngineUnavailable:
            if pulling.most <= before:
                raise
        else:
            return True


def tagged(name: str) -> str:
    """A name without a tag means `:latest`; a port in a registry's name is no tag."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


class _Pull:
    """One model on its way."""

    def __init__(self, model: str, server: Server, progress: Progress) -> None:
        self._model = model
        self._server = server
        self._progress = progress
        self._layers: dict[str, tuple[int, int]] = {}
        self.where = f"Ollama at {server.url}"
        self.most = 0
        """The most bytes that it has told of."""
        self._border = Border(where=self.where, hint=_START_IT, timeouts=server.timeouts)

    def once(self) -> None:
        """Raises EngineUnavailable for a stream that ends without `success`, and for what the server says failed."""
        self._layers.clear()
        for line in self._lines():
            match line:
                case {"error": said}:
                    raise EngineUnavailable(
                        f"it could not fetch {self._model}: {complaint(json.dumps({'error': said}).encode())}",
                        where=self.where,
                        hint="See that the model's name is right (https://ollama.com/library) and that the server"
                        " itself reaches the network; it goes on from where it stopped.",
                    )
                case {"status": "success"}:
                    return
                case {"digest": str(digest), "total": int(total)}:
                    completed = line.get("completed")
                    self._layers[digest] = (completed if isinstance(completed, int) else 0, total)
                    done = sum(completed for completed, _ in self._layers.values())
                    self.most = max(self.most, done)
                    self._progress(done, sum(total for _, total in self._layers.values()))
        raise EngineUnavailable(
            f"it stopped in the middle of fetching {self._model}",
            where=self.where,
            hint="See the server's log; it goes on from where it stopped.",
        )

    def _lines(self) -> Iterator[dict[str, object]]:
        pending = b""
        for piece in self._pieces():
            *lines, pending = (pending + piece).split(b"\n")
            yield from (self._parsed(line) for line in lines if line.strip())
            if len(pending) > _LONGEST_LINE_BYTES:
                raise self._nonsense(pending)
        if pending.strip():
            yield self._parsed(pending)

    def _parsed(self, line: bytes) -> dict[str, object]:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise self._nonsense(line)
        return said

    def _nonsense(self, line: bytes) -> EngineNonsense:
        return EngineNonsense(
            f"what it says is not Ollama's language: {complaint(line)}",
            where=self.where,
            hint="Is OLLAMA_BASE_URL the address of an Ollama server?",
            answer=line[:2000].decode("utf-8", "replace"),
        )

    def _pieces(self) -> Iterator[bytes]:
        """The answer's bytes as they come. A thread of its own reads them, so that a person who stops the run does
        not wait for a server that is silent."""
        heard: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        with self._asked() as response:

            def listen() -> None:
                try:
                    with self._border.crossed(self._server.url):
                        for piece in pieces_of(response):
                            heard.put(piece)
                except Exception as error:  # noqa: BLE001  # raised again by whoever waits for it
                    heard.put(error)
                else:
                    heard.put(None)

            listener = Thread(target=listen, name="ollama-pull", daemon=True)
            listener.start()
            try:
                while True:
                    if self._server.stop.is_set():
                        raise Interrupted
                    try:
                        piece = heard.get(timeout=_LOOK_SECONDS)
                    except queue.Empty:
                        continue
                    if isinstance(piece, Exception):
                        raise piece
                    if piece is None:
                        return
                    yield piece
            finally:
                # Wakes the listener; and the server, which sees that nobody waits, stops fetching.
                with suppress(ValueError, RuntimeError, OSError):  # it is over already
                    response.raw.shutdown()
                listener.join()
                response.close()

    @contextmanager
    def _asked(self) -> Iterator[requests.Response]:
        url = f"{self._server.url.rstrip('/')}/api/pull"
        proxies = proxies_for(url)
        if not proxies:
            Names().find(url, self._server.timeouts.connect, where=self.where)
        session = open_session(self._server.tls, connections=1)
        with session:
            with self._border.crossed(url, direct=not proxies):
                response = session.post(
                    url,
                    json={"model": self._model, "stream": True},
                    headers=self._server.headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=(self._server.timeouts.connect, self._server.timeouts.read),
                    proxies=proxies,
                )
            if response.status_code == 200:
                yield response
                return
            with response, self._border.crossed(url):
                said = complaint(next(pieces_of(response), b""))
            error = self._border.refusal(response.status_code, said, {})
            if isinstance(error, EngineRefused):
                raise EngineRefused(error.what, where=self.where, hint="See the model's name, and OLLAMA_API_KEY.")
            raise error


def _is_entry(model: object) -> bool:
    return isinstance(model, dict) and isinstance(model.get("name"), str)
