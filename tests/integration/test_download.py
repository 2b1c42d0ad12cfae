"""Downloads: cut anywhere and gone on with, and never a wrong file under the final name."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted, StoreError
from pipeline.net.download import fetch
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from tests.fakes.file_server import Site, serving

CONTENT = random.Random(7).randbytes(200_000)
QUICK = Policy(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.001)
"""Three tries, and no waiting."""


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.__init__(port=running.port, files={"/file": CONTENT})  # type: ignore[misc]
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
        cuts=cuts,
        honours_range=honours_range,
        tells_version=tells_version,
        tells_length=tells_length,
        port=site.port,
        files={"/file": CONTENT},
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


# -- servers that lie --------------------------------------------------------------------------------------------

FIFTY = random.Random(50).sample(range(1, len(CONTENT)), 50)


@pytest.mark.parametrize("cut", FIFTY)
def test_cut_at_one_of_fifty_points_and_begun_again_it_comes_to_the_right_digest(
    cut: int, site: Site, target: Path
) -> None:
    site.cuts = [cut, 0, 0]
    with pytest.raises(EngineUnavailable):
        get(site, target, policy=Policy(attempts=1))
    assert not target.exists()
    site.cuts, site.asked = [], []
    get(site, target)

    assert target.read_bytes() == CONTENT
    assert site.asked == [("/file", f"bytes={cut}-")]


@pytest.mark.parametrize("checked", [True, False], ids=["digest known", "nothing known"])
def test_a_file_that_changes_between_two_tries_is_not_sewn_together_by_a_server_without_if_range(
    checked: bool, site: Site, target: Path
) -> None:
    new = CONTENT[::-1]
    known: dict[str, object] = {"size": len(new), "digest": sha256(new)} if checked else {"size": None, "digest": None}
    site.knows_if_range, site.cuts = False, [100_000, 0]
    with pytest.raises(EngineUnavailable):
        get(site, target, policy=Policy(attempts=1), **known)
    site.cuts = []
    site.files["/file"] = new
    get(site, target, **known)

    assert target.read_bytes() == new


LIES: dict[str, dict[str, object]] = {
    "a length that is too small": {"claims_length": 100_000},
    "a length that is too large": {"claims_length": 300_000},
    "a total that is too small, for a part": {"cuts": [50_000], "claims_total": 100_000},
    "a total that is too large, for a part": {"cuts": [50_000], "claims_total": 300_000},
    "another part than was asked for": {"cuts": [50_000], "sends_from": 10_000, "honours_range": True},
    "gzip": {"packs": True},
    "gzip for a part": {"packs": True, "cuts": [50_000]},
    "garbage": {"files": {"/file": random.Random(8).randbytes(len(CONTENT))}},
    "too much": {"files": {"/file": CONTENT + b"more"}},
    "too much, without saying so": {"files": {"/file": CONTENT + b"more"}, "tells_length": False},
    "too little": {"files": {"/file": CONTENT[:-1]}},
    "nothing": {"files": {"/file": b""}},
    "a page": {"files": {"/file": b"<html>Sign in</html>"}},
}


@pytest.mark.parametrize("left", [0, 60_000], ids=["from the start", "from a part"])
@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_server_that_lies_never_puts_a_file_under_the_final_name(
    lie: str, left: int, site: Site, target: Path
) -> None:
    site.__init__(**({"port": site.port, "files": {"/file": CONTENT}} | LIES[lie]))  # type: ignore[misc]
    if left:
        target.parent.mkdir()
        target.with_name("file.onnx.part").write_bytes(CONTENT[:left])
    try:
        get(site, target)
    except (EngineNonsense, EngineUnavailable):
        assert not target.exists()
    else:
        assert target.read_bytes() == CONTENT
