"""Files that are broken at random, from a seed: the same seed breaks them in the same way."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

NASTY = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"---\n",
    b"...\n",
    b"&a [*a, *a]",
    b"!!python/object/apply:os.system [ls]",
    b"{" * 200,
    b"[" * 3_000,
    b"<!--",
    b"-->",
    b"../../../../etc/passwd",
    b"input: /etc/passwd",
    b"\r",
    b"\r\n",
    b"\t",
    b",",
    b'"',
    b"'",
    b":",
    b"|\n",
    b"9" * 400,
    b"1e999",
    b"NaN",
    b"null",
    b"- ",
    b"# ",
    b"```\n",
    b"\\",
    b"\x1b[2J",
    "\u202e".encode(),
    "\u200b".encode(),
    "\u2028".encode(),
    "😀".encode(),
    ("e" + "\u0301" * 300).encode(),
    b"a" * 20_000,
)


def mutated(data: bytes, rng: random.Random, *, most: int = 4) -> bytes:
    """One thing done to it, or up to `most`."""
    for _ in range(rng.randint(1, most)):
        data = rng.choice(_WAYS)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _left_out(data: bytes, rng: random.Random) -> bytes:
    start, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    return data[:start] + data[end:]


def _twice(data: bytes, rng: random.Random) -> bytes:
    start, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    return data[:end] + data[start:end] * rng.randint(1, 5) + data[end:]


def _nasty(data: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(NASTY) + data[place:]


def _noise(data: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.randbytes(rng.randint(1, 12)) + data[place:]


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


_WAYS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _flip,
    _cut,
    _left_out,
    _twice,
    _nasty,
    _nasty,
    _noise,
    _lines,
)
