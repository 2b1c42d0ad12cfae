"""Ollama's every answer and failure, over real sockets, and what the pipeline makes of it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.engines.ollama import Ollama, parameters_of
from pipeline.engines.retrying import RetryingWriter
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.retry import Policy
from pipeline.ports import Question
from tests.integration.writer_contract import HELLO, check_writer

DIGEST = "a" * 64
QUESTION = Question("Be brief.", "Say hello.", seed=4, max_tokens=30, temperature=0.5)


def ollama(url: str, *, model: str = "gemma3:4b", stop: Event | None = None, **changed: Any) -> Ollama:
    settings: dict[str, Any] = {
        "num_ctx": 2048,
        "keep_alive": "5m",
        "api_key": None,
        "connect_seconds": 5.0,
        "read_seconds": 20.0,
        "first_token_seconds": 20.0,
        "verify": True,
    }
    return Ollama(url, model, stop=stop or Event(), **(settings | changed))


def piece(text: str) -> bytes:
    return json.dumps({"message": {"role": "assistant", "content": text}, "done": False}).encode() + b"\n"


def end(reason: str = "stop", *, prompt_tokens: int = 12, tokens: int = 2) -> bytes:
    last = {
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": reason,
        "prompt_eval_count": prompt_tokens,
        "eval_count": tokens,
    }
    return json.dumps(last).encode() + b"\n"


def serve_models(server: HTTPServer, *names: str, size: str = "4.3B") -> None:
    details = {"parameter_size": size, "quantization_level": "Q4_K_M"}
    models = [{"name": name, "model": name, "digest": DIGEST, "details": details} for name in names]
    server.expect_request("/api/version").respond_with_json({"version": "0.33.0"})
    server.expect_request("/api/tags").respond_with_json({"models": models})


def serve_answer(server: HTTPServer, *lines: bytes, status: int = 200) -> list[dict[str, Any]]:
    """Every question gets these lines; returns the list in which the questions will be found."""
    asked: list[dict[str, Any]] = []

    def handler(request: Request) -> Response:
        asked.append(json.loads(request.data))
        return Response(b"".join(lines), status=status, content_type="application/x-ndjson")

    server.expect_request("/api/chat", method="POST").respond_with_handler(handler)
    return asked


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does exactly what `talk` does with its first connection, once it has read the request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                talk(connection)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(timeout=10)
        assert not thread.is_alive()


STREAM_BEGINS = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def wait_until_gone(connection: socket.socket) -> None:
    connection.settimeout(10)
    while connection.recv(1024):
        pass


# -- what is asked and answered ----------------------------------------------------------------------------------


def test_it_keeps_every_writers_promises(httpserver: HTTPServer) -> None:
    serve_models(httpserver, "gemma3:4b")

    def handler(request: Request) -> Response:
        cut = json.loads(request.data)["options"]["num_predict"] == 5
        return Response(piece("Red, ") + piece("green.") + end("length" if cut else "stop", tokens=5))

    httpserver.expect_request("/api/chat", method="POST").respond_with_handler(handler)
    check_writer(ollama(httpserver.url_for("")))


def test_every_question_is_bounded_seeded_and_thoughtless(httpserver: HTTPServer) -> None:
    asked = serve_answer(httpserver, piece("Hello."), end())
    schema = {"type": "object"}
    writer = ollama(httpserver.url_for(""), keep_alive="300")
    answer = writer.answer(Question("Be brief.", "Say hello.", 4, 30, 0.5, schema))
    assert (answer.text, answer.complete, answer.tokens) == ("Hello.", True, 2)
    (sent,) = asked
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello."},
    ]
    assert sent["options"] == {"num_ctx": 2048, "num_predict": 30, "seed": 4, "temperature": 0.5}
    assert (sent["format"], sent["keep_alive"]) == (schema, 300)
    assert (sent["stream"], sent["think"], sent["truncate"]) == (True, False, False)


def test_it_gives_the_memory_back_when_asked_to(httpserver: HTTPServer) -> None:
    asked: list[dict[str, Any]] = []

    def handler(request: Request) -> Response:
        asked.append(json.loads(request.data))
        return Response(json.dumps({"model": "gemma3:4b", "response": "", "done": True, "done_reason": "unload"}))

    httpserver.expect_request("/api/generate", method="POST").respond_with_handler(handler)
    writer = ollama(httpserver.url_for(""))
    assert writer.unload() is True
    assert RetryingWriter(writer, policy=Policy(), stop=Event()).unload() is True
    assert [(one["model"], one["keep_alive"]) for one in asked] == [("gemma3:4b", 0)] * 2


def test_the_key_is_sent_as_a_bearer(httpserver: HTTPServer) -> None:
    def handler(request: Request) -> Response:
        return Response(piece(request.headers["Authorization"]) + end())

    httpserver.expect_request("/api/chat", method="POST").respond_with_handler(handler)
    assert ollama(httpserver.url_for(""), api_key="secret").answer(QUESTION).text == "Bearer secret"


def test_a_proxy_is_not_asked_about_this_machine(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    serve_answer(httpserver, piece("Hello."), end())
    assert ollama(httpserver.url_for("")).answer(QUESTION).text == "Hello."


def test_a_proxy_is_asked_about_the_world_and_never_about_names_of_compose(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, httpserver.url_for(""))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    asked = serve_answer(httpserver, piece("Hello."), end())

    assert ollama("http://ollama.example.com:11434").answer(QUESTION).text == "Hello."
    assert len(asked) == 1
    with pytest.raises(EngineUnavailable):
        ollama("http://no-such-service:9").answer(QUESTION)
    assert len(asked) == 1, "a service of that name is asked directly, and is not there"


def test_another_service_that_knows_no_route_is_not_ollama(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/api/.*")).respond_with_json({"detail": "Not Found"}, status=404)
    with pytest.raises(EngineRefused, match="neither the model nor what models there are") as raised:
        ollama(httpserver.url_for("")).answer(QUESTION)
    assert "OLLAMA_BASE_URL" in raised.value.hint
    assert len(httpserver.log) == 2, "the question, and once what models there are"


def test_it_says_who_it_is(httpserver: HTTPServer) -> None:
    serve_models(httpserver, "gemma3:4b", "llama3:latest")
    identity = ollama(httpserver.url_for("")).describe()
    assert (identity.engine, identity.name, identity.digest) == ("ollama", "gemma3:4b", DIGEST)
    assert (identity.parameters, identity.context_tokens) == (4_300_000_000, 2048)
    assert identity.details["server"] == "ollama 0.33.0"
    assert ollama(httpserver.url_for(""), model="llama3").describe().name == "llama3:latest"


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("4.3B", 4_300_000_000), ("134.52M", 134_520_000), ("1T", 10**12), ("", None), ("large", None), ("B", None)],
)
def test_sizes_are_read_as_ollama_writes_them(size: str, parameters: int | None) -> None:
    assert parameters_of(size) == parameters


# -- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(httpserver: HTTPServer, status: int) -> None:
    """It would carry the topic's text to a host that nobody named."""
    serve_models(httpserver, "gemma3:4b")
    elsewhere = serve_answer(httpserver, piece("stolen"), end())
    sends_on = Response(b"", status=status, headers={"Location": httpserver.url_for("/api/chat")})
    httpserver.expect_ordered_request("/api/chat", method="POST").respond_with_response(sends_on)
    with pytest.raises(EngineRefused, match="sends us elsewhere") as raised:
        ollama(httpserver.url_for("")).answer(QUESTION)
    assert "OLLAMA_BASE_URL" in raised.value.hint
    assert elsewhere == []


