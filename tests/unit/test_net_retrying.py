"""Which calls of an engine are asked again: its work with patience, what it is for a moment, a check never."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Event

import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.retrying import RetryingIllustrator, RetryingVoice, RetryingWriter, breaker_for
from pipeline.errors import EngineNonsense, EngineUnavailable, Interrupted, PipelineError
from pipeline.net.breaker import Breaker
from pipeline.net.circuit import Rests
from pipeline.net.retry import Policy, Retry
from pipeline.ports import (
    Answer,
    IllustratorIdentity,
    Picture,
    PictureRequest,
    Question,
    Speech,
    SpeechRequest,
    VoiceIdentity,
    WriterIdentity,
)
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import LARGE, SMALL, FakeWriter

AWAY = EngineUnavailable("nobody answers", where="it", hint="Start it.")
NOISE = EngineNonsense("noise", where="it")
QUESTION = Question(system="", prompt="Say it.", seed=1, max_tokens=8)
REQUEST = SpeechRequest(Sentence((Word("Here.", "Here."),)), identity().name)
PICTURE = PictureRequest("a lighthouse", width=64, height=64, seed=3)
QUICK = Policy(attempts=4, first_wait_seconds=0.0, longest_wait_seconds=0.0)

Retrying = RetryingWriter | RetryingVoice | RetryingIllustrator


class Engine:
    """A writer, a voice and an illustrator: each call of a method fails as long as there are failures left for it."""

    def __init__(self, **failures: list[PipelineError]) -> None:
        self.failures = failures
        self.calls: Counter[str] = Counter()
        self.writer_identity = LARGE

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        left = self.failures.get(name)
        if left:
            raise left.pop(0)

    def describe_writer(self) -> WriterIdentity:
        self._call("identity")
        return self.writer_identity

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        self._call("work")
        return FakeWriter(["Said."]).answer(question, on_text)

    def installed(self) -> Mapping[str, VoiceIdentity]:
        self._call("identity")
        return FakeVoice().installed()

    def speak(self, request: SpeechRequest) -> Speech:
        self._call("work")
        return FakeVoice().speak(request)

    def describe_illustrator(self) -> IllustratorIdentity:
        self._call("identity")
        return FakeIllustrator().describe()

    def draw(self, request: PictureRequest) -> Picture:
        self._call("work")
        return FakeIllustrator().draw(request)

    def check(self) -> None:
        self._call("check")

    def unload(self) -> bool:
        self._call("unload")
        return True


class Writer(Engine):
    describe = Engine.describe_writer


class Illustrator(Engine):
    describe = Engine.describe_illustrator


class Limit:
    """Lets everything through, and counts it."""

    def __init__(self) -> None:
        self.calls = 0

    def wait(self, _: Event) -> None:
        self.calls += 1


KINDS = ("writer", "voice", "illustrator")


class Asked:
    """An engine of a kind behind its retrying one, whose breaker's clock runs a thousand times as fast as others."""

    def __init__(
        self,
        kind: str,
        *,
        policy: Policy = QUICK,
        failures: int = 100,
        own_breaker: bool = False,
        **script: list[PipelineError],
    ) -> None:
        self.limit = Limit()
        self.told: list[Retry] = []
        self.stop = Event()
        self.breaker = Breaker(
            kind,
            rests=Rests(failures, first_seconds=1.0, longest_seconds=1.0),
            on_change=lambda _: None,
            look_seconds=0.001,
            clock=lambda: 1000 * time.monotonic(),
        )
        settings = {
            "policy": policy,
            "stop": self.stop,
            "breaker": None if own_breaker else self.breaker,
            "limit": self.limit,
            "on_retry": self.told.append,
        }
        self.engine: Engine
        self.retrying: Retrying
        if kind == "writer":
            self.engine = writer = Writer(**script)
            self.retrying = RetryingWriter(writer, **settings)  # type: ignore[arg-type]
        elif kind == "voice":
            self.engine = Engine(**script)
            self.retrying = RetryingVoice(self.engine, **settings)  # type: ignore[arg-type]
        else:
            self.engine = illustrator = Illustrator(**script)
            self.retrying = RetryingIllustrator(illustrator, **settings)  # type: ignore[arg-type]

    def work(self) -> object:
        match self.retrying:
            case RetryingWriter():
                return self.retrying.answer(QUESTION)
            case RetryingVoice():
                return self.retrying.speak(REQUEST)
            case RetryingIllustrator():
                return self.retrying.draw(PICTURE)

    def identity(self) -> object:
        return self.retrying.installed() if isinstance(self.retrying, RetryingVoice) else self.retrying.describe()


@pytest.mark.parametrize("kind", KINDS)
def test_work_is_asked_again_as_long_as_the_policy_says(kind: str) -> None:
    asked = Asked(kind, work=[AWAY, AWAY, AWAY])
    assert asked.work() == Asked(kind).work()
    assert asked.work() is not None
    assert asked.engine.calls == {"work": 5}
    assert [(retry.service, retry.attempt) for retry in asked.told] == [(kind, 1), (kind, 2), (kind, 3)]
    assert asked.limit.calls == 5


@pytest.mark.parametrize(("kind", "calls"), [("writer", 1), ("voice", 2), ("illustrator", 1)])
def test_nonsense_is_asked_again_where_another_try_sounds_otherwise(kind: str, calls: int) -> None:
    asked = Asked(kind, work=[NOISE])
    if calls == 1:
        with pytest.raises(EngineNonsense):
            asked.work()
    else:
        asked.work()
    assert asked.engine.calls["work"] == calls


