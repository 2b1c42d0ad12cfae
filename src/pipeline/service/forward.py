"""A port on one network that leads to an address on another. It passes bytes on and looks into none.

The manager's container stands on a network that has no way out, and an engine publishes no port from such a network.
So a container that holds nothing stands on both, and a browser on this machine reaches the manager through it:

    python -m pipeline.service.forward 0.0.0.0:8080 manager:8080
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

_PIECE_BYTES = 65_536
# As many as the service behind it answers at once; the next has to wait for its turn.
_MOST_CONNECTIONS = 512
_CONNECT_SECONDS = 5.0


class Forward:
    """One port to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._turns = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Takes connections until the server is closed. Raises OSError where the address cannot be had."""
        return await asyncio.start_server(self._take, host, port)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._turns:
            try:
                opening = asyncio.open_connection(self._host, self._port)
                there_reader, there_writer = await asyncio.wait_for(opening, _CONNECT_SECONDS)
            except OSError as error:  # also when its time is up
                sys.stderr.write(
                    f"forward: {self._host}:{self._port} does not answer: {str(error) or 'no time left'}\n"
                )
                await _ended(writer)
                return
            try:
                await asyncio.gather(_pass(reader, there_writer), _pass(there_reader, writer))
            except OSError:
                pass  # one side is gone, and with it what the other side was for
            finally:
                await _ended(writer)
                await _ended(there_writer)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side has said all; then the other side is told so, and may still answer."""
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()  # who reads slowly is written to slowly: nothing heaps up in here
    if writer.can_write_eof():
        writer.write_eof()


async def _ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _until_told(listen: tuple[str, int], to: tuple[str, int]) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    server = await Forward(*to).listen(*listen)
    sys.stderr.write(f"forward: {listen[0]}:{listen[1]} leads to {to[0]}:{to[1]}\n")
    await over.wait()
    server.close()


def _address(text: str) -> tuple[str, int]:
    """Raises ValueError."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 when it was told to stop, 2 where it was called wrongly."""
    try:
        listen, to = (_address(text) for text in arguments)
    except ValueError:
        sys.stderr.write("usage: python -m pipeline.service.forward LISTEN_HOST:PORT TO_HOST:PORT\n")
        return 2
    asyncio.run(_until_told(listen, to))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
