"""A font as it lies on the disk: its bytes, and what they are called in messages."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class FontFile:
    name: str
    """For messages: the file's path; of a bundled one its bare name."""
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256, in hex."""
        return sha256(self.data).hexdigest()
