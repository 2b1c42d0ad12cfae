"""Which engine is taken, and the words that say why."""

from __future__ import annotations

import socket

import pytest

from pipeline.engines.choice import Candidate, choose
from pipeline.errors import EngineRefused, EngineUnavailable
from pipeline.net.reach import knock


def refuse(_: str) -> None:
    raise EngineRefused("model 'gemma3:4b' is not installed", where="Ollama", hint="Run: ollama pull gemma3:4b")


def absent() -> str:
    raise EngineRefused("xllamacpp is not installed", hint="Run: make setup")


SERVER = Candidate("ollama", lambda: "server")
REFUSING = Candidate("ollama", lambda: "server", refuse)
EMBEDDED = Candidate("embedded", lambda: "embedded")
ABSENT = Candidate("embedded", absent)


def test_a_server_that_answers_is_taken() -> None:
    choice = choose("auto", SERVER, EMBEDDED)
    assert (choice.engine, choice.name, choice.why) == ("server", "ollama", "it answers")


def test_a_server_that_cannot_is_passed_over_and_the_reason_is_kept() -> None:
    choice = choose("auto", REFUSING, EMBEDDED)
    assert (choice.engine, choice.name) == ("embedded", "embedded")
    assert "model 'gemma3:4b' is not installed. Run: ollama pull gemma3:4b" in choice.why


@pytest.mark.parametrize(("named", "engine"), [("ollama", "server"), ("embedded", "embedded")])
def test_a_named_engine_is_taken_without_being_tried(named: str, engine: str) -> None:
    assert choose(named, REFUSING, EMBEDDED).engine == engine


def test_with_neither_both_reasons_are_given() -> None:
    with pytest.raises(EngineRefused) as refused:
        choose("auto", REFUSING, ABSENT)
    assert "gemma3:4b" in str(refused.value)
    assert "xllamacpp is not installed" in str(refused.value)


def test_knocking_where_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(EngineUnavailable, match=f"Ollama at http://127.0.0.1:{port}: nobody answers"):
        knock("Ollama", f"http://127.0.0.1:{port}", seconds=1, hint="")


def test_knocking_where_somebody_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        knock("Ollama", f"http://127.0.0.1:{listening.getsockname()[1]}", seconds=1, hint="")
