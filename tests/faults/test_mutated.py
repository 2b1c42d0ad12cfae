"""Settings, scripts, manifests and every engine's answers, broken at random: refused by name, or proven harmless."""

from __future__ import annotations

import io
import random
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

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

CASES = 200 if WHOLE else 60

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


def as_written(value: object) -> object:
    """A setting in the form of its file: an address without its last slash, a folder as its name."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return str(value).rstrip("/") if isinstance(value, str | Path) else value


def test_mutated_settings_are_refused_at_the_start_or_proven_harmless(tmp_path: Path, tell: Tell) -> None:
    """Harmless is a file whose every line says what holds then: nothing in it was passed over or replaced."""
    rng = random.Random(SEED)
    (tmp_path / "config").mkdir()
    refused = harmless = 0
    unnamed: list[str] = []
    not_what_it_says: list[tuple[str, object, object]] = []
    for _ in range(CASES):
        data = mutated(SETTINGS, rng)
        (tmp_path / "config" / "pipeline.toml").write_bytes(data)
        try:
            settings = load(tmp_path, {}).settings
        except SettingsError as error:
            refused += 1
            unnamed += [] if all(map(str.strip, error.problems)) and error.problems else [str(error)]
            continue
        said = tomllib.loads(data.decode("utf-8-sig"))
        held = {name: getattr(settings, name, None) for name in said}
        wrong = [(name, said[name], held[name]) for name in said if as_written(held[name]) != as_written(said[name])]
        harmless += not wrong
        not_what_it_says += wrong
    tell(seed=SEED, settings=CASES, refused=refused, harmless=harmless, failures=refused, unnamed=len(unnamed))
    assert not_what_it_says == []
    assert unnamed == []
    assert refused > CASES / 4
    assert harmless > 0


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
    refused = unnamed = 0
    for _ in range(CASES):
        try:
            read(mutated(good, rng))
        except PipelineError as error:
            assert isinstance(error, refusal)  # noqa: PT017  # one of many cases, most of which may be harmless
            refused += 1
            unnamed += not (error.what and error.where and error.hint)
    tell(seed=SEED, cases=CASES, refused=refused, failures=refused, unnamed=unnamed, crashes=0)
    assert unnamed == 0
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
