"""Which engine does the work: the server that answers, or the embedded one; and the sentence that says so.

`auto` never decides in silence. What was taken, and why not the other, is a value that the run prints, the log
keeps and every manifest records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.errors import EngineError, EngineRefused

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    engine: E
    name: str
    why: str
    """For people: "no Ollama answers at http://127.0.0.1:11434"."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[E]):
    """An engine that may be taken."""

    name: str
    make: Callable[[], E]
    """Cheap: loads no model. Raises EngineRefused where what it needs is not installed."""
    try_it: Callable[[E], None] = lambda _: None
    """Raises EngineError where it cannot be used; the words become the reason for taking the other."""


def choose(wanted: str, server: Candidate[E], embedded: Candidate[E]) -> Choice[E]:
    """`wanted` is `auto` or the name of one of the two. A named engine is taken as it is: if it is down, the run
    waits for it and says so, rather than give what was not asked for. Raises EngineRefused for `auto` without any.
    """
    if wanted == server.name:
        return Choice(server.make(), server.name, "named in the settings")
    if wanted == embedded.name:
        return Choice(embedded.make(), embedded.name, "named in the settings")
    try:
        engine = server.make()
        server.try_it(engine)
    except EngineError as error:
        try:
            return Choice(embedded.make(), embedded.name, str(error))
        except EngineRefused as missing:
            raise EngineRefused(
                f"neither {server.name} nor the embedded engine can be used: {error} {missing}",
                hint="Run `make setup` to install the embedded engines, or start the server.",
            ) from missing
    return Choice(engine, server.name, "it answers")
