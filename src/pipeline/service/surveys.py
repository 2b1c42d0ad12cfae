"""The last look at all topics and at how far each is: answered from while the next look is under way.

A look at ten thousand topics that are still to be made reads each of their files, which takes seconds; a project that
small looks take no time in is looked at anew for every answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread

from pipeline.errors import PipelineError
from pipeline.service.project import Keeper
from pipeline.studio import Studio, Survey
from pipeline.telemetry import log

FEW = 300
"""Topic files of which a fresh look takes less than a tenth of a second."""
# An older look is followed by another, and a look takes at most this share of the time.
_OLD_SECONDS, _SHARE = 20.0, 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, and what can say more of it."""

    studio: Studio
    survey: Survey
    at: float
    """When it was taken, in seconds since 1970."""


class Surveys:
    """Thread-safe. `now` gives seconds since 1970."""

    def __init__(self, keeper: Keeper, *, now: Callable[[], float] = time.time) -> None:
        self._keeper = keeper
        self._now = now
        self._last: Look | None = None
        self._cost_seconds = 0.0
        self._looking = Lock()

    def take(self, studio: Studio, survey: Survey) -> None:
        """What a round has seen anyway."""
        self._last = Look(studio, survey, self._now())

    def look(self, files: int) -> Look:
        """Anew where there are few topic files, or where nobody has looked yet; else the last look, and when that is
        old, the next one is begun. Raises SettingsError, EngineError.
        """
        last = self._last
        if files <= FEW:
            return self._anew()
        if last is None:
            with self._looking:
                return self._last or self._anew()
        if self._now() - last.at > max(_OLD_SECONDS, self._cost_seconds / _SHARE) and self._looking.acquire(
            blocking=False
        ):
            Thread(target=self._beside, name="survey", daemon=True).start()
        return last

    def _beside(self) -> None:
        try:
            self._anew()
        except PipelineError as error:  # the settings; whoever makes something says so too
            log().info("survey_failed", what=error.what, where=error.where)
        finally:
            self._looking.release()

    def _anew(self) -> Look:
        begun = self._now()
        studio = self._keeper.open().shop.studio
        look = Look(studio, studio.survey(), begun)
        self._cost_seconds = self._now() - begun
        self._last = look
        return look
