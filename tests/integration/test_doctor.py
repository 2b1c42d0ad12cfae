"""Doctor at real servers: the right one, wrong ones, certificates, names not found; and over a whole project."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from pipeline import __version__, doctor
from pipeline.doctor.finding import Finding
from pipeline.doctor.servers import Server, Visit, is_ollama, is_piper
from pipeline.net.session import Service
from pipeline.net.tls import Tls
from tests.fakes import a1111
from tests.fakes.authority import Authority, Shown, self_signed, serving

ROOT = Path(__file__).parents[2]
HERE = "DNS:localhost,IP:127.0.0.1"
Judge = Callable[[Visit, Service], Iterator[Finding]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Seen(NamedTuple):
    visit: Visit
    findings: list[Finding]

    def of(self, check: str) -> Finding:
        """The last finding of a check."""
        return next(finding for finding in reversed(self.findings) if finding.check == check)


def seen(url: str, judge: Judge | None = None, *, needed: bool = True, origin: str = ".env:3", **changed: Any) -> Seen:
    """A visit to a server, and what was found."""
    name = "Piper" if judge is is_piper else "Ollama"
    server = Server(name, url.rstrip("/"), f"{name.upper()}_BASE_URL", origin, needed)
    visit = Visit(server, **{"tls": Tls(), "environ": {}, "connect_seconds": 5.0, **changed})
    return Seen(visit, list(visit.hops(judge or is_ollama("gemma3:4b"))))


def serve_ollama(server: HTTPServer, *models: str, version: str = "0.33.0") -> None:
    server.expect_request("/").respond_with_data("Ollama is running")
    server.expect_request("/api/version").respond_with_json({"version": version})
    listed = [{"name": one, "model": one, "digest": "a" * 64} for one in models]
    server.expect_request("/api/tags").respond_with_json({"models": listed})


def serve_piper(server: HTTPServer, *posts: str, health: object = None) -> None:
    server.expect_request("/voices").respond_with_json({"en_US-joe-medium": {"audio": {"sample_rate": 22050}}})
    for path in posts:
        server.expect_request(path, method="GET").respond_with_data("Method Not Allowed", status=405)
    if health is not None:
        server.expect_request("/health").respond_with_json(health)


# -- the right one -------------------------------------------------------------------------------------------------


def test_ollama_with_its_model(httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:4b", "llama3:latest")

    told = seen(httpserver.url_for(""))

    assert told.visit.failure is None
    assert {finding.state for finding in told.findings} == {"ok"}
    assert "(OLLAMA_BASE_URL, from .env:3)" in told.of("Ollama address").found
    assert told.of("Ollama").found == "Ollama 0.33.0 answers"
    assert told.of("Ollama model").found == "gemma3:4b is there"


def test_ollama_without_its_model(httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:12b")

    told = seen(httpserver.url_for(""))
    assert told.visit.failure is None
    assert told.of("Ollama model").bad
    assert "ollama pull gemma3:4b" in told.of("Ollama model").todo


@pytest.mark.parametrize(
    ("posts", "health", "state", "found"),
    [
        (["/synthesize"], None, "ok", "upstream's Piper server answers, 1.5 or later (POST /synthesize)"),
        (["/"], None, "ok", "upstream's Piper server answers, before 1.5 (POST /)"),
        ([], {"service": "media-pipeline speech", "version": __version__}, "ok",
         f"this project's own speech server {__version__} answers"),
        ([], {"service": "media-pipeline speech", "version": "0.0.9"}, "note", "of version 0.0.9"),
    ],
)  # fmt: skip
def test_piper_of_every_kind(httpserver: HTTPServer, posts: list[str], health: object, state: str, found: str) -> None:
    serve_piper(httpserver, *posts, health=health)

    told = seen(httpserver.url_for(""), is_piper)
    assert told.visit.failure is None
    assert (told.of("Piper").state, found in told.of("Piper").found) == (state, True), told.findings


# -- somebody else -------------------------------------------------------------------------------------------------


def login(server: HTTPServer) -> None:
    page = "<html><title>Welcome</title><form>Log in<input type=password></form></html>"
    server.expect_request(re.compile(".*")).respond_with_data(page, content_type="text/html")


@pytest.mark.parametrize(
    ("serve", "judge", "found", "todo"),
    [
        (lambda s: serve_piper(s, "/synthesize"), None, "is not Ollama but a Piper server", "Set OLLAMA_BASE_URL"),
        (serve_ollama, is_piper, "is not a Piper server but Ollama 0.33.0", "Set PIPER_BASE_URL"),
        (login, None, "is not Ollama but a page to sign in at (“Welcome”)", "NO_PROXY"),
        (login, is_piper, "is not a Piper server but a page to sign in at (“Welcome”)", "NO_PROXY"),
        (lambda s: s.expect_request("/").respond_with_data("hello"), None, "but another program", "Set OLLAMA"),
        (lambda s: s.expect_request("/api/version").respond_with_json({"version": "0.33.0"}), None,
         "its list of models is not there (/api/tags: 500)", "all of /api/"),
        (lambda s: serve_piper(s), is_piper, "takes no texts", "only some routes"),
        (lambda s: s.expect_request("/").respond_with_response(Response(status=302, headers={"Location": "http://x/"})),
         None, "sends us elsewhere: http://x/", "the address of Ollama"),
    ],
)  # fmt: skip
def test_another_service_at_the_address_is_named(
    httpserver: HTTPServer, serve: Callable[[HTTPServer], None], judge: Judge | None, found: str, todo: str
) -> None:
    serve(httpserver)

    told = seen(httpserver.url_for(""), judge)

    last = told.findings[-1]
    assert told.visit.failure is not None
    assert last.bad
    assert found in last.found
    assert "from .env:3)" in last.found
    assert todo in last.todo
    httpserver.clear_assertions()
    httpserver.clear_handler_errors()


@pytest.mark.parametrize(
    ("needed", "origin", "state"), [(True, "default", "bad"), (False, ".env:3", "note"), (False, "default", "ok")]
)
def test_how_bad_it_is_that_nobody_answers_depends_on_who_was_asked_for(needed: bool, origin: str, state: str) -> None:
    told = seen("http://127.0.0.1:9", needed=needed, origin=origin)
    assert told.visit.failure is not None
    assert told.of("Ollama").state == state
    assert "connection refused" in told.of("Ollama").found
    assert bool(told.of("Ollama").todo) == (state != "ok")


def test_a_stranger_at_the_usual_address_is_worth_a_note(httpserver: HTTPServer) -> None:
    login(httpserver)
    told = seen(httpserver.url_for(""), needed=False, origin="default")
    assert told.of("Ollama").state == "note"


# -- the way there -------------------------------------------------------------------------------------------------


def test_a_look_up_that_hangs_is_left_behind() -> None:
    for_ever = Event()

    def hangs(_: str) -> list[str]:
        for_ever.wait()
        return []

    told = seen("http://ollama.example.com:11434", look_up=hangs, connect_seconds=0.05)
    for_ever.set()

    assert "the look-up of its name 'ollama.example.com' took more than 0.05 s" in told.of("Ollama").found
    assert "name server" in told.of("Ollama").todo


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 64 + ".example"])
def test_a_name_that_nobody_knows_is_named(name: str) -> None:
    told = seen(f"http://{name}:11434")
    assert f"no machine of the name {name!r} is known here" in told.of("Ollama").found
    assert "OLLAMA_BASE_URL, from .env:3" in told.of("Ollama").found


def test_a_name_is_told_with_its_addresses(httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:4b")
    told = seen(f"http://localhost:{httpserver.port}")
    assert "127.0.0.1" in told.of("Ollama name").found


def test_through_a_proxy_the_proxy_is_named_without_its_password(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/").respond_with_data("<h1>Denied", status=403, headers={"Server": "squid/5.7"})
    proxy = f"http://me:secret@127.0.0.1:{httpserver.port}"
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)

    told = seen("http://ollama.example.com", environ={"HTTP_PROXY": proxy})

    assert told.of("Ollama way").found == f"through the proxy http://***@127.0.0.1:{httpserver.port} (HTTP_PROXY)"
    assert "a proxy on the way" in told.of("Ollama").found
    assert "NO_PROXY" in told.of("Ollama").todo
    assert "secret" not in str(told.findings)
    httpserver.clear_assertions()


class Late(BaseHTTPRequestHandler):
    """A server whose clock stopped with the last century."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Fri, 31 Dec 1999 23:59:59 GMT"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


