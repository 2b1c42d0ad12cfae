"""What is counted: exactly what the list of families says, with bounded labels, and with the right numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind
from pipeline.errors import EngineUnavailable, Interrupted, PipelineError, SetAside
from pipeline.image_server.easel import Progress, Standing
from pipeline.image_server.metrics import Metrics as ImageMetrics
from pipeline.metrics.engines import EngineCollector
from pipeline.metrics.families import ENGINES, IMAGES, LABELS, MANAGER, RUN, SPEECH, Family
from pipeline.metrics.machine import disk, newest_backup
from pipeline.metrics.stages import STAGES
from pipeline.net.tallies import State, Tallies
from pipeline.service.certificates import look
from pipeline.service.metrics import Metrics
from pipeline.speech_server.metrics import Metrics as SpeechMetrics
from pipeline.telemetry.work import OUTCOMES, ROLES, Work

Values = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def manager(folder: Path) -> Metrics:
    """A manager's metrics with a value in every series that a manager may lack."""
    metrics = Metrics({"data": folder}, backups=folder)
    for role in ROLES:
        metrics.engine(role, ready=True, at=1.0)
        metrics.certificate(role, 2.0)
    metrics.requests.labels("GET", "200").inc()
    return metrics


def manager_text(folder: Path) -> bytes:
    return manager(folder).text(queue=(3, 10.0), listeners=1, dropped=2, set_aside=4)


def speech_text(_: Path) -> bytes:
    return SpeechMetrics().text(inside=0, waiting=0, loaded=0, ready=True)


def image_text(_: Path) -> bytes:
    return ImageMetrics().text(Standing(ready=True, loaded=True, why="", facts=None), Progress())


PROGRAMS = [(manager_text, MANAGER), (speech_text, SPEECH), (image_text, IMAGES)]
each_program = pytest.mark.parametrize(("text", "families"), PROGRAMS, ids=["manager", "speech", "images"])


def values(text: bytes) -> Values:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def event(kind: Kind, rule: str = "speech", *, key: int = 1, **facts: object) -> Event:
    step = Step(Rule(rule, 1, "speech"), "speech", {"key": key}, make=dict, units=40.0)
    return Event(kind, "episode", step, **facts)  # type: ignore[arg-type]


# -- the list ---------------------------------------------------------------------------------------------------


@each_program
def test_a_program_has_the_metrics_that_the_list_names_and_no_others(
    text: Callable[[Path], bytes], families: tuple[Family, ...], tmp_path: Path
) -> None:
    found = {
        f"{one.name}_total" if one.type == "counter" else one.name: (one.type, one.documentation)
        for one in text_string_to_metric_families(text(tmp_path).decode())
        if not one.name.startswith("process_")
    }
    assert found == {family.name: (family.kind, family.about) for family in families}


@each_program
def test_every_program_says_what_its_process_uses(
    text: Callable[[Path], bytes], families: tuple[Family, ...], tmp_path: Path
) -> None:
    assert b"process_resident_memory_bytes" in text(tmp_path)


@each_program
def test_no_label_says_what_the_list_does_not_allow(
    text: Callable[[Path], bytes], families: tuple[Family, ...], tmp_path: Path
) -> None:
    allowed: dict[str, set[str]] = {}
    for label, told in LABELS:
        allowed.setdefault(label.split("`")[1], set()).update(told)
    for one in text_string_to_metric_families(text(tmp_path).decode()):
        for sample in one.samples:
            for label, value in sample.labels.items():
                assert label in {"le", "version", "status"} or value in allowed[label], sample


@pytest.mark.parametrize("family", [*MANAGER, *RUN, *SPEECH, *IMAGES], ids=lambda family: family.name)
def test_names_follow_the_practice(family: Family) -> None:
    assert family.about.endswith(".") or family.kind == "gauge"
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert not family.name.endswith(("_count", "_sum", "_bucket"))
    assert bool(family.buckets) == (family.kind == "histogram")
    assert not any(family.name.endswith(unit) for unit in ("_ms", "_minutes", "_kb", "_percent"))


