"""What can be seen of a process from outside: its log, its spans, and the ids that lay it beside other programs'."""

from pipeline.telemetry.logs import LEVELS, configure, failure, log, watching

__all__ = ["LEVELS", "configure", "failure", "log", "watching"]
