"""What is remembered between runs survives a round trip, and can be lost without harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.digests import Digests
from pipeline.engines.remembered import to_plain, voice_from, writer_from
from pipeline.errors import EngineNonsense, InputError, StoreError
from pipeline.ports import VoiceIdentity, WriterIdentity
from pipeline.records import Failures, Measured, Record, Records


def test_a_record_reads_back(tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    record = Record({"script": [{"notes": "abc"}]}, ("one", "two"), "input/moon.md", {"voice": {"name": "joe"}})
    records.save("moon", record)
    assert records.load("moon") == record


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"trail": 3, "scripts": []}', '{"trail": {}}'])
def test_a_record_that_cannot_be_read_is_an_empty_one(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "moon.json").write_text(text)
    assert Records(tmp_path).load("moon") == Record()


def test_a_failure_keeps_what_the_engine_answered(tmp_path: Path) -> None:
    failures = Failures(tmp_path / "failures")
    error = EngineNonsense("the script repeats itself", where="llama", hint="Give it notes.", answer="la la la")
    failures.keep("moon", error, at="2026-01-01T00:00:00Z")
    kept = failures.of("moon")

    assert kept is not None
    assert (kept.code, kept.what, kept.hint) == ("engine-nonsense", "the script repeats itself", "Give it notes.")
    assert Path(kept.answer).read_text() == "la la la"
    failures.clear("moon")
    assert failures.of("moon") is None
    assert list((tmp_path / "failures").iterdir()) == []


def test_a_failure_without_an_answer_keeps_none(tmp_path: Path) -> None:
    failures = Failures(tmp_path)
    failures.keep("moon", InputError("no", where="input/moon.md:1"), at="now")
    kept = failures.of("moon")
    assert kept is not None
    assert kept.answer == ""


def test_estimates_come_from_what_was_measured(tmp_path: Path) -> None:
    measured = Measured.load(tmp_path / "measured.json")
    assert measured.seconds("speech", 100) is None
    measured.add({"speech": (100.0, 5.0)})
    measured.save()
    assert Measured.load(tmp_path / "measured.json").seconds("speech", 200) == pytest.approx(10.0)


def test_newer_measurements_weigh_more() -> None:
    measured = Measured(Path("unused"))
    for _ in range(30):
        measured.add({"speech": (100.0, 10.0)})
    for _ in range(10):
        measured.add({"speech": (100.0, 1.0)})
    seconds = measured.seconds("speech", 100)
    assert seconds is not None
    assert 1.0 <= seconds < 2.5


def test_measurements_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"speech": "fast", "mix": [1], "script": [10, 2]}')
    assert Measured.load(tmp_path / "m.json").sums == {"script": (10.0, 2.0)}


def test_a_digest_is_remembered_while_the_file_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "voice.onnx"
    file.write_text("one")
    digests = Digests(tmp_path / "data" / "digests.json")
    first = digests(file)
    assert first == Digests(tmp_path / "data" / "digests.json")(file)
    file.write_text("two!")
    assert digests(file) != first


def test_a_file_that_cannot_be_hashed_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no-such-file"):
        Digests(tmp_path / "digests.json")(tmp_path / "no-such-file")


def test_identities_survive_being_written_down() -> None:
    writer = WriterIdentity("llama", "smol", "abc", "Apache-2.0", {"quantization": "Q4"}, 135, 4096, frozenset({"en"}))
    voice = VoiceIdentity("piper", "joe", "def", "CC0", {}, "en-US", 22050, ("a", "b"))
    assert writer_from(to_plain(writer)) == writer
    assert voice_from(to_plain(voice)) == voice
    with pytest.raises(TypeError):
        voice_from({"engine": "piper"})
