"""Every event that a program of the pipeline logs, with its fields: the log's schema.

A name says what happened, in the past or as it stands, in small letters with `_` between words. Each event's own
fields are its facts; the others stand in every line that has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXT: Mapping[str, Any] = {"type": "string"}
WHOLE: Mapping[str, Any] = {"type": "integer", "minimum": 0}
SECONDS: Mapping[str, Any] = {"type": "number", "minimum": 0}
TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
HEX: Mapping[str, Any] = {"type": "string", "pattern": "^[0-9a-f]+$"}

FIELDS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "time": ({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$"}, "When, in UTC (RFC 3339)."),
    "level": ({"enum": ["debug", "info", "warning", "error", "critical"]}, "How much it matters."),
    "event": (TEXT, "What happened: a name of this list; of another library, its own words."),
    "logger": (TEXT, "The library that says it; only in lines that are not ours."),
    "run": (HEX, "The process: of one `pipeline run`, of a service since its start."),
    "request": (
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "The request that is answered or worked for; it goes to the engines as X-Request-ID and stands in their logs.",
    ),
    "episode": (TEXT, "The episode's name, as its folder has it."),
    "stage": (TEXT, "The stage of the episode: script, speech, mix, captions, pictures, video, page, credentials."),
    "artifact": ({"type": "string", "pattern": "^[0-9a-f]{16,64}$"}, "The beginning of the artifact's key."),
    "trace_id": ({"type": "string", "pattern": "^[0-9a-f]{32}$"}, "The trace, where traces are on."),
    "span_id": ({"type": "string", "pattern": "^[0-9a-f]{16}$"}, "The span in it."),
    "exception": (TEXT, "A traceback; only with a fault of ours."),
    "code": (TEXT, "The kind of failure: a code of the API's problems, or `bug`."),
    "what": (TEXT, "What happened, in words; what a topic says is left out of them."),
    "where": (TEXT, "On which file or service."),
    "hint": (TEXT, "What to do about it."),
    "seconds": (SECONDS, "How long it took."),
    "attempt": (WHOLE, "Which try it was, from 1."),
    "wait_seconds": (SECONDS, "How long until the next one."),
    "service": (TEXT, "writer, voice, illustrator, or download."),
    "role": (TEXT, "writer, voice or illustrator."),
    "step": (TEXT, "What is made: sentence 3 of 12."),
    "why": (TEXT, "For what reason."),
    "made": (WHOLE, "How many artifacts, or in a round episodes, were made."),
    "failed": (WHOLE, "How many episodes failed."),
    "refused": (WHOLE, "How many topics were refused."),
    "tries": (WHOLE, "How often it was tried."),
    "todo": (TEXT, "The command that does it."),
    "problems": (TEXTS, "Each fault in the settings."),
    "host": (TEXT, "The address that is listened on."),
    "port": (WHOLE, "The port."),
    "version": (TEXT, "The pipeline's version."),
    "threads": (WHOLE, "How many sentences are spoken at once."),
    "model": (TEXT, "The model's name."),
    "device": (TEXT, "Where the model runs."),
    "dtype": (TEXT, "The precision that it runs in."),
    "sha256": (HEX, "The digest of the model."),
    "seed": (WHOLE, "The seed of the picture."),
    "method": (TEXT, "The request's method."),
    "path": (TEXT, "The request's path, without what follows a `?`."),
    "status": (WHOLE, "The answer's HTTP status; 499 where the client went away first."),
    "instead": (TEXT, "What would be better."),
    "looks_every_seconds": (SECONDS, "How often the folders are looked at instead."),
}
"""Every field there is, its JSON schema and its meaning."""

EVERYWHERE = (
    "time", "level", "event", "logger", "run", "request", "episode", "stage", "artifact", "trace_id", "span_id",
    "exception",
)  # fmt: skip
"""What may stand in any line."""
_FAILURE = ("code", "what", "where", "hint")


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    levels: tuple[str, ...]
    about: str
    fields: tuple[str, ...] = ()
    """Its own, each of them always there."""
    may: tuple[str, ...] = field(default=())
    """Those that only some lines of it have."""


def _event(name: str, level: str, about: str, *fields: str, may: Sequence[str] = ()) -> Event:
    return Event(name, tuple(level.split("|")), about, fields, tuple(may))


EVENTS = (
    _event("step_started", "info", "A step of an episode is begun.", "episode", "stage", "step", "artifact", "why"),
    _event("step_made", "info", "A step of an episode is made.", "episode", "stage", "step", "artifact", "seconds"),
    _event("step_failed", "error", "A step of an episode failed.", "episode", "stage", *_FAILURE),
    _event("artifact_damaged", "warning", "A stored artifact is not what it was; it is made again.", "episode",
           "why"),
    _event("episode_done", "info", "An episode is finished.", "episode", "seconds", may=["made"]),
    _event("episode_failed", "error|critical", "An episode failed; critical where it is a fault of ours.", "episode",
           *_FAILURE),
    _event("episode_set_aside", "error", "An episode has failed so often that it is not tried again.", "episode",
           "todo"),
    _event("episode_not_shown", "warning", "The page of all episodes and the feed leave one out.", "episode", "what"),
    _event("site_remark", "warning", "Something about the page of all episodes or the feed.", "what"),
    _event("site_not_written", "error", "The page of all episodes and the feed could not be written.", *_FAILURE),
    _event("topic_refused", "warning|error", "A topic cannot be read as it is.", *_FAILURE),
    _event("round_done", "info", "What was there to make is made.", "made", "failed", "refused"),
    _event("round_failed", "info", "A round could not be begun; there is another one soon.", "what", "where", "hint"),
    _event("survey_failed", "info", "The folders cannot be surveyed as the settings are now.", "what", "where"),
    _event("settings_refused", "info", "The settings cannot be used as they are.", "problems"),
    _event("waiting", "info", "An engine cannot produce yet; it is asked again.", "what", "where", "hint", "tries"),
    _event("ready", "info", "Every engine has produced something."),
    _event("asked_again", "warning", "A call failed in a way that may pass, and is made again.", "service", *_FAILURE,
           "attempt", "wait_seconds"),
    _event("service_down", "warning", "A service is taken to be down; its work waits.", "service", *_FAILURE,
           "wait_seconds"),
    _event("service_back", "info", "A service answers again.", "service", "seconds"),
    _event("textfile_not_written", "warning", "The figures of `pipeline run` cannot be put into metrics_textfile.",
           *_FAILURE),
    _event("certificates_unchecked", "warning", "Connections are not checked, because the settings say so.", "why",
           "instead"),
    _event("waits_not_shown", "warning", "What is waited for cannot be written down for `pipeline status`.",
           *_FAILURE),
    _event("model_loaded", "info", "The image server has loaded its model.", "model", "device", "dtype", "sha256",
           "seconds"),
    _event("model_not_loaded", "error", "The image server's model cannot be loaded.", "what"),
    _event("model_unloaded", "info", "A model's memory was given back.", may=["role", "why"]),
    _event("model_not_unloaded", "warning", "A model's memory could not be had back.", "role", *_FAILURE),
    _event("model_cannot_be_unloaded", "info", "A server has no way to give a model's memory back.", "role"),
    _event("listening", "info", "A server takes requests.", "host", "port", "version", may=["threads", "model"]),
    _event("stopped", "info", "A server has ended in good order."),
    _event("request", "debug|info", "A request was answered.", "method", "path", "status", "seconds"),
    _event("request_failed", "error", "A request ended in a fault of ours.", may=_FAILURE),
    _event("request_refused", "warning", "A request was not done.", *_FAILURE),
    _event("client_gone", "info", "A client went away before its picture was drawn.", "seed"),
    _event("maker_stopped", "error", "The service's maker could not go on; it begins again soon.", *_FAILURE),
    _event("maker_failed", "error", "A fault of ours ended the service's round; it begins again soon."),
    _event("events_unavailable", "info", "The system tells nothing of new files; the folders are looked at.", "why",
           "looks_every_seconds"),
)  # fmt: skip


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one line: the text of docs/reference/logs.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the log",
        "type": "object",
        "required": ["time", "level", "event"],
        "properties": {name: {**kind, "description": about} for name, (kind, about) in FIELDS.items()},
        "oneOf": [
            {
                "title": "a line of another library",
                "required": ["logger"],
                "propertyNames": {"enum": list(EVERYWHERE)},
            },
            *(_one(event) for event in EVENTS),
        ],
    }


def _one(event: Event) -> dict[str, Any]:
    allowed = [name for name in FIELDS if name in {*EVERYWHERE, *event.fields, *event.may} and name != "logger"]
    return {
        "title": event.name,
        "description": event.about,
        "required": list(event.fields),
        "properties": {"event": {"const": event.name}, "level": {"enum": list(event.levels)}},
        "propertyNames": {"enum": allowed},
    }


def page() -> str:
    """The text of docs/reference/logs.md."""
    lines = [
        "# The log",
        "",
        "Made by `pipeline serve --write-docs` from the list that the programs log by. One event a line, on standard",
        'error; with `log_format = "json"` (the servers\' own way) each line is a JSON object that',
        "[logs.schema.json](logs.schema.json) describes. What to do with it: [observe](../how-to/observe.md).",
        "",
        "Above level `debug` no line holds what a topic or a script says; no line of any level holds a secret. Only a",
        "traceback (`exception`), which tells of a fault of ours, may hold what the fault was met with.",
        "",
        "## In every line that has them",
        "",
        "| field | meaning |",
        "|---|---|",
        *(f"| `{name}` | {FIELDS[name][1]} |" for name in EVERYWHERE),
        "",
        "## Events",
        "",
        "| event | level | meaning | its own fields |",
        "|---|---|---|---|",
        *(_row(event) for event in EVENTS),
        "",
        "## Their fields",
        "",
        "| field | meaning |",
        "|---|---|",
        *(f"| `{name}` | {about} |" for name, (_, about) in FIELDS.items() if name not in EVERYWHERE),
    ]
    return "\n".join(lines) + "\n"


def _row(event: Event) -> str:
    fields = [f"`{name}`" for name in event.fields] + [f"`{name}` (some)" for name in event.may]
    return f"| `{event.name}` | {', '.join(event.levels)} | {event.about} | {', '.join(fields)} |".replace(
        "|  |", "| |"
    )
