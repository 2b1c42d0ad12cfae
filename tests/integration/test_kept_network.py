"""A voice that is kept ready speaks the same samples, and never stands in the way of one that can be loaded."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.piper import Piper
from pipeline.ports import Speech, SpeechRequest

pytestmark = pytest.mark.engines

VOICE = "en_US-joe-medium"
SAID = Sentence((Word("Ready", "Ready"), Word("now.", "now.")))


def spoken(ready: Path | None) -> Speech:
    """Said by a voice that has just been loaded."""
    return Piper([], threads=1, stop=threading.Event(), ready=ready).speak(SpeechRequest(SAID, VOICE))


@pytest.fixture(scope="module")
def without() -> Speech:
    return spoken(None)


def test_a_voice_that_was_kept_says_the_same(tmp_path: Path, without: Speech) -> None:
    ready = tmp_path / "data" / "ready"
    assert spoken(ready) == without
    (kept,) = ready.iterdir()
    written = kept.stat()
    assert spoken(ready) == without
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert list(ready.iterdir()) == [kept]


def test_what_was_damaged_or_is_older_gives_way(tmp_path: Path, without: Speech) -> None:
    spoken(tmp_path)
    (kept,) = tmp_path.iterdir()
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    (tmp_path / f"{VOICE}-0123456789abcdef-{'0' * 64}.onnx").write_bytes(b"of an older onnxruntime")

    assert spoken(tmp_path) == without
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    assert kept.read_bytes() != data


def test_a_folder_that_cannot_be_written_to_costs_only_time(tmp_path: Path, without: Speech) -> None:
    (tmp_path / "ready").write_text("a file in the place of the folder")

    assert spoken(tmp_path / "ready") == without
