"""What a person, or a program, is shown: of a run as it goes, of what it would do, of all else that is asked for."""

from __future__ import annotations

from pipeline.report.above import show_site
from pipeline.report.answers import (
    narrowed,
    show_catalogue,
    show_cleaned,
    show_findings,
    show_retried,
    show_rewritten,
    show_settings,
    show_status,
    show_verification,
    show_voices,
)
from pipeline.report.plans import show_plan
from pipeline.report.screens import screen_for

__all__ = [
    "narrowed",
    "screen_for",
    "show_catalogue",
    "show_cleaned",
    "show_findings",
    "show_plan",
    "show_retried",
    "show_rewritten",
    "show_settings",
    "show_site",
    "show_status",
    "show_verification",
    "show_voices",
]
