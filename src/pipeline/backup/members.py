"""The bytes of a tar archive around the files: one form and no other.

Archives are plain tar (POSIX.1-2001, "pax"), so that any `tar` can read them without us. What we write is the same to
the byte for the same entry, and what we read is compared with what we would have written: a link, a device, another
owner, a spare header or one flipped bit are all the same thing then, not ours.
"""

from __future__ import annotations

from pipeline.backup.manifest import Entry

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two empty blocks end a tar archive."""

# Eleven octal digits; larger sizes stand in a pax record.
_LARGEST_PLAIN_BYTES = 8**11 - 1
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"x": "an extended header",
    b"g": "a global header",
    b"L": "a GNU long name",
    b"K": "a GNU long link",
    b"S": "a sparse file",
}


def header(entry: Entry) -> bytes:
    """What stands before a file's bytes: one block, and a pax header before it where the name is long or not ASCII,
    or the file is larger than 8 GiB.
    """
    records = b""
    name = entry.path.encode("ascii", "replace")[:100]
    if name.decode() != entry.path:
        records += _record("path", entry.path)
    size = entry.bytes
    if size > _LARGEST_PLAIN_BYTES:
        records += _record("size", str(size))
        size = 0
    plain = _block(name, b"0", size=size, mode=entry.mode, modified=entry.modified)
    if not records:
        return plain
    before = _block(b"pax-header", b"x", size=len(records), mode=0o644, modified=entry.modified)
    return before + records + padding(len(records)) + plain


def padding(length: int) -> bytes:
    """The zeros after so many bytes, up to a whole block."""
    return bytes(-length % BLOCK)


def described(block: bytes) -> str:
    """What a block that is not the one expected seems to be, for people."""
    if len(block) < BLOCK:
        return "the end of the file"
    if not any(block):
        return "an empty block"
    name = block[:100].rstrip(b"\0").decode("utf-8", "replace")
    if block[148:156] != _checksum(block):
        return "damaged bytes"
    kind = _KINDS.get(block[156:157])
    if kind is None and int(block[100:107] or b"0", 8) & 0o7000:
        kind = "a file that runs as its owner (setuid)"
    return f"{kind or 'a file'} named {name!r}"


def _record(name: str, value: str) -> bytes:
    """A pax record says its own length first, the digits of that length included."""
    body = f" {name}={value}\n".encode()
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _block(name: bytes, kind: bytes, *, size: int, mode: int, modified: int) -> bytes:
    before = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"%07o\0" % 0,  # owner and group: who restores is the owner
            b"%07o\0" % 0,
            b"%011o\0" % size,
            b"%011o\0" % modified,
        )
    )
    after = kind + bytes(100) + b"ustar\x0000" + bytes(64) + b"%07o\0" % 0 + b"%07o\0" % 0
    block = (before + b" " * 8 + after).ljust(BLOCK, b"\0")
    return block[:148] + _checksum(block) + block[156:]


def _checksum(block: bytes) -> bytes:
    """The sum of all bytes, its own field taken as spaces."""
    return b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 0x20)
