"""One run, seen from outside: a real run with the real speech server beside it, its spans, its log and its figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.collector import Collector, Span, collector
from tests.log_lines import wrong_with

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]
MARK = "Xylographer"
SECRET = "sk-never-to-be-seen-0123456789"
TOPIC = f"---\ntitle: The log\nmode: read\n---\n\nThe {MARK} rose before six. Nobody slept on board.\n"
REFUSED = "---\ntitle: No good\nmode: read\nwords: many\n---\n\nThe text of a topic that is refused.\n"
SILENT = f"---\ntitle: Silence\nmode: read\nvoice: no_such-voice-low\n---\n\nThe {MARK} is silent.\n"

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What two runs of one project, the second with nothing to do, have shown."""

    spans: Collector
    manager: list[Line]
    server: list[Line]
    figures: Mapping[tuple[str, tuple[str, ...]], float]
    refused: list[Line]
    """What the first run says of topics that cannot be read."""
    told: str
    """Everything that was written to the runs' standard output and error, and into the log's file."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("traces") / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "input").mkdir()
    for name, text in (("log.md", TOPIC), ("refused.md", REFUSED), ("silent.md", SILENT)):
        (folder / "input" / name).write_text(text)
    with collector() as spans:
        traced = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url}
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline.speech_server"], stderr=subprocess.PIPE, text=True,
            env={**traced, "SPEECH_PORT": "0", "SPEECH_VOICES_DIR": str(folder / "voices")},
        )  # fmt: skip
        try:
            assert server.stderr is not None
            listening = json.loads(server.stderr.readline())
            settings = {
                "WRITER": "embedded", "VOICE_ENGINE": "piper-server", "VIDEO": "off", "OLLAMA_API_KEY": SECRET,
                "PIPER_BASE_URL": f"http://127.0.0.1:{listening['port']}", "LOG_FORMAT": "json", "LOG_LEVEL": "debug",
                "LOG_FILE": "pipeline.log", "METRICS_TEXTFILE": "pipeline.prom", "SERVICE_TOKEN": SECRET,
            }  # fmt: skip
            command = [sys.executable, "-m", "pipeline", "run"]
            runs = [
                subprocess.run(
                    command, cwd=folder, env={**traced, **settings}, capture_output=True, text=True, check=False
                )
                for _ in range(2)
            ]
        finally:
            server.terminate()
            _, rest = server.communicate(timeout=60)
        assert [run.returncode for run in runs] == [1, 1], runs[0].stderr
        written = (folder / "pipeline.log").read_text()
        lines = [json.loads(line) for line in runs[0].stderr.splitlines()]
        figures = text_string_to_metric_families((folder / "pipeline.prom").read_text())
        yield Seen(
            spans,
            [json.loads(line) for line in written.splitlines()],
            [listening, *map(json.loads, rest.splitlines())],
            {
                (sample.name, tuple(sample.labels.values())): sample.value
                for family in figures
                for sample in family.samples
            },
            [line for line in lines if line["event"] == "topic_refused"],
            "".join([written, rest, *(run.stdout + run.stderr for run in runs)]),
        )


def spans_of(seen: Seen, **facts: object) -> list[Span]:
    return [span for span in seen.spans.spans if facts.items() <= span.facts.items()]


# -- spans --------------------------------------------------------------------------------------------------------


def test_an_episode_is_one_trace_across_manager_and_speech_server(seen: Seen) -> None:
    episode = spans_of(seen, episode="the-log")[0]
    spoken = [span for span in seen.spans.named("speech") if span.trace == episode.trace and not span.facts["cached"]]
    assert len(spoken) == 2  # sentences
    for step in spoken:
        assert step.parent == episode.id
        (call,) = [span for span in seen.spans.named("voice piper-server") if span.parent == step.id]
        (answer,) = [span for span in seen.spans.named("POST /synthesize") if span.parent == call.id]
        (voice,) = [span for span in seen.spans.named("speak") if span.parent == answer.id]
        assert {one.trace for one in (step, call, answer, voice)} == {episode.trace}
        assert [one.service for one in (step, call, answer, voice)] == ["pipeline"] * 2 + ["pipeline-speech"] * 2
        assert call.facts["audio_seconds"] == voice.facts["audio_seconds"]


def test_every_span_has_a_parent_that_is_there_but_those_that_begin_a_trace(seen: Seen) -> None:
    for span in seen.spans.spans:
        if span.parent:
            assert seen.spans.parent_of(span).trace == span.trace
    assert {span.name for span in seen.spans.spans if not span.parent and span.service == "pipeline"} == {"episode"}


def test_what_an_earlier_run_made_is_in_the_trace_as_found(seen: Seen) -> None:
    """The second run seals what nothing of has changed, and looks again at what failed."""
    (code,) = {line["code"] for line in seen.manager if line["event"] == "episode_failed"}
    failed = spans_of(seen, episode="silence")
    assert [span.failed for span in failed] == [True, True]
    assert {span.facts["error.type"] for span in failed} == {code}
    made = [span for span in seen.spans.spans if span.facts.get("cached") is False and span.name == "speech"]
    assert len(made) == 2


# -- the log ------------------------------------------------------------------------------------------------------


def test_every_line_is_as_the_schema_says(seen: Seen) -> None:
    assert [fault for line in (*seen.manager, *seen.server) for fault in wrong_with(line)] == []
    assert {line["event"] for line in seen.manager} >= {
        "step_started", "step_made", "episode_done", "episode_failed", "topic_refused"
    }  # fmt: skip


def test_what_an_episode_asked_of_the_speech_server_is_found_in_its_log_by_the_episodes_request(seen: Seen) -> None:
    (done,) = [line for line in seen.manager if line["event"] == "episode_done" and line["episode"] == "the-log"]
    answered = [line for line in seen.server if line.get("request") == done["request"]]
    assert [line["path"] for line in answered].count("/synthesize") == 2
    assert {line["status"] for line in answered if line["path"] == "/synthesize"} == {200}


def test_lines_lead_to_their_trace(seen: Seen) -> None:
    episode = spans_of(seen, episode="the-log")[0]
    (done,) = [line for line in seen.manager if line["event"] == "episode_done" and line["episode"] == "the-log"]
    assert done["trace_id"] == episode.trace
    spoken = [line for line in seen.server if line.get("path") == "/synthesize" and "trace_id" in line]
    assert episode.trace in {line["trace_id"] for line in spoken}


def test_every_line_of_a_run_says_which_run_it_is(seen: Seen) -> None:
    assert len({line["run"] for line in seen.manager}) == 2


def test_no_text_of_a_topic_is_in_a_line_above_debug(seen: Seen) -> None:
    for line in (*seen.manager, *seen.server):
        assert line["level"] == "debug" or MARK.lower() not in json.dumps(line).lower()
    for span in seen.spans.spans:
        assert MARK.lower() not in repr(span).lower()


def test_no_secret_is_anywhere(seen: Seen) -> None:
    assert SECRET not in seen.told
    assert SECRET not in repr(seen.spans.spans)


# -- the figures --------------------------------------------------------------------------------------------------


def test_the_textfile_counts_both_runs_and_says_how_the_last_one_was(seen: Seen) -> None:
    figures = seen.figures
    assert figures["pipeline_episodes_total", ("made",)] == 1
    assert figures["pipeline_episodes_total", ("failed",)] == 2
    assert figures["pipeline_run_episodes", ("unchanged",)] == 1
    assert figures["pipeline_run_episodes", ("failed",)] == 1
    assert figures["pipeline_run_exit_status", ()] == 1
    assert figures["pipeline_topics_refused", ()] == len(seen.refused)
    assert figures["pipeline_engine_calls_total", ("voice", "answered")] == 2
    assert figures["pipeline_speech_audio_seconds_total", ()] > 1
    assert figures["pipeline_speech_busy_seconds_total", ()] > 0
    assert figures["pipeline_run_success_timestamp_seconds", ()] == 0
