"""What a check found, in the one shape that is printed and given to programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    """What was looked at: a stable name for programs, `Ollama certificate`."""
    state: State
    """`note` is worth knowing and stops nothing; `bad` keeps episodes from being made."""
    found: str
    """What was seen."""
    todo: str = ""
    """What to do about it; empty where there is nothing to do."""

    @property
    def bad(self) -> bool:
        return self.state == "bad"
