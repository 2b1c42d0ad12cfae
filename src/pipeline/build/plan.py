"""What would be made, and why: a flow looked through without making anything.

A verdict is a value with its reason. What is to be made is promised with a digest that no real artifact has, so
that whatever follows from it is known to follow; only where a flow must look *into* something not yet made does
the outlook end, and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipeline.build.recipe import Artifact, Canonical, Flow, NotMadeYet, Step, digest_of

T = TypeVar("T")

Trail = dict[str, list[dict[str, str]]]
"""What a flow was made from, by place: for each step its inputs' short digests, by name. An earlier trail is what
tells which input changed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One artifact of a flow: is it to be made, and why."""

    step: Step
    make: bool
    why: str


@dataclass(frozen=True, slots=True)
class Outlook(Generic[T]):
    """A flow as far as it can be seen before anything is made."""

    verdicts: tuple[Verdict, ...]
    trail: Trail
    whole: bool
    """False where what comes after depends on the content of something that is to be made first."""
    result: T | None
    """What the flow returned; None unless `whole`."""

    @property
    def to_make(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.make)


@dataclass(frozen=True, slots=True)
class Promise:
    """Stands for an artifact that is to be made: it has a digest of its own, and nothing to read."""

    key: str
    made_at: str = ""
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"promised {self.key}".encode()).hexdigest()

    def part_digest(self, part: str) -> str:
        del part  # any part of what is to be made is to be made
        return self.digest

    def part_length(self, part: str) -> int:
        del part
        return 0

    def read(self, part: str) -> bytes:
        raise NotMadeYet(part)

    def chunks(self, part: str) -> Iterator[bytes]:
        raise NotMadeYet(part)


@dataclass(slots=True)
class _Seen:
    verdicts: list[Verdict] = field(default_factory=list)
    trail: Trail = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)


def look_through(flow: Flow[T], find: Callable[[str], Artifact | None], earlier: Trail | None = None) -> Outlook[T]:
    """The outlook of a flow. `find` gives the artifact of a key, if there is one; nothing is made or changed.

    Raises whatever the flow raises on its own account (a bad script, an unknown voice).
    """
    seen = _Seen()
    answer: Sequence[Artifact] | None = None
    while True:
        try:
            steps = next(flow) if answer is None else flow.send(answer)
        except StopIteration as end:
            return Outlook(tuple(seen.verdicts), seen.trail, whole=True, result=end.value)
        except NotMadeYet:
            return Outlook(tuple(seen.verdicts), seen.trail, whole=False, result=None)
        answer = [_judge(step, find(step.key), seen, earlier) for step in steps]


def _judge(step: Step, found: Artifact | None, seen: _Seen, earlier: Trail | None) -> Artifact:
    note(seen.trail, step)
    if found is not None:
        seen.verdicts.append(Verdict(step, make=False, why="up to date"))
        return found
    promise = Promise(step.key)
    hinges_on = _hinges_on(step, seen.promised, earlier)
    if hinges_on:
        seen.verdicts.append(Verdict(step, make=False, why=f"kept, unless {_and(hinges_on)} changes"))
    else:
        seen.verdicts.append(Verdict(step, make=True, why=why(step, earlier, seen.promised)))
    seen.promised[promise.digest] = step.place
    return promise


def _hinges_on(step: Step, promised: Mapping[str, str], earlier: Trail | None) -> list[str]:
    """The steady inputs that are only promised yet, where all the others are as they were for one of the last time's
    steps; empty where the step is to be made in any case.
    """
    open_ = sorted(name for name in step.steady if any(_mentions(step.inputs.get(name), digest) for digest in promised))
    settled = {name: digest for name, digest in _inputs(step).items() if name not in open_}
    before = (earlier or {}).get(step.place, [])
    return open_ if any(settled.items() <= then.items() for then in before) else []


def note(trail: Trail, step: Step) -> None:
    """Write a step's inputs into a trail."""
    trail.setdefault(step.place, []).append(_inputs(step))


def why(step: Step, earlier: Trail | None, promised: Mapping[str, str] | None = None) -> str:
    """The reason for making `step` when its artifact is not there.

    `earlier` is the trail of the last time; `promised` maps digests of artifacts yet to be made to their places.
    """
    follows = {place for digest, place in (promised or {}).items() if _mentions(step.inputs, digest)}
    if follows:
        return f"follows from {', '.join(sorted(follows))}"
    before = (earlier or {}).get(step.place)
    if not before:
        return "never made"
    now = _inputs(step)
    nearest = max(before, key=lambda then: sum(then.get(name) == digest for name, digest in now.items()))
    changed = sorted(name for name in now.keys() | nearest.keys() if now.get(name) != nearest.get(name))
    if not changed:
        return "its artifact is gone"
    return f"{_and(changed)} changed"


def _inputs(step: Step) -> dict[str, str]:
    digests = {name: digest_of(value)[:16] for name, value in step.inputs.items()}
    return digests | {"the rule": f"{step.rule.name}/{step.rule.version}"}


def _mentions(value: Canonical, digest: str) -> bool:
    if isinstance(value, str):
        return value == digest
    if isinstance(value, Mapping):
        return any(_mentions(item, digest) for item in value.values())
    if isinstance(value, Sequence):
        return any(_mentions(item, digest) for item in value)
    return False


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
