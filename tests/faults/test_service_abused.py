"""What somebody may do to the service from outside: send far too much, look at everything, give titles of markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

import pytest
import requests

from tests.fakes.served import Served, project_of, served

MARKUP = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(project_of(tmp_path_factory.mktemp("served"))) as at:
        yield at


def test_an_upload_that_claims_ten_gigabytes_is_refused_before_it_comes(at: Served) -> None:
    host, port = urlsplit(at.address).hostname, urlsplit(at.address).port
    with create_connection((str(host), int(port or 0)), timeout=20) as large:
        large.sendall(
            f"POST /api/v1/topics HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {10 << 30}\r\n\r\n".encode()
        )
        assert large.recv(100).startswith(b"HTTP/1.1 413 ")


def kept(folder: Path) -> dict[str, bytes]:
    """What a person gave."""
    paths = [path for root in ("input", "config") for path in (folder / root).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_looking_at_everything_changes_nothing_and_a_title_of_markup_is_shown_as_text(at: Served) -> None:
    made = requests.post(f"{at.address}/api/v1/topics", json={"title": MARKUP, "notes": MARKUP}, timeout=20)
    assert made.status_code in {201, 202}
    folder = at.service.house.project.folders.project
    before = kept(folder)
    assert before
    paths = requests.get(f"{at.address}/api/v1/openapi.json", timeout=20).json()["paths"]
    looked_at = [re.sub(r"{\w+}", made.json()["name"], path) for path, verbs in paths.items() if "get" in verbs]
    assert len(looked_at) > 10
    for path in ("/", *looked_at):
        with requests.get(f"{at.address}{path}", timeout=20, stream=True) as answer:  # news come without an end
            assert "html" not in answer.headers.get("Content-Type", "") or "<script>alert" not in answer.text
    assert kept(folder) == before
