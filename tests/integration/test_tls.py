"""Certificates: who is believed, and what a person reads when one is not."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import httpx
import pytest
from structlog.testing import capture_logs

from pipeline import telemetry
from pipeline.engines import ollama_models, voice_catalogue
from pipeline.engines.ollama import Ollama
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.errors import EngineNonsense, EngineRefused, SettingsError
from pipeline.net.download import fetch
from pipeline.net.retry import Policy
from pipeline.net.session import Service
from pipeline.net.tls import Tls, _checked, _unchecked, refusal_in, refused
from pipeline.service.certificates import look
from tests.fakes.authority import Authority, Shown, self_signed, serving

HERE = "DNS:localhost,IP:127.0.0.1"
Client = Callable[[str, Tls, Path], None]
"""Asks the server at an address something, believing so much, with a folder to write into."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> Shown:
    return authority.sign("piper.example", alternatives=HERE)


def ask(port: int, tls: Tls) -> object:
    service = Service("Piper", f"https://localhost:{port}", tls=tls)
    try:
        return service.get_json("/voices")
    finally:
        service.close()


def test_a_company_s_authority_is_believed_once_its_bundle_is_given(authority: Authority, good: Shown) -> None:
    with serving(good) as (port, requests):
        assert ask(port, Tls(ca_bundle=authority.certificate)) == {}
    assert requests == ["/voices"]


def test_the_bundle_is_added_to_the_public_authorities(authority: Authority) -> None:
    public = Tls().context().cert_store_stats()["x509"]

    assert public > 100
    assert Tls(ca_bundle=authority.certificate).context().cert_store_stats()["x509"] == public + 1


def test_a_bundle_may_hold_a_single_self_signed_certificate_and_comments(tmp_path: Path) -> None:
    shown = self_signed(tmp_path, "piper.example")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes("# Unsere Behörde\n".encode("latin-1") + shown.certificate.read_bytes() + b"\n# end\n")
    with serving(shown) as (port, _):
        assert ask(port, Tls(ca_bundle=bundle)) == {}


@pytest.mark.parametrize(
    ("kind", "reason", "hint"),
    [
        ("unknown authority", "no known authority has signed it", "SSL_CA_BUNDLE"),
        ("self-signed", "it is self-signed", "SSL_CA_BUNDLE"),
        ("expired", "it expired on Jan  1 00:00:00 2021 GMT", "clock"),
        ("not yet valid", "it is not valid yet", "clock"),
        ("wrong host", "it is for other.example, not for localhost", "Use the name"),
    ],
)
def test_a_refused_certificate_is_named_with_its_reason_and_what_to_do(
    kind: str, reason: str, hint: str, authority: Authority, good: Shown, tmp_path: Path
) -> None:
    believed = Tls(ca_bundle=authority.certificate)
    shown, tls = {
        "unknown authority": lambda: (good, Tls()),
        "self-signed": lambda: (self_signed(tmp_path, "piper.example"), Tls()),
        "expired": lambda: (
            authority.sign("piper.example", alternatives=HERE, begin="20200101000000Z", end="20210101000000Z"),
            believed,
        ),
        "not yet valid": lambda: (
            authority.sign("piper.example", alternatives=HERE, begin="20980101000000Z"),
            believed,
        ),
        "wrong host": lambda: (authority.sign("piper.example", alternatives="DNS:other.example"), believed),
    }[kind]()

    with serving(shown) as (port, requests), pytest.raises(EngineRefused) as raised:
        ask(port, tls)

    assert reason in raised.value.what
    assert "subject CN=piper.example" in raised.value.what
    issuer = "CN=piper.example" if kind == "self-signed" else "CN=Example Authority, O=Example Company"
    assert f"issuer {issuer}" in raised.value.what
    assert hint in raised.value.hint
    assert raised.value.where == f"Piper at https://localhost:{port}"
    assert requests == [], "nothing may be sent to a server whose certificate is refused"


