"""Which kinds of server speak the routes, what is wished of one, and what it is found to be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class Contract(StrEnum):
    """Who speaks the routes. All have txt2img and sd-models; the rest differs."""

    OURS = "Media Pipeline"
    A1111 = "AUTOMATIC1111"
    FORGE = "Forge"
    SDNEXT = "SD.Next"
    SDCPP = "stable-diffusion.cpp"
    """No progress, no interrupt, one model."""
    OTHER = "AUTOMATIC1111-compatible"

    @property
    def takes_checkpoint(self) -> bool:
        """Whether a request can name the checkpoint that draws it."""
        return self not in (Contract.SDCPP, Contract.OTHER)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings ask of a server; what is left out is the server's own where it is ours, and AUTOMATIC1111's
    usual one elsewhere.
    """

    checkpoint: str = ""
    """"" is the one that is loaded."""
    sampler: str = ""
    scheduler: str = ""
    steps: int | None = None
    guidance: float | None = None
    """cfg_scale."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    title: str
    name: str
    sha256: str
    """Or less of it, or nothing: AUTOMATIC1111 computes it when a checkpoint is first loaded."""

    def called(self, wanted: str) -> bool:
        return wanted in (self.title, self.name, without_hash(self.title))


@dataclass(frozen=True, slots=True)
class Setup:
    """What a server is, and what it draws with: all that a request spells out."""

    contract: Contract
    checkpoint: Checkpoint
    sampler: str
    scheduler: str
    steps: int
    guidance: float
    tells_progress: bool

    def digest(self) -> str:
        """What stands for the model in keys. The checkpoint is told by its SHA-256 where the server knows it."""
        told = [
            self.contract.value,
            self.checkpoint.sha256 or self.checkpoint.name,
            self.sampler,
            self.scheduler,
            self.steps,
            self.guidance,
        ]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def without_hash(title: str) -> str:
    """`model.safetensors [6ce0161689]` without what AUTOMATIC1111 adds once it knows it."""
    return title.partition(" [")[0]
