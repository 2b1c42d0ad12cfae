"""Connections that keep to the end of a call, by themselves: what is sent, what is waited for, and what is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from queue import SimpleQueue

import pytest
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Timeout

from pipeline.net.deadline import POOLS, Overdue, ending_in

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"
LONG_SECONDS = 20.0

Script = Callable[[socket.socket], None]


@contextmanager
def server(script: Script) -> Iterator[int]:
    """Does with one connection after the other what its script says. The port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    wire, _ = listening.accept()
                    with wire:
                        wire.settimeout(LONG_SECONDS / 2)
                        script(wire)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(port: int, *, patience: float | None, body: bytes = b"") -> bytes:
    """Post something; `patience` is how long each silence may last."""
    with POOLS["http"]("127.0.0.1", port) as pool:
        answer = pool.urlopen("POST", "/", body=body, timeout=Timeout(total=None, read=patience), retries=False)
        return bytes(answer.data)


def causes(error: BaseException | None) -> list[type[BaseException]]:
    found = []
    while error is not None:
        found.append(type(error))
        error = error.__cause__ or error.__context__
    return found


def failure_of(act: Callable[[], object], within: AbstractContextManager[None]) -> HTTPError:
    with pytest.raises(HTTPError) as raised, within:
        act()
    return raised.value


class Silence:
    """Hears the question, and says nothing until the caller hangs up."""

    def __init__(self) -> None:
        self.hung_up: SimpleQueue[bool] = SimpleQueue()

    def __call__(self, wire: socket.socket) -> None:
        while (heard := wire.recv(1000)) and not heard.endswith(b"\r\n\r\n"):
            pass
        try:
            self.hung_up.put(wire.recv(1) == b"")
        except TimeoutError:
            self.hung_up.put(False)


@pytest.mark.parametrize("patience", [None, LONG_SECONDS])
def test_a_silence_is_waited_out_no_longer_than_the_call_lasts(patience: float | None) -> None:
    silence = Silence()
    with server(silence) as port:
        error = failure_of(lambda: ask(port, patience=patience), ending_in(0.2))
        assert silence.hung_up.get(timeout=LONG_SECONDS)
    assert Overdue in causes(error)


def test_a_silence_that_is_too_long_by_itself_is_no_end_of_the_call() -> None:
    with server(Silence()) as port:
        error = failure_of(lambda: ask(port, patience=0.1), ending_in(LONG_SECONDS))
    assert isinstance(error, ReadTimeoutError)
    assert Overdue not in causes(error)


def test_without_an_end_only_silences_count() -> None:
    with server(Silence()) as port:
        error = failure_of(lambda: ask(port, patience=0.1), nullcontext())
    assert isinstance(error, ReadTimeoutError)
    assert Overdue not in causes(error)


def test_nothing_is_sent_once_the_time_is_up() -> None:
    heard: SimpleQueue[bytes] = SimpleQueue()
    with server(lambda wire: heard.put(wire.recv(1000))) as port:
        error = failure_of(lambda: ask(port, patience=LONG_SECONDS), ending_in(-1.0))
        assert heard.get(timeout=LONG_SECONDS) == b""
    assert Overdue in causes(error)


def test_the_end_of_one_call_is_not_that_of_the_next() -> None:
    with server(lambda wire: wire.sendall(ANSWER)) as port:
        with suppress(HTTPError), ending_in(-1.0):
            ask(port, patience=LONG_SECONDS)
        with ending_in(LONG_SECONDS):
            with suppress(HTTPError), ending_in(-1.0):
                ask(port, patience=LONG_SECONDS)
            inside = ask(port, patience=LONG_SECONDS)
        assert (inside, ask(port, patience=LONG_SECONDS)) == (b"well", b"well")


def test_what_is_sent_in_pieces_comes_whole() -> None:
    """More than two TLS records, the last one not full."""
    body = bytes(range(251)) * 150
    heard = bytearray()

    def hear(wire: socket.socket) -> None:
        while not heard.endswith(body):
            heard.extend(wire.recv(1 << 16))
        wire.sendall(ANSWER)

    with server(hear) as port, ending_in(LONG_SECONDS):
        assert ask(port, patience=LONG_SECONDS, body=body) == b"well"
    assert heard.startswith(b"POST / HTTP/1.1\r\n")
    assert heard.endswith(b"\r\n\r\n" + body)