@each_program
def test_promtool_finds_nothing_to_say(
    text: Callable[[Path], bytes], families: tuple[Family, ...], tmp_path: Path
) -> None:
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: it is in Debian's package `prometheus`; PROMTOOL may name it")
    done = subprocess.run([promtool, "check", "metrics"], input=text(tmp_path), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


# -- what is made -----------------------------------------------------------------------------------------------


def test_a_step_is_counted_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    metrics = Metrics({"data": tmp_path}, now=lambda: 77.0)
    speech = frozenset({("stage", "speech")})
    metrics.take(event(Kind.STARTED))
    metrics.take(event(Kind.STARTED, key=2))
    begun = values(metrics.text(queue=(0, None), listeners=0, dropped=0))
    metrics.take(event(Kind.MADE, seconds=2.0))
    metrics.take(event(Kind.FAILED, key=2))
    metrics.take(event(Kind.FOUND, key=3))
    ended = values(metrics.text(queue=(0, None), listeners=0, dropped=0))

    assert begun["pipeline_stage_items_in_progress", speech] == 2
    assert {name: ended[name, speech] for name in (
        "pipeline_stage_items_started_total", "pipeline_stage_items_in_progress", "pipeline_stage_items_made_total",
        "pipeline_stage_items_failed_total", "pipeline_stage_units_total", "pipeline_stage_duration_seconds_sum",
        "pipeline_stage_last_made_timestamp_seconds",
    )} == {
        "pipeline_stage_items_started_total": 2, "pipeline_stage_items_in_progress": 0,
        "pipeline_stage_items_made_total": 1, "pipeline_stage_items_failed_total": 1,
        "pipeline_stage_units_total": 40, "pipeline_stage_duration_seconds_sum": 2,
        "pipeline_stage_last_made_timestamp_seconds": 77,
    }  # fmt: skip
    assert ended["pipeline_store_lookups_total", frozenset({("result", "hit")})] == 1
    assert ended["pipeline_store_lookups_total", frozenset({("result", "miss")})] == 2


def test_a_round_that_was_given_up_leaves_nothing_in_progress(tmp_path: Path) -> None:
    metrics = Metrics({"data": tmp_path})
    metrics.take(event(Kind.STARTED))
    metrics.round_ends(refused=3)
    told = values(metrics.text(queue=(0, None), listeners=0, dropped=0))
    assert all(told["pipeline_stage_items_in_progress", frozenset({("stage", one)})] == 0 for one in STAGES)
    assert told["pipeline_topics_refused", frozenset()] == 3


def test_film_is_counted_by_its_stretches_alone(tmp_path: Path) -> None:
    """The units of the other rules of that stage are words."""
    metrics = Metrics({"data": tmp_path})
    for rule in ("film-stretch", "film-sound", "film"):
        metrics.take(event(Kind.MADE, rule, seconds=5.0))
    told = values(metrics.text(queue=(0, None), listeners=0, dropped=0))
    assert told["pipeline_film_seconds_total", frozenset()] == 40
    assert told["pipeline_film_busy_seconds_total", frozenset()] == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SetAside("x"), "set-aside"),
        (EngineUnavailable("x"), "engine-unavailable"),
        (ValueError("x"), "bug"),
        (type("OfAnotherKind", (PipelineError,), {"code": "of-another-kind"})("x"), "error"),
    ],
)
def test_a_failure_is_counted_by_its_code(error: Exception, code: str, tmp_path: Path) -> None:
    metrics = Metrics({"data": tmp_path})
    metrics.take(Event(Kind.CLOSED, "episode", error=error))
    told = values(metrics.text(queue=(0, None), listeners=0, dropped=0))
    failed = {labels: value for (name, labels), value in told.items() if name == "pipeline_failures_total" and value}
    assert failed == {frozenset({("code", code)}): 1}


def test_an_episode_that_was_interrupted_has_not_failed(tmp_path: Path) -> None:
    metrics = Metrics({"data": tmp_path})
    metrics.take(Event(Kind.CLOSED, "episode", error=Interrupted()))
    told = values(metrics.text(queue=(0, None), listeners=0, dropped=0))
    assert not any(value for (name, _), value in told.items() if name == "pipeline_failures_total")


