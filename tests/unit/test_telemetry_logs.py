"""The log: every event is in the list, every line has the fields it says, and a file of it does not grow for ever."""

from __future__ import annotations

import ast
import io
import json
import logging
import multiprocessing
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipeline import telemetry
from pipeline.errors import EngineRefused, InputError, SettingsError
from pipeline.telemetry import calls, events
from pipeline.telemetry.log_file import LogFile
from tests.log_lines import wrong_with

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
NAMES = {event.name: event for event in events.EVENTS}
# What `**telemetry.failure(…)` puts into a line.
FAILURE = ("code", "what", "where", "hint")


@pytest.fixture
def lines() -> Iterator[Any]:
    """What is logged, as parsed JSON, by a function to call afterwards."""
    out = io.StringIO()
    telemetry.configure(form="json", level="debug", stream=out, others=False)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    structlog.reset_defaults()


# -- the list ---------------------------------------------------------------------------------------------------


def logged() -> Iterator[tuple[str, str, set[str], str]]:
    """Every place in the code that logs: event, level, its fields as far as they are spelled out, and where it is."""
    for source in sorted((ROOT / "src").rglob("*.py")):
        where = str(source.relative_to(ROOT))
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func)
            level = called.rpartition(".")[2]
            if re.search(r"(^|\.|_)log(\(\))?\.\w+$|get_logger\(\)\.\w+$", called) and level in LEVELS:
                fields = {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info"}
                spread = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None]
                for text in spread:
                    fields |= set(FAILURE) if re.search(r"\bfailure\(", text) else set(re.findall(r"'(\w+)':", text))
                for name in names_in(node.args[0]):
                    yield name, level, fields, f"{where}:{node.lineno}"
            elif called == "self._log" and len(node.args) == 2:
                # The watch tells whoever runs it, who logs it as it is.
                facts = set(re.findall(r"'(\w+)':", ast.unparse(node.args[1])))
                for name in names_in(node.args[0]):
                    yield name, "info", facts, f"{where}:{node.lineno}"


@cache
def every_place() -> tuple[tuple[str, str, set[str], str], ...]:
    return tuple(logged())


def names_in(node: ast.expr) -> list[str]:
    """The names that an expression can come to; `event` is what somebody else's call has named."""
    if isinstance(node, ast.IfExp):
        return [*names_in(node.body), *names_in(node.orelse)]
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    assert isinstance(node, ast.Name), ast.unparse(node)
    assert node.id == "event"
    return []


def test_every_event_that_the_code_logs_is_in_the_list_with_its_fields() -> None:
    found = every_place()
    assert len(found) > 30
    for name, level, fields, where in found:
        assert name in NAMES, f"{where}: {name}"
        event = NAMES[name]
        assert fields <= {*event.fields, *event.may, *events.EVERYWHERE}, where
        assert ("error" if level == "exception" else level) in event.levels, where


def test_the_list_names_no_event_that_nobody_logs() -> None:
    assert set(NAMES) == {name for name, _, _, _ in every_place()}


def test_every_field_is_described_and_every_described_field_is_used() -> None:
    used = {*events.EVERYWHERE, *(name for event in events.EVENTS for name in (*event.fields, *event.may))}
    assert used == set(events.FIELDS)


@pytest.mark.parametrize("event", events.EVENTS, ids=lambda event: event.name)
def test_names_are_words_with_lines_between_them(event: events.Event) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", event.name)


def test_the_reference_is_fresh() -> None:
    """`pipeline serve --write-docs` writes it anew."""
    reference = ROOT / "docs" / "reference"
    assert (reference / "logs.md").read_text() == events.page()
    assert json.loads((reference / "logs.schema.json").read_text()) == events.schema()


@pytest.mark.parametrize(
    "change",
    [
        {"event": "nobody_knows"}, {"level": "debug"}, {"seconds": "long"}, {"topic": "x"}, {"time": "yesterday"},
        {"episode": None}, {"request": "two words"}, {"artifact": "no key"}, {"run": 7},
    ],
)  # fmt: skip
def test_a_line_that_is_not_as_the_schema_says_is_found(change: dict[str, object]) -> None:
    line = {
        "time": "2026-01-01T00:00:00.000000Z", "level": "info", "event": "episode_done", "run": "0a1b2c3d",
        "episode": "the-moon", "seconds": 1.5,
    }  # fmt: skip
    assert wrong_with(line) == []
    assert wrong_with({**line, **change})


# -- a line -----------------------------------------------------------------------------------------------------


