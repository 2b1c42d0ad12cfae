"""The speech server's settings: from the environment alone, every fault at once, and each one on its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.speech_server.settings import PREFIX, SpeechSettings, load

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "speech-server.md"


def row(name: str, default: object, description: str | None) -> str:
    return f"| `{PREFIX}{name.upper()}` | {'empty' if default in ('', None) else default} | {description} |"


def rows() -> list[str]:
    return [row(name, field.default, field.description) for name, field in SpeechSettings.model_fields.items()]


def test_the_page_has_every_setting() -> None:
    found = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{PREFIX}")]

    assert found == rows()


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    assert (load({}).host, load({}).port, load({"SPEECH_HOST": " "}).host) == ("127.0.0.1", 5000, "127.0.0.1")


def test_every_fault_is_in_one_report_and_no_value_is() -> None:
    with pytest.raises(SettingsError) as raised:
        load({"SPEECH_PORT": "-1", "SPEECH_UNKNOWN_VOICE": "guess", "SPEECH_THREDS": "2", "SPEECH_API_KEY": "hush"})

    told = str(raised.value)
    assert all(name in told for name in ("SPEECH_PORT", "SPEECH_UNKNOWN_VOICE", "did you mean SPEECH_THREADS?"))
    assert "hush" not in told


def test_a_key_is_not_shown() -> None:
    assert "hush" not in repr(load({"SPEECH_API_KEY": "hush"}))
