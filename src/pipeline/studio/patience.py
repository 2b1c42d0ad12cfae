"""Topics that fail: how long each is left alone, and when it is set aside with its reason.

A failure counts against a topic as it was tried: its text, its script, the engines, the settings. When one of them
changes, it begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches

from pipeline.errors import EngineUnavailable, InputError, PipelineError, SetAside, StoreError, WorkerDied
from pipeline.records import Failures

# A topic that failed is left alone by who comes by again and again: a minute, then twice as long each time.
_FIRST_REST_SECONDS = 60.0
_LONGEST_REST_SECONDS = 3600.0


class Patience:
    """How often each episode of a project failed. `state` says with what it is tried, as one digest."""

    def __init__(self, failures: Failures, *, most_tries: int, clock: Callable[[], datetime]) -> None:
        self._failures = failures
        self._most_tries = most_tries
        self._clock = clock

    def is_at_an_end(self, slug: str) -> bool:
        """Whether it has failed so often, as it was tried last, that it is not tried again."""
        failure = self._failures.of(slug)
        return failure is not None and failure.tries >= self._most_tries

    def rests(self, slug: str, state: str) -> bool:
        """Whether it is to be left alone for now by who comes by again and again."""
        failure = self._failures.of(slug)
        if failure is None or not failure.tries or failure.state != state:
            return False
        if failure.tries >= self._most_tries:
            return True
        rest = min(_LONGEST_REST_SECONDS, _FIRST_REST_SECONDS * 2.0 ** (failure.tries - 1))
        with suppress(ValueError, TypeError):
            age = (self._clock() - datetime.fromisoformat(failure.at)).total_seconds()
            return 0 <= age < rest
        return False

    def set_aside(self, slug: str, state: str) -> SetAside | None:
        """Why it is not tried at all; None where it is."""
        failure = self._failures.of(slug)
        if failure is None or failure.tries < self._most_tries or failure.state != state:
            return None
        times = "it failed" if failure.tries == 1 else f"it failed {failure.tries} times, the last time at {failure.at}"
        again = f"It is tried again when its topic has changed, or with: pipeline retry {slug}"
        return SetAside(
            f"set aside, because {times}: {failure.what}", where=failure.where, hint=f"{failure.hint} {again}".strip()
        )

    def begin_again(self, slugs: Collection[str]) -> tuple[str, ...]:
        """Forget how episodes failed; without names, all that are set aside. Returns which.

        Raises InputError, and forgets nothing, for a name of which no failure is remembered.
        """
        failed = self._failures.slugs()
        for slug in slugs:
            if slug not in failed:
                near = get_close_matches(slug, failed, n=1)
                hint = f"Did you mean {near[0]}?" if near else "`pipeline status` says how each episode stands."
                raise InputError(f"no failure of {slug!r} is remembered", hint=hint)
        names = sorted(slugs or (slug for slug in failed if self.is_at_an_end(slug)))
        for slug in names:
            self._failures.clear(slug)
        return tuple(names)

    def has_died_at(self, slug: str) -> bool:
        """Whether the last process that made it did not survive it."""
        failure = self._failures.of(slug)
        return failure is not None and failure.code == WorkerDied.code

    def account_for(self, dead: Iterable[Mapping[str, tuple[str, frozenset[str]]]]) -> None:
        """Note of each topic that a killed run was at, as `underway.died_at` tells them, that the run did not survive
        it.
        """
        at = self._now()
        for died in dead:
            for slug, (state, steps) in died.items():
                error = WorkerDied(
                    "the process that made it was gone in the middle of it",
                    hint="If the machine ran out of memory, give it more, or set CORES lower.",
                )
                self._failures.keep(slug, error, at=at, state=state, steps=sorted(steps))

    def note(self, slug: str, error: BaseException, state: str) -> None:
        """It failed. What is no topic's fault is remembered and does not count."""
        if not isinstance(error, PipelineError):
            error = PipelineError(
                f"a fault in the pipeline itself: {type(error).__name__}: {error}",
                hint="The log has the whole of it; the topic is kept. Please report it.",
            )
        counts = not isinstance(error, EngineUnavailable | StoreError)
        self._failures.keep(slug, error, at=self._now(), state=state, counts=counts)

    def _now(self) -> str:
        return self._clock().isoformat(timespec="seconds")
