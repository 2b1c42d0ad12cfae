"""Which of an engine's calls are asked again, and for how long; around any engine that is reached over a network.

Work is asked again as long as the policy says, because a finished episode is worth the wait. What there is (models,
voices) is asked for while a person waits: a few seconds, and then the truth. A check is never asked again: it is
there to tell how things stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Event
from typing import TypeVar

from pipeline.net.breaker import Breaker
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

# Long enough for a server that is just being restarted behind the name of a container.
_WHILE_A_PERSON_WAITS_SECONDS = 10.0


class RetryingWriter:
    """A Writer that waits for another one. Nonsense is not asked again: only another seed gives another answer."""

    def __init__(
        self,
        writer: Writer,
        *,
        policy: Policy,
        stop: Event,
        breaker: Breaker | None = None,
        limit: Limit | None = None,
        on_retry: Callable[[Retry], None] = say,
    ) -> None:
        self._writer = writer
        self._asking = _Asking("writer", policy, stop, breaker or Breaker(), limit, on_retry)

    def describe(self) -> WriterIdentity:
        return self._asking.briefly(self._writer.describe)

    def check(self) -> None:
        self._writer.check()

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        """See `ports.Writer`. After a failure `on_text` hears the answer again from its beginning."""
        return self._asking.patiently(lambda: self._writer.answer(question, on_text))

    def unload(self) -> bool:
        """See `ports.Unloads`; False where it is not one."""
        writer = self._writer
        return self._asking.briefly(writer.unload) if isinstance(writer, Unloads) else False


class RetryingVoice:
    """A Voice that waits for another one. Nonsense is asked again: a synthesizer's next answer may be sound."""

    def __init__(
        self,
        voice: Voice,
        *,
        policy: Policy,
        stop: Event,
        breaker: Breaker | None = None,
        limit: Limit | None = None,
        on_retry: Callable[[Retry], None] = say,
    ) -> None:
        self._voice = voice
        self._asking = _Asking("voice", policy, stop, breaker or Breaker(), limit, on_retry)

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return self._asking.briefly(self._voice.installed)

    def check(self) -> None:
        self._voice.check()

    def speak(self, request: SpeechRequest) -> Speech:
        return self._asking.patiently(lambda: self._voice.speak(request), after_nonsense=True)


class RetryingIllustrator:
    """An Illustrator that waits for another one. Nonsense is not asked again: the illustrator has tried other seeds."""

    def __init__(
        self,
        illustrator: Illustrator,
        *,
        policy: Policy,
        stop: Event,
        breaker: Breaker | None = None,
        limit: Limit | None = None,
        on_retry: Callable[[Retry], None] = say,
    ) -> None:
        self._illustrator = illustrator
        self._asking = _Asking("illustrator", policy, stop, breaker or Breaker(), limit, on_retry)

    def describe(self) -> IllustratorIdentity:
        return self._asking.briefly(self._illustrator.describe)

    def check(self) -> None:
        self._illustrator.check()

    def draw(self, request: PictureRequest) -> Picture:
        return self._asking.patiently(lambda: self._illustrator.draw(request))

    def unload(self) -> bool:
        """See `ports.Unloads`; False where it is not one."""
        illustrator = self._illustrator
        return self._asking.briefly(illustrator.unload) if isinstance(illustrator, Unloads) else False


class _Asking:
    def __init__(
        self,
        service: str,
        policy: Policy,
        stop: Event,
        breaker: Breaker,
        limit: Limit | None,
        on_retry: Callable[[Retry], None],
    ) -> None:
        self._service = service
        self._policy = policy
        self._brief = replace(policy, total_seconds=min(policy.total_seconds, _WHILE_A_PERSON_WAITS_SECONDS))
        self._stop = stop
        self._breaker = breaker
        self._limit = limit
        self._on_retry = on_retry

    def patiently(self, act: Callable[[], T], *, after_nonsense: bool = False) -> T:
        return call(
            act,
            service=self._service,
            policy=self._policy,
            stop=self._stop,
            after_nonsense=after_nonsense,
            breaker=self._breaker,
            limit=self._limit,
            on_retry=self._on_retry,
        )

    def briefly(self, act: Callable[[], T]) -> T:
        return call(act, service=self._service, policy=self._brief, stop=self._stop, on_retry=self._on_retry)
