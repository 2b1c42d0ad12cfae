"""What the image server counts, for Prometheus; `pipeline.metrics.families` says what there is."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from pipeline.image_server.easel import Progress, Standing
from pipeline.metrics.families import IMAGE_OUTCOMES, IMAGES
from pipeline.metrics.meters import Meters


class Metrics:
    """Of one server; a registry of its own, so that several can live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        meters = Meters(IMAGES, self._registry)
        self.requests = meters.counter("images_requests_total")
        for outcome in IMAGE_OUTCOMES:
            self.requests.labels(outcome)
        self.pictures = meters.counter("images_pictures_total")
        self.seconds = meters.histogram("images_request_duration_seconds")
        self._in_progress = meters.gauge("images_requests_in_progress")
        self._waiting = meters.gauge("images_requests_waiting")
        self._ready = meters.gauge("images_ready")
        self._loaded = meters.gauge("images_model_loaded")

    def text(self, standing: Standing, progress: Progress) -> bytes:
        self._in_progress.set(progress.busy)
        self._waiting.set(progress.waiting)
        self._ready.set(standing.ready)
        self._loaded.set(standing.loaded)
        return generate_latest(self._registry)
