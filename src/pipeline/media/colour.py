"""Which colours an episode has: a hue of its own, the same wherever it is shown."""

from __future__ import annotations

from hashlib import sha256


def hue_of(title: str) -> int:
    """The hue of an episode's colours, in degrees of OKLCH; the same for the same title."""
    return int.from_bytes(sha256(title.encode("utf-8", "surrogatepass")).digest()[:2]) * 360 // 65536
