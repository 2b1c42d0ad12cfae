"""The embedded writer keeps the Writer's promises, stops when asked and leaves quietly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from pipeline.engines.llama import Llama
from pipeline.errors import EngineRefused, Interrupted
from pipeline.ports import Answer, Question
from tests.fakes.writer import FakeWriter
from tests.integration.writer_contract import HELLO, check_writer

pytestmark = pytest.mark.engines

STORY = Question("", "Tell a very long story about a fox.", seed=3, max_tokens=1500)


@pytest.fixture(scope="module")
def stop() -> Event:
    return Event()


@pytest.fixture(scope="module")
def llama(stop: Event) -> Llama:
    return Llama(slots=4, threads=2, stop=stop)


@pytest.fixture(autouse=True)
def _going_on(stop: Event) -> None:
    stop.clear()


def test_it_keeps_every_writers_promises(llama: Llama) -> None:
    check_writer(llama)


def test_the_fake_writer_keeps_them_too() -> None:
    def reply(question: Question) -> Answer:
        return Answer("Red, green and blue.", complete=question.max_tokens > 5, tokens=5, seconds=0.1)

    check_writer(FakeWriter(reply))


def test_it_describes_itself_without_loading_anything() -> None:
    seen: list[Path] = []

    def digest(file: Path) -> str:
        seen.append(file)
        return "d" * 64

    identity = Llama(slots=1, threads=1, stop=Event(), digest=digest).describe()
    assert (identity.parameters, identity.digest) == (134_515_008, "d" * 64)
    assert identity.languages == frozenset({"en"})
    assert [file.suffix for file in seen] == [".gguf"]


def test_the_same_question_gets_the_same_answer(llama: Llama) -> None:
    assert llama.answer(HELLO).text == llama.answer(HELLO).text


def test_a_schema_is_kept_to(llama: Llama) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    answer = llama.answer(Question("", "Is snow white?", seed=1, max_tokens=40, temperature=0.0, schema=schema))
    assert answer.text.replace(" ", "").replace("\n", "") in {'{"ok":true}', '{"ok":false}'}


def test_a_question_too_long_for_it_is_refused_with_both_lengths(llama: Llama) -> None:
    with pytest.raises(EngineRefused, match=r"has \d+ tokens and the model is given room for 2048"):
        llama.answer(Question("", "word " * 3000, seed=1, max_tokens=5))


def test_it_stops_in_the_middle_of_an_answer(llama: Llama, stop: Event) -> None:
    heard: list[str] = []

    def listen(text: str) -> None:
        heard.append(text)
        stop.set()

    with pytest.raises(Interrupted):
        llama.answer(STORY, listen)
    assert len(heard) == 1


def test_a_listener_that_fails_is_heard_of_and_ends_the_answer(llama: Llama) -> None:
    def listen(text: str) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError):
        llama.answer(STORY, listen)


def test_a_stopping_run_asks_nothing_more(llama: Llama, stop: Event) -> None:
    stop.set()
    with pytest.raises(Interrupted):
        llama.answer(HELLO)


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF but not really")
    with pytest.raises(EngineRefused, match=r"broken\.gguf"):
        Llama(slots=1, threads=1, stop=Event(), model=model).answer(HELLO)


def test_a_model_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(EngineRefused, match="no such model file"):
        Llama(slots=1, threads=1, stop=Event(), model=tmp_path / "none.gguf")


def test_a_process_that_asked_it_leaves_with_status_0_and_says_nothing_of_llama() -> None:
    program = """
from threading import Event
from pipeline.engines.llama import Llama
from pipeline.ports import Question
print(Llama(slots=2, threads=2, stop=Event()).answer(Question("", "Say hello.", seed=1, max_tokens=8)).tokens)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < int(done.stdout) <= 8
