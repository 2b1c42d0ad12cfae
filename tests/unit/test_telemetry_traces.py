"""Traces: nothing where nobody asks; else spans with the right parents, also across a border, and no text of topics."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
from pipeline.errors import EngineUnavailable, Interrupted
from pipeline.following import Following
from pipeline.telemetry import calls, traces
from pipeline.telemetry.asgi import Requests
from tests.fakes.collector import Collector, collector

STEP = Step(Rule("speech", 1, "speech"), "speech", {"text": "x"}, make=dict)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def taken() -> Iterator[Collector]:
    """A collector that this process sends its spans to; they are there after `traces.end()`."""
    with collector() as found:
        traces.configure(found.url, service="test", version="0")
        try:
            yield found
        finally:
            traces.end()


# -- off ----------------------------------------------------------------------------------------------------------


def test_where_nobody_asks_nothing_is_imported_and_nothing_is_done() -> None:
    code = """
import sys
from pipeline.cli import run_command_line
from pipeline import following, wiring
from pipeline.net import session
from pipeline.telemetry import asgi, calls, traces
traces.configure("", service="x", version="0")
with traces.span("x"), traces.coming_in({"traceparent": "00-1-2-01"}), traces.inside(traces.begin("y")):
    assert calls.headers() == {} and traces.ids() == {}
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_off_there_is_nothing_to_close_or_to_tell() -> None:
    made = traces.begin("episode")
    assert made is None
    traces.tell(made, {"a": 1})
    traces.note(made, "step", {})
    traces.close(made, ValueError("x"))


# -- on -----------------------------------------------------------------------------------------------------------


def test_what_is_begun_inside_a_span_is_its_child(taken: Collector) -> None:
    with traces.span("outer", {"stage": "speech"}), traces.span("inner", kind="client"):
        assert set(traces.ids()) == {"trace_id", "span_id"}
    traces.end()
    (outer,), (inner,) = taken.named("outer"), taken.named("inner")
    assert inner.parent == outer.id
    assert inner.trace == outer.trace
    assert outer.facts == {"stage": "speech"}
    assert outer.service == "test"


def test_a_failure_is_told_by_its_code_and_not_in_its_words(taken: Collector) -> None:
    with pytest.raises(EngineUnavailable), traces.span("call"):
        raise EngineUnavailable("said “a secret”")
    traces.end()
    (span,) = taken.named("call")
    assert (span.failed, span.facts, span.events) == (True, {"error.type": "engine-unavailable"}, 0)


def test_an_episode_is_one_trace_across_threads(taken: Collector) -> None:
    following = Following()
    with following.telling(Event(Kind.OPENED, "moon")):
        pass

    def work() -> None:
        with following.step("moon", STEP), traces.span("voice fake", kind="client"):
            pass

    worker = Thread(target=work)
    worker.start()
    worker.join()
    with following.telling(Event(Kind.FOUND, "moon", STEP)):
        assert traces.ids()
    with following.publishing("moon"):
        pass
    with following.telling(Event(Kind.CLOSED, "moon")):
        assert traces.ids()
    traces.end()

    (episode,) = taken.named("episode")
    assert (episode.parent, episode.facts["episode"], episode.failed) == ("", "moon", False)
    made, found = sorted(taken.named("speech"), key=lambda span: bool(span.facts["cached"]))
    assert [span.facts["cached"] for span in (made, found)] == [False, True]
    assert found.facts["artifact"] == STEP.key[:16]
    (call,), (published,) = taken.named("voice fake"), taken.named("publish")
    assert {span.parent for span in (made, found, published)} == {episode.id}
    assert call.parent == made.id
    assert {span.trace for span in taken.spans} == {episode.trace}


@pytest.mark.parametrize(
    ("error", "failed", "facts"),
    [
        (EngineUnavailable("gone"), True, {"error.type": "engine-unavailable"}),
        (ValueError("ours"), True, {"error.type": "ValueError"}),
        (Interrupted(), False, {"interrupted": True}),
    ],
)
def test_an_episode_says_how_it_ended(
    error: BaseException, failed: bool, facts: dict[str, object], taken: Collector
) -> None:
    following = Following(lambda _: "asked-1")
    for event in (Event(Kind.OPENED, "moon"), Event(Kind.CLOSED, "moon", error=error)):
        with following.telling(event):
            pass
    traces.end()
    (episode,) = taken.named("episode")
    assert episode.failed is failed
    assert episode.facts == {"episode": "moon", "request": "asked-1", **facts}


def test_a_collector_that_is_away_ends_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        traces.configure(f"http://127.0.0.1:{deaf.getsockname()[1]}", service="test", version="0")
        with traces.span("lost"):
            pass
        traces.end()
    assert any("export" in record.message.lower() for record in caplog.records)


# -- between programs ---------------------------------------------------------------------------------------------


async def answered(app: Any, headers: dict[str, str], path: str = "/synthesize") -> dict[str, str]:
    """Ask an ASGI application; the answer's headers."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "POST", "path": path,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


class Application:
    """Answers, and remembers under which request it did."""

    request = ""
    going_out: dict[str, str]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.request = calls.current_request()
        self.going_out = dict(calls.headers())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def test_a_server_goes_on_with_its_callers_trace_and_request(taken: Collector) -> None:
    app = Application()
    headers = asyncio.run(answered(Requests(app), {"traceparent": PARENT, "x-request-id": "r-1"}))
    traces.end()
    (span,) = taken.named("POST /synthesize")
    assert (span.trace, span.parent) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert span.facts == {"request": "r-1", "http.response.status_code": 200}
    assert headers["x-request-id"] == app.request == "r-1"
    assert app.going_out["traceparent"].startswith(f"00-{span.trace}-{span.id}-")


@pytest.mark.parametrize("given", ["", "x", "00-zz-zz-01", f"{PARENT}-more", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(given: str, taken: Collector) -> None:
    asyncio.run(answered(Requests(Application()), {"traceparent": given}))
    traces.end()
    (span,) = taken.named("POST /synthesize")
    assert span.parent == ""


def test_what_is_asked_every_few_seconds_has_no_span(taken: Collector) -> None:
    headers = asyncio.run(answered(Requests(Application()), {"traceparent": PARENT}, "/health"))
    traces.end()
    assert taken.spans == []
    assert headers["x-request-id"]


@pytest.mark.parametrize("given", ["a b", "a" * 65, "é", 'x"y'])
def test_an_id_that_would_spoil_the_log_is_answered_with_another(given: str) -> None:
    headers = asyncio.run(answered(Requests(Application()), {"x-request-id": given}))
    assert headers["x-request-id"] not in {given, ""}
