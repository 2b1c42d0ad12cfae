"""The channel's own cover: drawn from its title where there is none, and never over a picture that a person put there.

Podcast directories take no feed without one. Ours says in itself what it was drawn of, and the digest of all the rest
of it: whatever has been changed since, by whatever program, is a person's.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pipeline.errors import EngineRefused, StoreError
from pipeline.files import open_plain, write_whole

DRAWN = "cover.png"
# A person may bring a photograph; theirs goes before ours.
NAMES = ("cover.jpg", DRAWN)

_VERSION = 2
_PIXELS = 1500
# PSP-1: square, within these, in RGB.
_SMALLEST, _LARGEST = 1400, 3000
_MOST_BYTES = 64 << 20

# A PNG's signature and its first chunk, IHDR, have 33 bytes (https://www.w3.org/TR/png-3/, 5.2 and 11.2.1).
_HEAD_BYTES = 33
_KEYWORD = b"Media Pipeline\0"


@dataclass(frozen=True, slots=True)
class Cover:
    name: str
    """Below `output/`; empty where there is none."""
    written: bool = False
    remark: str = ""
    """Why directories may not take it."""


def bring_cover(output: Path, title: str, language: str) -> Cover:
    """See to it that there is a cover for this title. Raises StoreError."""
    key = hashlib.sha256(json.dumps([_VERSION, _PIXELS, title, language]).encode()).hexdigest()
    for name in NAMES:
        if (output / name).is_symlink() and not (output / name).exists():
            return Cover("", remark=f"output/{name} is left alone: it is a link that leads nowhere")
        try:
            with open_plain(output / name) as file:
                found = file.read(_MOST_BYTES)
        except FileNotFoundError:
            continue
        except StoreError as error:  # whatever it is, it is not ours to replace
            return Cover("", remark=f"{error.where} is no cover: {error.what}")
        of = _drawn_of(found)
        if of is None:
            return Cover(name, remark=_fault(name, found))
        if of == key:
            return Cover(name)
    try:
        png = _drawn(title, language)
    except EngineRefused as error:
        return Cover("", remark=f"no cover could be drawn: {error.what}. Put a picture of your own there: {DRAWN}.")
    write_whole(output / DRAWN, _signed(png, key))
    return Cover(DRAWN, written=True)


def _drawn(title: str, language: str) -> bytes:
    from pipeline.media.cards import press
    from pipeline.media.cards.card import Card

    return press.printed(Card(_PIXELS, _PIXELS, seed=0, title=title, language=language)).png


def _signed(png: bytes, key: str) -> bytes:
    """The picture with a chunk of text in it: what it was drawn of, and the digest of all else."""
    text = b"tEXt" + _KEYWORD + f"{key} {hashlib.sha256(png).hexdigest()}".encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return png[:_HEAD_BYTES] + chunk + png[_HEAD_BYTES:]


def _drawn_of(data: bytes) -> str | None:
    """The key that this picture was drawn for; None for one that is not as we drew it."""
    head, rest = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
    if rest[4 : 8 + len(_KEYWORD)] != b"tEXt" + _KEYWORD:
        return None
    (length,) = struct.unpack(">I", rest[:4])
    key, _, digest = rest[8 + len(_KEYWORD) : 8 + length].decode("latin-1").partition(" ")
    return key if hashlib.sha256(head + rest[12 + length :]).hexdigest() == digest else None


def _fault(name: str, data: bytes) -> str:
    """What directories will not like about a person's own picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data)) as image:
            (width, height), kind, colours = image.size, image.format, image.mode
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return f"{name} is no picture"
    wrong = []
    if width != height or not _SMALLEST <= width <= _LARGEST:
        wrong.append(f"it has {width} × {height} pixels, and must be square with {_SMALLEST} to {_LARGEST}")
    if kind != ("JPEG" if name.endswith(".jpg") else "PNG"):
        wrong.append(f"it is {kind} and not what its name says")
    if colours != "RGB":
        wrong.append(f"its colours are {colours} and must be RGB")
    return f"podcast directories may refuse {name}: {'; '.join(wrong)}" if wrong else ""
