"""A Painter without PyTorch: noise from the seed, step by step, and every way in which a model fails."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from pipeline.image_server.painter import ModelFacts, Order, Painted, Pixels

FACTS = ModelFacts("tiny", "", "ab" * 32, "/models/tiny", "StableDiffusionPipeline", "cpu", "float32")


def noise(order: Order) -> Pixels:
    return np.random.default_rng(order.seed).random((order.height, order.width, 3), dtype=np.float32)


class FakePainter:
    """Waits before each step of a real picture (not the trial's) while `hold` is set, until `go` is released."""

    def __init__(self) -> None:
        self.painted: list[Order] = []
        self.steps_taken = 0
        self.at_work = threading.Event()
        self.closed = 0
        self.draw: Callable[[Order], Pixels] = noise
        self.notes: tuple[str, ...] = ()
        self.hold = False
        self._go = threading.Semaphore(0)

    @property
    def facts(self) -> ModelFacts:
        return FACTS

    def go(self, steps: int = 1000) -> None:
        self._go.release(steps)

    def paint(self, order: Order, on_step: Callable[[int], None]) -> Painted:
        trial = (order.width, order.height, order.steps) == (64, 64, 1)
        for step in range(order.steps):
            if self.hold and not trial:
                self.at_work.set()
                assert self._go.acquire(timeout=30)
            if not trial:
                self.steps_taken += 1
            on_step(step + 1)
        if trial:
            return Painted(noise(order))
        self.painted.append(order)
        return Painted(self.draw(order), self.notes)

    def close(self) -> None:
        self.closed += 1
