"""The one list of every metric that a program of the pipeline has: its name, its type, its labels and what it means.

Names follow Prometheus's practice: one prefix a program, base units in the plural, `_total` for counters, the time of
an event rather than its age. Every label is one of a fixed set: no title, path, id or text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import PipelineError
from pipeline.metrics.stages import STAGES
from pipeline.telemetry.work import OUTCOMES as CALL_OUTCOMES
from pipeline.telemetry.work import ROLES

Kind = Literal["counter", "gauge", "histogram"]

EPISODE_OUTCOMES = ("made", "unchanged", "failed", "interrupted")
LOOKUPS = ("hit", "miss")
MAKER_STATES = ("starting", "waiting", "idle", "making", "paused", "stopped")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "other")
FOLDERS = ("data", "input", "output")
SPEECH_ROUTES = ("synthesize", "openai")
SPEECH_OUTCOMES = ("spoken", "refused", "busy", "gone", "failed")
IMAGE_OUTCOMES = ("drawn", "refused", "busy", "interrupted", "out_of_memory", "unusable", "no_model", "failed")

_STEP_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)


def _codes(kind: type[PipelineError]) -> Iterator[str]:
    """Those of the catalogue alone: what the servers and clients above it add to it are no failures of episodes."""
    if kind.__module__ == PipelineError.__module__:
        yield kind.code
        for below in kind.__subclasses__():
            yield from _codes(below)


CODES = (*sorted(set(_codes(PipelineError))), "bug")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """A histogram's upper bounds, in seconds."""
    in_runs: bool = False
    """A run's textfile has it as well."""


def _counter(name: str, about: str, *labels: str, in_runs: bool = False) -> Family:
    return Family(name, "counter", about, labels, in_runs=in_runs)


def _gauge(name: str, about: str, *labels: str, in_runs: bool = False) -> Family:
    return Family(name, "gauge", about, labels, in_runs=in_runs)


def _histogram(name: str, about: str, buckets: tuple[float, ...], *labels: str, in_runs: bool = False) -> Family:
    return Family(name, "histogram", about, labels, buckets, in_runs)


MAKING = (
    _counter("pipeline_stage_items_started_total", "Steps begun.", "stage", in_runs=True),
    _gauge("pipeline_stage_items_in_progress", "Steps being made now.", "stage"),
    _counter("pipeline_stage_items_made_total", "Steps made.", "stage", in_runs=True),
    _counter("pipeline_stage_items_failed_total", "Steps that failed.", "stage", in_runs=True),
    _counter(
        "pipeline_stage_units_total",
        "Units of work done, as each stage counts them: words of a script, letters spoken, pictures, seconds of film.",
        "stage",
        in_runs=True,
    ),
    _histogram("pipeline_stage_duration_seconds", "How long a step took.", _STEP_SECONDS, "stage", in_runs=True),
    _gauge("pipeline_stage_last_made_timestamp_seconds", "When a stage last made something.", "stage", in_runs=True),
    _counter(
        "pipeline_store_lookups_total", "Artifacts wanted: found in the store (hit), or not (miss).", "result",
        in_runs=True,
    ),
    _counter("pipeline_episodes_total", "Episodes dealt with, by how it ended.", "outcome", in_runs=True),
    _counter("pipeline_failures_total", "Episodes that failed, by the error's code.", "code", in_runs=True),
    _gauge("pipeline_last_success_timestamp_seconds", "When an episode was last finished.", in_runs=True),
    _gauge("pipeline_topics_refused", "Faults for which topics cannot be read as they are.", in_runs=True),
    _gauge(
        "pipeline_topics_set_aside", "Topics that failed so often that they are not tried again.", in_runs=True
    ),
    _counter("pipeline_film_seconds_total", "Film encoded.", in_runs=True),
    _counter("pipeline_film_busy_seconds_total", "Time the encoder took for it.", in_runs=True),
)  # fmt: skip
"""What the runner's events tell."""

ENGINES = (
    _counter("pipeline_engine_calls_total", "Calls of an engine, each try by itself.", "engine", "outcome",
             in_runs=True),
    _histogram("pipeline_engine_call_duration_seconds", "How long a call of an engine took, whatever came of it.",
               _STEP_SECONDS, "engine", in_runs=True),
    _counter("pipeline_engine_retries_total", "Calls that were made again after a failure that may pass.", "engine",
             in_runs=True),
    _gauge("pipeline_engine_breaker_state",
           "0 where calls go through, 1 while one call finds out, 2 while the engine is taken to be down.", "engine"),
    _counter("pipeline_engine_waiting_seconds_total",
             "Time that callers waited: between two tries, and for an engine that was down.", "engine", in_runs=True),
    _counter("pipeline_writer_tokens_total", "Tokens that the writer wrote.", in_runs=True),
    _counter("pipeline_writer_busy_seconds_total", "Time the writer took for them, of all its answers together.",
             in_runs=True),
    _counter("pipeline_speech_audio_seconds_total", "Sound that the voice spoke.", in_runs=True),
    _counter("pipeline_speech_busy_seconds_total", "Time the voice took for it, of all its sentences together.",
             in_runs=True),
    _counter("pipeline_pictures_drawn_total", "Pictures that the illustrator drew or set.", in_runs=True),
    _counter("pipeline_pictures_busy_seconds_total", "Time the illustrator took for them.", in_runs=True),
)  # fmt: skip
"""What this process has asked of its engines."""

