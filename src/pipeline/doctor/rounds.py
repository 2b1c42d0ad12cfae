"""How checks are made side by side, each with its own deadline: one that hangs holds up none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

from pipeline.doctor.finding import Finding
from pipeline.errors import PipelineError, SettingsError


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    seconds: float
    """How long it may take; after that it is said to be unfinished, with what it had found by then."""
    look: Callable[[Event], Iterable[Finding]]
    """Given an event that is set when its time is up, for whatever can be called off."""
    overdue: str = "See this machine's load, and its disks: a look of this kind takes a moment."
    """What to do where it takes too long."""


def made(checks: Sequence[Check]) -> list[Finding]:
    """What all of them find, in their order, however they take turns. Raises nothing for what one of them meets."""
    looks = [_Look(check) for check in checks]
    return [finding for look in looks for finding in look.findings()]


class _Look:
    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: list[Finding] = []
        self._late = Event()
        self._deadline = monotonic() + check.seconds
        # A daemon: what hangs in the system (a name look-up, a dead network folder) cannot be called off, and must
        # not hold up the end of the process either.
        self._thread = Thread(target=self._run, name=f"doctor: {check.name}", daemon=True)
        self._thread.start()

    def findings(self) -> tuple[Finding, ...]:
        self._thread.join(max(0.0, self._deadline - monotonic()))
        late = self._thread.is_alive()
        found = tuple(self._found)
        if not late:
            return found
        self._late.set()
        said = f"not finished after {self._check.seconds:g} s"
        return (*found, Finding(self._check.name, "bad", said, self._check.overdue))

    def _run(self) -> None:
        name = self._check.name
        try:
            for finding in self._check.look(self._late):
                self._found.append(finding)
        except SettingsError as error:
            self._found += [Finding(name, "bad", problem, error.hint) for problem in error.problems]
        except PipelineError as error:
            self._found.append(of_error(name, error))
        except Exception as error:  # noqa: BLE001  # a fault of ours in one check is said, and the others are told too
            said = f"this check itself failed: {type(error).__name__}: {error}"
            self._found.append(Finding(name, "bad", said, "It is a fault in the pipeline; please report it."))


def of_error(check: str, error: PipelineError) -> Finding:
    """An error as a finding: where, what, and what to do."""
    where = f"{error.where}: " if error.where else ""
    return Finding(check, "bad", f"{where}{error.what}", error.hint)
