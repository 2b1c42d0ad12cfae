"""What the speech server counts, for Prometheus; `pipeline.metrics.families` says what there is."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from pipeline.metrics.families import SPEECH, SPEECH_OUTCOMES, SPEECH_ROUTES
from pipeline.metrics.meters import Meters


class Metrics:
    """Of one server; a registry of its own, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        meters = Meters(SPEECH, self._registry)
        self.requests = meters.counter("speech_requests_total")
        for route in SPEECH_ROUTES:
            for outcome in SPEECH_OUTCOMES:
                self.requests.labels(route, outcome)
        self.audio = meters.counter("speech_audio_seconds_total")
        self.busy = meters.counter("speech_busy_seconds_total")
        self.characters = meters.counter("speech_characters_total")
        self.first = meters.histogram("speech_first_audio_seconds")
        self.seconds = meters.histogram("speech_request_duration_seconds")
        self._inside = meters.gauge("speech_requests_in_progress")
        self._waiting = meters.gauge("speech_sentences_waiting")
        self._loaded = meters.gauge("speech_voices_loaded")
        self._ready = meters.gauge("speech_ready")

    def text(self, *, inside: int, waiting: int, loaded: int, ready: bool) -> bytes:
        self._inside.set(inside)
        self._waiting.set(waiting)
        self._loaded.set(loaded)
        self._ready.set(ready)
        return generate_latest(self._registry)
