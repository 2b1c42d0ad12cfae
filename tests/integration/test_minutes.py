"""`minutes:` with everything real: a small model behind Ollama's API, a voice, a clock. What is asked for is reached,
or it is said by how much not, and why.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.cli import run_command_line
from pipeline.engines.llama import Llama
from pipeline.ports import Question

ROOT = Path(__file__).parents[2]
NOTES = (ROOT / "tests" / "data" / "small_wonders.txt").read_text("utf-8").splitlines()
# The same title and the same notes: what one episode has been told and has had spoken, the others have too.
ASKED = {"a": 0.5, "b": 0.7, "c": 1.0}
FEW_NOTES = 8

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def ollama() -> Iterator[str]:
    """Ollama's API over the embedded model."""
    stop = Event()
    model = Llama(slots=4, threads=1, stop=stop)

    def chat(request: Request) -> Response:
        asked = json.loads(request.data)
        texts = {message["role"]: message["content"] for message in asked["messages"]}
        options = asked["options"]
        answer = model.answer(
            Question(
                texts.get("system", ""),
                texts["user"],
                seed=options["seed"],
                max_tokens=options["num_predict"],
                temperature=options["temperature"],
            )
        )
        lines = (
            {"message": {"role": "assistant", "content": answer.text}, "done": False},
            {
                "message": {"role": "assistant", "content": ""},
                "done": True,
                "done_reason": "stop" if answer.complete else "length",
                "prompt_eval_count": 1,
                "eval_count": answer.tokens,
            },
        )
        return Response("".join(f"{json.dumps(line)}\n" for line in lines), content_type="application/x-ndjson")

    with HTTPServer(threaded=True) as server:
        details = {"parameter_size": "134.52M", "quantization_level": "Q4_1"}
        models = [{"name": "tiny:135m", "model": "tiny:135m", "digest": "a" * 64, "details": details}]
        server.expect_request("/api/version").respond_with_json({"version": "0.33.0"})
        server.expect_request("/api/tags").respond_with_json({"models": models})
        server.expect_request("/api/chat", method="POST").respond_with_handler(chat)
        yield server.url_for("")
    stop.set()


@pytest.fixture(scope="module")
def made(ollama: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a project with every length asked for, the last of them with too few notes."""
    project = tmp_path_factory.mktemp("minutes")
    shutil.copytree(ROOT / "config", project / "config")
    (project / "input").mkdir()
    topics = {name: (minutes, NOTES[: round(24 * minutes)]) for name, minutes in ASKED.items()}
    for name, (minutes, notes) in (topics | {"few": (5.0, NOTES[:FEW_NOTES])}).items():
        text = "\n".join(["---", "title: Small wonders", f"minutes: {minutes}", f"tags: [{name}]", "---", *notes])
        (project / "input" / f"{name}.md").write_text(f"{text}\n", "utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WRITER", "ollama")
        environment.setenv("WRITER_SLOTS", "4")
        environment.setenv("OLLAMA_BASE_URL", ollama)
        environment.setenv("OLLAMA_MODEL", "tiny:135m")
        environment.setenv("VOICE_ENGINE", "embedded")
        environment.setenv("VIDEO", "off")
        assert run_command_line(["run", "--project", str(project)]) == 0
    return project / "output"


def episodes(output: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Tag → folder and manifest."""
    found = {}
    for path in output.glob("*/manifest.json"):
        manifest = json.loads(path.read_text("utf-8"))
        found[manifest["tags"][0]] = path.parent, manifest
    return found


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_met_within_five_percent_in_the_file_itself(made: Path, name: str) -> None:
    folder, manifest = episodes(made)[name]
    with av.open(io.BytesIO((folder / "audio.mp3").read_bytes()), "r") as file:
        decoded = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))

    assert manifest["length"]["met"], manifest["length"]
    assert decoded == pytest.approx(60 * ASKED[name], rel=0.05)
    assert 0.91 <= manifest["length"]["pace"] <= 1.09


def test_notes_that_are_too_short_are_not_added_to_and_it_says_by_how_much(made: Path) -> None:
    _, manifest = episodes(made)["few"]

    assert manifest["length"]["off_percent"] < -60
    assert "the notes hold no more" in manifest["length"]["why_not"]
    assert manifest["script"]["claims"]["unsupported"] == []
