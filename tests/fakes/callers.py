"""A service that is away for a while, and many who call it, on a clock that only their waiting moves."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from threading import Event

from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Breaker, Change
from pipeline.net.retry import Policy, call
from tests.fakes.shared_time import SharedTime

DOWN = EngineUnavailable("nobody answers", where="Piper at http://127.0.0.1:5000", hint="Start it.")


@dataclass
class Service:
    """Answers after a while, but between two times: then it refuses at once, or says nothing till a deadline."""

    time: SharedTime
    away_from: float
    back_at: float
    takes_seconds: float = 0.5
    silent_seconds: float = 0.0
    called: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    """When the calls began that were answered."""

    def __call__(self) -> str:
        begun = self.time.now
        self.called.append(begun)
        if not self.away_from <= begun < self.back_at:
            self.time.sleep(self.takes_seconds)
            if not begun < self.away_from <= self.time.now:
                self.answered.append(begun)
                return "answer"
        elif self.silent_seconds:
            self.time.sleep(self.silent_seconds)
        raise DOWN

    @property
    def called_while_away(self) -> int:
        return sum(self.away_from <= at < self.back_at for at in self.called)


@dataclass
class Callers:
    """Many tasks on a few threads, each with one call to make."""

    service: Service
    policy: Policy = field(default_factory=Policy)
    seed: int = 0
    told: list[Change] = field(default_factory=list)
    retried: int = 0
    ended: list[str] = field(default_factory=list)

    def run(self, tasks: int, threads: int) -> None:
        time = self.service.time
        breaker = Breaker("voice", on_change=self.told.append, clock=time, pause=time.pause, look_seconds=float("inf"))
        left = iter(range(tasks))
        lock = threading.Lock()
        draw = random.Random(self.seed)

        def uniform(low: float, high: float) -> float:
            with lock:
                return draw.uniform(low, high)

        def work() -> None:
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                try:
                    ended = call(
                        self.service,
                        service="voice",
                        policy=self.policy,
                        stop=Event(),
                        breaker=breaker,
                        sleep=time.sleep,
                        clock=time,
                        draw=uniform,
                        on_retry=lambda _: None,
                    )
                except EngineUnavailable as error:
                    ended = error.what
                with lock:
                    self.ended.append(ended)

        time.run([work] * threads)
