"""The textfile of `pipeline run`: whole, readable by node_exporter, and counting on from one run to the next."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.build.recipe import Rule, Step
from pipeline.build.runner import Event, Kind, Outcome
from pipeline.errors import EngineRefused, Interrupted, SetAside, SettingsError
from pipeline.metrics.families import RUN
from pipeline.metrics.textfile import Textfile
from pipeline.net.tallies import Tallies
from pipeline.telemetry.work import Work

STEP = Step(Rule("speech", 1, "speech"), "speech", {"text": "x"}, make=dict, units=40.0)
Values = Mapping[tuple[str, tuple[str, ...]], float]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def values(path: Path) -> Values:
    return {
        (
            sample.name.removeprefix("pipeline_"),
            tuple(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def run(
    path: Path, *, at: float, takes: float = 5.0, status: int = 0, errors: tuple[BaseException | None, ...] = (None,)
) -> Values:
    """A run with one spoken sentence, and an episode for each error; returns what the file then says."""
    clock, work, tallies = Clock(), Work((1.0,)), Tallies()
    clock.now = at
    file = Textfile(path, locks=path.parent / "locks", folders={"data": path.parent}, work=work, tallies=tallies,
                    now=clock)  # fmt: skip
    file.finds(finished=2, refused=1)
    with work.call("voice") as came:
        came(3.0)
    tallies.retried("voice")
    file.take(Event(Kind.STARTED, "moon", STEP))
    file.take(Event(Kind.MADE, "moon", STEP, seconds=1.5))
    for error in errors:
        file.take(Event(Kind.CLOSED, "moon", error=error))
        file.ended(Outcome("moon", None, error, 1, 1.0))
    clock.now += takes
    file.write(status)
    return values(path)


def test_the_file_says_how_the_last_run_was(tmp_path: Path) -> None:
    told = run(tmp_path / "pipeline.prom", at=1000, errors=(None, EngineRefused("no"), Interrupted()), status=1)
    outcomes = ("made", "unchanged", "failed", "interrupted")
    assert [told["run_episodes", (outcome,)] for outcome in outcomes] == [1, 2, 1, 1]
    assert told["run_duration_seconds", ()] == 5
    assert told["run_completion_timestamp_seconds", ()] == 1005
    assert told["run_success_timestamp_seconds", ()] == 0
    assert told["run_exit_status", ()] == 1
    assert told["topics_refused", ()] == 1
    assert told["last_success_timestamp_seconds", ()] == 1000
    assert told["failures_total", ("engine-refused",)] == 1


def test_counters_go_on_from_one_run_to_the_next_and_gauges_do_not(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.prom"
    run(path, at=1000)
    told = run(path, at=2000, takes=7)
    assert told["stage_items_made_total", ("speech",)] == 2
    assert told["stage_duration_seconds_sum", ("speech",)] == 3
    assert told["stage_duration_seconds_bucket", ("2.5", "speech")] == 2
    assert told["speech_audio_seconds_total", ()] == 6
    assert told["engine_retries_total", ("voice",)] == 2
    assert told["engine_calls_total", ("voice", "answered")] == 2
    assert told["run_duration_seconds", ()] == 7
    assert told["run_episodes", ("made",)] == 1


def test_the_time_of_the_last_success_outlives_a_run_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.prom"
    run(path, at=1000)
    told = run(path, at=2000, status=1, errors=(EngineRefused("no"),))
    assert told["run_success_timestamp_seconds", ()] == 1005
    assert told["last_success_timestamp_seconds", ()] == 1000
    assert told["run_completion_timestamp_seconds", ()] == 2005


def test_what_is_set_aside_is_counted_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.prom"
    assert run(path, at=1000, errors=(SetAside("x"), SetAside("x")))["topics_set_aside", ()] == 2
    assert run(path, at=2000)["topics_set_aside", ()] == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"pipeline_stage{ 3\n", b"pipeline_x_total nonsense\n"])
def test_a_file_that_cannot_be_read_is_begun_anew(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.prom"
    path.write_bytes(content)
    assert run(path, at=1000)["stage_items_made_total", ("speech",)] == 1


def test_it_has_the_metrics_that_the_list_names_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.prom"
    run(path, at=1000)
    run(path, at=2000)
    found = {
        f"{one.name}_total" if one.type == "counter" else one.name: one.type
        for one in text_string_to_metric_families(path.read_text())
    }
    assert found == {family.name: family.kind for family in RUN}


def test_everybody_may_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """node_exporter is another user."""
    path = tmp_path / "textfiles" / "pipeline.prom"
    path.parent.mkdir()
    run(path, at=1000)
    assert path.stat().st_mode & 0o444 == 0o444
    assert [one.name for one in path.parent.iterdir() if one.name != "locks"] == ["pipeline.prom"]


@pytest.mark.parametrize("name", ["pipeline.txt", "no-such-folder/pipeline.prom"])
def test_a_name_that_node_exporter_would_not_read_is_refused_before_the_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="metrics_textfile"):
        Textfile(tmp_path / name, locks=tmp_path, folders={})


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: it is in Debian's package `prometheus`; PROMTOOL may name it")
    run(tmp_path / "pipeline.prom", at=1000)
    text = (tmp_path / "pipeline.prom").read_bytes()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
