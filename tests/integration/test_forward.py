"""The port that leads into the stack's closed network: bytes through it unchanged, both ways, and nothing kept."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from pipeline.service.forward import Forward, main

MANY_BYTES = 3_000_000


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything back once all is heard: only a half-closed connection can carry that."""
    heard = await reader.read(-1)
    writer.write(heard)
    await writer.drain()
    writer.close()


async def _through(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    heard = await reader.read(-1)
    writer.close()
    return heard


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def test_what_is_said_comes_back_whole_on_many_connections() -> None:
    async def tried() -> list[bytes]:
        behind = await asyncio.start_server(_echo, "127.0.0.1", 0)
        door = await Forward("127.0.0.1", _port(behind)).listen("127.0.0.1", 0)
        async with behind, door:
            return await asyncio.gather(*(_through(_port(door), bytes([number]) * MANY_BYTES) for number in range(20)))

    assert asyncio.run(tried()) == [bytes([number]) * MANY_BYTES for number in range(20)]


def test_a_caller_who_leaves_is_told_to_the_other_side() -> None:
    async def tried() -> bytes:
        left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            left.set_result(await reader.read(-1))
            writer.close()

        behind = await asyncio.start_server(listen, "127.0.0.1", 0)
        door = await Forward("127.0.0.1", _port(behind)).listen("127.0.0.1", 0)
        async with behind, door:
            _, writer = await asyncio.open_connection("127.0.0.1", _port(door))
            writer.write(b"half a ques")
            await writer.drain()
            writer.close()
            return await asyncio.wait_for(left, 10)

    assert asyncio.run(tried()) == b"half a ques"


def test_nobody_behind_it_ends_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    async def tried() -> bytes:
        behind = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = _port(behind)
        behind.close()
        await behind.wait_closed()
        door = await Forward("127.0.0.1", port).listen("127.0.0.1", 0)
        async with door:
            return await asyncio.wait_for(_through(_port(door), b"anybody?"), 10)

    assert asyncio.run(tried()) == b""
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["8080"], ["a:1", "b:2", "c:3"], ["127.0.0.1:http", "manager:8080"]])
def test_called_wrongly_it_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_it_ends_when_it_is_told_to() -> None:
    going = subprocess.Popen(
        [sys.executable, "-m", "pipeline.service.forward", "127.0.0.1:0", "127.0.0.1:1"], stderr=subprocess.PIPE,
        env=os.environ,
    )  # fmt: skip
    assert going.stderr is not None
    assert b"leads to" in going.stderr.readline()
    going.send_signal(signal.SIGTERM)
    assert going.wait(20) == 0
    going.stderr.close()