_BUILD = _gauge("pipeline_build_info", "1; the version that runs.", "version", in_runs=True)
_DISK = (
    _gauge("pipeline_disk_free_bytes", "What is free where a folder lies.", "folder", in_runs=True),
    _gauge("pipeline_disk_size_bytes", "How large the disk is where a folder lies.", "folder", in_runs=True),
)

MANAGER = (
    _BUILD,
    *MAKING,
    _gauge("pipeline_queue_topics", "Episodes that are still to be made, as of the last look at the folder."),
    _gauge(
        "pipeline_queue_oldest_timestamp_seconds", "When the oldest of those was asked for; 0 where none waits."
    ),
    _gauge("pipeline_maker_state", "1 for the state the maker is in, 0 for the others.", "state"),
    _counter("pipeline_maker_rounds_total", "Rounds in which episodes were made."),
    _gauge("pipeline_engine_ready", "1 where an engine did what it was asked for.", "engine"),
    _gauge("pipeline_engine_check_timestamp_seconds", "When that was last seen.", "engine"),
    *ENGINES,
    *_DISK,
    _gauge(
        "pipeline_backup_last_timestamp_seconds", "When the newest backup was written; 0 where the folder holds none."
    ),
    _gauge(
        "pipeline_certificate_not_after_timestamp_seconds",
        "When the certificate of an engine's https address expires.", "engine",
    ),
    _counter("pipeline_http_requests_total", "Requests, by method and status.", "method", "status"),
    _histogram(
        "pipeline_http_request_duration_seconds", "From a request's arrival to its answer's end.", _REQUEST_SECONDS,
        "method",
    ),
    _gauge("pipeline_http_requests_in_progress", "Requests that are being answered."),
    _gauge("pipeline_event_listeners", "Clients that listen to events."),
    _counter("pipeline_event_listeners_dropped_total", "Clients that were dropped because they fell behind."),
)  # fmt: skip
"""Of `pipeline serve`."""

RUN_ALONE = (
    _gauge("pipeline_run_completion_timestamp_seconds", "When the last run ended, however it did."),
    _gauge("pipeline_run_success_timestamp_seconds", "When a run last ended without a failure."),
    _gauge("pipeline_run_duration_seconds", "How long the last run took."),
    _gauge("pipeline_run_exit_status", "The last run's exit status."),
    _gauge("pipeline_run_episodes", "Episodes of the last run, by how they ended.", "outcome"),
)
RUN = (_BUILD, *(one for one in (*MAKING, *ENGINES) if one.in_runs), *_DISK, *RUN_ALONE)
"""Of the textfile that `pipeline run` writes."""

SPEECH = (
    _gauge("speech_build_info", "1; the version that runs.", "version"),
    _counter("speech_requests_total", "Requests, by route and by how they ended.", "route", "outcome"),
    _counter("speech_audio_seconds_total", "Sound made."),
    _counter("speech_busy_seconds_total", "Time the synthesizer took for it, of all sentences together."),
    _counter("speech_characters_total", "Characters spoken."),
    _histogram(
        "speech_first_audio_seconds", "From a request's arrival to its first sound.",
        (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
    ),
    _histogram(
        "speech_request_duration_seconds", "From a request's arrival to its end.",
        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    ),
    _gauge("speech_requests_in_progress", "Requests being served or waiting."),
    _gauge("speech_sentences_waiting", "Sentences not begun yet."),
    _gauge("speech_voices_loaded", "Voices in memory."),
    _gauge("speech_ready", "1 where a voice has spoken."),
)  # fmt: skip
"""Of `pipeline-speech`."""

IMAGES = (
    _gauge("images_build_info", "1; the version that runs.", "version"),
    _counter("images_requests_total", "Requests for pictures, by how they ended.", "outcome"),
    _counter("images_pictures_total", "Pictures drawn and sent."),
    _histogram(
        "images_request_duration_seconds", "From a request's arrival to its answer, waiting included.",
        (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
    ),
    _gauge("images_requests_in_progress", "Requests being drawn."),
    _gauge("images_requests_waiting", "Requests that wait for their turn."),
    _gauge("images_ready", "1 where a picture can be drawn."),
    _gauge("images_model_loaded", "1 while the model is in memory."),
)  # fmt: skip
"""Of `pipeline-images`."""

LABELS = (
    ("`stage`", STAGES),
    ("`engine`", ROLES),
    ("`result`", LOOKUPS),
    ("`outcome` of episodes", EPISODE_OUTCOMES),
    ("`outcome` of an engine's calls", CALL_OUTCOMES),
    ("`outcome` of the speech server's requests", SPEECH_OUTCOMES),
    ("`outcome` of the image server's requests", IMAGE_OUTCOMES),
    ("`state`", MAKER_STATES),
    ("`folder`", FOLDERS),
    ("`method`", METHODS),
    ("`route`", SPEECH_ROUTES),
    ("`code`", CODES),
)
"""What each label may say; beside these there are `status`, a number of HTTP's, and `version`."""
