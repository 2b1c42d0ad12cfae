"""The service as its callers meet it: a real server on a loopback port, real files, fake engines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import structlog
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from pipeline import telemetry
from pipeline.cli import run_command_line
from pipeline.engines.retrying import RetryingVoice
from pipeline.errors import EngineError, EngineRefused, EngineUnavailable
from pipeline.net.breaker import Breaker
from pipeline.net.circuit import Rests
from pipeline.net.outages import Outages
from pipeline.net.retry import Policy
from pipeline.service.reference import calls_of, page
from tests.fakes.served import Served, project_of, served
from tests.fakes.voice import FakeVoice

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef"
LOG = {"title": "The log", "mode": "read", "notes": "The wind rose before six. Nobody slept on board."}
PROBLEM = "application/problem+json"


class Caller:
    """Calls the service as a program would; `told` waits for what its events say."""

    def __init__(self, at: Served) -> None:
        self.at = at
        self.session = requests.Session()
        self.session.trust_env = False

    def call(self, verb: str, path: str, **options: Any) -> requests.Response:
        prefix = "" if path in {"/health", "/ready", "/metrics"} else "/api/v1"
        return self.session.request(verb, f"{self.at.address}{prefix}{path}", timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, json: object = None, **options: Any) -> requests.Response:
        return self.call("POST", path, json=json, **options)

    @contextmanager
    def listening(self, **headers: str) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """What happens from now on, as event and facts."""
        with self.get("/events", stream=True, headers={name.replace("_", "-"): v for name, v in headers.items()}) as it:
            assert it.status_code == 200
            lines = it.iter_lines(chunk_size=None, decode_unicode=True)
            assert next(lines).startswith("retry:")
            yield _events(lines)

    def made(self, topic: dict[str, Any]) -> str:
        """Post a topic and wait until its episode is there; returns its name."""
        with self.listening() as events:
            assert self.post("/topics", topic).status_code == 201
            return str(until(events, "done")["episode"])


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def until(events: Iterator[tuple[str, dict[str, Any]]], *kinds: str, **facts: object) -> dict[str, Any]:
    for kind, told in events:
        if kind in kinds and all(told.get(name) == value for name, value in facts.items()):
            return told
    raise AssertionError(f"the stream ended before {kinds}")


@pytest.fixture(autouse=True)
def _quiet(nowhere: Any) -> Iterator[None]:
    """The log's stream is the process's, and a command that a test runs turns it to one that ends with the test."""
    telemetry.configure(form="json", level="debug", stream=nowhere, others=False)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests that leave it as they found it."""
    with served(project_of(tmp_path_factory.mktemp("served"))) as at:
        yield at


@pytest.fixture(scope="module")
def asked(shared: Served) -> Caller:
    """With one finished episode, `the-log`."""
    caller = Caller(shared)
    assert caller.made(LOG) == "the-log"
    return caller


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with served(project_of(tmp_path)) as at:
        yield Caller(at)


# -- who may call -------------------------------------------------------------------------------------------------


def routes_of(routes: Iterable[Any]) -> Iterator[Any]:
    """Those of the routers within too."""
    for route in routes:
        within = getattr(route, "original_router", None)
        yield from [route] if within is None else routes_of(within.routes)


def every_call(at: Served) -> list[tuple[str, str]]:
    """Verb and path of every route, also of those that the description leaves out."""
    found = []
    for route in routes_of(at.service.api.routes):
        path = re.sub(r"{\w+(:path)?}", "the-log", str(getattr(route, "path", "/")))
        found += [(verb, path) for verb in sorted(getattr(route, "methods", None) or ())]
    return found