def test_a_model_that_is_listed_and_not_found_is_told_as_such(httpserver: HTTPServer) -> None:
    serve_models(httpserver, "gemma3:4b")
    serve_answer(httpserver, b'{"error": {"message": "no route"}}', status=404)
    with pytest.raises(
        EngineRefused, match=r"lists the model 'gemma3:4b', and says that it is not there \(404: no rou"
    ):
        ollama(httpserver.url_for("")).answer(QUESTION)


GONE = b'{"error":"model \'gemma3:4b\' not found"}'
BUSY = b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'


@pytest.mark.parametrize(
    ("status", "lines", "kind", "says"),
    [
        (404, [GONE], EngineRefused, "ollama pull gemma3:4b"),
        (503, [BUSY], EngineUnavailable, "server busy"),
        (429, [b'{"error":"slow down"}'], EngineUnavailable, "slow down"),
        (502, [b"<html>Bad Gateway</html>"], EngineUnavailable, "Bad Gateway"),
        (500, [b'{"error":"llama runner process has terminated"}'], EngineUnavailable, "has terminated"),
        (400, [b'{"error":"the prompt exceeds the context length"}'], EngineRefused, "OLLAMA_NUM_CTX"),
        (401, [b'{"error":"unauthorized"}'], EngineRefused, "OLLAMA_API_KEY"),
        (200, [piece("Hel"), b'{"error":"out of memory"}\n'], EngineUnavailable, "out of memory"),
        (200, [piece("Hel")], EngineNonsense, "broke off"),
        (200, [], EngineNonsense, "broke off"),
        (200, [b"<html>Welcome</html>\n"], EngineNonsense, "not Ollama's language"),
        (200, [b"[1, 2]\n"], EngineNonsense, "not Ollama's language"),
        (200, [end()], EngineNonsense, "empty"),
        (200, [piece("  \n "), end()], EngineNonsense, "empty"),
        (200, [end("load")], EngineNonsense, "load"),
        (200, [piece("Hello."), end(prompt_tokens=2048)], EngineRefused, "longer than the context of 2048"),
    ],
)
def test_each_failure_has_its_name_and_its_cure(
    httpserver: HTTPServer, status: int, lines: list[bytes], kind: type[EngineError], says: str
) -> None:
    serve_models(httpserver, "gemma3:12b", "llama3:latest")
    serve_answer(httpserver, *lines, status=status)
    with pytest.raises(kind, match=says) as caught:
        ollama(httpserver.url_for("")).answer(QUESTION)
    assert caught.value.where.startswith("Ollama at http://")
    assert caught.value.hint


