"""Downloads: cut anywhere and gone on with, and never a wrong file under the final name."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines import voice_catalogue
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted, StoreError
from pipeline.net.download import fetch
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls

CONTENT = random.Random(7).randbytes(200_000)
QUICK = Policy(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.001)
"""Three tries, and no waiting."""


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class Site:
    """What the server has and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=lambda: {"/file": CONTENT})
    cuts: list[int] = field(default_factory=list)
    """Bytes of the body after which each answer in turn breaks off; whole answers when it is used up."""
    honours_range: bool = True
    tells_version: bool = True
    tells_length: bool = True
    sends_from: int | None = None
    """Where the part begins that it sends instead of the one that was asked for."""
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: object) -> None:
        self._site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        site, wanted = self._site, self.headers.get("Range")
        site.asked.append((self.path, wanted))
        if self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.end_headers()
            return
        content = site.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        version = f'"{md5(content)}"'
        start = 0
        if wanted and site.honours_range and self.headers.get("If-Range", version) == version:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            start = start if site.sends_from is None else site.sends_from
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if site.tells_version:
            self.send_header("ETag", version)
        if site.tells_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if site.cuts:
            body = body[: site.cuts.pop(0)]
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that stops in the middle is what these tests are about."""


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    site = Site()
    server = QuietServer(("127.0.0.1", 0), partial(Handler, site))
    site.port = server.server_port
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(running: Site) -> Site:
    port = running.port
    running.__init__(port=port)  # type: ignore[misc]
    return running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "voices" / "file.onnx"


def get(site: Site, target: Path, **options: object) -> None:
    chosen: dict[str, object] = {"stop": threading.Event(), "policy": QUICK, "size": len(CONTENT)}
    chosen |= {"digest": sha256(CONTENT)} | options
    fetch(site.url, target, tls=Tls(), **chosen)  # type: ignore[arg-type]


def folder_of(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def test_a_file_comes_whole_and_alone(site: Site, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    get(site, target, progress=lambda done, total: told.append((done, total)))

    assert target.read_bytes() == CONTENT
    assert folder_of(target) == ["file.onnx"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_what_is_there_and_right_is_not_asked_for(site: Site, target: Path) -> None:
    get(site, target)
    get(site, target)

    assert len(site.asked) == 1


def test_what_is_there_and_wrong_is_fetched(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"?" * len(CONTENT))
    get(site, target)

    assert target.read_bytes() == CONTENT


def test_a_cut_download_goes_on_from_where_it_stopped(site: Site, target: Path) -> None:
    site.cuts = [70_000, 50_000]
    get(site, target)

    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=70000-", "bytes=120000-"]


def test_tries_that_bring_something_do_not_use_up_the_patience(site: Site, target: Path) -> None:
    site.cuts = [10_000] * 15
    get(site, target)

    assert target.read_bytes() == CONTENT


def test_a_later_run_goes_on_from_what_an_earlier_one_left(site: Site, target: Path) -> None:
    site.cuts = [90_000, 0, 0, 0, 0, 0, 0]
    with pytest.raises(EngineUnavailable) as raised:
        get(site, target)
    assert "goes on from where it stopped" in raised.value.hint
    assert not target.exists()
    site.cuts, site.asked = [], []
    get(site, target)

    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == ["bytes=90000-"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=6),
    honours_range=st.booleans(),
    tells_version=st.booleans(),
    tells_length=st.booleans(),
    checked_by=st.sampled_from(["digest and size", "digest"]),
    left=st.one_of(st.none(), st.integers(0, len(CONTENT) + 10)),
)
def test_cut_wherever_it_may_be_it_ends_in_the_right_file_or_in_none(
    cuts: list[int],
    honours_range: bool,
    tells_version: bool,
    tells_length: bool,
    checked_by: str,
    left: int | None,
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    target = tmp_path_factory.mktemp("download") / "file.onnx"
    if left is not None:  # the part of a run that was killed, of this version of the file or of none
        target.with_name("file.onnx.part").write_bytes((CONTENT + b"?" * 10)[:left])
    site.__init__(  # type: ignore[misc]
        cuts=cuts, honours_range=honours_range, tells_version=tells_version, tells_length=tells_length, port=site.port
    )
    size = len(CONTENT) if checked_by == "digest and size" else None
    while True:
        try:
            get(site, target, size=size)
            break
        except (EngineUnavailable, EngineNonsense):
            # Without a length nobody can tell a cut from an end; then the digest can.
            assert not target.exists()
    shutil.rmtree(target.parent) if target.read_bytes() == CONTENT else pytest.fail("a wrong file has the final name")


def test_a_server_that_knows_no_ranges_begins_again(site: Site, target: Path) -> None:
    site.honours_range = False
    site.cuts = [150_000]
    get(site, target)

    assert target.read_bytes() == CONTENT


def test_another_part_than_was_asked_for_is_not_put_in_its_place(site: Site, target: Path) -> None:
    site.cuts, site.sends_from = [100_000], 99_000
    get(site, target, size=None, digest=None)

    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, "bytes=100000-", None]


def test_two_versions_are_never_sewn_together(site: Site, target: Path) -> None:
    old, new = CONTENT, CONTENT[::-1]
    site.cuts = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(EngineUnavailable):
        get(site, target, size=None, digest=None)
    site.cuts, site.files["/file"] = [], new
    get(site, target, size=None, digest=None)

    assert old != new == target.read_bytes()


def test_without_a_version_or_a_digest_a_cut_download_begins_again(site: Site, target: Path) -> None:
    site.tells_version = False
    site.cuts = [100_000]
    get(site, target, size=None, digest=None)

    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == [None, None]


def test_one_wrong_bit_is_noticed_and_named_and_nothing_of_it_stays(site: Site, target: Path) -> None:
    wrong = bytearray(CONTENT)
    wrong[123_456] ^= 1
    site.files["/file"] = bytes(wrong)
    with pytest.raises(EngineNonsense, match="its sha256 is"):
        get(site, target)

    assert folder_of(target) == []


def test_a_part_of_another_file_costs_one_more_try_and_no_more(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.onnx.part").write_bytes(b"?" * 50_000)
    get(site, target)

    assert target.read_bytes() == CONTENT
    assert [asked for _, asked in site.asked] == ["bytes=50000-", None]


def test_a_file_of_another_size_is_refused_before_it_is_fetched(site: Site, target: Path) -> None:
    site.files["/file"] = CONTENT + b"more"
    with pytest.raises(EngineNonsense, match="200,004 bytes there and should have 200,000"):
        get(site, target)

    assert folder_of(target) == []


def test_a_file_without_an_end_is_not_written_to_the_end(site: Site, target: Path) -> None:
    site.tells_length = False
    with pytest.raises(EngineNonsense, match="more than 1,000 bytes"):
        get(site, target, size=None, digest=None, most_bytes=1000)

    assert folder_of(target) == []


def test_a_disk_too_small_is_said_before_it_starts(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=16 << 20))
    with pytest.raises(StoreError, match="Free some space"):
        get(site, target)

    assert folder_of(target) == []


def test_stopping_keeps_what_has_come(site: Site, target: Path) -> None:
    stop = threading.Event()

    def stop_soon(done: int, _: int | None) -> None:
        if done:
            stop.set()

    with pytest.raises(Interrupted):
        get(site, target, stop=stop, progress=stop_soon)
    assert not target.exists()
    came = target.with_name("file.onnx.part").stat().st_size
    assert 0 < came < len(CONTENT)
    site.asked = []
    get(site, target)
    assert site.asked == [("/file", f"bytes={came}-")]


def test_who_fetches_the_same_file_at_the_same_time_waits_and_finds_it(site: Site, target: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: get(site, target), range(6)))

    assert target.read_bytes() == CONTENT
    assert folder_of(target) == ["file.onnx"]
    assert len(site.asked) == 1


def test_what_is_not_there_is_refused_by_its_address(site: Site, target: Path) -> None:
    site.files = {}
    with pytest.raises(EngineRefused, match="404") as raised:
        get(site, target)

    assert raised.value.where == site.url
    assert folder_of(target) == []


def test_it_follows_to_where_large_files_are_kept_but_not_in_a_circle(site: Site, target: Path) -> None:
    site.files = {"/blob": CONTENT}
    site.redirects = {"/file": f"http://localhost:{site.port}/blob"}
    get(site, target)
    assert target.read_bytes() == CONTENT

    site.redirects = {"/file": "/file"}
    with pytest.raises(EngineRefused, match="on and on"):
        get(site, target.with_name("other"))


# -- the catalogue of voices -------------------------------------------------------------------------------------

JOE = "en_US-joe-medium"
FILES = {f"{JOE}.onnx": b"network" * 9000, f"{JOE}.onnx.json": b'{"audio": {}}', "MODEL_CARD": b"* License: CC0"}


def entry(name: str, files: dict[str, bytes]) -> dict[str, object]:
    code, voice, quality = name.split("-")
    at = f"{code[:2]}/{code}/{voice}/{quality}"
    return {
        "key": name,
        "name": voice,
        "language": {"code": code, "family": code[:2], "region": code[3:]},
        "quality": quality,
        "num_speakers": 1,
        "speaker_id_map": {},
        "files": {
            f"{at}/{file}": {"size_bytes": len(content), "md5_digest": md5(content)} for file, content in files.items()
        },
        "aliases": ["en-us-joe-medium"] if name == JOE else [],
    }


@pytest.fixture
def catalogue(site: Site) -> Site:
    voices = {JOE: FILES, "pt_PT-tugão-medium": {f"pt_PT-tugão-medium.onnx{end}": b"{}" for end in ("", ".json")}}
    site.files = {"/voices.json": json.dumps({name: entry(name, files) for name, files in voices.items()}).encode()}
    site.files |= {f"/en/en_US/joe/medium/{name}": content for name, content in FILES.items()}
    at = "/pt/pt_PT/tug%C3%A3o/medium/pt_PT-tug%C3%A3o-medium.onnx"
    site.files |= {at: b"{}", f"{at}.json": b"{}"}
    return site


def install(site: Site, name: str, folder: Path, **options: object) -> None:
    chosen: dict[str, object] = {"stop": threading.Event(), "policy": QUICK} | options
    voice_catalogue.get(name, folder, tls=Tls(), base_url=f"http://127.0.0.1:{site.port}/", **chosen)  # type: ignore[arg-type]


def test_a_voice_comes_with_its_configuration_and_its_card(catalogue: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    install(catalogue, JOE, tmp_path / "voices", progress=lambda done, total: told.append((done, total)))

    assert {path.name: path.read_bytes() for path in (tmp_path / "voices").iterdir()} == {
        f"{JOE}.onnx": FILES[f"{JOE}.onnx"],
        f"{JOE}.onnx.json": FILES[f"{JOE}.onnx.json"],
        f"{JOE}.MODEL_CARD": FILES["MODEL_CARD"],
    }
    size = sum(map(len, FILES.values()))
    assert told[-1] == (size, size)
    assert told == sorted(told)


def test_a_voice_that_is_there_is_looked_up_and_not_fetched_again(catalogue: Site, tmp_path: Path) -> None:
    install(catalogue, JOE, tmp_path)
    catalogue.asked = []
    install(catalogue, JOE, tmp_path)

    assert [path for path, _ in catalogue.asked] == ["/voices.json"]


def test_a_name_with_letters_beyond_ascii_is_found(catalogue: Site, tmp_path: Path) -> None:
    install(catalogue, "pt_PT-tugão-medium", tmp_path)

    assert (tmp_path / "pt_PT-tugão-medium.onnx").exists()


@pytest.mark.parametrize("missing", [f"{JOE}.onnx", f"{JOE}.onnx.json", "MODEL_CARD"])
def test_a_voice_is_never_half_installed(missing: str, catalogue: Site, tmp_path: Path) -> None:
    del catalogue.files[f"/en/en_US/joe/medium/{missing}"]
    with pytest.raises(EngineRefused, match="404"):
        install(catalogue, JOE, tmp_path)

    assert not list(tmp_path.glob("*.onnx*"))


def test_a_damaged_voice_is_never_installed(catalogue: Site, tmp_path: Path) -> None:
    catalogue.files[f"/en/en_US/joe/medium/{JOE}.onnx"] = FILES[f"{JOE}.onnx"][::-1]
    with pytest.raises(EngineNonsense, match="md5"):
        install(catalogue, JOE, tmp_path)

    assert not list(tmp_path.glob("*.onnx*"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("en_US-jo-medium", "The nearest: en_US-joe-medium"),
        ("en-us-joe-medium", "It is called en_US-joe-medium now."),
        ("pt", "pt_PT-tugão-medium"),
        ("klingon", "It has 2 others"),
        ("../../etc/passwd", "en_US-lessac-medium"),
        (".onnx", "en_US-lessac-medium"),
        ("", "en_US-lessac-medium"),
    ],
)
def test_a_voice_that_there_is_not_is_refused_with_the_nearest(
    name: str, hint: str, catalogue: Site, tmp_path: Path
) -> None:
    with pytest.raises(EngineRefused) as raised:
        install(catalogue, name, tmp_path / "voices")

    assert hint in raised.value.hint
    assert not (tmp_path / "voices").exists()


def test_without_a_network_it_says_what_to_do_by_hand(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as raised:
        voice_catalogue.get(
            JOE, tmp_path, tls=Tls(), stop=threading.Event(), base_url="http://127.0.0.1:9/main", policy=QUICK
        )

    assert "http://127.0.0.1:9/main/en/en_US/joe/medium/en_US-joe-medium.onnx" in raised.value.hint
    assert str(tmp_path) in raised.value.hint


@pytest.mark.parametrize("text", [b"<html>Welcome!</html>", b"[]", b'{"en_US-joe-medium": {}}', b"\xff"])
def test_what_is_no_catalogue_is_said_to_be_none(text: bytes, site: Site, tmp_path: Path) -> None:
    site.files = {"/voices.json": text}
    with pytest.raises(EngineNonsense, match="no catalogue of voices") as raised:
        install(site, JOE, tmp_path)

    assert raised.value.answer == text.decode("utf-8", "replace")