def test_the_other_http_client_is_refused_in_the_same_words(good: Shown) -> None:
    with serving(good) as (port, _):
        url = f"https://localhost:{port}"
        with (
            httpx.Client(verify=Tls().context(), trust_env=False) as client,
            pytest.raises(httpx.ConnectError) as caught,
        ):
            client.get(url)
        inner = refusal_in(caught.value)
        assert isinstance(inner, ssl.SSLCertVerificationError)
        assert "subject CN=piper.example" in refused(inner, url, where="Ollama").what


def test_both_clients_believe_the_same_bundle(authority: Authority, good: Shown) -> None:
    tls = Tls(ca_bundle=authority.certificate)
    with serving(good) as (port, _), httpx.Client(verify=tls.context(), trust_env=False) as client:
        assert client.get(f"https://localhost:{port}/voices").json() == ask(port, tls) == {}


def test_a_server_that_speaks_no_tls_is_said_to_be_one(httpserver: object) -> None:
    port = httpserver.port  # type: ignore[attr-defined]
    with pytest.raises(EngineRefused) as raised:
        ask(port, Tls())

    assert "http://" in raised.value.hint


@pytest.fixture
def logged() -> None:
    """A command that ran in this process before may have left the log for failures alone."""
    telemetry.configure(form="json", level="info")


@pytest.mark.usefixtures("logged")
def test_unchecked_certificates_are_warned_of_once(good: Shown) -> None:
    _unchecked.cache_clear()
    with serving(good) as (port, requests), capture_logs() as logs:
        for _ in range(3):
            assert ask(port, Tls(verify=False)) == {}

    assert [line["event"] for line in logs] == ["certificates_unchecked"]
    assert len(requests) == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x30\x82\x01\x00 DER", "holds no certificate in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds a certificate that cannot be read"),
    ],
)
def test_a_bundle_that_is_none_is_a_fault_in_the_settings(content: bytes, problem: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(content)

    with pytest.raises(SettingsError) as raised:
        Tls(ca_bundle=bundle).context()

    assert f"SSL_CA_BUNDLE: {bundle} {problem}" in raised.value.problems[0]
    assert "PEM" in raised.value.hint


def test_a_bundle_that_cannot_be_read_is_a_fault_in_the_settings(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(SettingsError) as raised:
            Tls(ca_bundle=path).context()
        assert f"SSL_CA_BUNDLE: {path} cannot be read" in raised.value.problems[0]


# -- every client ------------------------------------------------------------------------------------------------


def _requests(url: str, tls: Tls, _: Path) -> None:
    service = Service("Piper", url, tls=tls)
    try:
        service.get_json("/voices")
    finally:
        service.close()


def _ollama(url: str, tls: Tls, _: Path) -> None:
    Ollama(
        url,
        "gemma3:4b",
        num_ctx=2048,
        keep_alive="5m",
        api_key=None,
        connect_seconds=5,
        read_seconds=5,
        first_token_seconds=5,
        verify=tls.context(),
        stop=Event(),
    ).describe()


def _ollama_models(url: str, tls: Tls, _: Path) -> None:
    ollama_models.installed(ollama_models.Server(url, tls, Event(), policy=ONCE))


def _download(url: str, tls: Tls, folder: Path) -> None:
    fetch(f"{url}/voice.onnx", folder / "voice.onnx", tls=tls, stop=Event(), policy=ONCE)


def _catalogue(url: str, tls: Tls, _: Path) -> None:
    voice_catalogue.available(tls=tls, stop=Event(), base_url=url, policy=ONCE)


def _stable_diffusion(url: str, tls: Tls, _: Path) -> None:
    StableDiffusion(url, tls=tls, stop=Event()).describe()


ONCE = Policy(attempts=1)
CLIENTS = [_requests, _ollama, _ollama_models, _download, _catalogue, _stable_diffusion]
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: str(client).split()[1].strip("_"))


@each_client
def test_every_client_asks_a_server_that_the_given_authority_vouches_for(
    client: Client, authority: Authority, good: Shown, tmp_path: Path
) -> None:
    with serving(good) as (port, requests), suppress(EngineRefused, EngineNonsense):
        # The server answers {} to everything, which to some of them is no answer; they have asked all the same.
        client(f"https://localhost:{port}", Tls(ca_bundle=authority.certificate), tmp_path)
    assert requests


@each_client
@pytest.mark.parametrize("kind", ["unknown authority", "self-signed", "expired", "wrong host"])
def test_every_client_refuses_in_the_same_words_and_sends_nothing(
    client: Client, kind: str, authority: Authority, good: Shown, tmp_path: Path
) -> None:
    kinds: dict[str, Callable[[], tuple[Shown, Path | None, str]]] = {
        "unknown authority": lambda: (good, None, "no known authority has signed it"),
        "self-signed": lambda: (self_signed(tmp_path, "piper.example"), None, "it is self-signed"),
        "expired": lambda: (
            authority.sign("piper.example", alternatives=HERE, begin="20200101000000Z", end="20210101000000Z"),
            authority.certificate,
            "it expired on Jan  1 00:00:00 2021 GMT",
        ),
        "wrong host": lambda: (
            authority.sign("piper.example", alternatives="DNS:other.example"),
            authority.certificate,
            "it is for other.example, not for localhost",
        ),
    }
    shown, bundle, reason = kinds[kind]()
    with serving(shown) as (port, requests), pytest.raises(EngineRefused) as raised:
        client(f"https://localhost:{port}", Tls(ca_bundle=bundle), tmp_path)
    assert f"its certificate is not accepted: {reason} (subject CN=piper.example" in raised.value.what
    assert "issuer CN=" in raised.value.what
    assert ("SSL_CA_BUNDLE" in raised.value.hint) == (bundle is None)
    assert requests == []


@each_client
def test_no_variable_of_others_has_a_say_in_who_is_believed(
    client: Client, authority: Authority, good: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authority.certificate))
    _checked.cache_clear()
    with serving(good) as (port, requests), pytest.raises(EngineRefused, match="no known authority"):
        client(f"https://localhost:{port}", Tls(), tmp_path)
    assert requests == []


