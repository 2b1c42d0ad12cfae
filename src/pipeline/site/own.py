"""Which of the files above the episodes are ours: those that are, to the byte, as we wrote them.

Each says in its last line what it is, with the digest of all above. What somebody else put there, or has changed
since, is theirs: it is left alone, and said.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.files import open_plain

# Ours with ten thousand episodes has 30 MB.
_MOST_BYTES = 256 << 20

FEED = "feed.xml"
_GENERATOR = b"<generator>Media Pipeline</generator>"
_SAID = "Written by Media Pipeline, which leaves it alone once it is changed. SHA-256 of all above: "
# What a comment is in each of them; a script or style that is cut off in its middle is none, and so not ours either.
_COMMENTS = {".html": ("<!-- ", " -->"), ".xml": ("<!-- ", " -->"), ".css": ("/* ", " */"), ".js": ("// ", "")}


@dataclass(frozen=True, slots=True)
class Found:
    """What lies where one of our files should be."""

    data: bytes = b""
    """Empty where there is nothing, and where it cannot be ours."""
    theirs: str = ""
    """Why it is left alone; empty where it may be written."""


def signed(name: str, data: bytes) -> bytes:
    """A file's bytes with the line by which `found` knows them again. `data` ends with a line break."""
    begins, ends = _COMMENTS[Path(name).suffix]
    return data + f"{begins}{_SAID}{hashlib.sha256(data).hexdigest()}{ends}\n".encode()


def found(output: Path, name: str) -> Found:
    """What lies in `output` under a name of ours; follows no link below it, and waits for nothing."""
    path = output / name
    linked = next((one for one in (path, *path.parents[: name.count("/")]) if one.is_symlink()), None)
    if linked is not None:
        return Found(theirs=_left_alone(name, f"{linked.relative_to(output)} is a link"))
    try:
        with open_plain(path) as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return Found()
    except StoreError as error:
        # A file where the folder should be is told by who makes the folder.
        return Found() if error.errno == errno.ENOTDIR else Found(theirs=_left_alone(name, error.what))
    if not is_ours(name, data):
        return Found(data, _left_alone(name, "it is not as it was written here"))
    return Found(data)


def is_ours(name: str, data: bytes) -> bool:
    """Whether these are bytes that were written under this name, unchanged since."""
    if name == FEED and _GENERATOR in data and _SAID.encode() not in data:
        return True  # an earlier version's: what it told the world of dates and GUIDs goes on
    head, _, _ = data[:-1].rpartition(b"\n")
    return bool(data) and signed(name, head + b"\n") == data


def _left_alone(name: str, why: str) -> str:
    return f"output/{name} is left alone: {why}. Move it away, and it is written again"
