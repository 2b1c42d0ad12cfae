"""What a manifest is called, and the digest by which it tells that it is as it was written.

The digest is the SHA-256 of the file without the one line that the digest stands on, so that anybody can form it again:

    grep -v '^  "manifest_sha256": ' manifest.json | sha256sum

It is over bytes and not over values, because some other bytes say the same (`1e5` and `1E5`, `\\u00e9` and `é`), and a
flipped bit is to be found there too. Whoever changes a manifest can form it anew; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FORMAT = "media-pipeline/manifest/1"
"""The number goes up when a field goes away or changes its meaning, or a reader of the old one would be misled. New
fields come within a number: a reader passes over what it does not know."""

DIGEST = "manifest_sha256"

_BEGINNING = f'  "{DIGEST}": '.encode()
# What manifests held that were written before there was a digest. Anything else beside it, and it was taken away.
_BEFORE_THE_DIGEST = frozenset(
    ["format", "title", "summary", "slug", "language", "tags", "date", "identity", "source", "ai_generated", "script",
     "engines", "length", "audio", "pipeline", "made_at", "files"]
)  # fmt: skip


class Proof(StrEnum):
    """What a manifest's digest says of it."""

    HOLDS = "holds"
    BROKEN = "broken"
    """It was changed after it was written."""
    ABSENT = "absent"
    """It was written by a version that gave it none."""


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest as it lies there."""

    facts: Mapping[str, Any]
    proof: Proof
    twice: tuple[str, ...]
    """Names that stand more than once in one object: readers differ in which of them they take."""


def dump(facts: Mapping[str, object]) -> bytes:
    """The text of a manifest: its format, its digest, then `facts` in their order."""
    text = json.dumps({"format": FORMAT, DIGEST: "", **facts}, indent=2, ensure_ascii=False) + "\n"
    lines = text.encode().split(b"\n")
    place = next(place for place, line in enumerate(lines) if line.startswith(_BEGINNING))
    lines[place] = _line(lines[:place] + lines[place + 1 :])
    return b"\n".join(lines)


def read(data: bytes) -> Read:
    """Raises ValueError for what is no JSON object, RecursionError for one that is nested without end."""
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ())
        return dict(pairs)

    facts = json.loads(data, object_pairs_hook=once)
    if not isinstance(facts, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # wrong content, as all else that json refuses
    return Read(facts, _proof(data, facts), tuple(twice))


def _proof(data: bytes, facts: Mapping[str, Any]) -> Proof:
    lines = data.split(b"\n")
    marked = [line for line in lines if line.startswith(_BEGINNING)]
    if not marked and facts.keys() <= _BEFORE_THE_DIGEST:
        return Proof.ABSENT
    rest = [line for line in lines if not line.startswith(_BEGINNING)]
    return Proof.HOLDS if marked == [_line(rest)] else Proof.BROKEN


def _line(rest: list[bytes]) -> bytes:
    digest = hashlib.sha256(b"\n".join(rest)).hexdigest()
    return _BEGINNING + f'"{digest}",'.encode()
