"""The log: one event a line, by the names and fields of `events`, readable or JSON.

What every line carries is put there once for all: the run's id, and, where there is one, the request, the episode,
its stage and artifact, and the span. Text of topics is in lines of level debug alone; secrets are in none.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO, TypeAlias

import structlog

from pipeline.errors import PipelineError
from pipeline.telemetry import traces
from pipeline.telemetry.log_file import LogFile

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}

Line: TypeAlias = MutableMapping[str, Any]
_FIRST = ("time", "level", "event", "logger", "run", "request")
# What somebody wrote or said is quoted so in errors' words, and in nothing else that they say.
_QUOTED = re.compile("“[^”]*”?")

_watchers: list[Callable[[Line], None]] = []


def configure(
    *,
    form: str,
    level: str,
    screen_level: str | None = None,
    stream: TextIO | None = None,
    file: LogFile | None = None,
    others: bool = True,
) -> str:
    """Set logging up once for the process; returns the run's id, which every line carries.

    `form` is `text` or `json`; `level` one of `LEVELS`; `file` is given every line as well, as JSON, also those that
    `screen_level` keeps from `stream`. Other libraries' loggers and warnings come out the same way, unless `others` is
    False.
    """
    out = stream if stream is not None else sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _with_span,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _without_quotations,
    ]
    least = LEVELS[screen_level or level]
    watched = _Watched(file)
    finish: list[Any] = [_in_order]
    if form == "json":
        finish += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=False)]
    else:
        finish += [structlog.dev.ConsoleRenderer(colors=out.isatty())]
    structlog.configure(
        processors=[*shared, _in_order, watched, _OnScreen(least), *finish],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    if others:
        handlers: list[logging.Handler] = [logging.StreamHandler(out), _Shown()]
        handlers[0].setLevel(least)
        for handler, last in zip(handlers, (finish, [_in_order, watched, _nothing]), strict=True):
            handler.setFormatter(
                structlog.stdlib.ProcessorFormatter(
                    processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                    foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
                )
            )
        logging.basicConfig(handlers=handlers, level=max(LEVELS[level], logging.WARNING), force=True)
        logging.captureWarnings(capture=True)
        warnings.simplefilter("default")
    run = secrets.token_hex(4)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(run=run)
    return run


def log() -> Any:  # noqa: ANN401  # structlog's loggers are typed so by structlog
    """The process's logger; events are names of `events.EVENTS`, facts are fields."""
    return structlog.get_logger()


def failure(error: BaseException | None) -> dict[str, str]:
    """The fields of every event that tells of a failure. A fault of ours is told by its kind; its traceback says more
    where it is logged too.
    """
    if isinstance(error, PipelineError):
        return {"code": error.code, "what": error.what, "where": error.where, "hint": error.hint}
    return {"code": "bug", "what": type(error).__name__, "where": "", "hint": ""}


@contextmanager
def watching(watcher: Callable[[Line], None]) -> Iterator[None]:
    """While it lasts, every line that this process logs is shown to `watcher` just before it is written, with all its
    fields. It must not log, nor change anything.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class _Watched:
    """Shows each line to those who watch, and writes it to the file where there is one."""

    def __init__(self, file: LogFile | None) -> None:
        self._file = file

    def __call__(self, logger: object, method: str, line: Line) -> Line:
        if self._file is None and not _watchers:
            return line
        whole = structlog.processors.format_exc_info(logger, method, dict(line))
        for watcher in tuple(_watchers):
            watcher(whole)
        if self._file is not None:
            self._file.write(json.dumps(whole, ensure_ascii=False, default=repr))
        return line


class _OnScreen:
    """Keeps what is not important enough from the screen; the file has it already."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __call__(self, _: object, __: str, line: Line) -> Line:
        if LEVELS[line["level"]] < self._least:
            raise structlog.DropEvent
        return line


class _Shown(logging.Handler):
    """Has a line of another library pass those who watch, and the file; writes nothing itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def _nothing(_: object, __: str, ___: Line) -> str:
    return ""


def _with_span(_: object, __: str, line: Line) -> Line:
    for name, value in traces.ids().items():
        line.setdefault(name, value)
    return line


def _without_quotations(_: object, __: str, line: Line) -> Line:
    """What a topic says is for nobody who only looks after the machine."""
    if line.get("level") != "debug" and isinstance(line.get("what"), str):
        line["what"] = _QUOTED.sub("“…”", line["what"])
    return line


def _in_order(_: object, __: str, line: Line) -> Line:
    return {**{name: line[name] for name in _FIRST if name in line}, **line}
