"""How doctor's findings are shown: to a person in columns, to a program in one shape."""

from __future__ import annotations

import json

import pytest

from pipeline.doctor.finding import Finding
from pipeline.report.answers import show_findings

FINDINGS = [
    Finding("version", "ok", "pipeline 1"),
    Finding("Ollama certificate", "note", "until tomorrow [b]", "Have it renewed."),
    Finding("writing", "bad", "Ollama: silent", "See its log."),
]


def test_a_person_reads_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(FINDINGS, as_json=False)
    assert capsys.readouterr().out == (
        "  ok  version             pipeline 1\n"
        "note  Ollama certificate  until tomorrow [b]\n"
        "                        → Have it renewed.\n"
        " bad  writing             Ollama: silent\n"
        "                        → See its log.\n"
        "1 to mend. 1 worth knowing.\n"
    )


def test_a_healthy_installation_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(FINDINGS[:1], as_json=False)
    assert capsys.readouterr().out.endswith("\nEverything can do its work.\n")
    show_findings(FINDINGS[:1], as_json=False, quick=True)
    assert capsys.readouterr().out.endswith("\nNothing to mend at a quick look.\n")


def test_on_a_terminal_a_long_sentence_goes_on_under_its_beginning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    show_findings([Finding("GPU", "ok", "word " * 20)], as_json=False)
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert len(first) <= 60
    assert second.startswith(" " * 11 + "word")


def test_a_program_reads_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(FINDINGS, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False
    assert [list(finding) for finding in told["findings"]] == [["check", "state", "found", "todo"]] * 3
    show_findings(FINDINGS[:2], as_json=True)
    assert json.loads(capsys.readouterr().out)["healthy"] is True