FOREIGN = [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_every_route_refuses_foreign_names_and_pages(headers: dict[str, str], asked: Caller) -> None:
    calls = every_call(asked.at)
    assert len(calls) > 25
    for verb, path in calls:
        answer = asked.session.request(verb, asked.at.address + path, headers=headers, timeout=10)
        assert answer.status_code == 403, (verb, path)
        if verb != "HEAD":
            assert answer.json()["code"] == "foreign"


def test_every_page_and_what_stands_on_it_is_among_the_routes(asked: Caller) -> None:
    """Which the tests around this one walk through."""
    paths = {path for verb, path in every_call(asked.at) if verb == "GET"}
    assert {"/", "/health", "/api/v1/events", "/api/v1/openapi.json"} <= paths
    served = {str(getattr(route, "path", "")) for route in routes_of(asked.at.service.api.routes)}
    assert any(path.startswith("/assets") for path in served)
    assert not [route for route in routes_of(asked.at.service.api.routes) if not getattr(route, "methods", None)]


def state_of(at: Served) -> dict[str, object]:
    """All that a person has there, or would notice; what is only kept so as not to be made again is left out."""
    places = at.service.house.project.folders
    kept = (places.input, places.project / "config", places.output, *(
        places.data / name for name in ("service", "edits", "failures", "records", "trash")
    ))  # fmt: skip
    files: dict[str, object] = {
        str(path): path.read_bytes() for folder in kept for path in folder.rglob("*") if path.is_file()
    }
    maker = at.service.house.maker
    return {**files, "paused": maker.paused, "held": maker.held.all()}


def test_nothing_changes_state_on_a_get(caller: Caller) -> None:
    at = caller.at
    with caller.listening() as events:
        caller.post("/topics", LOG)
        until(events, "done")
        until(events, "round_done")
        at.service.house.maker.pause()
    before = state_of(at)
    known = {"name": "the-log.md", "episode": "the-log", "voice": "en_US-fake-medium", "number": "1"}
    for route in routes_of(at.service.api.routes):
        path = str(route.path)
        if path.endswith("/events"):
            continue  # which only tells
        names = {**known, "name": "audio.mp3"} if "{episode}" in path else known
        filled = path.replace(":path}", "}").format_map(defaultdict(lambda: "x", names))
        for verb in sorted({"GET", "HEAD"} & set(route.methods)):
            answer = caller.session.request(verb, at.address + filled, timeout=30, allow_redirects=False)
            assert answer.status_code < 500, (verb, filled)
    assert state_of(at) == before


def test_our_own_page_and_a_link_from_elsewhere_may_call(asked: Caller) -> None:
    netloc = urlsplit(asked.at.address).netloc
    assert asked.get("/maker", headers={"Origin": f"http://{netloc}", "Sec-Fetch-Site": "same-origin"}).ok
    assert asked.get("/maker", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).ok
    assert asked.get("/maker", headers={"Host": "LOCALHOST:1234"}).ok


def test_a_token_is_asked_for_everywhere_but_at_questions_of_health_and_for_a_page_s_looks(tmp_path: Path) -> None:
    with served(project_of(tmp_path), token=TOKEN, also=("media.home",)) as at:
        for verb, path in every_call(at):
            answer = requests.request(verb, at.address + path, timeout=10, headers={"Host": "media.home"})
            # What the page that asks for the token is made of says nothing of anybody.
            unasked = path in {"/health", "/ready"} or path.startswith("/assets/")
            assert answer.status_code in ({200, 503, 404, 405} if unasked else {401}), (verb, path)
        wrong = requests.get(f"{at.address}/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}, timeout=10)
        assert wrong.status_code == 401
        assert wrong.headers["WWW-Authenticate"] == "Bearer"
        stranger = requests.get(f"{at.address}/ready", timeout=10).json()
        assert (stranger["why"], stranger["engines"]) == ("", [])
        assert requests.get(f"{at.address}/metrics", headers={"Authorization": f"bearer {TOKEN}"}, timeout=10).ok


def test_what_everybody_could_reach_does_not_start_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "input").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["serve", "--host", "192.0.2.1"]) == 2
    assert "SERVICE_TOKEN" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "input").mkdir()
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run_command_line(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "service_port" in capsys.readouterr().err


def test_every_answer_leaves_a_browser_no_room(asked: Caller) -> None:
    for path in ("/maker", "/topics/none", "/episodes/the-log/files/index.html"):
        headers = asked.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert re.fullmatch(r"[0-9a-f]{16}", headers["X-Request-Id"])
        assert "Access-Control-Allow-Origin" not in headers
    assert (
        asked.get("/maker", headers={"X-Request-Id": "from-the-proxy.1"}).headers["X-Request-Id"] == "from-the-proxy.1"
    )
    assert asked.get("/maker", headers={"X-Request-Id": "<script>"}).headers["X-Request-Id"] != "<script>"


# -- failures -----------------------------------------------------------------------------------------------------

MISTAKEN = [
    pytest.param("GET", "/nonsense", b"", 404, "missing", id="no such call"),
    pytest.param("DELETE", "/maker", b"", 405, "request", id="no such verb"),
    pytest.param("POST", "/topics", b"{", 422, "request", id="half a JSON"),
    pytest.param("POST", "/topics", b"[" * 100_000, 400, "request", id="JSON too deep"),
    pytest.param("POST", "/topics", b"[]", 422, "request", id="no object"),
    pytest.param("POST", "/topics", b"{}", 422, "request", id="no title"),
    pytest.param("POST", "/topics", b'{"title": "x", "nonsense": 1}', 422, "request", id="a field that there is not"),
    pytest.param("POST", "/topics", b'{"title": "\\ud800"}', 422, "request", id="half a character"),
    pytest.param("POST", "/topics", b'{"title": "a\\u0000b"}', 422, "input", id="a sign that no title has"),
    pytest.param("POST", "/topics", b'{"title": "?!"}', 422, "input", id="a title without a letter"),
    pytest.param("POST", "/topics", b'{"title": "x", "minutes": NaN}', 422, "request", id="no number"),
    pytest.param("POST", "/topics", b'{"title": "x", "words": 3}', 422, "input", id="too few words"),
    pytest.param(
        "POST", "/topics", b'{"title": "x", "words": 1' + b"0" * 5000 + b"}", 400, "request", id="a huge number"
    ),
    pytest.param("POST", "/topics", b'{"title": "x", "mode": "read"}', 422, "input", id="nothing to read"),
    pytest.param("POST", "/topics", b'{"title": "x", "language": "zz-nonsense-q"}', 422, "input", id="no language"),
    pytest.param("GET", "/topics?limit=0", b"", 422, "request", id="an empty page"),
    pytest.param("GET", "/topics?limit=x", b"", 422, "request", id="no number of items"),
    pytest.param("POST", "/episodes/none/retry", b"", 404, "missing", id="nobody asks for it"),
    pytest.param("POST", "/episodes/none/cancel", b"", 404, "missing", id="nobody asks for that"),
    pytest.param("GET", "/episodes/none/script", b"", 404, "missing", id="no script"),
]


@pytest.mark.parametrize(("verb", "path", "body", "status", "code"), MISTAKEN)
def test_a_mistake_is_told_as_a_problem(
    verb: str, path: str, body: bytes, status: int, code: str, asked: Caller
) -> None:
    answer = asked.call(verb, path, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    told = answer.json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]
    assert told["request_id"] == answer.headers["X-Request-Id"]


def test_a_body_has_a_largest_size_whether_it_is_told_or_not(asked: Caller) -> None:
    most = asked.at.service.door.max_body_bytes
    told = asked.post("/topics", data=b" " * (most + 1))
    streamed = asked.post("/topics", data=iter([b" " * 65_536] * (most // 65_536 + 2)))
    assert told.status_code == streamed.status_code == 413
    assert told.json()["code"] == "too-large"
    assert asked.get("/maker").ok


NAMES = [
    "..", "../config", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "....//x", "the-log%00.md", ".hidden.md",
    "C:%5Cx", "%2e%2e%2fmanifest.json", "the-log.md/", "the-log.md%2F..%2Fthe-log.md", "%ff%fe",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_a_path(name: str, asked: Caller, shared: Served) -> None:
    folder = shared.service.house.project.folders.project
    # What the maker writes changes meanwhile; what a person has must not.
    before = [sorted((folder / kept).rglob("*")) for kept in ("input", "config")]
    for path in (f"/topics/{name}", f"/episodes/{name}", f"/episodes/{name}/script", f"/episodes/the-log/files/{name}"):
        prepared = requests.Request("GET", f"{shared.address}/api/v1{path}").prepare()
        prepared.url = f"{shared.address}/api/v1{path}"  # as it stands: requests would tidy it up
        assert asked.session.send(prepared, timeout=10).status_code in {404, 422}, path
        prepared.method = "DELETE"
        assert asked.session.send(prepared, timeout=10).status_code in {404, 405, 422}, path
    assert [sorted((folder / kept).rglob("*")) for kept in ("input", "config")] == before


def test_what_is_linked_or_not_listed_is_not_served(asked: Caller, shared: Served) -> None:
    output = shared.service.house.project.folders.output
    (output / "the-log" / "private.txt").write_text("secret")
    (output / "linked").symlink_to(output / "the-log")
    assert asked.get("/episodes/the-log/files/private.txt").status_code == 404
    assert asked.get("/episodes/linked").status_code == 404
    (output / "linked").unlink()


# -- topics -------------------------------------------------------------------------------------------------------


def test_a_topic_is_a_file_before_it_is_acknowledged_and_becomes_an_episode(caller: Caller) -> None:
    places = caller.at.service.house.project.folders
    topic = {**LOG, "title": 'A "log": no — yes # & <b>', "tags": ["a, b", "ü"], "seed": 3, "date": "2026-03-21"}
    with caller.listening() as events:
        answer = caller.post("/topics", topic)
        assert answer.status_code == 201
        name = answer.json()["name"]
        assert (places.input / name).read_text() == answer.json()["text"]
        assert answer.headers["Location"] == f"/api/v1/topics/{name}"
        episode = until(events, "done")["episode"]
        until(events, "round_done")
    found = caller.get(f"/episodes/{episode}").json()
    assert (found["state"], found["title"], found["topic"]) == ("finished", topic["title"], name)
    assert {file["name"] for file in found["files"]} >= {"audio.mp3", "script.md", "captions.vtt"}
    assert caller.get(f"/topics/{name}").json()["state"] == "finished"
    assert caller.get(f"/episodes/{episode}/manifest").json()["title"] == topic["title"]


def test_a_dropped_file_becomes_an_episode_too_and_a_bad_one_says_why(caller: Caller) -> None:
    folder = caller.at.service.house.project.folders.input
    with caller.listening() as events:
        (folder / "bad.md").write_text("---\nwords: many\n---\n")
        (folder / "sea.md").write_text("---\nmode: read\n---\nThe sea is salt.\n")
        assert until(events, "done")["episode"] == "sea"
        until(events, "round_done")
    items = {item["name"]: item["state"] for item in caller.get("/topics").json()["items"]}
    assert items == {"bad.md": "refused", "sea.md": "finished"}
    assert "not a number" in caller.get("/topics/bad.md").json()["refused"][0]["detail"]


def test_the_same_key_makes_one_topic(caller: Caller) -> None:
    house = caller.at.service.house
    house.maker.pause()
    key = {"Idempotency-Key": "moon-1"}
    first, again = caller.post("/topics", LOG, headers=key), caller.post("/topics", LOG, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json()["name"] == again.json()["name"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    other = caller.post("/topics", {**LOG, "title": "Another"}, headers=key)
    assert (other.status_code, other.json()["where"]) == (422, "Idempotency-Key")
    assert caller.post("/topics", LOG).json()["name"] == "the-log-2.md"
    assert len(list(house.project.folders.input.iterdir())) == 2
    assert caller.call("DELETE", "/topics/the-log.md").ok
    assert caller.post("/topics", LOG, headers=key).status_code == 409


def test_a_topic_is_replaced_only_as_it_was_read(caller: Caller) -> None:
    caller.at.service.house.maker.pause()
    name = caller.post("/topics", LOG).json()["name"]
    read = caller.get(f"/topics/{name}")
    path, text = f"/topics/{name}", {"text": read.json()["text"].replace("six", "seven")}
    assert caller.call("PUT", path, json=text).status_code == 428
    changed = caller.call("PUT", path, json=text, headers={"If-Match": read.headers["ETag"]})
    assert changed.ok
    assert "seven" in changed.json()["text"]
    late = caller.call("PUT", path, json=text, headers={"If-Match": read.headers["ETag"]})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    bad = caller.call("PUT", path, json={"text": "---\nwords: x\n---\n"}, headers={"If-Match": changed.headers["ETag"]})
    assert (bad.status_code, bad.json()["code"]) == (422, "input")
    assert bad.json()["where"] == f"input/{name}:2"
    assert "seven" in caller.get(path).json()["text"]


def test_a_deleted_topic_lies_in_the_trash(caller: Caller) -> None:
    places = caller.at.service.house.project.folders
    caller.at.service.house.maker.pause()
    name = caller.post("/topics", LOG).json()["name"]
    text = (places.input / name).read_bytes()
    assert caller.call("DELETE", f"/topics/{name}", headers={"If-Match": '"other"'}).status_code == 412
    kept = caller.call("DELETE", f"/topics/{name}").json()["kept_as"]
    assert (places.data / "trash" / kept).read_bytes() == text
    assert caller.call("DELETE", f"/topics/{name}").status_code == 404
    assert caller.get("/topics").json()["items"] == []


def test_lists_come_in_pages(caller: Caller) -> None:
    caller.at.service.house.maker.pause()
    for number in range(5):
        caller.post("/topics", {**LOG, "title": f"Topic {number}"})
    seen, after = [], ""
    for _ in range(3):
        told = caller.get("/topics", params={"limit": 2, "after": after}).json()
        seen += [item["name"] for item in told["items"]]
        after = told["next"] or ""
    assert seen == [f"topic-{number}.md" for number in range(5)]
    assert after == ""
    planned = caller.get("/plan", params={"limit": 3}).json()
    assert [one["episode"] for one in planned["items"]] == ["topic-0", "topic-1", "topic-2"]
    assert planned["next"] == "topic-2"
    assert planned["items"][0]["why"][0] == "script: never made"
    assert caller.get("/maker").json()["waiting"] == 5


# -- episodes and scripts -------------------------------------------------------------------------------------------


def test_files_come_whole_or_in_parts(asked: Caller) -> None:
    path = "/episodes/the-log/files/audio.mp3"
    whole = asked.get(path)
    assert whole.headers["Content-Type"] == "audio/mpeg"
    part = asked.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    assert asked.get(path, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    assert asked.call("HEAD", path).headers["Content-Length"] == str(len(whole.content))


def test_an_edit_by_hand_is_heard_and_stays(caller: Caller) -> None:
    episode = caller.made(LOG)
    path = f"/episodes/{episode}/script"
    read = caller.get(path)
    edited = read.text.replace("Nobody slept", "Everybody slept")
    assert caller.call("PUT", path, data=edited).status_code == 428
    with caller.listening() as events:
        assert caller.call("PUT", path, data=edited, headers={"If-Match": read.headers["ETag"]}).ok
        until(events, "done", episode=episode)
    assert "Everybody" in caller.get(f"/episodes/{episode}/files/captions.srt").text
    assert caller.get(path).text == edited
    lost = caller.call("PUT", path, data=read.text, headers={"If-Match": read.headers["ETag"]})
    assert lost.status_code == 412
    for wrong in (b"\xff\xfe", b"---\ntitle: x\n---\n"):
        assert caller.call("PUT", path, data=wrong, headers={"If-Match": "*"}).status_code == 422
    assert caller.get(path).text == edited


# -- the maker ----------------------------------------------------------------------------------------------------


def test_a_pause_outlives_the_service(tmp_path: Path) -> None:
    with served(project_of(tmp_path)) as at:
        assert Caller(at).post("/maker/pause").json()["paused"]
        Caller(at).post("/topics", LOG)
    with served(project_of(tmp_path)) as at:
        caller = Caller(at)
        assert caller.get("/maker").json()["paused"]
        with caller.listening() as events:
            caller.post("/maker/resume")
            assert until(events, "done")["episode"] == "the-log"


def test_an_episode_that_was_called_off_is_left_until_somebody_wants_it(caller: Caller) -> None:
    with caller.listening() as events:
        caller.post("/maker/pause")
        caller.post("/topics", LOG)
        caller.post("/topics", {**LOG, "title": "Another log"})
        caller.at.service.house.maker.hold({"the-log": ""})  # of another wish: the topic has changed since
        caller.post("/maker/resume")
        assert {until(events, "done")["episode"] for _ in range(2)} == {"the-log", "another-log"}
        until(events, "round_done")
        slow = caller.get("/topics/the-log.md")
        caller.post("/maker/pause")
        caller.call(
            "PUT", "/topics/the-log.md", json={"text": slow.json()["text"].replace("six", "ten")},
            headers={"If-Match": "*"},
        )  # fmt: skip
        planned = caller.get("/plan").json()["items"]
    assert [one["episode"] for one in planned] == ["the-log"]


def test_a_failure_is_told_with_its_cure_and_a_retry_goes_on(tmp_path: Path) -> None:
    voice = FakeVoice(failures={1: EngineRefused("no such voice", where="piper", hint="Fetch it.")})
    with served(project_of(tmp_path, voice=voice)) as at:
        caller = Caller(at)
        with caller.listening() as events:
            caller.post("/topics", LOG)
            failed = until(events, "failed")
            assert (failed["error"]["code"], failed["error"]["hint"]) == ("engine-refused", "Fetch it.")
            until(events, "round_done")
            episode = caller.get("/episodes/the-log").json()
            assert (episode["state"], episode["error"]["detail"]) == ("failed", "no such voice")
            assert caller.post("/episodes/the-log/retry").status_code == 202
            until(events, "done")
        assert caller.get("/episodes/the-log").json()["state"] == "finished"
        assert counted(caller)["pipeline_failures_total", (("code", "engine-refused"),)] == 1


def test_what_is_called_off_while_it_is_made_gives_way_and_comes_back_when_asked(tmp_path: Path) -> None:
    voice = Waiting()
    with served(project_of(tmp_path, voice=voice)) as at:
        caller = Caller(at)
        with caller.listening() as events:
            caller.post("/topics", LOG)
            until(events, "started", stage="speech")
            assert caller.post("/episodes/the-log/cancel").status_code == 202
            voice.go.set()
            until(events, "interrupted")
            until(events, "round_done")
            assert caller.get("/episodes/the-log").json()["state"] == "held"
            assert caller.get("/maker").json()["held"] == ["the-log"]
            assert caller.get("/topics").json()["items"][0]["state"] == "held"
            caller.post("/episodes/the-log/retry")
            until(events, "done")
        assert caller.get("/maker").json()["held"] == []


class Waiting(FakeVoice):
    """Speaks when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.hangs = False

    def speak(self, request: Any) -> Any:
        assert self.go.wait(30)
        return super().speak(request)


class Leaving(FakeVoice):
    """Answers checks; speaks nothing until it is told to be back."""

    def __init__(self, error: EngineError) -> None:
        super().__init__()
        self.back = threading.Event()
        self.left = False
        """At its first sentence: until then it said that it could."""
        self.error = error

    def check(self) -> None:
        if self.left and not self.back.is_set() and isinstance(self.error, EngineUnavailable):
            raise self.error
        super().check()

    def speak(self, request: Any) -> Any:
        if not self.back.is_set():
            self.left = True
            raise self.error
        return super().speak(request)


def test_what_waits_for_which_service_since_when_is_told_everywhere(tmp_path: Path) -> None:
    away = EngineUnavailable("nobody answers", where="Piper at http://piper:5000", hint="Start it.")
    inner, outages, stop = Leaving(away), Outages(), threading.Event()
    breaker = Breaker("voice", rests=Rests(first_seconds=0.05, longest_seconds=0.05), on_change=outages.take)
    voice = RetryingVoice(inner, policy=Policy(3, 0.001, 0.01), stop=stop, breaker=breaker)
    with served(project_of(tmp_path, voice=voice, outages=outages)) as at:
        caller = Caller(at)
        with caller.listening() as events:
            caller.post("/topics", LOG)
            told = until(events, "waiting")
            assert (told["service"], told["why"], told["hint"]) == ("voice", "nobody answers", "Start it.")
            assert told["since"] <= told["next_try"]
            # While something else of it is still being made it goes on, and each such step's end is told.
            while caller.get("/episodes/the-log").json()["waits_for"] != "voice":
                next(events)
            assert caller.get("/topics").json()["items"][0]["episodes"][0]["waits_for"] == "voice"
            (wait,) = caller.get("/maker").json()["waits"]
            assert (wait["service"], wait["where"]) == ("voice", "Piper at http://piper:5000")
            (engine,) = [one for one in caller.get("/engines").json()["items"] if one["role"] == "voice"]
            assert (engine["ready"], engine["waited_for"]["why"]) == (False, "nobody answers")
            ready = caller.get("/ready")
            assert (ready.status_code, ready.json()["why"]) == (503, "voice: nobody answers")
            inner.back.set()
            assert until(events, "back")["service"] == "voice"
            until(events, "done")
        assert caller.get("/episodes/the-log").json()["waits_for"] is None
        assert caller.get("/maker").json()["waits"] == []
        assert caller.get("/ready").ok


def test_what_failed_too_often_is_set_aside_with_its_reason_and_comes_back_when_asked(tmp_path: Path) -> None:
    voice = Leaving(EngineRefused("no such voice", where="piper", hint="Fetch it."))
    with served(project_of(tmp_path, voice=voice, topic_tries=1)) as at, Caller(at).listening() as events:
        Caller(at).post("/topics", LOG)
        assert until(events, "set_aside")["episode"] == "the-log"
        assert Caller(at).get("/episodes/the-log").json()["state"] == "set-aside"
    with served(project_of(tmp_path, voice=voice, topic_tries=1)) as at:
        caller = Caller(at)
        with caller.listening(Last_Event_ID="0") as events:
            until(events, "round_done")
            episode = caller.get("/episodes/the-log").json()
            assert (episode["state"], episode["error"]["detail"]) == ("set-aside", "no such voice")
            assert caller.get("/maker").json()["set_aside"] == ["the-log"]
            assert caller.get("/maker").json()["waiting"] == 0
            assert caller.get("/topics").json()["items"][0]["state"] == "set-aside"
            assert caller.post("/episodes/the-log/retry").status_code == 202
            until(events, "set_aside")  # tried once more, in vain
            voice.back.set()
            caller.post("/episodes/the-log/retry")
            until(events, "done")
        assert caller.get("/episodes/the-log").json()["state"] == "finished"


# -- engines, health, metrics -----------------------------------------------------------------------------------------


class Away(FakeVoice):
    """Is away until it is told to come back, or hangs."""

    def __init__(self, *, hangs: bool = False) -> None:
        super().__init__()
        self.back = threading.Event()
        self.hangs = hangs

    def check(self) -> None:
        if self.hangs:
            self.back.wait(30)
        if not self.back.is_set():
            raise EngineUnavailable("no answer", where="http://127.0.0.1:5000", hint="Start it.")


def test_readiness_says_which_engine_is_away_and_work_begins_when_it_is_back(tmp_path: Path) -> None:
    voice = Away()
    with served(project_of(tmp_path, voice=voice)) as at:
        caller = Caller(at)
        with caller.listening(Last_Event_ID="0") as events:
            until(events, "engine", role="voice", ready=False)
            caller.post("/topics", LOG)
            told = caller.get("/ready")
            assert (told.status_code, told.json()["why"]) == (503, "voice: no answer")
            engines = {one["role"]: one["ready"] for one in caller.get("/engines").json()["items"]}
            assert engines["voice"] is False
            voice.back.set()
            at.service.house.checks.soon()
            until(events, "engine", role="voice", ready=True)
            until(events, "done")
        assert caller.get("/ready").json()["ready"]
        assert [one["name"] for one in caller.get("/voices").json()["items"]] == ["en_US-fake-medium"]


def test_an_engine_that_hangs_holds_up_no_answer(tmp_path: Path) -> None:
    voice = Away(hangs=True)
    with served(project_of(tmp_path, voice=voice)) as at:
        caller = Caller(at)
        assert caller.get("/health").json()["status"] == "ok"
        assert caller.get("/ready").status_code == 503
        assert caller.get("/engines").ok
        assert caller.post("/topics", LOG).status_code == 201
        voice.back.set()


def counted(caller: Caller) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(caller.get("/metrics").text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_metrics_count_what_was_done(caller: Caller) -> None:
    caller.made(LOG)
    after = counted(caller)
    assert after["pipeline_stage_items_made_total", (("stage", "speech"),)] == 2
    assert after["pipeline_stage_items_started_total", (("stage", "speech"),)] == 2
    assert after["pipeline_stage_duration_seconds_count", (("stage", "speech"),)] == 2
    assert after["pipeline_stage_items_in_progress", (("stage", "speech"),)] == 0
    assert after["pipeline_stage_items_made_total", (("stage", "other"),)] == 0
    assert after["pipeline_queue_topics", ()] == 0
    assert after["pipeline_last_success_timestamp_seconds", ()] > 1.7e9
    assert after["pipeline_engine_ready", (("engine", "voice"),)] == 1
    assert after["pipeline_disk_free_bytes", (("folder", "data"),)] > 0


def test_no_label_grows_with_use(asked: Caller) -> None:
    before = set(counted(asked))
    for number in range(5):
        asked.get(f"/episodes/none-{number}")
        asked.call("BREW", f"/pot-{number}")
    now = set(counted(asked))
    assert len(now - before) <= 8  # statuses that had not been seen yet
    assert not any("none-" in str(name) or "BREW" in str(name) for name in now)


# -- events -------------------------------------------------------------------------------------------------------


def test_who_comes_back_is_told_what_was_missed(asked: Caller) -> None:
    with asked.listening(Last_Event_ID="0") as events:
        assert until(events, "done")["episode"] == "the-log"


def test_who_stops_reading_is_dropped_and_the_others_are_told_everything(tmp_path: Path) -> None:
    with served(project_of(tmp_path)) as at, ExitStack() as open_:
        caller, hub = Caller(at), at.service.house.hub
        hub.most_waiting, hub.gather_seconds = 8, 0
        host, port = at.address.removeprefix("http://").split(":")
        for _ in range(20):
            deaf = open_.enter_context(socket.create_connection((host, int(port))))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert deaf.recv(12) == b"HTTP/1.1 200"
        with caller.listening() as events:
            assert hub.listeners == 21
            number = 0
            while hub.listeners > 1:
                # As fast as one listener reads along; the deaf ones fill the system's buffers, then their queues.
                hub.publish("maker", {"state": "idle", "about": "x" * 60_000, "number": number})
                until(events, "maker", number=number)
                number += 1
            assert hub.dropped == 20
            caller.post("/topics", LOG)
            until(events, "done")
        assert counted(caller)["pipeline_event_listeners_dropped_total", ()] == 20


# -- the end ------------------------------------------------------------------------------------------------------


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.served", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def test_it_ends_in_good_order_when_it_is_told_to(tmp_path: Path) -> None:
    with process(tmp_path) as (running, address):
        with requests.get(f"{address}/api/v1/events", stream=True, timeout=30) as listening:
            lines = listening.iter_lines()
            next(lines)
            running.send_signal(signal.SIGTERM)
            for _ in lines:  # the stream comes to its end
                pass
        assert running.wait(30) == 0
    assert json.loads((tmp_path / "data" / "watch.json").read_bytes())["state"] == "stopped"


# -- the description ----------------------------------------------------------------------------------------------


def test_the_api_describes_every_call_with_an_example(asked: Caller) -> None:
    told = asked.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    described = {(verb, path) for path, verb, _ in calls_of(told)}
    routes = {
        (verb, re.sub(r":path", "", route.path))
        for route in routes_of(asked.at.service.api.routes)
        if isinstance(route, APIRoute) and route.include_in_schema and route.methods
        for verb in route.methods
    }
    assert described == routes
    for path, verb, call in calls_of(told):
        bodies = [call.get("requestBody"), *(answer for answer in call["responses"].values())]
        for body in filter(None, bodies):
            for media, content in body.get("content", {}).items():
                assert "example" in content, (verb, path, media)
        assert call["description"], (verb, path)


def test_the_reference_of_the_api_is_fresh(asked: Caller) -> None:
    """`pipeline serve --write-docs` writes it anew."""
    assert (ROOT / "docs" / "reference" / "api.md").read_text() == page(asked.get("/openapi.json").json())


def test_help_does_not_load_what_only_the_service_needs() -> None:
    code = (
        "import sys; from pipeline.cli import run_command_line; run_command_line(['serve', '--help']);"
        "print([name for name in ('fastapi', 'uvicorn', 'watchfiles', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip().endswith("[]")
