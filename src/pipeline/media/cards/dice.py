"""Chance that is the same everywhere: numbers that follow from words alone, on every machine and in every release."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """What falls is decided by what the dice are for, and by the name of the roll; never by the rolls before."""

    def __init__(self, *of: object) -> None:
        self._of = "\x1f".join(str(part) for part in of)

    def roll(self, name: str, low: float = 0.0, high: float = 1.0) -> float:
        """From `low` up to `high`, and never quite that."""
        digest = sha256(f"{self._of}\x1e{name}".encode("utf-8", "surrogatepass")).digest()
        return low + (high - low) * int.from_bytes(digest[:6]) / 2**48

    def choice(self, name: str, among: Sequence[T]) -> T:
        return among[int(self.roll(name, 0, len(among)))]
