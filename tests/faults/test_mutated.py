"""Settings, scripts, manifests and every engine's answers, broken at random: refused by name, or proven harmless."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.engines.piper_server import read_wav
from pipeline.engines.stable_diffusion import check_pixels
from pipeline.errors import EngineError, InputError, PipelineError, SettingsError
from pipeline.settings import load
from pipeline.stages.publish import MANIFEST, verify
from pipeline.text import script_file
from tests.fakes import servers
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE
from tests.faults.mutating import mutated
from tests.faults.projects import prepare
from tests.faults.test_network import ask_ollama

CASES = 400 if WHOLE else 60

SETTINGS = b"""\
language = "en"
words = 900
ollama_base_url = "http://localhost:11434"
ollama_model = "gemma3:4b"
ollama_num_ctx = 8192
piper_base_url = "http://localhost:5000"
sd_enabled = true
input_dir = "input"
output_dir = "output"
"""
SCRIPT = b"""\
---
title: The moon
language: en
---

# One

The wind rose before six. *Nobody* slept.

# Two

It rained.
"""


def picture() -> bytes:
    with io.BytesIO() as file:
        Image.frombytes("RGB", (64, 64), random.Random(SEED).randbytes(3 * 64 * 64)).save(file, "PNG")
        return file.getvalue()


def test_mutated_settings_are_refused_at_the_start_or_load_as_settings(tmp_path: Path, tell: Tell) -> None:
    rng = random.Random(SEED)
    (tmp_path / "config").mkdir()
    refused = 0
    for _ in range(CASES):
        (tmp_path / "config" / "pipeline.toml").write_bytes(mutated(SETTINGS, rng))
        try:
            load(tmp_path, {})
        except SettingsError as error:
            refused += 1
            assert error.problems  # noqa: PT017  # one of many cases, some of which are harmless
    tell(seed=SEED, settings=CASES, refused=refused, harmless=CASES - refused, crashes=0)
    assert refused > CASES / 4


def read_script(data: bytes) -> None:
    script_file.parse(data.decode("utf-8", "replace"), where="script.md")


def read_sound(data: bytes) -> None:
    pcm, sample_rate = read_wav(data, where="Piper")
    assert pcm in data
    assert sample_rate >= 0


def look_at_picture(data: bytes) -> None:
    check_pixels(data, 64, 64, where="Stable Diffusion")


@pytest.mark.parametrize(
    ("read", "good", "refusal"),
    [
        (read_script, SCRIPT, InputError),
        (read_sound, servers.SOUND, EngineError),
        (look_at_picture, picture(), EngineError),
    ],
)
def test_a_mutated_script_sound_or_picture_is_refused_by_name_or_harmless(
    tell: Tell, read: Callable[[bytes], None], good: bytes, refusal: type[PipelineError]
) -> None:
    rng = random.Random(SEED)
    read(good)
    refused = 0
    for _ in range(CASES):
        try:
            read(mutated(good, rng))
        except PipelineError as error:
            assert isinstance(error, refusal)  # noqa: PT017  # one of many cases, most of which may be harmless
            assert error.what  # noqa: PT017
            refused += 1
    tell(seed=SEED, cases=CASES, refused=refused, crashes=0)
    assert refused > CASES / 10


def test_a_mutated_manifest_is_read_or_reported_and_never_followed_elsewhere(tmp_path: Path, tell: Tell) -> None:
    prepare(tmp_path / "project")
    folder = tmp_path / "project" / "output" / "changed"
    whole = (folder / MANIFEST).read_bytes()
    rng = random.Random(SEED)
    reported = 0
    for _ in range(CASES):
        (folder / MANIFEST).write_bytes(mutated(whole, rng))
        reported += bool(verify(folder))
    (folder / MANIFEST).write_bytes(whole)
    tell(seed=SEED, manifests=CASES, reported=reported, crashes=0)
    assert verify(folder) == ()
    assert reported > CASES / 2


def test_a_mutated_stream_of_a_writer_ends_in_a_text_or_in_a_named_failure(tmp_path: Path, tell: Tell) -> None:
    rng = random.Random(SEED)
    whole = b"".join((*servers.ANSWER, servers.END))
    body = whole

    def answer(request: str, asked: bytes) -> servers.Given:
        given = servers.ollama(request, asked)
        return servers.Given(200, body, "application/x-ndjson") if request == "POST /api/chat" else given

    failed = 0
    with servers.serving(answer) as port:
        for _ in range(60 if WHOLE else 10):
            body = mutated(whole, rng)
            try:
                assert isinstance(ask_ollama(f"http://127.0.0.1:{port}", tmp_path), str)
            except EngineError as error:
                failed += bool(error.what and error.where)
    tell(seed=SEED, streams=60 if WHOLE else 10, failed=failed, crashes=0)
    assert failed > 0
