"""Which of an engine's calls are asked again, and for how long; around any engine that is reached over a network.

Work is asked again as long as the policy says, and waits for a service that is down, because a finished episode is
worth the wait; but not for one that does other work, and fails on this one call again and again. What there is (models,
voices) is asked for while a person waits, or a run: a moment, and then the truth; once it is known, a service that has
gone away since is taken to be what it was, so that what is asked of it can wait. A check is never asked again: it is
there to tell how things stand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event
from typing import ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Breaker, Change, log_change
from pipeline.net.circuit import Rests
from pipeline.net.limit import Limit
from pipeline.net.retry import Policy, Retry, call, say
from pipeline.ports import (
    Answer,
    Illustrator,
    IllustratorIdentity,
    Picture,
    PictureRequest,
    Question,
    Speech,
    SpeechRequest,
    Unloads,
    Voice,
    VoiceIdentity,
    Writer,
    WriterIdentity,
)

T = TypeVar("T")
K = TypeVar("K")

# Long enough to ask a few times a server that is busy for a moment; a run that has to have it waits patiently after.
_WHILE_A_PERSON_WAITS_SECONDS = 2.0


@runtime_checkable
class Waits(Protocol):
    """An engine that can be waited for before anything is asked of it."""

    def wait(self) -> None:
        """Return once it has said what it is. Raises EngineUnavailable after the policy's patience, EngineRefused,
        Interrupted.
        """
        ...


def breaker_for(service: str, policy: Policy, on_change: Callable[[Change], None] = log_change) -> Breaker:
    """A breaker that opens before the first call has spent its attempts: then it waits, too."""
    rests = Rests()
    return Breaker(service, rests=replace(rests, failures=min(rests.failures, policy.attempts)), on_change=on_change)


class _Checked(Protocol):
    def check(self) -> None: ...


E = TypeVar("E", bound=_Checked)


class _Retrying(ABC, Generic[E, K]):
    """What is common to the three: how it is asked what it is, waited for, proven, and told to give memory back."""

    role: ClassVar[str]

    def __init__(
        self,
        engine: E,
        *,
        policy: Policy,
        stop: Event,
        breaker: Breaker | None = None,
        limit: Limit | None = None,
        on_retry: Callable[[Retry], None] = say,
    ) -> None:
        self._engine = engine
        self._asking = _Asking(
            self.role, policy, stop, breaker or breaker_for(self.role, policy), limit, on_retry, engine.check
        )
        self._known = _Known(self._asking, self._ask)

    @abstractmethod
    def _ask(self) -> K:
        """What the engine says of itself."""

    def wait(self) -> None:
        """See `Waits`."""
        self._known.wait()

    def check(self) -> None:
        self._engine.check()

    def unload(self) -> bool:
        """See `ports.Unloads`; False where it is not one."""
        engine: object = self._engine
        return self._asking.briefly(engine.unload) if isinstance(engine, Unloads) else False


class RetryingWriter(_Retrying[Writer, WriterIdentity]):
    """A Writer that waits for another one. Nonsense is not asked again: only another seed gives another answer."""

    role = "writer"

    def _ask(self) -> WriterIdentity:
        return self._engine.describe()

    def describe(self) -> WriterIdentity:
        return self._known()

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        """See `ports.Writer`. After a failure `on_text` hears the answer again from its beginning."""
        return self._asking.patiently(lambda: self._engine.answer(question, on_text))


class RetryingVoice(_Retrying[Voice, Mapping[str, VoiceIdentity]]):
    """A Voice that waits for another one. Nonsense is asked again: a synthesizer's next answer may be sound."""

    role = "voice"

    def _ask(self) -> Mapping[str, VoiceIdentity]:
        return self._engine.installed()

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return self._known()

    def speak(self, request: SpeechRequest) -> Speech:
        return self._asking.patiently(lambda: self._engine.speak(request), after_nonsense=True)


class RetryingIllustrator(_Retrying[Illustrator, IllustratorIdentity]):
    """An Illustrator that waits for another one. Nonsense is not asked again: the illustrator has tried other seeds."""

    role = "illustrator"

    def _ask(self) -> IllustratorIdentity:
        return self._engine.describe()

    def describe(self) -> IllustratorIdentity:
        return self._known()

    def draw(self, request: PictureRequest) -> Picture:
        return self._asking.patiently(lambda: self._engine.draw(request))


class _Asking:
    def __init__(
        self,
        service: str,
        policy: Policy,
        stop: Event,
        breaker: Breaker,
        limit: Limit | None,
        on_retry: Callable[[Retry], None],
        works: Callable[[], object],
    ) -> None:
        self._service = service
        self._policy = policy
        seconds = _WHILE_A_PERSON_WAITS_SECONDS
        self._brief = replace(
            policy,
            total_seconds=min(policy.total_seconds, seconds),
            wait_seconds=min(policy.wait_seconds, seconds),
            tells_waiting=False,
        )
        self._stop = stop
        self._breaker = breaker
        self._limit = limit
        self._on_retry = on_retry
        self._works = works

    def patiently(self, act: Callable[[], T], *, after_nonsense: bool = False) -> T:
        return self._call(act, self._policy, after_nonsense=after_nonsense, works=self._works)

    def whenever(self, ask: Callable[[], T]) -> T:
        """What it is: while it does not say that, it is not there."""
        return self._call(ask, self._policy)

    def briefly(self, act: Callable[[], T]) -> T:
        return self._call(act, self._brief)

    @property
    def is_down(self) -> bool:
        return self._breaker.is_open

    def _call(
        self,
        act: Callable[[], T],
        policy: Policy,
        *,
        after_nonsense: bool = False,
        works: Callable[[], object] | None = None,
    ) -> T:
        return call(
            act,
            service=self._service,
            policy=policy,
            stop=self._stop,
            after_nonsense=after_nonsense,
            breaker=self._breaker,
            limit=self._limit if policy is self._policy else None,
            works=works,
            on_retry=self._on_retry,
        )


class _Known(Generic[K]):
    """What a service said of itself, for the times when it is away. Whoever asks may be deciding for everybody, so it
    waits for nothing that is known.
    """

    def __init__(self, asking: _Asking, ask: Callable[[], K]) -> None:
        self._asking = asking
        self._ask = ask
        self._last: K | None = None

    def __call__(self) -> K:
        last = self._last
        if last is None:
            found = self._asking.briefly(self._ask)
        elif self._asking.is_down:
            return last
        else:
            try:
                found = self._ask()
            except EngineUnavailable:
                return last
        self._last = found
        return found

    def wait(self) -> None:
        self._last = self._asking.whenever(self._ask)