def test_a_clock_that_differs_is_measured() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        told = seen(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert told.visit.drift is not None
    assert told.visit.drift > timedelta(days=9000)


# -- certificates --------------------------------------------------------------------------------------------------


def test_a_certificate_that_is_accepted_is_told_with_its_end(authority: Authority) -> None:
    with serving(authority.sign("ollama.example", alternatives=HERE)) as (port, _):
        told = seen(f"https://localhost:{port}", tls=Tls(ca_bundle=authority.certificate))
    certificate = told.of("Ollama certificate")
    assert certificate.state == "ok"
    assert "subject CN=ollama.example" in certificate.found
    assert "issuer CN=Example Authority" in certificate.found
    assert "2099" in certificate.found


@pytest.mark.parametrize(
    ("kind", "found", "todo"),
    [
        ("unknown", "no known authority has signed it (subject CN=ollama.example", "SSL_CA_BUNDLE"),
        ("self-signed", "it is self-signed (subject CN=ollama.example", "SSL_CA_BUNDLE"),
        ("expired", "it expired on Jan  1 00:00:00 2021 GMT", "clock"),
        ("wrong host", "it is for other.example, not for localhost", "Use the name"),
    ],
)
def test_a_certificate_that_is_refused_is_named(
    authority: Authority, tmp_path: Path, kind: str, found: str, todo: str
) -> None:
    kinds: dict[str, Callable[[], Shown]] = {
        "unknown": lambda: authority.sign("ollama.example", alternatives=HERE),
        "self-signed": lambda: self_signed(tmp_path, "ollama.example"),
        "expired": lambda: authority.sign(
            "ollama.example", alternatives=HERE, begin="20200101000000Z", end="20210101000000Z"
        ),
        "wrong host": lambda: authority.sign("ollama.example", alternatives="DNS:other.example"),
    }
    tls = Tls(ca_bundle=authority.certificate if kind in {"expired", "wrong host"} else None)
    with serving(kinds[kind]()) as (port, requests):
        told = seen(f"https://localhost:{port}", tls=tls)
    assert requests == []
    assert told.of("Ollama").bad
    assert found in told.of("Ollama").found
    assert todo in told.of("Ollama").todo


# -- a whole project -----------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "project/config")
    (tmp_path / "project/input").mkdir()
    return tmp_path / "project"


SERVERS = {
    "WRITER": "ollama",
    "VOICE_ENGINE": "piper-server",
    "OLLAMA_BASE_URL": "http://127.0.0.1:9",
    "PIPER_BASE_URL": "http://127.0.0.1:9",
}


def test_every_fault_in_the_settings_is_a_finding(project: Path) -> None:
    faults = [one for one in doctor.examine(project, {"CORES": "many", "WRITER": "olama"}) if one.bad]
    assert [one.check for one in faults] == ["settings", "settings"]
    assert "did you mean ollama?" in str(faults)


def test_the_checks_of_a_project_have_stable_names_and_each_fault_has_its_remedy(project: Path) -> None:
    told = doctor.examine(project, {**SERVERS, "HOME": str(project)})

    assert [one.check for one in told] == [
        "version", "settings", "TLS", "machine", "cores", "memory", "cache", "GPU", "input", "output", "data", "disk",
        "proxies", "Ollama address", "Ollama", "writing", "Piper address", "Piper", "speaking", "pictures", "drawing",
        "clock",
    ]  # fmt: skip
    assert {one.check for one in told if one.bad} == {"Ollama", "writing", "Piper", "speaking"}
    assert all(one.todo for one in told if one.bad)
    assert json.dumps([[one.check, one.state, one.found, one.todo] for one in told])


def drawing(project: Path, **environ: str) -> dict[str, Finding]:
    told = {one.check: one for one in doctor.examine(project, {**SERVERS, **environ}, quick=False)}
    return {check: one for check, one in told.items() if check in {"Stable Diffusion", "pictures", "drawing"}}


def test_without_stable_diffusion_cards_are_set_and_proven(project: Path) -> None:
    told = drawing(project)
    assert {check: one.state for check, one in told.items()} == {"pictures": "ok", "drawing": "ok"}
    assert "Stable Diffusion is off" in told["pictures"].found


def test_a_stable_diffusion_that_is_wanted_and_away_is_worth_a_word(project: Path) -> None:
    told = drawing(project, SD_ENABLED="true", SD_BASE_URL="http://127.0.0.1:9")
    assert {check: one.state for check, one in told.items()} == {
        "Stable Diffusion": "note", "pictures": "note", "drawing": "ok",
    }  # fmt: skip
    assert "cards are set" in told["pictures"].found


def test_a_stable_diffusion_that_answers_draws_a_picture(project: Path) -> None:
    fake = a1111.FakeA1111(user="me", password="hush")  # of a server that lives as long as this test
    with a1111.serving(fake) as url:
        told = drawing(project, SD_ENABLED="true", SD_BASE_URL=url, SD_AUTH="me:hush")
        assert {one.state for one in told.values()} == {"ok"}
        assert len(fake.asked) == 1
        refused = drawing(project, SD_ENABLED="true", SD_BASE_URL=url, SD_AUTH="me:wrong")
    assert "it asks who calls" in refused["Stable Diffusion"].found
    assert "SD_AUTH" in refused["Stable Diffusion"].todo
    assert "hush" not in f"{told} {refused}"


def test_another_program_on_its_port_is_told(project: Path, httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:4b")
    told = drawing(project, SD_ENABLED="true", SD_BASE_URL=httpserver.url_for("").rstrip("/"))
    assert "is not a Stable Diffusion server" in told["Stable Diffusion"].found
    assert "Ollama" in told["Stable Diffusion"].found


def test_a_quick_look_asks_who_is_there_and_has_nothing_made(project: Path, httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:4b")
    environ = {**SERVERS, "OLLAMA_BASE_URL": httpserver.url_for("")}

    told = {one.check: one for one in doctor.examine(project, environ, quick=True)}

    assert told["Ollama model"].state == "ok"
    assert "writing" not in told
    assert {request.method for request, _ in httpserver.log} == {"GET"}
    assert told["Piper"].bad, "who is not there is missed all the same"


def test_bundles_that_others_read_are_said_not_to_be_read(project: Path) -> None:
    environ = {**SERVERS, "REQUESTS_CA_BUNDLE": "/company.pem", "SSL_CERT_FILE": "/company.pem"}
    told = {one.check: one for one in doctor.examine(project, environ, quick=True)}
    assert told["TLS"].found.endswith("REQUESTS_CA_BUNDLE, SSL_CERT_FILE are not read, SSL_CA_BUNDLE is")


def test_a_server_whose_model_fails_is_not_well(project: Path, httpserver: HTTPServer) -> None:
    serve_ollama(httpserver, "gemma3:4b")
    httpserver.expect_request("/api/chat").respond_with_json({"error": "out of memory"}, status=500)
    environ = {**SERVERS, "OLLAMA_BASE_URL": httpserver.url_for(""), "OLLAMA_API_KEY": "sesame"}

    told = {one.check: one for one in doctor.examine(project, environ)}

    assert (told["Ollama"].state, told["Ollama model"].state) == ("ok", "ok")
    assert told["writer"].found == "ollama is taken: named in the settings"
    assert told["writing"].bad
    assert "out of memory" in told["writing"].found
    assert told["clock"].found.endswith("as Ollama says")
    assert "sesame" not in str(told)
    asked = [request.headers.get("Authorization") for request, _ in httpserver.log]
    assert set(asked) == {"Bearer sesame"}
