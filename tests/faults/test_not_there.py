"""A topic that asks for what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

WELL = "---\ntitle: Well\nmode: read\n---\n\nThe wind rose before six.\n"


def topics(project: Path, **texts: str) -> None:
    (project / "input").mkdir()
    for name, text in texts.items():
        (project / "input" / f"{name}.md").write_text(text)


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_topic_that_asks_for_a_voice_that_is_not_there_is_refused_before_any_engine_works(
    tmp_path: Path, mode: str
) -> None:
    topics(tmp_path, well=WELL, odd=f"---\ntitle: Odd\nmode: {mode}\nvoice: en_US-nobody-medium\n---\n\n- Rain.\n")
    voice, writer = FakeVoice(), FakeWriter([])
    ended = run_all(make_studio(tmp_path, voice=voice, writer=writer))
    error = ended.pop("odd")
    assert isinstance(error, InputError)
    assert error.where.startswith("input/odd.md")
    assert "en_US-nobody-medium" in error.what
    assert "pipeline voices get" in error.hint
    assert ended == {"well": None}
    assert writer.questions == []
    assert {request.voice for request in voice.calls} == {"en_US-fake-medium"}
