"""When a whole call must be over, however busily its other end keeps it going.

A socket's own timeout bounds each silence: a server that sends a byte a second is never silent, and would hold a
caller for ever in its headers, in a proxy's, or in a body. So each read and each write waits no longer than what is
left of the call. A TLS handshake needs nothing more: Python's `ssl` takes a socket's timeout for the whole of it.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

# The most that one TLS record holds (RFC 8446, 5.1): each is a write of its own, with a timeout of its own.
_RECORD_BYTES = 1 << 14

# A call is made from its beginning to its end in one thread.
_ends: ContextVar[float | None] = ContextVar("the end of this call", default=None)


class Overdue(TimeoutError):
    """The call's time is up."""


@contextmanager
def ending_in(seconds: float) -> Iterator[None]:
    """What is asked inside, over the connections of `POOLS`, ends in so many seconds, if need be with Overdue inside of
    what the client raises. Name look-ups and each address that is tried have deadlines of their own.
    """
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def _hold(sock: socket.socket) -> None:
    """Have the socket wait no longer than the call may last; its timeout is set anew for each call."""
    ends = _ends.get()
    if ends is None:
        return
    left = ends - time.monotonic()
    if left <= 0:
        raise Overdue
    patience = sock.gettimeout()
    if patience is None or left < patience:
        sock.settimeout(left)


@contextmanager
def _held(sock: socket.socket) -> Iterator[None]:
    _hold(sock)
    try:
        yield
    except TimeoutError as error:
        ends = _ends.get()
        if ends is not None and time.monotonic() >= ends:
            raise Overdue from error
        raise


class TlsSocket(ssl.SSLSocket):
    """Inside it there may be another TLS, by way of a proxy, which reads on until it has a record."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        with _held(self):
            return super().recv(buflen, flags)


class _Reader(io.RawIOBase):
    """What comes over a socket."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  # a writable buffer, which 3.11 has no name for
        with _held(self._sock):
            return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer, or a proxy's to CONNECT."""

    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:  # noqa: ANN401  # http.client's own
        super().__init__(sock, *args, **settings)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock))


class _Timed:
    """A connection whose sending and hearing is held to the call's end."""

    response_class: Any = _Response
    sock: Any
    connect: Any

    def send(self, data: Any) -> None:  # noqa: ANN401  # http.client's own
        if self.sock is None:
            self.connect()
        view = memoryview(data)
        for start in range(0, len(view), _RECORD_BYTES):
            with _held(self.sock):
                self.sock.sendall(view[start : start + _RECORD_BYTES])


class _Plain(_Timed, HTTPConnection):
    """Over TCP alone."""


class _Secured(_Timed, HTTPSConnection):
    """Over TLS."""

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            # In a handshake, or a proxy's consent to one: urllib3 would take it for a silence after the question.
            raise ConnectTimeoutError(self, "no secured connection came about in time") from error


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecuredPool(HTTPSConnectionPool):
    ConnectionCls = _Secured


POOLS = {"http": _PlainPool, "https": _SecuredPool}
"""Scheme → the pool of connections that keep to `ending_in`, as urllib3's managers take them."""
