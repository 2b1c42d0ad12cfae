"""A call ends at its deadline however its other end keeps it going: each of these servers is never silent.

Without the deadline every one of these calls would go on for many times as long, and then end well or otherwise.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import EngineUnavailable
from pipeline.net.border import Timeouts
from pipeline.net.download import fetch
from pipeline.net.retry import Policy
from pipeline.net.session import Service
from pipeline.net.tls import Tls
from tests.fakes.authority import Authority

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Padding: %s\r\n\r\n" % (b"x" * 60)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nX-Padding: %s\r\n\r\n" % (b"x" * 60)
# The head of a TLS record of a handshake, 16 KB long (RFC 8446, 5.1), of which some begins to come.
RECORD = b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + bytes(200)
TIMEOUTS = Timeouts(connect=0.4, read=0.4, total=0.5)
PACE_SECONDS = 0.03

Wire = socket.socket
Script = Callable[[Wire, "Server"], None]
"""What a server does with a connection."""


class Server:
    """Does with each connection what its script says, until it is over."""

    def __init__(self, script: Script, context: ssl.SSLContext | None) -> None:
        self._script = script
        self.context = context
        self.over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: Wire) -> None:
        with suppress(OSError), connection:
            connection.settimeout(10)
            self._script(connection, self)

    def drip(self, wire: Wire, data: bytes) -> None:
        for place in range(len(data)):
            if self.over.wait(PACE_SECONDS):
                return
            wire.sendall(data[place : place + 1])

    def secured(self, wire: Wire) -> ssl.SSLSocket:
        assert self.context is not None
        return self.context.wrap_socket(wire, server_side=True)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listening.close()
        for thread in self._threads:
            thread.join()


def heard(wire: Wire) -> None:
    """Take a question to the end of its headers."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += wire.recv(1000) or b"\r\n\r\n"


def headers(wire: Wire, server: Server) -> None:
    heard(wire)
    server.drip(wire, HEADERS)


def body(wire: Wire, server: Server) -> None:
    heard(wire)
    wire.sendall(HEADERS)
    server.drip(wire, bytes(100))


def pieces(wire: Wire, server: Server) -> None:
    """A body in chunks, whose lengths drip too."""
    heard(wire)
    wire.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    server.drip(wire, b"1;padding=xxxxxxxxxxxx\r\nx\r\n" * 4 + b"0\r\n\r\n")


def thirst(wire: Wire, server: Server) -> None:
    """A question is taken a little at a time."""
    while not server.over.wait(PACE_SECONDS) and wire.recv(30_000):
        pass


def over_tls(script: Script) -> Script:
    def run(wire: Wire, server: Server) -> None:
        with server.secured(wire) as secured:
            script(secured, server)

    return run


def handshake(wire: Wire, server: Server) -> None:
    wire.recv(5000)
    server.drip(wire, RECORD)


def established(wire: Wire, server: Server) -> None:
    """A proxy's own answer drips."""
    heard(wire)
    server.drip(wire, ESTABLISHED)


