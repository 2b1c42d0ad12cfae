"""Logs: structlog to stderr, readable or JSON, with run, topic and stage on every line that has them."""

from __future__ import annotations

import logging
import secrets
import sys
import warnings
from typing import Any, TextIO

import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def configure(*, form: str, level: str, stream: TextIO | None = None) -> str:
    """Set logging up once for the process; returns the run's id, which every line carries.

    `form` is `text` or `json`; `level` one of `LEVELS`. Other libraries' loggers and warnings come out the same way.
    """
    out = stream if stream is not None else sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if form == "json":
        finish: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=False)]
    else:
        finish = [structlog.dev.ConsoleRenderer(colors=out.isatty())]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")
    run = secrets.token_hex(4)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(run=run)
    return run


def log() -> Any:  # noqa: ANN401  # structlog's loggers are typed so by structlog
    """The process's logger; events are short names, facts are fields."""
    return structlog.get_logger()