# -- what is asked of engines -----------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def engines(work: Work, tallies: Tallies) -> Mapping[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name.removeprefix("pipeline_"), tuple(sample.labels.values())): sample.value
        for family in EngineCollector(work, tallies).collect()
        for sample in family.samples
    }


def test_a_call_is_counted_with_what_came_of_it() -> None:
    clock = Clock()
    work = Work((1.0, 10.0), clock=clock)
    for seconds, tokens in ((0.5, 20), (4.0, 100)):
        with work.call("writer") as came:
            clock.now += seconds
            came(tokens)
    for role, error in (("writer", EngineUnavailable("gone")), ("voice", Interrupted())):
        with suppress(EngineUnavailable, Interrupted), work.call(role) as came:
            clock.now += 60
            came(7)
            raise error

    told = engines(work, Tallies())
    assert [told["engine_calls_total", ("writer", outcome)] for outcome in OUTCOMES] == [2, 1, 0]
    assert told["engine_calls_total", ("voice", "interrupted")] == 1
    assert [told["engine_call_duration_seconds_bucket", ("writer", le)] for le in ("1.0", "10.0", "+Inf")] == [1, 2, 3]
    assert told["engine_call_duration_seconds_sum", ("writer",)] == 64.5
    # What a call that failed had heard is of no use to anybody, and says nothing of how fast the writer is.
    assert told["writer_tokens_total", ()] == 120
    assert told["writer_busy_seconds_total", ()] == 4.5


def test_retries_waiting_and_breakers_are_told_for_every_engine_whether_it_was_called_or_not() -> None:
    tallies = Tallies(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    tallies.retried("voice")
    tallies.waited("voice", 2.5)
    tallies.stands("voice", State.OPEN, next_try_seconds=4)
    tallies.stands("illustrator", State.HALF_OPEN)
    tallies.retried("download")  # no engine: it has no series

    told = engines(Work((1.0,)), tallies)
    assert [told["engine_breaker_state", (role,)] for role in ROLES] == [0, 2, 1]
    assert [told["engine_retries_total", (role,)] for role in ROLES] == [0, 1, 0]
    assert [told["engine_waiting_seconds_total", (role,)] for role in ROLES] == [0, 2.5, 0]
    assert not any("download" in labels for _, labels in told)


def test_the_collector_tells_every_family_of_the_list() -> None:
    told = {family.name for family in EngineCollector(Work((1.0,)), Tallies()).collect()}
    assert told == {family.name.removesuffix("_total") for family in ENGINES}


# -- the machine ------------------------------------------------------------------------------------------------


def test_a_backup_is_told_by_the_newest_file_and_not_at_all_where_there_is_no_folder(tmp_path: Path) -> None:
    assert newest_backup(tmp_path / "none") is None
    assert newest_backup(tmp_path) == 0
    for name, at in (("pipeline-1.tar", 100), ("pipeline-2.tar", 200), ("other.tar", 300), (".part-9", 400)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "pipeline-folder.tar").mkdir()
    assert newest_backup(tmp_path) == 200


def test_without_a_folder_of_backups_there_is_no_such_series(tmp_path: Path) -> None:
    text = Metrics({"data": tmp_path}, backups=tmp_path / "none").text(queue=(0, None), listeners=0, dropped=0)
    assert b"pipeline_backup_last_timestamp_seconds" not in text


def test_the_disk_of_a_folder_that_is_gone_is_that_of_the_one_above(tmp_path: Path) -> None:
    assert disk(tmp_path / "gone" / "too")[1] == disk(tmp_path)[1] > 0


def test_only_addresses_with_https_are_asked_for_their_certificate() -> None:
    told: list[str] = []
    look(lambda: {"writer": "http://127.0.0.1:1", "voice": "http://piper"}, lambda role, _: told.append(role))
    assert told == []


def test_a_certificate_that_is_not_to_be_had_any_more_has_no_series(tmp_path: Path) -> None:
    metrics = Metrics({"data": tmp_path})
    metrics.certificate("voice", 5.0)
    metrics.certificate("voice", None)
    text = metrics.text(queue=(0, None), listeners=0, dropped=0)
    assert b'certificate_not_after_timestamp_seconds{engine="voice"}' not in text
