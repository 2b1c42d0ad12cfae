"""Every failure the pipeline names, sorted by who must act.

    PipelineError                what happened, where, and a hint: what to do next
    ├── InputError               the topic, or a hand-edited script: mend the file; the others go on
    ├── SettingsError            the settings: every problem in one report; nothing starts
    ├── StoreError               this machine's disk: full, read-only, not writable
    │   └── NotKept              the work is done, and what is to be remembered of it could not be written down
    ├── OutOfMemory              this machine's memory was short
    ├── Interrupted              a person or the system asked the run to stop
    ├── WorkerDied               the process ended in the middle of a topic, which may be the topic's doing
    ├── SetAside                 a topic that failed too often to be tried again as it is
    └── EngineError              another program
        ├── EngineUnavailable    unreachable, overloaded, timed out: retried
        ├── EngineRefused        it said no (unknown model or voice): not retried; says how to install it
        └── EngineNonsense       it answered, unusably: a few tries with other seeds; the answer is kept

Anything else that is raised is a bug in the pipeline and is reported as one.
"""

from __future__ import annotations


class PipelineError(Exception):
    """What happened, where it happened and what to do about it.

    `where` is a file with its line ("input/moon.md:3"), a setting's name or a service's address; it may be
    empty where there is no better place than the topic that failed.
    """

    code = "error"
    """A stable name for machines: it appears in `--json` output, logs and metrics."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        # What another program said may hold half of a surrogate pair, which no file, log or terminal takes; names of
        # files hold them on purpose (PEP 383), and are not to be made into others.
        what, hint = _writable(what), _writable(hint)
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if not self.hint:
            return text
        return f"{text.rstrip('.')}. {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.hint, dict(self.__dict__)))


def _writable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _rebuild(kind: type[PipelineError], what: str, where: str, hint: str, state: dict[str, object]) -> PipelineError:
    error = kind.__new__(kind)
    Exception.__init__(error, what, where, hint)
    error.__dict__.update(state)
    return error


class InputError(PipelineError):
    """A topic file, or a script edited by hand, cannot be used as it is."""

    code = "input"


class SettingsError(PipelineError):
    """The settings cannot be used; `problems` holds one line for each fault found."""

    code = "settings"

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{count} in the settings:\n  " + "\n  ".join(problems), hint=hint)


class StoreError(PipelineError):
    """This machine cannot keep what was made: the disk is full, read-only or not ours to write."""

    code = "store"
    errno: int | None = None
    """The operating system's number for it, where it was the system that said so."""


class NotKept(StoreError):
    """All was done that could be; what is to be remembered of it could not be written down."""

    code = "not-kept"


class OutOfMemory(PipelineError):
    """This machine had no memory for something, and said so; where it ends the process instead, see `WorkerDied`."""

    code = "out-of-memory"

    def __init__(self) -> None:
        super().__init__(
            "memory ran out", where="this machine", hint="End other programs, give it more memory, or set CORES lower."
        )


class Interrupted(PipelineError):
    """A person or the system asked the run to stop; what is finished is kept."""

    code = "interrupted"

    def __init__(self) -> None:
        super().__init__("stopped before it was finished", hint="Run it again to go on from here.")


class WorkerDied(PipelineError):
    """The process that made an episode was gone before it was done: killed, out of memory, crashed."""

    code = "worker-died"


class SetAside(PipelineError):
    """A topic that failed too often is not tried again until it changes, or somebody asks for it."""

    code = "set-aside"


class EngineError(PipelineError):
    """Another program failed us; `where` names it."""

    code = "engine"
    retry = False
    """Whether asking again, unchanged, may help."""


class EngineUnavailable(EngineError):
    """It cannot be reached, is overloaded or took too long."""

    code = "engine-unavailable"
    retry = True

    def __init__(self, what: str, *, where: str = "", hint: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.service = ""
        """What the run calls it, once it has been asked as often as it was to be; see `net.retry`."""


class EngineRefused(EngineError):
    """It said no, and will say no again: an unknown model or voice, a bad request."""

    code = "engine-refused"


class EngineNonsense(EngineError):
    """It answered, but the answer cannot be used; `answer` keeps what it said, for a person to read."""

    code = "engine-nonsense"
    retry = True

    def __init__(self, what: str, *, where: str = "", hint: str = "", answer: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.answer = answer
