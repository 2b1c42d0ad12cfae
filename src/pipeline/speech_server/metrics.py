"""What the speech server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

ROUTES = ("synthesize", "openai")
OUTCOMES = ("spoken", "refused", "busy", "gone", "failed")


class Metrics:
    """Of one server; a registry of its own, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "speech_requests_total", "Requests, by route and by how they ended.", ["route", "outcome"],
            registry=self._registry,
        )  # fmt: skip
        for route in ROUTES:
            for outcome in OUTCOMES:
                self.requests.labels(route, outcome)
        self.audio = Counter("speech_audio_seconds_total", "Sound made, in seconds.", registry=self._registry)
        self.characters = Counter("speech_characters_total", "Characters spoken.", registry=self._registry)
        self.first = Histogram(
            "speech_first_audio_seconds", "From a request's arrival to its first sound.",
            buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30), registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "speech_request_duration_seconds", "From a request's arrival to its end.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300), registry=self._registry,
        )  # fmt: skip
        self._inside = Gauge(
            "speech_requests_in_progress", "Requests being served or waiting.", registry=self._registry
        )
        self._waiting = Gauge("speech_sentences_waiting", "Sentences not begun yet.", registry=self._registry)
        self._loaded = Gauge("speech_voices_loaded", "Voices in memory.", registry=self._registry)
        self._ready = Gauge("speech_ready", "1 where a voice has spoken.", registry=self._registry)

    def text(self, *, inside: int, waiting: int, loaded: int, ready: bool) -> bytes:
        self._inside.set(inside)
        self._waiting.set(waiting)
        self._loaded.set(loaded)
        self._ready.set(ready)
        return generate_latest(self._registry)
