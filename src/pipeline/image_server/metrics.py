"""What the image server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pipeline.image_server.easel import Progress, Standing

OUTCOMES = ("drawn", "refused", "busy", "interrupted", "out_of_memory", "unusable", "no_model", "failed")


class Metrics:
    """Of one server; a registry of its own, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "images_requests_total", "Requests for pictures, by how they ended.", ["outcome"], registry=self._registry
        )
        for outcome in OUTCOMES:
            self.requests.labels(outcome)
        self.pictures = Counter("images_pictures_total", "Pictures drawn and sent.", registry=self._registry)
        self.seconds = Histogram(
            "images_request_duration_seconds",
            "From a request's arrival to its answer, waiting included.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
            registry=self._registry,
        )
        self._in_progress = Gauge("images_requests_in_progress", "Requests being drawn.", registry=self._registry)
        self._waiting = Gauge("images_requests_waiting", "Requests that wait for their turn.", registry=self._registry)
        self._ready = Gauge("images_ready", "1 where a picture can be drawn.", registry=self._registry)
        self._loaded = Gauge("images_model_loaded", "1 while the model is in memory.", registry=self._registry)

    def text(self, standing: Standing, progress: Progress) -> bytes:
        self._in_progress.set(progress.busy)
        self._waiting.set(progress.waiting)
        self._ready.set(standing.ready)
        self._loaded.set(standing.loaded)
        return generate_latest(self._registry)
