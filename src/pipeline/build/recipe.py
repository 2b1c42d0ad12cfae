"""What is to be made: a step's rule, its inputs, and the key that follows from them.

A key is the SHA-256 of canonical inputs: two mappings in another order, 1 and 1.0, a tuple and a list give one key.
What changes the bytes belongs in `inputs` (texts, settings that matter, digests of models and of input artifacts);
addresses, time-outs, paths and measured values never do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

Canonical: TypeAlias = "str | int | float | bool | Sequence[Canonical] | Mapping[str, Canonical] | None"
"""What may stand in a step's inputs."""


@dataclass(frozen=True, slots=True)
class Written:
    """A part that is too large to be held in memory: an hour of film."""

    write: Callable[[Path], None]
    """Puts the bytes into a new file of that name; called once, on the step's executor."""


Parts: TypeAlias = Mapping[str, bytes | Written]
"""What a step makes: one or more named pieces of bytes, kept together as one artifact."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of artifact is made."""

    name: str
    version: int
    """Bumped by hand when the rule gives other bytes for the same inputs."""
    resource: str
    """The executor it runs on: `llm`, `speech`, `cpu`."""


class Artifact(Protocol):
    """Bytes made by a step: immutable, named by the step's key, verified when they are read."""

    @property
    def key(self) -> str: ...

    @property
    def digest(self) -> str:
        """SHA-256 of the content: what a later step that uses this artifact puts into its own inputs."""
        ...

    @property
    def made_at(self) -> str:
        """When it was made: RFC 3339 in UTC."""
        ...

    @property
    def seconds(self) -> float:
        """How long the making took."""
        ...

    def part_digest(self, part: str) -> str:
        """SHA-256 of one part, for a later step that uses that part alone."""
        ...

    def part_length(self, part: str) -> int:
        """How many bytes a part has."""
        ...

    def read(self, part: str) -> bytes:
        """One part's bytes. Raises NotMadeYet while a plan is only being drawn up."""
        ...

    def chunks(self, part: str) -> Iterator[bytes]:
        """One part's bytes, some at a time. What is wrong with them may come out with the last."""
        ...


class NotMadeYet(Exception):
    """A flow wants to look into an artifact that a plan has only promised so far."""


@dataclass(frozen=True)
class Step:
    """One artifact wanted: the same key means the same artifact, and it is made once."""

    rule: Rule
    place: str
    """What it is in its episode, for people and for telling why it is stale: `script`, `speech`, `mix`."""
    inputs: Mapping[str, Canonical]
    make: Callable[[], Parts] = field(compare=False, repr=False)
    """Does the work, on the rule's executor. Reads its input artifacts itself."""
    label: str = ""
    """What a person sees while it runs: `sentence 3 of 12`."""
    units: float = 1.0
    """How much work it is (words, seconds), for estimates from what was measured."""
    steady: frozenset[str] = frozenset()
    """Inputs that mostly come out as they were when what they follow from has changed: a rounded measurement. A plan
    takes such an input, while it is only promised, for unchanged."""

    @cached_property
    def key(self) -> str:
        return key_of(self.rule, self.inputs)


T = TypeVar("T")
Flow: TypeAlias = Generator[Sequence[Step], Sequence[Artifact], T]
"""An episode, stage by stage: yields batches of steps that may run at once, is sent their artifacts in the same
order, and returns what is to be published. Run by `runner`, looked through by `plan` and `clean`."""


def key_of(rule: Rule, inputs: Mapping[str, Canonical]) -> str:
    """The key: 64 hexadecimal digits."""
    return digest_of([rule.name, rule.version, inputs])


def digest_of(value: Canonical) -> str:
    """SHA-256 over the canonical form of any plain value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Canonical) -> bytes:
    """One spelling for equal values: sorted keys, no blanks, whole floats as integers, UTF-8.

    Raises TypeError for what is not plain data and ValueError for NaN and infinities.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


def _plain(value: Canonical) -> object:
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return int(value) if value.is_integer() else value
        case Mapping():
            if not all(isinstance(name, str) for name in value):
                raise TypeError(f"the names in a key's inputs are strings, not {list(value)!r}")
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not plain data and cannot enter a key: {value!r}")