def test_a_line_begins_with_when_how_much_and_what(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(request="r-1"):
        telemetry.log().info("round_done", made=1, failed=0, refused=0)
    (line,) = lines()
    assert list(line)[:5] == ["time", "level", "event", "run", "request"]


def test_what_a_topic_says_is_left_out_of_a_failure_but_not_at_debug(lines: Any) -> None:
    error = InputError("there is nothing to say in “A dear secret”", where="input/moon.md:3", hint="Take it out.")
    telemetry.log().error("topic_refused", **telemetry.failure(error))
    (line,) = lines()
    assert line["what"] == "there is nothing to say in “…”"
    assert (line["where"], line["code"], line["hint"]) == ("input/moon.md:3", "input", "Take it out.")


def test_a_fault_of_ours_is_told_by_its_kind_and_its_traceback(lines: Any) -> None:
    error = ValueError("of ours")
    telemetry.log().critical("episode_failed", episode="moon", exc_info=error, **telemetry.failure(error))
    (line,) = lines()
    assert (line["code"], line["what"]) == ("bug", "ValueError")
    assert "ValueError: of ours" in line["exception"]


def test_lines_of_other_libraries_come_out_the_same_way_and_say_whose_they_are() -> None:
    out = io.StringIO()
    telemetry.configure(form="json", level="info", stream=out)
    logging.getLogger("urllib3.pool").warning("no room")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["event"], line["logger"], line["level"]) == ("no room", "urllib3.pool", "warning")
    assert wrong_with(line) == []


def test_who_watches_sees_whole_lines_and_only_while_it_lasts(lines: Any) -> None:
    seen: list[str] = []
    with telemetry.watching(lambda line: seen.append(line["event"])):
        telemetry.log().info("stopped")
    telemetry.log().info("ready")
    assert seen == ["stopped"]
    assert [line["event"] for line in lines()] == ["stopped", "ready"]


# -- the ids of a request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc", "0.1_2-3", "x" * 64])
def test_an_id_that_a_caller_gives_is_taken(given: str) -> None:
    assert calls.request_id(given) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "é", "a;b", '"', "../x"])
def test_an_id_that_would_spoil_the_log_is_not(given: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", calls.request_id(given))


def test_a_call_carries_the_id_of_what_it_is_made_for() -> None:
    structlog.contextvars.clear_contextvars()
    assert calls.headers() == {}
    with structlog.contextvars.bound_contextvars(request="r-1"):
        assert calls.headers() == {"X-Request-ID": "r-1"}
        assert calls.current_request() == "r-1"


# -- the file ---------------------------------------------------------------------------------------------------


def test_a_full_file_is_put_aside_and_the_oldest_removed(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "pipeline.log"
    file = LogFile(path, most_bytes=20, kept=2)
    for number in range(8):
        file.write(f"line {number}")  # seven bytes each: two to a file
    file.close()
    assert {one.name: one.read_text().split("\n")[:-1] for one in path.parent.iterdir()} == {
        "pipeline.log": ["line 6", "line 7"],
        "pipeline.log.1": ["line 4", "line 5"],
        "pipeline.log.2": ["line 2", "line 3"],
    }


def test_a_line_longer_than_a_file_may_be_is_written_all_the_same(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", most_bytes=10, kept=1)
    file.write("x" * 50)
    file.write("short")
    file.close()
    assert ((tmp_path / "log").read_text(), (tmp_path / "log.1").read_text()) == ("short\n", "x" * 50 + "\n")


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """As logrotate does it."""
    file = LogFile(tmp_path / "log", most_bytes=1000, kept=1)
    file.write("before")
    (tmp_path / "log").rename(tmp_path / "elsewhere")
    file.write("after")
    file.close()
    assert (tmp_path / "log").read_text() == "after\n"


def test_a_file_that_cannot_be_written_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="log_file"):
        LogFile(tmp_path / "file" / "log", most_bytes=10, kept=1)


def test_a_disk_that_takes_nothing_more_ends_nobody() -> None:
    file = LogFile(Path("/dev/full"), most_bytes=1000, kept=1)
    file.write("lost")
    file.close()


def write_many(path: Path, name: str) -> None:
    file = LogFile(path, most_bytes=400, kept=1000)
    for number in range(200):
        file.write(f"{name} {number}")
    file.close()


def test_several_processes_lose_no_line_and_tear_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    others = [multiprocessing.get_context("spawn").Process(target=write_many, args=(path, name)) for name in "abc"]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    found = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert sorted(found) == sorted(f"{name} {number}" for name in "abc" for number in range(200))


def test_the_file_has_what_a_person_at_the_screen_is_spared(tmp_path: Path) -> None:
    out = io.StringIO()
    file = LogFile(tmp_path / "log", most_bytes=10_000, kept=1)
    try:
        telemetry.configure(form="text", level="info", screen_level="critical", stream=out, file=file)
        telemetry.log().info("stopped")
        telemetry.log().debug("ready")
        logging.getLogger("urllib3.pool").warning("no room")
    finally:
        file.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["stopped", "no room"]
    assert [wrong_with(line) for line in lines] == [[], []]
    assert out.getvalue() == ""


def test_the_file_is_json_whatever_the_screen_shows(tmp_path: Path) -> None:
    out = io.StringIO()
    file = LogFile(tmp_path / "log", most_bytes=10_000, kept=1)
    telemetry.configure(form="text", level="info", stream=out, file=file, others=False)
    try:
        telemetry.log().warning("topic_refused", **telemetry.failure(EngineRefused("no", where="here", hint="Do.")))
    finally:
        structlog.reset_defaults()
        file.close()
    line = json.loads((tmp_path / "log").read_text())
    assert line["event"] == "topic_refused"
    assert wrong_with(line) == []
    assert "topic_refused" in out.getvalue()
    assert not out.getvalue().startswith("{")
