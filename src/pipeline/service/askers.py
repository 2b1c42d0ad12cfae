"""Which request asked for an episode, so that its id goes with all that is then done for it, down to the engines' logs.

Kept in memory alone: after a restart an episode has an id of the run's own, as one has that no request asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from pipeline.telemetry import calls

_MOST = 10_000


@dataclass(slots=True)
class Askers:
    """Thread-safe."""

    _lock: Lock = field(default_factory=Lock)
    _requests: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def note(self, thing: str) -> None:
        """The request that is answered on this thread asks for a topic file, or for an episode."""
        request = calls.current_request()
        if not request:
            return
        with self._lock:
            self._requests[thing] = request
            self._requests.move_to_end(thing)
            while len(self._requests) > _MOST:
                self._requests.popitem(last=False)

    def of(self, episode: str, file: str) -> str:
        """The request that asked for it, by its name or by its topic file; empty where none did."""
        with self._lock:
            return self._requests.get(episode) or self._requests.get(file, "")
