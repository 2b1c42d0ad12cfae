"""A run in two phases: every flow up to its first step of one kind of work, and then all of them to their ends.

For work that cannot go on beside other work, such as two models that do not fit on one GPU together. Nothing is carried
over from the first phase but the artifacts: in the second one a flow finds them, as it does after any other stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from pipeline.build.recipe import Flow, Step
from pipeline.build.runner import Event, Job, Kind, Outcome, Runner

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Phases(Generic[T, R]):
    """How a run is done in two."""

    resource: str
    """The work of the second phase."""
    is_there: Callable[[str], bool]
    """Whether the artifact of a key is there."""
    before: Callable[[], None]
    """Called between the two phases, where there is any such work."""
    after: Callable[[], None]
    """Called at the end of the second phase, where there was any such work and the run was not stopped."""

    def run(
        self,
        jobs: Sequence[Job[T, R]],
        runner: Callable[[Callable[[Event], None]], Runner[T, R]],
        early: Callable[[Callable[[Event], None]], Runner[bool, bool]],
        notify: Callable[[Event], None],
        stopped: Callable[[], bool],
    ) -> Iterator[Outcome[R]]:
        """Carry the jobs out. `runner` and `early` make the runners of the two phases."""
        ready: dict[str, Outcome[bool]] = {}
        for outcome in early(_without(Kind.CLOSED, notify)).run(self._first(job) for job in jobs):
            if outcome.error is None:
                ready[outcome.name] = outcome
            else:
                notify(Event(Kind.CLOSED, outcome.name, seconds=outcome.seconds, error=outcome.error))
                yield Outcome(outcome.name, None, outcome.error, outcome.made, outcome.seconds)
        waits = any(outcome.result for outcome in ready.values())
        if waits and not stopped():
            self.before()
        rest = (job for job in jobs if job.name in ready)
        for done in runner(_without(Kind.OPENED, notify)).run(rest):
            first = ready[done.name]
            yield replace(done, made=first.made + done.made, seconds=first.seconds + done.seconds)
        if waits and not stopped():
            self.after()

    def _first(self, job: Job[T, R]) -> Job[bool, bool]:
        return Job(
            job.name,
            flow=lambda: until(job.flow(), self.resource, self.is_there),
            finish=lambda waits, _: waits,
            earlier=job.earlier,
            wait_for=job.wait_for,
        )


def until(flow: Flow[object], resource: str, is_there: Callable[[str], bool]) -> Flow[bool]:
    """The flow as far as it goes without making anything on `resource`; True where it stopped for that."""
    advance: Callable[[], Sequence[Step]] = partial(next, flow)
    try:
        while True:
            try:
                steps = advance()
            except StopIteration:
                return False
            if any(step.rule.resource == resource and not is_there(step.key) for step in steps):
                return True
            try:
                artifacts = yield steps
            except Exception as error:  # noqa: BLE001  # whatever failed is the flow's to deal with, or to pass on
                advance = partial(flow.throw, error)
            else:
                advance = partial(flow.send, artifacts)
    finally:
        flow.close()


def _without(kind: Kind, notify: Callable[[Event], None]) -> Callable[[Event], None]:
    """An episode opens and closes once, however many phases it goes through."""
    return lambda event: None if event.kind is kind else notify(event)
