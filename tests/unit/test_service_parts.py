"""The service's decisions, each by itself: who may call, what is promised twice, what is written, who is dropped."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from pipeline import wiring
from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
from pipeline.domain.topic import Mode, Source, Topic
from pipeline.errors import (
    EngineNonsense,
    EngineRefused,
    EngineUnavailable,
    InputError,
    Interrupted,
    PipelineError,
    SettingsError,
    StoreError,
)
from pipeline.files import PART_PREFIX
from pipeline.inbox import TopicDefaults
from pipeline.metrics.stages import stage_of
from pipeline.service.board import Board
from pipeline.service.door import Door
from pipeline.service.guard import Guard, hosts_of, is_loopback, name_of
from pipeline.service.held import Held, wish_of
from pipeline.service.hub import Hub
from pipeline.service.metrics import CODES, Metrics
from pipeline.service.problems import Busy, Foreign, Mistaken, Problem, Stranger, status_of
from pipeline.service.promises import Promises
from pipeline.service.topics import TopicFiles, text_of
from pipeline.studio import Survey, Work

HOME = Guard(hosts_of("127.0.0.1", ("media.home",)))

# -- who may call -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080", "media.home", "media.home.:80"],
)
def test_our_own_names_are_known(host: str) -> None:
    assert HOME.admit("/", {"host": host, "origin": f"http://{host.lower()}"})


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example:8080", "192.0.2.1",
        "127.0.0.1:99999", "127.0.0.1:x", "127.0.0.1/", "[::1", "::1", "127.0.0.1, evil.example", "2130706433",
        "127.1", "media.home:80:80", "ＬＯＣＡＬＨＯＳＴ", "loc\tlhost",
    ],
)  # fmt: skip
def test_no_other_name_is(host: str) -> None:
    with pytest.raises(Foreign):
        HOME.admit("/health", {"host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:81"},
        {"origin": "file://localhost:80"},
        {"origin": "http://localhost:80/path"},
        {"origin": "http://user@localhost:80"},
        {"origin": "http://[localhost:80"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "nonsense"},
    ],
    ids=str,
)
def test_a_page_of_another_site_may_not_call(headers: dict[str, str]) -> None:
    with pytest.raises(Foreign):
        HOME.admit("/", {"host": "localhost:80", **headers})


@given(st.text(max_size=60))
def test_whatever_a_host_header_holds_it_is_one_of_ours_or_refused(host: str) -> None:
    name = name_of(host)
    assert name is None or re.fullmatch(r"[a-z0-9._:-]{1,253}|", name)


@pytest.mark.parametrize("given_", ["", "Bearer", "Bearer wrong", "Basic 0123456789abcdef", "0123456789abcdef"])
def test_the_token_is_asked_for(given_: str) -> None:
    guard = Guard(hosts_of("127.0.0.1", ()), "0123456789abcdef")
    with pytest.raises(Stranger):
        guard.admit("/metrics", {"host": "localhost", "authorization": given_})
    assert guard.admit("/metrics", {"host": "localhost", "authorization": "Bearer 0123456789abcdef"})
    assert guard.admit("/health", {"host": "localhost", "authorization": given_}) is False


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),  # noqa: S104
     ("192.0.2.1", False), ("media.home", False), ("::", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


# -- the door -----------------------------------------------------------------------------------------------------


async def through(
    app: Any, messages: list[Message], headers: list[tuple[bytes, bytes]], tmp_path: Path, seconds: float = 30.0
) -> list[Message]:
    door = Door(app, HOME, Metrics({"data": tmp_path}), 10, seconds)
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # type: ignore[return-value]  # never comes

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost"), *headers]}
    await door(scope, receive, send)
    return sent


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def broken(_: Scope, __: Receive, ___: Send) -> None:
    raise ZeroDivisionError("what is inside is nobody's business")


@pytest.mark.parametrize(
    ("app", "parts", "headers", "expected"),
    [
        pytest.param(echo, [b"01234", b"56789"], [], 200, id="as much as may be"),
        pytest.param(echo, [b"01234", b"567890"], [], 413, id="more, untold"),
        pytest.param(echo, [], [(b"content-length", b"11")], 413, id="more, told: nothing is read"),
        pytest.param(echo, [], [(b"content-length", b"9" * 5000)], 413, id="a number without end"),
        pytest.param(echo, [], [], 408, id="a body that does not come"),
        pytest.param(echo, [b""], [(b"host", b"localhost")], 400, id="two names"),
        pytest.param(broken, [b""], [], 500, id="a fault of ours"),
    ],
)
def test_what_passes_the_door(
    app: Any, parts: list[bytes], headers: list[tuple[bytes, bytes]], expected: int, tmp_path: Path
) -> None:
    last = len(parts) - 1
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": place < last} for place, part in enumerate(parts)
    ]
    start, body = asyncio.run(
        through(app, messages, headers, tmp_path, seconds=0.05 if expected in {408, 413} else 30.0)
    )
    assert start["status"] == expected
    assert b"nobody's business" not in body["body"]
    names = {name for name, _ in start["headers"]}
    assert {b"content-security-policy", b"x-content-type-options", b"x-request-id"} <= names


# -- problems -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x"), 422), (EngineUnavailable("x"), 503), (EngineRefused("x"), 502), (EngineNonsense("x"), 502),
        (Interrupted(), 503), (StoreError("x"), 507), (SettingsError(["x"]), 500), (PipelineError("x"), 500),
        (Busy("x"), 503), (Mistaken("x", status=409), 409),
    ],
    ids=lambda one: getattr(one, "code", one),
)  # fmt: skip
def test_every_failure_has_its_status(error: PipelineError, status: int) -> None:
    assert status_of(error) == status


def test_every_code_of_the_catalogue_is_counted_by_its_name() -> None:
    assert {"input", "store", "engine-unavailable", "engine-refused", "engine-nonsense", "error", "bug"} <= set(CODES)
    assert Problem.code not in CODES


# -- topics -------------------------------------------------------------------------------------------------------

LINE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)


def files_in(folder: Path) -> TopicFiles:
    return TopicFiles(folder / "input", folder, folder / "trash", TopicDefaults)


@given(title=LINE.filter(lambda text: any(map(str.isalnum, text))), tags=st.lists(LINE, max_size=3))
def test_whatever_a_topic_says_is_read_as_it_was_asked(
    title: str, tags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tags = [tag for tag in tags if not set(tag) & set(",;")]
    text = text_of({"title": title, "notes": "--- not a fence\n# nor a title", "tags": tags})
    try:
        (topic,) = files_in(tmp_path_factory.getbasetemp()).checked(text, "new.md")
    except InputError:
        return  # what no topic may hold is refused, never changed
    assert topic.title.casefold() == Topic(title, Source("", 1)).title.casefold() or not title.isascii()
    assert topic.notes == "--- not a fence\n# nor a title"
    assert all(tag in topic.tags for tag in tags if tag.isascii())


def test_two_topics_of_one_title_have_a_file_each(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    text = text_of({"title": "Moon"})
    (topic,) = files.checked(text, "new.md")
    assert [files.create(text, topic).name for _ in range(3)] == ["moon.md", "moon-2.md", "moon-3.md"]
    assert files.create(text, topic, name="moon.md").name == "moon.md"  # promised, and there as it was promised
    assert files.create(text + "\nmore\n", topic, name="moon.md").name == "moon-4.md"
    assert sorted(path.name for path in (tmp_path / "input").iterdir()) == [
        "moon-2.md", "moon-3.md", "moon-4.md", "moon.md",
    ]  # fmt: skip
    assert list((tmp_path / "trash").iterdir()) == []


def test_what_a_killed_service_was_writing_goes_and_a_topic_stays(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    for name, age in ((f"{PART_PREFIX}old.part", 7200), (f"{PART_PREFIX}new.part", 1), ("moon.md", 7200)):
        path = tmp_path / "input" / name
        path.write_text("x")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    files_in(tmp_path).tidy()
    assert sorted(path.name for path in (tmp_path / "input").iterdir()) == [f"{PART_PREFIX}new.part", "moon.md"]


def test_a_promise_is_kept_for_a_day(tmp_path: Path) -> None:
    now = 1e12
    promises = Promises(tmp_path, now=lambda: now)
    promises.make("../key", b"asked", "moon.md", kept=False)
    found = promises.of("../key", b"asked")
    assert found is not None
    assert (found.name, found.kept) == ("moon.md", False)
    with pytest.raises(Mistaken):
        promises.of("../key", b"asked otherwise")
    assert all(re.fullmatch(r"[0-9a-f]{64}\.json", path.name) for path in tmp_path.iterdir())
    promises.forget_old()
    assert promises.of("../key", b"asked") is None


# -- the board and what is held -----------------------------------------------------------------------------------

MOON = Topic("Moon", Source("input/moon.md", 1), notes="It is round.", mode=Mode.READ)
STEP = Step(Rule("speech", version=1, resource="speech"), place="speech", inputs={}, make=dict)


def surveyed(held: set[str] | None = None) -> Board:
    board = Board()
    survey = Survey((), (Work(MOON, "moon"),), (), {}, {})
    board.survey(survey, {"input/moon.md": (10, 2_000_000_000, 0, 0)}, held or set())
    return board


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "waiting"),
        ([Event(Kind.OPENED, "moon")], "making"),
        ([Event(Kind.OPENED, "moon"), Event(Kind.CLOSED, "moon")], "finished"),
        ([Event(Kind.OPENED, "moon"), Event(Kind.CLOSED, "moon", error=Interrupted())], "waiting"),
        ([Event(Kind.OPENED, "moon"), Event(Kind.CLOSED, "moon", error=EngineRefused("no"))], "failed"),
    ],
)
def test_how_an_episode_stands(events: list[Event], state: str) -> None:
    board = surveyed()
    for event in events:
        board.take(event)
    standing = board.of("moon")
    assert standing is not None
    assert standing.state == state
    asked = state in {"waiting", "making"}
    assert board.queue([("input/moon.md", (10, 2_000_000_000, 0, 0))]) == ((1, 2.0) if asked else (0, None))


def test_a_file_that_no_survey_has_seen_as_it_is_waits_too() -> None:
    board = surveyed(held={"moon"})
    assert board.queue([("input/moon.md", (10, 2_000_000_000, 0, 0))]) == (0, None)
    assert board.queue([("input/moon.md", (11, 3_000_000_000, 0, 0)), ("input/new.md", (1, 10**9, 0, 0))]) == (2, 1.0)
    assert board.of_file("input/new.md", (1, 10**9, 0, 0)) is None


def test_the_queue_of_the_last_survey_is_told_without_a_look_at_the_files() -> None:
    assert surveyed().surveyed_queue() == (1, 2.0)
    assert surveyed(held={"moon"}).surveyed_queue() == (0, None)


def test_what_was_called_off_while_it_was_made_stays_so() -> None:
    board = surveyed()
    board.take(Event(Kind.OPENED, "moon"))
    board.put("moon", "held")
    board.take(Event(Kind.MADE, "moon", STEP))
    board.take(Event(Kind.CLOSED, "moon", error=Interrupted()))
    standing = board.of("moon")
    assert standing is not None
    assert standing.state == "held"


def test_what_is_held_is_a_file(tmp_path: Path) -> None:
    held = Held(tmp_path)
    held.hold({"moon": wish_of(MOON)})
    held.pause()
    again = Held(tmp_path)
    assert again.all() == {"moon": wish_of(MOON)}
    assert again.paused
    again.release({"moon", "sun"})
    again.resume()
    assert (held.all(), held.paused) == ({}, False)


def test_every_rule_has_a_stage() -> None:
    assert "other" not in {stage_of(rule.name) for rule in wiring.RULES}


# -- events -------------------------------------------------------------------------------------------------------


def test_a_listener_that_falls_behind_is_dropped_and_told_so() -> None:
    async def scene() -> tuple[list[bytes], Hub]:
        hub = Hub(most_waiting=3, gather_seconds=0)
        hub.open(asyncio.get_running_loop())
        stream = hub.listen()
        heard = [await anext(stream)]
        for number in range(10):
            hub.publish("made", {"number": number})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        heard += [part async for part in stream]
        return heard, hub

    heard, hub = asyncio.run(scene())
    assert heard[-1].startswith(b"event: dropped")
    assert len(heard) <= 5
    assert (hub.dropped, hub.listeners) == (1, 0)


def test_what_happens_at_once_goes_out_together_and_nobody_who_reads_along_is_dropped() -> None:
    async def scene() -> tuple[list[bytes], Hub]:
        hub = Hub(gather_seconds=3600)
        hub.open(asyncio.get_running_loop())
        stream = hub.listen()
        heard = [await anext(stream)]
        hub.publish("made", {"number": 0})
        heard.append(await anext(stream))  # the first goes out at once
        for number in range(1, 64):
            hub.publish("made", {"number": number})
        hub.publish("made", {"number": 64})  # so many are not waited with
        heard.append(await anext(stream))
        hub.publish("maker", {"state": "stopped"})
        hub.close()
        heard += [part async for part in stream]
        return heard, hub

    heard, hub = asyncio.run(scene())
    assert [part.count(b"event:") for part in heard] == [0, 1, 64, 1]
    assert b"stopped" in heard[-1], "what was still to be told is told before the end"
    assert hub.dropped == 0


def test_only_so_many_may_listen_and_none_after_the_end() -> None:
    async def scene() -> None:
        hub = Hub(most_listeners=1)
        hub.open(asyncio.get_running_loop())
        stream = hub.listen()
        with pytest.raises(Busy):
            hub.listen()
        hub.close()
        assert [part async for part in stream] == [b"retry: 2000\n\n"]
        with pytest.raises(Busy):
            hub.listen()

    asyncio.run(scene())


def test_nobody_waits_for_an_event_without_a_loop() -> None:
    hub = Hub()
    for number in range(5_000):
        hub.publish("made", {"number": number})
    assert hub.listeners == 0
