"""How large a picture is, by its first bytes."""

from __future__ import annotations

import struct

# https://www.w3.org/TR/png-3/, 5.2 and 11.2.1: eight bytes of signature, then IHDR, which begins with the size.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BEFORE_SIZE = _SIGNATURE + b"\0\0\0\rIHDR"


def png_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of the PNG that begins so; None for what is no PNG."""
    if not head.startswith(_BEFORE_SIZE) or len(head) < len(_BEFORE_SIZE) + 8:
        return None
    width, height = struct.unpack_from(">II", head, len(_BEFORE_SIZE))
    return (width, height) if width and height else None