@pytest.mark.parametrize("kind", KINDS)
def test_who_says_nonsense_of_itself_is_not_asked_again(kind: str) -> None:
    asked = Asked(kind, identity=[NOISE, NOISE])
    for act in (asked.identity, asked.retrying.wait):
        with pytest.raises(EngineNonsense):
            act()
    assert asked.engine.calls == {"identity": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_tells_how_things_stand(kind: str) -> None:
    asked = Asked(kind, check=[AWAY])
    with pytest.raises(EngineUnavailable):
        asked.retrying.check()
    asked.retrying.check()
    assert asked.engine.calls == {"check": 2}


@pytest.mark.parametrize("kind", ["writer", "illustrator"])
def test_unloading_is_tried_a_few_times_where_it_can_be(kind: str) -> None:
    asked = Asked(kind, unload=[AWAY])
    assert not isinstance(asked.retrying, RetryingVoice)
    assert asked.retrying.unload() is True
    assert asked.engine.calls == {"unload": 2}
    assert asked.limit.calls == 0


def test_who_cannot_unload_says_so() -> None:
    assert not RetryingWriter(FakeWriter([]), policy=QUICK, stop=Event()).unload()
    assert not RetryingIllustrator(FakeIllustrator(), policy=QUICK, stop=Event()).unload()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_service_is_it_is_asked_again_for_a_moment_and_then_its_own_words_are_told(kind: str) -> None:
    asked = Asked(kind, identity=[AWAY] * 1000, failures=3)
    with pytest.raises(EngineUnavailable) as raised:
        asked.identity()
    assert str(raised.value) == str(AWAY)
    assert 3 < asked.engine.calls["identity"] < 10
    assert asked.limit.calls == 0


@pytest.mark.parametrize(
    "policy",
    [Policy(4, 0.0, 0.0, wait_seconds=0.0), Policy(100, 0.01, 0.01, total_seconds=0.0)],
    ids=["none for a service that is down", "none at all"],
)
def test_who_has_no_patience_waits_for_no_identity_either(policy: Policy) -> None:
    asked = Asked("voice", policy=policy, identity=[AWAY] * 1000, failures=1 if policy.total_seconds else 1000)
    with pytest.raises(EngineUnavailable):
        asked.identity()
    assert asked.engine.calls["identity"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_is_waited_for_until_it_says_what_it_is_whatever_work_it_does(kind: str) -> None:
    asked = Asked(kind, identity=[AWAY] * 30, failures=3)
    asked.retrying.wait()
    assert asked.engine.calls == {"identity": 31}
    assert asked.limit.calls == 31
    asked.engine.failures["identity"] = [AWAY]
    assert asked.identity() == Asked(kind).identity()
    assert asked.engine.calls == {"identity": 32}


def test_what_is_known_is_told_while_it_is_away_and_looked_at_anew_when_it_is_back() -> None:
    asked = Asked("writer", identity=[])
    assert asked.identity() == LARGE
    asked.engine.writer_identity = SMALL
    asked.engine.failures["identity"] = [AWAY]
    assert [asked.identity(), asked.identity(), asked.identity()] == [LARGE, SMALL, SMALL]
    assert asked.engine.calls["identity"] == 4
    assert asked.told == []


def test_who_is_known_to_be_down_is_not_asked_what_it_is() -> None:
    asked = Asked("writer", failures=1)
    asked.identity()
    admission = asked.breaker.admit(asked.stop, wait_seconds=0)
    asked.breaker.failed(AWAY, admission)
    assert asked.identity() == LARGE
    assert asked.engine.calls["identity"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_work_that_fails_where_a_check_is_done_is_given_up(kind: str) -> None:
    asked = Asked(kind, work=[AWAY] * 1000, failures=3)
    with pytest.raises(EngineUnavailable) as raised:
        asked.work()
    assert raised.value is AWAY
    assert asked.engine.calls == {"work": 5, "check": 1}
    assert not asked.breaker.is_open


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_ends_every_wait(kind: str) -> None:
    asked = Asked(kind, identity=[AWAY], work=[AWAY])
    asked.stop.set()
    for act in (asked.work, asked.identity, asked.retrying.wait):
        with pytest.raises(Interrupted):
            act()
    assert asked.engine.calls == {}


@pytest.mark.parametrize(("attempts", "opens_after"), [(2, 2), (3, 3), (5, 3)])
def test_a_breaker_opens_before_a_lone_call_has_spent_its_attempts(attempts: int, opens_after: int) -> None:
    told: list[object] = []
    breaker = breaker_for("voice", Policy(attempts=attempts), told.append)
    for _ in range(opens_after):
        assert not breaker.is_open
        breaker.failed(AWAY, breaker.admit(Event(), wait_seconds=0))
    assert breaker.is_open
    assert len(told) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_engine_has_a_breaker_of_its_own_where_it_is_given_none(kind: str) -> None:
    policy = Policy(2, 0.0, 0.0, wait_seconds=0.0)
    asked = Asked(kind, policy=policy, own_breaker=True, work=[AWAY] * 1000, check=[AWAY] * 1000)
    for _ in range(3):
        with pytest.raises(EngineUnavailable):
            asked.work()
    assert asked.engine.calls["work"] == 2, "the second failure opened it"