def test_an_answer_cut_off_by_its_bound_says_so(httpserver: HTTPServer) -> None:
    serve_answer(httpserver, piece("Once upon a"), end("length"))
    assert not ollama(httpserver.url_for("")).answer(QUESTION).complete


def test_a_missing_model_is_refused_with_the_nearest_names(httpserver: HTTPServer) -> None:
    serve_models(httpserver, "gemma3:12b", "llama3:latest")
    with pytest.raises(EngineRefused, match=r"There is gemma3:12b.*ollama pull gemma3:4b"):
        ollama(httpserver.url_for("")).describe()


@pytest.mark.parametrize("ask", [lambda it: it.describe(), lambda it: it.answer(HELLO)], ids=["describe", "answer"])
def test_nobody_there_is_unavailable(ask: Callable[[Ollama], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(EngineUnavailable, match=r"nobody answers.*ollama serve"):
        ask(ollama(f"http://127.0.0.1:{port}"))


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(EngineRefused, match="OLLAMA_BASE_URL"):
        ollama("ftp://127.0.0.1:1").answer(QUESTION)


def test_another_program_on_the_port_is_told_from_ollama(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/version").respond_with_data("Welcome to nginx!")
    with pytest.raises(EngineNonsense, match="Is OLLAMA_BASE_URL the address of an Ollama server"):
        ollama(httpserver.url_for("")).describe()


def test_a_connection_that_dies_in_the_middle_keeps_what_was_heard() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(STREAM_BEGINS + chunk(piece("Once upon")) + b"ff\r\nhalf a")

    with raw_server(talk) as url, pytest.raises(EngineNonsense, match="broke off") as caught:
        ollama(url).answer(QUESTION)
    assert caught.value.answer == "Once upon"


def test_a_connection_that_dies_at_once_is_unavailable() -> None:
    with raw_server(lambda _: None) as url, pytest.raises(EngineUnavailable, match="connection broke"):
        ollama(url).answer(QUESTION)


def test_a_server_that_never_begins_meets_the_first_deadline() -> None:
    with raw_server(wait_until_gone) as url, pytest.raises(EngineUnavailable, match=r"begin to answer within 0\.2 s"):
        ollama(url, first_token_seconds=0.2).answer(QUESTION)


def test_a_server_that_dribbles_without_a_token_meets_it_too() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(STREAM_BEGINS)
        try:
            while True:
                connection.sendall(chunk(piece("")))
                time.sleep(0.01)
        except OSError:
            pass  # the client has hung up: what this test is about

    with raw_server(talk) as url, pytest.raises(EngineUnavailable, match="did not begin to answer"):
        ollama(url, first_token_seconds=0.3).answer(QUESTION)


def test_silence_in_the_middle_has_a_deadline_of_its_own() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(STREAM_BEGINS + chunk(piece("Once")))
        wait_until_gone(connection)

    with raw_server(talk) as url, pytest.raises(EngineUnavailable, match=r"fell silent for 0\.2 s"):
        ollama(url, read_seconds=0.2).answer(QUESTION)


def test_a_stopping_run_hangs_up_at_once() -> None:
    stop = Event()

    def talk(connection: socket.socket) -> None:
        stop.set()
        wait_until_gone(connection)

    with raw_server(talk) as url, pytest.raises(Interrupted):
        ollama(url, stop=stop).answer(QUESTION)


def test_a_listener_that_fails_is_heard_of(httpserver: HTTPServer) -> None:
    serve_answer(httpserver, piece("Hello."), end())

    def listen(text: str) -> None:
        raise OSError(text)

    with pytest.raises(OSError, match="Hello"):
        ollama(httpserver.url_for("")).answer(QUESTION, listen)
