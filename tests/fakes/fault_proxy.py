"""A proxy between a client and a server that breaks what passes, as it is told: real sockets, nothing simulated.

    with FaultProxy(port_of_the_server, Break(Fault.CUT, Direction.ANSWER, after_bytes=100)) as proxy:
        client(proxy.url)

What is broken is decided for each connection, by its number and a seed: the same seed breaks the same connections.
"""

from __future__ import annotations

import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import Self

_PIECE_BYTES = 1 << 16
_LOOK_SECONDS = 0.05


class Fault(StrEnum):
    NONE = "none"
    LATENCY = "latency"
    """Every piece comes `seconds` late."""
    JITTER = "jitter"
    """Every piece comes late, by anything up to `seconds`."""
    DOWN = "down"
    """Nobody listens: connections are refused."""
    RESET = "reset"
    """The connection is reset after `after_bytes`."""
    BLACK_HOLE = "black hole"
    """After `after_bytes` nothing arrives any more, and nobody is told."""
    SLOW_CLOSE = "slow close"
    """The end of the connection comes `seconds` late."""
    BANDWIDTH = "bandwidth"
    """After `after_bytes`, `bytes_a_second` pass, one by one."""
    CUT = "cut"
    """The connection is closed in good order after `after_bytes`."""
    GARBAGE = "garbage"
    """After `after_bytes` other bytes arrive than were sent, as many."""


class Direction(StrEnum):
    QUESTION = "question"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Break:
    fault: Fault
    direction: Direction = Direction.ANSWER
    probability: float = 1.0
    """For each connection."""
    seconds: float = 0.1
    after_bytes: int = 0
    bytes_a_second: int = 10
    seed: int = 20261121


class FaultProxy:
    """Listens on a port of its own from `with` on. Its `breaks` may be changed meanwhile, for new connections."""

    def __init__(self, port: int, *breaks: Break) -> None:
        self.breaks = breaks
        self.connections = 0
        """How many there have been."""
        self.broken = 0
        """How many of them a fault was chosen for."""
        self._target = port
        self._over = Event()
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._accepting = Thread(target=self._accept, daemon=True)
        # Taken now and listened to later: between the two, connections to it are refused, as to a service that is down.
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        if all(one.fault is not Fault.DOWN for one in self.breaks):
            self._listening.listen(64)
            self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listening.close()
        if self._accepting.ident is not None:
            self._accepting.join()  # from here on no connection is added
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _begin(self, work: object, *arguments: object) -> None:
        thread = Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            rng = random.Random(f"{self.breaks}/{self.connections}")
            chosen = [one for one in self.breaks if rng.random() < one.probability]
            self.connections += 1
            self.broken += bool(chosen)
            with self._lock:
                self._open |= {client, server}
            self._begin(self._carry, client, server, Direction.QUESTION, chosen, rng)
            self._begin(self._carry, server, client, Direction.ANSWER, chosen, random.Random(rng.random()))

    def _carry(
        self,
        source: socket.socket,
        target: socket.socket,
        direction: Direction,
        chosen: list[Break],
        rng: random.Random,
    ) -> None:
        """One direction of one connection, to its end."""
        breaks = [one for one in chosen if one.direction is direction]
        passed = 0
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                for one in breaks:
                    piece = self._late_or_other(one, piece, passed, rng)
                    ends = one.fault in (Fault.CUT, Fault.RESET) and passed + len(piece) > one.after_bytes
                    if ends:
                        target.sendall(piece[: max(0, one.after_bytes - passed)])
                        self._end(source, target, reset=one.fault is Fault.RESET)
                        return
                slow = [one for one in breaks if one.fault is Fault.BANDWIDTH]
                if slow:
                    whole = max(0, slow[0].after_bytes - passed)
                    target.sendall(piece[:whole])
                    self._trickle(piece[whole:], target, slow[0].bytes_a_second)
                else:
                    target.sendall(piece)
                passed += len(piece)
        for one in breaks:
            if one.fault is Fault.SLOW_CLOSE:
                self._over.wait(one.seconds)
            elif one.fault is Fault.BLACK_HOLE:
                self._over.wait()  # not even the end of the connection gets through
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _late_or_other(self, one: Break, piece: bytes, passed: int, rng: random.Random) -> bytes:
        whole = max(0, one.after_bytes - passed)
        match one.fault:
            case Fault.LATENCY:
                self._over.wait(one.seconds)
            case Fault.JITTER:
                self._over.wait(rng.uniform(0, one.seconds))
            case Fault.BLACK_HOLE:
                return piece[:whole]
            case Fault.GARBAGE:
                return piece[:whole] + rng.randbytes(len(piece) - whole) if whole < len(piece) else piece
        return piece

    def _trickle(self, piece: bytes, target: socket.socket, bytes_a_second: int) -> None:
        for place in range(len(piece)):
            if self._over.wait(1 / bytes_a_second):
                return
            target.sendall(piece[place : place + 1])

    def _end(self, source: socket.socket, target: socket.socket, *, reset: bool) -> None:
        for end in (target, source):
            with suppress(OSError):
                if reset:
                    # The other thread may be reading from it: it is woken, or it would hold the connection open. Then
                    # closed without waiting for what is unsent: the other side gets RST.
                    end.shutdown(socket.SHUT_RD)
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    end.shutdown(socket.SHUT_RDWR)
        if reset:
            with self._lock:
                self._open -= {source, target}
            for end in (target, source):
                end.close()
