"""Which models the settings ask for, and what a name on the command line means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.models.needs import Asked, need_from, needs_of, speechless

ASKED = Asked(
    language="en",
    voice="en_US-joe-medium",
    voices={},
    writer="auto",
    ollama_model="gemma3:4b",
    pictures=False,
    checkpoint="stabilityai/sd-turbo",
    revision="b261bac6",
)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["en_US-joe-medium"]),
        ({"language": "pt-BR"}, ["en_US-joe-medium", "pt_BR-faber-medium"]),
        ({"language": "pt-BR", "voices": {"pt": "pt_PT-tugão-medium"}}, ["en_US-joe-medium", "pt_PT-tugão-medium"]),
        ({"language": "pt", "voice": ""}, ["pt_BR-faber-medium"]),
        ({"language": "fr"}, ["en_US-joe-medium"]),
        ({"voice": "en_US-libritts-high#p3922"}, ["en_US-libritts-high"]),
        ({"voices": {"en": "en_US-joe-medium"}}, ["en_US-joe-medium"]),
        ({"writer": "ollama"}, ["en_US-joe-medium", "gemma3:4b"]),
        ({"writer": "embedded"}, ["en_US-joe-medium"]),
        ({"pictures": True}, ["en_US-joe-medium", "stabilityai/sd-turbo"]),
    ],
)
def test_the_settings_ask_for_what_they_name_and_a_voice_for_their_language(
    changed: dict[str, object], expected: list[str]
) -> None:
    assert [need.name for need in needs_of(replace(ASKED, **changed))] == expected  # type: ignore[arg-type]


def test_each_need_says_which_setting_asks_and_a_checkpoint_at_which_revision() -> None:
    needs = needs_of(replace(ASKED, language="pt", writer="ollama", pictures=True))
    assert [(need.why, need.kind, need.revision) for need in needs] == [
        ("voice", "voice", ""),
        ("language", "voice", ""),
        ("ollama_model", "ollama", ""),
        ("sd_model", "checkpoint", "b261bac6"),
    ]


@pytest.mark.parametrize(
    ("language", "voices", "expected"),
    [("en", {}, ""), ("pt-PT", {}, ""), ("fr", {}, "fr"), ("fr", {"fr": "fr_FR-siwis-medium"}, "")],
)
def test_a_language_that_nothing_speaks_is_named(language: str, voices: dict[str, str], expected: str) -> None:
    assert speechless(replace(ASKED, language=language, voices=voices)) == expected


@pytest.mark.parametrize(
    ("text", "kind", "name", "revision"),
    [
        ("pt_BR-faber-medium", "voice", "pt_BR-faber-medium", ""),
        ("gemma3:4b", "ollama", "gemma3:4b", ""),
        ("hf.co/bartowski/x:Q4", "ollama", "hf.co/bartowski/x:Q4", ""),
        ("stabilityai/sd-turbo", "checkpoint", "stabilityai/sd-turbo", "b261bac6"),
        ("stabilityai/sd-turbo@v2", "checkpoint", "stabilityai/sd-turbo", "v2"),
        ("another/model", "checkpoint", "another/model", ""),
    ],
)
def test_a_name_says_what_kind_of_model_it_is(text: str, kind: str, name: str, revision: str) -> None:
    need = need_from(text, {}, ASKED)
    assert (need.kind, need.name, need.revision) == (kind, name, revision)


@pytest.mark.parametrize("text", ["", "../x", "/etc/passwd", ".hidden", "a/b/c", "a--b/c", "joe@v1", "joe\0", "a b"])
def test_what_no_model_can_be_called_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name|revision"):
        need_from(text, {}, ASKED)
