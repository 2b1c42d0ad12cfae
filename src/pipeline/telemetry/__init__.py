"""What can be seen of a process from outside: its log, its spans, and the ids that lay it beside other programs'."""

from pipeline.telemetry.logs import LEVELS, configure, log

__all__ = ["LEVELS", "configure", "log"]