@pytest.mark.usefixtures("logged")
def test_all_clients_together_warn_once_of_unchecked_certificates(good: Shown, tmp_path: Path) -> None:
    _unchecked.cache_clear()
    with capture_logs() as logs:
        for client in CLIENTS:
            with serving(good) as (port, requests), suppress(EngineRefused, EngineNonsense):
                client(f"https://localhost:{port}", Tls(verify=False), tmp_path)
            assert requests
    assert [line["event"] for line in logs if "certificates" in line["event"]] == ["certificates_unchecked"]


@each_client
def test_every_client_meets_an_unusable_bundle_before_it_asks(client: Client, good: Shown, tmp_path: Path) -> None:
    for shown in (tmp_path / "missing.pem", good.key):
        with serving(good) as (port, requests), pytest.raises(SettingsError, match="SSL_CA_BUNDLE"):
            client(f"https://localhost:{port}", Tls(ca_bundle=shown), tmp_path)
        assert requests == []


def test_when_a_certificate_expires_is_known_whether_it_is_believed_or_not(authority: Authority) -> None:
    shown = authority.sign("voice.example", alternatives=HERE, end="20310203040506Z")
    told: dict[str, float | None] = {}
    with serving(shown) as (port, _):
        addresses = {"voice": f"https://127.0.0.1:{port}", "writer": f"http://127.0.0.1:{port}"}
        look(lambda: addresses, told.__setitem__)
    assert told == {"voice": datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC).timestamp()}


def test_a_server_that_is_gone_shows_no_certificate(good: Shown) -> None:
    told: dict[str, float | None] = {}
    with serving(good) as (port, _):
        pass
    look(lambda: {"voice": f"https://127.0.0.1:{port}"}, told.__setitem__)
    assert told == {"voice": None}
