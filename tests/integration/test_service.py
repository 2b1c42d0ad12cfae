"""One call to another program: its bounds, and the words for each way in which it fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.net.border import Timeouts
from pipeline.net.session import Service
from pipeline.net.tls import Tls


def service(url: str, **options: object) -> Service:
    return Service("Piper", url, tls=Tls(), **options)  # type: ignore[arg-type]


@contextmanager
def raw_server(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that reads a request and answers as it likes, byte by byte; `over` is set when the test is."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(4) as threads:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        answer(connection, over)
                    except OSError:
                        continue  # the client has gone

        threads.submit(serve)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            # Closing does not wake an accept; a last caller does.
            listening.shutdown(socket.SHUT_RDWR)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def silent(_: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def dripping(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(OK % 1_000_000)
    while not over.wait(0.01):
        connection.sendall(b".")


def hanging_up(connection: socket.socket, _: threading.Event) -> None:
    connection.close()


def cut_off(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(OK % 1000 + b"half")


def endless(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"." * 65536)


def too_long(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(OK % 10_000 + b"." * 10_000)


def no_http(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (silent, EngineUnavailable, "it was silent for 0.2 s"),
        (dripping, EngineUnavailable, "not finished after 0.4 s"),
        (hanging_up, EngineUnavailable, "the connection broke off"),
        (cut_off, EngineUnavailable, "the connection broke off"),
        (endless, EngineNonsense, "longer than 5,000 bytes"),
        (too_long, EngineNonsense, "longer than 5,000 bytes"),
        (no_http, EngineUnavailable, "the connection broke off"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_server_that_misbehaves_is_bounded_and_named(
    behaviour: Callable[[socket.socket, threading.Event], None], error: type[EngineError], words: str
) -> None:
    bounds = Timeouts(connect=5, read=0.2, total=0.4)
    with raw_server(behaviour) as url, pytest.raises(error, match=words) as raised:
        service(url, timeouts=bounds, max_answer_bytes=5000).get("/voices")

    assert raised.value.where == f"Piper at {url}"
    assert raised.value.hint


def test_nobody_answers() -> None:
    with pytest.raises(EngineUnavailable, match="connection refused") as raised:
        service("http://127.0.0.1:9", hint="Start it.").get("/")
    assert str(raised.value) == "Piper at http://127.0.0.1:9: nobody answers (connection refused). Start it."


def test_an_unknown_name_is_said_to_be_one() -> None:
    with pytest.raises(EngineUnavailable, match=r"no machine of the name 'piper\.invalid' is known"):
        service("http://piper.invalid:5000").get("/")


def test_a_name_look_up_that_hangs_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30))
    try:
        with pytest.raises(EngineUnavailable, match=r"look-up of its name 'slow\.example' took more than 0\.05 s"):
            service("http://slow.example", timeouts=Timeouts(connect=0.05)).get("/")
    finally:
        over.set()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_because_it_would_carry_texts_and_secrets_away(
    status: int, httpserver: HTTPServer
) -> None:
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/synthesize").respond_with_data(status=status, headers={"Location": elsewhere})
    with pytest.raises(EngineRefused, match="it sends us elsewhere") as raised:
        service(httpserver.url_for("")).post("/synthesize", {"text": "secret"})

    assert elsewhere in raised.value.what
    assert len(httpserver.log) == 1


def test_secrets_go_along_and_are_never_shown(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("no", status=403)
    url = httpserver.url_for("/").replace("http://", "http://ada:pa%3Ass@")
    with pytest.raises(EngineRefused) as raised:
        service(url, headers={"X-Key": "topsecret"}).get("/")

    request = httpserver.log[0][0]
    assert request.authorization is not None
    assert (request.authorization.username, request.authorization.password) == ("ada", "pa:ss")
    assert request.headers["X-Key"] == "topsecret"
    assert "pa:ss" not in str(raised.value)
    assert "topsecret" not in str(raised.value)
    assert "key in the settings" in raised.value.hint


def test_a_netrc_and_other_people_s_cookies_are_left_out(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = tmp_path / "netrc"  # type: ignore[operator]
    netrc.write_text("machine localhost login eve password x\n")
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request("/").respond_with_data("{}", headers={"Set-Cookie": "session=1"})
    asking = service(httpserver.url_for("/"))
    asking.get_json("/")
    asking.get_json("/")

    for request, _ in httpserver.log:
        assert "Authorization" not in request.headers
        assert "Cookie" not in request.headers


def test_a_proxy_is_never_asked_for_this_machine(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    httpserver.expect_request("/").respond_with_data("{}")

    assert service(httpserver.url_for("/")).get_json("/") == {}


def test_a_proxy_that_does_not_answer_is_named_as_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(EngineUnavailable, match="the proxy on the way") as raised:
        service("http://piper.example:5000").get("/")
    assert "NO_PROXY" in raised.value.hint


def test_through_a_proxy_the_proxy_is_what_is_asked(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request("/voices").respond_with_json({"via": "proxy"})
    monkeypatch.setenv("http_proxy", httpserver.url_for("/"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert service("http://piper.example:5000").get_json("/voices") == {"via": "proxy"}


def test_an_answer_that_says_when_to_come_back(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("busy", status=503, headers={"Retry-After": "17"})
    with pytest.raises(EngineUnavailable, match="503: busy") as raised:
        service(httpserver.url_for("/")).get("/")
    assert raised.value.retry_after_seconds == 17


def test_what_is_not_json_is_nonsense_and_is_kept(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("<h1>Welcome</h1>")
    with pytest.raises(EngineNonsense, match="not JSON: Welcome") as raised:
        service(httpserver.url_for("/")).get_json("/")
    assert raised.value.answer == "<h1>Welcome</h1>"


def test_a_packed_answer_that_grows_without_end_is_bounded(httpserver: HTTPServer) -> None:
    import gzip

    bomb = gzip.compress(bytes(50_000_000))
    httpserver.expect_request("/").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(EngineNonsense, match="longer than"):
        service(httpserver.url_for("/"), max_answer_bytes=1_000_000).get("/")


def test_text_goes_out_as_utf_8_json(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/", method="POST", json={"text": "Olá, 世界"}).respond_with_data("ok")

    assert service(httpserver.url_for("/")).post("/", {"text": "Olá, 世界"}).body == b"ok"


class Keeping(BaseHTTPRequestHandler):
    """Keeps its connections, and counts them."""

    protocol_version = "HTTP/1.1"
    connections: set[object]

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


def test_connections_are_kept_and_used_again_by_as_many_callers_as_there_are() -> None:
    Keeping.connections = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server, ThreadPoolExecutor(8) as threads:
        server.daemon_threads = True
        serving = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
        serving.start()
        asking = service(f"http://127.0.0.1:{server.server_port}")
        answers = list(threads.map(lambda _: asking.get_json("/"), range(100)))
        asking.close()
        server.shutdown()
        serving.join()

    assert answers == [{}] * 100
    assert len(Keeping.connections) <= 8


def test_a_kept_connection_that_the_server_has_closed_is_opened_anew() -> None:
    def once(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(OK % 2 + b"{}")  # and closes, without having said so

    with raw_server(once) as url:
        asking = service(url)
        assert [asking.get_json("/") for _ in range(3)] == [{}] * 3


def test_any_status_can_be_looked_at_by_who_asks_for_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_response(Response("<h1>Method Not Allowed</h1>", status=405))

    assert service(httpserver.url_for("/")).ask("GET", "/").status == 405
