"""Every setting of a project: typed, checked before anything starts, all faults in one report."""

from __future__ import annotations

from pipeline.settings.loading import Loaded, load
from pipeline.settings.model import Settings, at_home
from pipeline.settings.pages import SettingRow, env_example, reference, table, write_docs

__all__ = ["Loaded", "SettingRow", "Settings", "at_home", "env_example", "load", "reference", "table", "write_docs"]
