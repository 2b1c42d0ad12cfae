"""Carries a flow out in memory: makes each step once, in threads, and keeps nothing on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pipeline.build.recipe import Artifact, Flow, Parts, Step, Written

T = TypeVar("T")


@dataclass(frozen=True)
class MemoryArtifact:
    """An artifact that lives as long as its test."""

    key: str
    parts: Mapping[str, bytes]
    made_at: str = "2026-01-01T00:00:00Z"
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"".join(name.encode() + self.parts[name] for name in sorted(self.parts))).hexdigest()

    def part_digest(self, part: str) -> str:
        return hashlib.sha256(self.parts[part]).hexdigest()

    def part_length(self, part: str) -> int:
        return len(self.parts[part])

    def read(self, part: str) -> bytes:
        return self.parts[part]

    def chunks(self, part: str) -> Iterator[bytes]:
        yield self.parts[part]


def _in_memory(parts: Parts) -> dict[str, bytes]:
    held = {}
    for name, part in parts.items():
        if isinstance(part, Written):
            with TemporaryDirectory() as folder:
                part.write(Path(folder) / name)
                held[name] = (Path(folder) / name).read_bytes()
        else:
            held[name] = part
    return held


class Memory:
    """Made artifacts by key, and every step that was ever wanted."""

    def __init__(self, threads: int = 1) -> None:
        self.artifacts: dict[str, Artifact] = {}
        self.wanted: list[Step] = []
        self.made: list[Step] = []
        self._threads = threads

    def carry_out(self, flow: Flow[T]) -> T:
        try:
            steps = next(flow)
            while True:
                with ThreadPoolExecutor(self._threads) as pool:
                    artifacts = list(pool.map(self._artifact, steps))
                steps = flow.send(artifacts)
        except StopIteration as end:
            result: T = end.value
            return result

    def _artifact(self, step: Step) -> Artifact:
        self.wanted.append(step)
        if step.key not in self.artifacts:
            self.artifacts[step.key] = MemoryArtifact(step.key, _in_memory(step.make()))
            self.made.append(step)
        return self.artifacts[step.key]
