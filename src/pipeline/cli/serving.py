"""A project as the service and the assistant's server need it: opened anew, with its settings as they are now."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.inbox import TopicDefaults
    from pipeline.service.project import Opened
    from pipeline.service.project import Project as Served
    from pipeline.settings import Settings


def served(place: Path, settings: Settings) -> Served:
    """The project as the service needs it; whatever it opens is read anew each time."""
    from pipeline import wiring
    from pipeline.service.project import Opened, Project
    from pipeline.settings import load, table

    def opened(stop: Event, before: Opened | None) -> Opened:
        loaded = load(place, os.environ)
        earlier = before.shop if before is not None and before.settings == loaded.settings else None
        shop = wiring.workshop(place, loaded, stop=stop, earlier=earlier)
        return Opened(shop, wiring.channel_of(loaded.settings), loaded.settings)

    def defaults() -> TopicDefaults:
        return wiring.defaults_of(settings)

    def rows() -> Sequence[Mapping[str, str]]:
        told = table(load(place, os.environ))
        return [{"name": row.name, "value": row.value, "origin": row.origin, "about": row.about} for row in told]

    return Project(
        folders=wiring.folders(place, settings),
        config=place / settings.config_dir,
        open=opened,
        defaults=defaults,
        settings=rows,
        watch_seconds=settings.watch_seconds,
        backups=place / settings.backup_dir,
        addresses=lambda: wiring.addresses_of(load(place, os.environ).settings),
    )
