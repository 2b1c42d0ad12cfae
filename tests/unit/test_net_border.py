"""Statuses, headers and foreign exceptions, and what they mean to a person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import EngineError, EngineRefused, EngineUnavailable, SettingsError
from pipeline.net.border import Border, Timeouts, complaint, meaning_of, retry_after
from pipeline.net.session import Service, is_near, proxies_for
from pipeline.net.tls import Tls

BORDER = Border(where="Piper at http://piper:5000", hint="Start it.", timeouts=Timeouts(connect=5, read=60))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 529])
def test_what_may_pass_is_worth_asking_again(status: int) -> None:
    assert meaning_of(status) is EngineUnavailable


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 409, 410, 413, 415, 422, 501, 505, 511])
def test_what_will_not_pass_is_refused(status: int) -> None:
    assert meaning_of(status) is EngineRefused


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("-5", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_when_to_come_back_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=lambda: 1000.0) == seconds


@given(st.text(max_size=40))
def test_any_other_text_there_means_nothing(value: str) -> None:
    seconds = retry_after(value, now=lambda: 0.0)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "model not found"}', "model not found"),
        (b'{"error": {"message": "no such voice", "type": "x"}}', "no such voice"),
        (b'{"detail": [{"loc": ["body"]}]}', '[{"loc": ["body"]}]'),
        (b"<html><head><title>500</title></head><body><h1>Internal&nbsp;Error</h1></body>", "Internal Error"),
        (b"plain\r\nwords\x1b[31m", "plain words[31m"),
        (b"", ""),
        (b"[" * 100_000, "[" * 299 + "…"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_an_error_s_body_becomes_a_line_for_a_person(body: bytes, said: str) -> None:
    assert complaint(body) == said


@given(st.binary(max_size=2000))
def test_whatever_comes_the_line_is_short_and_printable(body: bytes) -> None:
    said = complaint(body)
    assert len(said) <= 300
    assert said.isprintable()


def kinds(base: type[Exception]) -> Iterator[type[Exception]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def made(kind: type[Exception]) -> Exception:
    """An instance whose constructor did not run: each has its own arguments."""
    error = kind.__new__(kind)
    Exception.__init__(error, "foreign words")
    for name in ("partial", "expected", "length"):  # which some of them show
        setattr(error, name, 0)
    return error


@pytest.mark.parametrize(
    "kind",
    sorted(
        {
            kind
            for base in (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
            for kind in kinds(base)
            if kind.__module__.split(".")[0] in {"requests", "urllib3", "ssl", "socket", "builtins"}
        },
        key=str,
    ),
    ids=str,
)
def test_every_exception_of_the_clients_is_mapped(kind: type[Exception]) -> None:
    with pytest.raises(EngineError) as raised, BORDER.crossed("http://127.0.0.1:1", direct=False):
        raise made(kind)
    assert raised.value.where == BORDER.where
    assert raised.value.hint


def test_a_fault_of_ours_passes_the_border_as_it_is() -> None:
    with pytest.raises(KeyError), BORDER.crossed("http://127.0.0.1:1"):
        raise KeyError("bug")


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("piper", True),
        ("tts.localhost", True),
        ("localhost.", True),
        ("192.168.1.5", False),
        ("huggingface.co", False),
        ("2001:db8::1", False),
    ],
)
def test_this_machine_and_short_names_are_near(host: str, near: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    url = f"https://[{host}]/" if ":" in host else f"https://{host}:5000/"

    assert is_near(host) is near
    assert proxies_for(url).get("https") == (None if near else "http://proxy.example:3128")


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "company.example")

    assert proxies_for("https://piper.company.example/") == {}


@pytest.mark.parametrize(
    "url", ["", "piper:5000", "ftp://piper", "http://", "http://piper:port", "http://piper:70000", "http://[x/", "/v"]
)
def test_an_address_that_is_none_is_a_fault_in_the_settings(url: str) -> None:
    with pytest.raises(SettingsError, match="the address of Piper"):
        Service("Piper", url, tls=Tls())


def test_a_password_in_the_address_is_never_shown() -> None:
    service = Service("Piper", "http://ada:s%40cret@piper:5000/tts/", tls=Tls())

    assert service.where == "Piper at http://piper:5000/tts"
    for url in ("ftp://ada:secret@piper", "http://ada:secret/1@piper"):
        with pytest.raises(SettingsError) as raised:
            Service("Piper", url, tls=Tls())
        assert "secret" not in str(raised.value)
