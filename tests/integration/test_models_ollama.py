"""Ollama is made to fetch its model, and it counts as fetched only when the server says `success`."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread, Timer

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.engines.ollama_models import Server, installed, pull, tagged
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.border import Timeouts
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls

QUICK = Policy(attempts=2, first_wait_seconds=0.001, longest_wait_seconds=0.001)
LAYER = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def server_of(httpserver: HTTPServer, **changed: object) -> Server:
    server = Server(httpserver.url_for("").rstrip("/"), Tls(), Event(), policy=QUICK, pull_policy=QUICK)
    return replace(server, **changed)  # type: ignore[arg-type]


def has(httpserver: HTTPServer, *names: str) -> None:
    models = [{"name": name, "model": name, "size": 3_338_801_804} for name in names]
    httpserver.expect_request("/api/tags").respond_with_json({"models": models})


def line(**about: object) -> bytes:
    return json.dumps(about).encode() + b"\n"


def layer(completed: int | None, digest: str = LAYER, total: int = 1000) -> bytes:
    about: dict[str, object] = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
    return line(**about | ({"completed": completed} if completed is not None else {}))


BEGIN, END = line(status="pulling manifest"), line(status="verifying sha256 digest") + line(status="writing manifest")
SUCCESS = line(status="success")


def answers(httpserver: HTTPServer, *bodies: bytes, status: int = 200) -> list[dict[str, object]]:
    """Each pull gets the next body, the last one for ever; returns the list in which the questions will be found."""
    asked: list[dict[str, object]] = []

    def handler(request: Request) -> Response:
        asked.append(json.loads(request.data) | {"key": request.headers.get("Authorization", "")})
        body = bodies[min(len(asked), len(bodies)) - 1]
        return Response(body, status=status, content_type="application/x-ndjson")

    httpserver.expect_request("/api/pull", method="POST").respond_with_handler(handler)
    return asked


def quiet(done: int, total: int | None) -> None:
    """Told, and says nothing."""


def test_a_pull_tells_the_bytes_of_all_layers_and_ends_with_success(httpserver: HTTPServer) -> None:
    has(httpserver)
    body = BEGIN + layer(None) + layer(400) + layer(1000) + layer(None, OTHER, 50) + layer(50, OTHER, 50)
    asked = answers(httpserver, body + END + line(status="a word of a later version") + SUCCESS)
    told: list[tuple[int, int | None]] = []
    assert pull("gemma3:4b", server_of(httpserver, api_key="k"), lambda done, total: told.append((done, total)))

    assert asked == [{"model": "gemma3:4b", "stream": True, "key": "Bearer k"}]
    assert told == [(0, 1000), (400, 1000), (1000, 1000), (1000, 1050), (1050, 1050)]


@pytest.mark.parametrize(("wanted", "there"), [("gemma3:4b", "gemma3:4b"), ("gemma3", "gemma3:latest")])
def test_a_model_that_is_there_is_not_pulled(wanted: str, there: str, httpserver: HTTPServer) -> None:
    has(httpserver, there)
    assert not pull(wanted, server_of(httpserver), quiet)
    assert installed(server_of(httpserver)) == {there: 3_338_801_804}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gemma3", "gemma3:latest"), ("gemma3:4b", "gemma3:4b"), ("host:5000/a/b", "host:5000/a/b:latest")],
)
def test_a_name_without_a_tag_means_the_latest(name: str, expected: str) -> None:
    assert tagged(name) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BEGIN + line(error="pull model manifest: file does not exist"), "file does not exist"),
        (BEGIN + layer(0) + line(error="no space left on device"), "no space left on device"),
        (BEGIN + layer(0), "it stopped in the middle"),
        (BEGIN + layer(0) + END, "it stopped in the middle"),
        (b"", "it stopped in the middle"),
    ],
    ids=["unknown model", "an error after bytes", "an end", "an end before success", "nothing"],
)
def test_whatever_is_not_success_has_failed(body: bytes, said: str, httpserver: HTTPServer) -> None:
    has(httpserver)
    asked = answers(httpserver, body)
    with pytest.raises(EngineUnavailable, match=said) as raised:
        pull("gemma3:4b", server_of(httpserver), quiet)

    assert "goes on from where it stopped" in raised.value.hint
    assert len(asked) == 2


def test_tries_that_bring_something_do_not_use_up_the_patience(httpserver: HTTPServer) -> None:
    has(httpserver)
    cut = [BEGIN + layer(share * 100) for share in range(1, 9)]
    asked = answers(httpserver, *cut, BEGIN + layer(1000) + END + SUCCESS)
    assert pull("gemma3:4b", server_of(httpserver), quiet)
    assert len(asked) == 9


@pytest.mark.parametrize(
    ("status", "kind"), [(400, EngineRefused), (401, EngineRefused), (404, EngineRefused), (500, EngineUnavailable)]
)
def test_an_error_before_the_first_line_is_told_by_its_status(
    status: int, kind: type[Exception], httpserver: HTTPServer
) -> None:
    has(httpserver)
    asked = answers(httpserver, line(error="invalid model name"), status=status)
    with pytest.raises(kind, match="invalid model name"):
        pull("gemma3:4b", server_of(httpserver), quiet)
    assert len(asked) == (2 if kind is EngineUnavailable else 1)


@pytest.mark.parametrize("body", [b"<html>Welcome!</html>\n", b"[]\n", b"\xff\xfe\n", b"x" * (2 << 20)])
def test_what_is_not_ollamas_language_is_said_to_be_none(body: bytes, httpserver: HTTPServer) -> None:
    has(httpserver)
    answers(httpserver, body)
    with pytest.raises(EngineNonsense, match="not Ollama's language"):
        pull("gemma3:4b", server_of(httpserver), quiet)


@pytest.mark.parametrize("said", [[], {"models": None}, "hello"])
def test_a_list_that_is_none_is_said_to_be_none(said: object, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/tags").respond_with_json(said)
    with pytest.raises(EngineNonsense):
        pull("gemma3:4b", server_of(httpserver), quiet)


def test_a_server_that_comes_up_late_is_waited_for(httpserver: HTTPServer) -> None:
    tries: list[int] = []

    def starting(_: Request) -> Response:
        tries.append(1)
        return Response("{}", status=503) if len(tries) < 4 else Response('{"models": [{"name": "gemma3:4b"}]}')

    httpserver.expect_request("/api/tags").respond_with_handler(starting)
    patient = Policy(attempts=10, first_wait_seconds=0.001, longest_wait_seconds=0.001)
    assert not pull("gemma3:4b", server_of(httpserver, policy=patient), quiet)


def test_where_nobody_answers_it_says_what_to_do() -> None:
    with pytest.raises(EngineUnavailable, match="ollama serve"):
        pull("gemma3:4b", Server("http://127.0.0.1:9", Tls(), Event(), policy=QUICK, pull_policy=QUICK), quiet)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Says that it has no models, and then does with the pull's connection what `talk` does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as first:
                first.recv(65536)
                first.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{"models": []}')
            with listening.accept()[0] as second:
                second.recv(65536)
                talk(second)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(timeout=10)
        assert not thread.is_alive()


def silent(connection: socket.socket) -> None:
    """Begins to answer, and then says nothing until the other side goes away."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.sendall(f"{len(BEGIN):x}\r\n".encode() + BEGIN + b"\r\n")
    connection.settimeout(20)
    while connection.recv(1024):
        pass


def test_stopping_does_not_wait_for_a_server_that_is_silent() -> None:
    stop = Event()
    with raw_server(silent) as url:
        timer = Timer(0.3, stop.set)
        timer.start()
        with pytest.raises(Interrupted):
            pull("gemma3:4b", Server(url, Tls(), stop, policy=QUICK, pull_policy=QUICK), quiet)
        timer.join()


def test_a_server_that_is_silent_for_too_long_has_failed() -> None:
    with (
        raw_server(silent) as url,
        pytest.raises(EngineUnavailable),
    ):
        pull(
            "gemma3:4b",
            Server(url, Tls(), Event(), policy=QUICK, pull_policy=QUICK, timeouts=Timeouts(2.0, 0.2, 5.0)),
            quiet,
        )