def handshake_beyond(wire: Wire, server: Server) -> None:
    """The proxy answers, and what is behind it drips."""
    heard(wire)
    wire.sendall(ESTABLISHED)
    handshake(wire, server)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tls, ssl.SSLContext]:
    """What a client believes, and what a server shows."""
    signs = Authority(tmp_path_factory.mktemp("authority"))
    shown = signs.sign("localhost", alternatives="DNS:localhost,IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    return Tls(ca_bundle=signs.certificate), context


@contextmanager
def serving(script: Script, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script, context)
    try:
        yield server
    finally:
        server.close()


LATE = r"^its answer was not finished after 0\.5 s$"
NO_HANDSHAKE = r"^it took no connection within 0\.4 s$"


def end_of(service: Service, question: object = None) -> EngineUnavailable:
    try:
        with pytest.raises(EngineUnavailable) as raised:
            service.post("/", question)
    finally:
        service.close()
    return raised.value


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("script", [headers, body, pieces])
def test_an_answer_that_drips(authority: tuple[Tls, ssl.SSLContext], script: Script, scheme: str) -> None:
    tls, context = authority
    with serving(over_tls(script) if scheme == "https" else script, context) as server:
        ended = end_of(Service("Piper", f"{scheme}://localhost:{server.port}", tls=tls, timeouts=TIMEOUTS))
    assert re.search(LATE, ended.what)
    assert ended.hint


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_question_that_is_taken_in_sips(authority: tuple[Tls, ssl.SSLContext], scheme: str) -> None:
    tls, context = authority
    with serving(over_tls(thirst) if scheme == "https" else thirst, context) as server:
        service = Service("Piper", f"{scheme}://localhost:{server.port}", tls=tls, timeouts=TIMEOUTS)
        ended = end_of(service, "x" * (30 << 20))
    assert re.search(LATE, ended.what)


def test_a_handshake_that_drips(authority: tuple[Tls, ssl.SSLContext]) -> None:
    tls, _ = authority
    with serving(handshake) as server:
        ended = end_of(Service("Piper", f"https://localhost:{server.port}", tls=tls, timeouts=TIMEOUTS))
    assert re.search(NO_HANDSHAKE, ended.what)


@pytest.mark.parametrize(
    ("way", "scheme", "script"),
    [
        ("http", "http", headers),
        ("http", "https", established),
        ("http", "https", handshake_beyond),
        ("https", "http", over_tls(headers)),
        ("https", "http", handshake),
        ("https", "https", over_tls(established)),
        ("https", "https", over_tls(handshake_beyond)),
    ],
    ids=["its answer", "its consent", "a handshake behind it", "its answer over TLS", "its handshake",
         "its consent over TLS", "a handshake behind its own"],
)  # fmt: skip
def test_a_proxy_that_drips(
    authority: tuple[Tls, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, way: str, scheme: str, script: Script
) -> None:
    tls, context = authority
    with serving(script, context) as server:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"{way}://localhost:{server.port}")
        ended = end_of(Service("Piper", f"{scheme}://piper.example.com", tls=tls, timeouts=TIMEOUTS))
    assert re.search(f"{LATE}|{NO_HANDSHAKE}|^the proxy on the way does not answer", ended.what)


def test_a_silence_that_may_last_is_cut_short_by_the_end_of_the_call() -> None:
    """Seen from the other end: the caller has hung up long before the silence would have been too long."""
    hung_up: list[bool] = []

    def silent(wire: Wire, server: Server) -> None:
        heard(wire)
        wire.sendall(HEADERS)
        wire.settimeout(5)
        try:
            hung_up.append(wire.recv(1) == b"")
        except TimeoutError:
            hung_up.append(False)

    with serving(silent) as server:
        patient = replace(TIMEOUTS, read=20.0)
        error = end_of(Service("Piper", f"http://localhost:{server.port}", tls=Tls(), timeouts=patient))
    assert re.search(LATE, error.what)
    assert hung_up == [True]


def test_a_call_that_was_nearly_too_late_leaves_its_connection_as_it_was() -> None:
    """The next call over it has its own time."""
    connections: list[Wire] = []

    def late_once(wire: Wire, server: Server) -> None:
        connections.append(wire)
        heard(wire)
        server.over.wait(0.3)
        wire.sendall(HEADERS + bytes(100))
        heard(wire)
        server.over.wait(0.35)
        wire.sendall(HEADERS + bytes(100))

    with serving(late_once) as server:
        service = Service("Piper", f"http://localhost:{server.port}", tls=Tls(), timeouts=TIMEOUTS)
        assert [len(service.get("/").body) for _ in range(2)] == [100, 100]
        service.close()
    assert len(connections) == 1


def test_what_a_download_begins_with_may_not_drip_either(tmp_path: Path) -> None:
    with serving(headers) as server, pytest.raises(EngineUnavailable):
        fetch(
            f"http://localhost:{server.port}/model.bin",
            tmp_path / "model.bin",
            tls=Tls(),
            stop=threading.Event(),
            size=100,
            timeouts=Timeouts(connect=0.2, read=0.3),
            policy=Policy(attempts=1),
        )
    assert not (tmp_path / "model.bin").exists()
