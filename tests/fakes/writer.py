"""A writer that answers from a list or by a rule: no model, the same every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from pipeline.errors import EngineError
from pipeline.ports import Answer, Question, WriterIdentity

LARGE = WriterIdentity(engine="fake", name="fake:8b", digest="f" * 64, parameters=8_000_000_000)
SMALL = WriterIdentity(
    engine="fake", name="fake:135m", digest="e" * 64, parameters=135_000_000, languages=frozenset({"en"})
)

Reply = str | Answer | EngineError


class FakeWriter:
    """Fulfils `ports.Writer`. Keeps every question it was asked; an error among the replies is raised."""

    def __init__(
        self, replies: Iterable[Reply] | Callable[[Question], Reply], *, identity: WriterIdentity = LARGE
    ) -> None:
        """`replies` is what it says in turn, or a rule that makes a reply of each question."""
        self.questions: list[Question] = []
        self._identity = identity
        self._lock = Lock()
        if callable(replies):
            self._reply = replies
        else:
            turn = iter(replies)
            self._reply = lambda _: next(turn)

    def describe(self) -> WriterIdentity:
        return self._identity

    def check(self) -> None:
        self.answer(Question(system="", prompt="Say hello.", seed=0, max_tokens=4))

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        with self._lock:
            self.questions.append(question)
            reply = self._reply(question)
        if isinstance(reply, EngineError):
            raise reply
        if isinstance(reply, str):
            reply = Answer(reply, complete=True, tokens=len(reply.split()), seconds=0.01)
        if on_text is not None:
            on_text(reply.text)
        return reply
