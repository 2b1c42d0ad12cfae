"""Which characters a font has a glyph for, read from the font itself.

Pillow draws an empty box for a character that a font does not have, and says nothing. So a font is asked first: its
`cmap` table, as the OpenType specification lays it out (formats 4 and 12, which every font in use has).
"""

from __future__ import annotations

import struct

from pipeline.errors import InputError

_UNICODE = {(0, 3), (0, 4), (0, 6), (3, 1), (3, 10)}
"""Platform and encoding of the tables that speak of Unicode."""


def characters_of(font: bytes, *, where: str) -> frozenset[int]:
    """The code points that have a glyph. Raises InputError, naming `where`, for what is no font."""
    try:
        table = _cmap(font)
        (count,) = struct.unpack_from(">H", table, 2)
        # A font may claim 65,535 tables; each place is read once, and no more of them than there are kinds.
        places: set[int] = set()
        for index in range(count):
            platform, encoding, offset = struct.unpack_from(">HHI", table, 4 + 8 * index)
            if (platform, encoding) in _UNICODE and len(places) < len(_UNICODE):
                places.add(offset)
        found: set[int] = set()
        for offset in places:
            found |= _characters(table, offset)
    except (struct.error, IndexError, ValueError) as error:
        raise InputError(
            "it is no TrueType or OpenType font", where=where, hint="Give a .ttf, .otf or .ttc file."
        ) from error
    return frozenset(found)


def _cmap(font: bytes) -> bytes:
    start = 0
    if font[:4] == b"ttcf":
        (start,) = struct.unpack_from(">I", font, 12)
    (count,) = struct.unpack_from(">H", font, start + 4)
    for index in range(count):
        tag, _, offset, length = struct.unpack_from(">4sIII", font, start + 12 + 16 * index)
        if tag == b"cmap":
            return font[offset : offset + length]
    raise ValueError("no cmap")


def _characters(table: bytes, start: int) -> set[int]:
    (kind,) = struct.unpack_from(">H", table, start)
    if kind == 12:
        (groups,) = struct.unpack_from(">I", table, start + 12)
        found: set[int] = set()
        before = -1
        for index in range(groups):
            first, last, glyph = struct.unpack_from(">III", table, start + 16 + 12 * index)
            # In order and apart, as they must be: else a few kilobytes could claim a billion characters.
            if not before < first <= last <= 0x10FFFF:
                raise ValueError("not in order, or beyond Unicode")
            before = last
            # Glyph 0 is the empty box.
            found.update(range(first + (glyph == 0), last + 1))
        return found
    return _in_segments(table, start) if kind == 4 else set()


def _in_segments(table: bytes, start: int) -> set[int]:
    (doubled,) = struct.unpack_from(">H", table, start + 6)
    count = doubled // 2
    ends = struct.unpack_from(f">{count}H", table, start + 14)
    firsts = struct.unpack_from(f">{count}H", table, start + 16 + doubled)
    deltas = struct.unpack_from(f">{count}H", table, start + 16 + 2 * doubled)
    ranges_at = start + 16 + 3 * doubled
    ranges = struct.unpack_from(f">{count}H", table, ranges_at)
    found: set[int] = set()
    before = -1
    for index, (first, last, delta, offset) in enumerate(zip(firsts, ends, deltas, ranges, strict=True)):
        if not before < first <= last:
            raise ValueError("not in order")
        before = last
        for code in range(first, last + 1):
            if offset:
                (glyph,) = struct.unpack_from(">H", table, ranges_at + 2 * index + offset + 2 * (code - first))
                glyph = (glyph + delta) & 0xFFFF if glyph else 0
            else:
                glyph = (code + delta) & 0xFFFF
            if glyph and code != 0xFFFF:
                found.add(code)
    return found
