"""The commands in messages are written as they can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.called import program_called, with_program

HERE = Path("/home/ada/media")


@pytest.mark.parametrize(
    ("called", "found", "program"),
    [
        ("/home/ada/media/.venv/bin/pipeline", None, ".venv/bin/pipeline"),
        (".venv/bin/pipeline", None, ".venv/bin/pipeline"),
        ("/home/ada/media/.venv/bin/pipeline", "/usr/bin/pipeline", ".venv/bin/pipeline"),
        ("/usr/local/bin/pipeline", "/usr/local/bin/pipeline", "pipeline"),
        ("/opt/x/bin/pipeline", None, "/opt/x/bin/pipeline"),
        ("/opt/my tools/pipeline", None, "'/opt/my tools/pipeline'"),
        ("/lib/python/pipeline/__main__.py", None, ".venv/bin/python -m pipeline"),
        ("/usr/bin/pytest", None, "pipeline"),
        ("/lib/python/pytest/__main__.py", None, "pipeline"),
    ],
)
def test_the_program_is_named_as_it_was_called(called: str, found: str | None, program: str) -> None:
    python = "/home/ada/media/.venv/bin/python"
    assert program_called(called, folder=HERE, python=python, find=lambda _: found) == program


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`pipeline status` lists them.", "`./p status` lists them."),
        ("Fetch it with: pipeline voices get x.", "Fetch it with: ./p voices get x."),
        ("pipeline: a fault in the pipeline itself", "pipeline: a fault in the pipeline itself"),
        ("see `pipeline.toml` and .venv/bin/pipeline", "see `pipeline.toml` and .venv/bin/pipeline"),
    ],
)
def test_only_commands_are_rewritten(text: str, shown: str) -> None:
    assert with_program(text, "./p") == shown
