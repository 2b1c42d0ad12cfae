"""Which voice speaks: what was asked for, or a clear refusal; never another language's voice."""

from __future__ import annotations

import pytest

from pipeline.domain.topic import Source, Topic
from pipeline.errors import InputError
from pipeline.ports import VoiceIdentity
from pipeline.stages.casting import Preferences, cast


def voice(name: str, language: str, speakers: tuple[str, ...] = ()) -> VoiceIdentity:
    return VoiceIdentity("piper", name, digest=name, language=language, speakers=speakers)


INSTALLED = {
    found.name: found
    for found in (
        voice("en_US-joe-medium", "en-US"),
        voice("en_GB-alba-medium", "en-GB"),
        voice("en_GB-aru-medium", "en-GB", ("03", "06")),
        voice("pt_BR-faber-medium", "pt-BR"),
    )
}
NONE = Preferences()


def topic(language: str = "en", wanted: str | None = None) -> Topic:
    return Topic("Moon", Source("input/moon.md", 1), language=language, voice=wanted)


@pytest.mark.parametrize(
    ("asked", "preferences", "expected"),
    [
        (topic("en", "en_GB-alba-medium"), Preferences("en_US-joe-medium"), "en_GB-alba-medium"),
        (topic("en", "en_GB-aru-medium#06"), NONE, "en_GB-aru-medium"),
        (topic("en"), Preferences("en_US-joe-medium"), "en_US-joe-medium"),
        (topic("en-GB"), Preferences("en_US-joe-medium"), "en_US-joe-medium"),
        (topic("en-GB"), NONE, "en_GB-alba-medium"),
        (topic("en-AU"), NONE, "en_GB-alba-medium"),
        (topic("pt-BR"), Preferences("en_US-joe-medium"), "pt_BR-faber-medium"),
        (topic("pt"), Preferences("en_US-joe-medium", by_language={"pt": "pt_BR-faber-medium"}), "pt_BR-faber-medium"),
        (topic("en"), Preferences("en_US-joe-medium", by_language={"en": "en_GB-alba-medium"}), "en_GB-alba-medium"),
        (topic("en"), Preferences("en_US-gone-medium"), "en_GB-alba-medium"),
    ],
)
def test_the_nearest_wish_wins(asked: Topic, preferences: Preferences, expected: str) -> None:
    assert cast(asked, INSTALLED, preferences).voice.name == expected


@pytest.mark.parametrize(
    ("asked", "preferences", "words"),
    [
        (topic("de"), NONE, ["no voice is installed for de", "pipeline voices get de_DE-thorsten-medium"]),
        (
            topic("pt-PT"),
            Preferences("en_US-joe-medium", by_language={"pt": "pt_PT-gone"}),
            ["VOICES: ", "pt_PT-gone", "the settings"],
        ),
        (topic("xx"), NONE, ["pipeline voices available xx", "en_GB-alba-medium"]),
        (topic("en", "en_US-jo-medium"), NONE, ["Did you mean en_US-joe-medium?", "voices get en_US-jo-medium"]),
        (topic("en"), Preferences("en_US-gone-medium", named=True), ["VOICE: ", "en_US-gone-medium", "the settings"]),
        (topic("en"), Preferences("en_US-joe-medium#9", named=True), ["VOICE: ", "no speaker '9'"]),
        (topic("pt-BR", "en_US-joe-medium"), NONE, ["speaks en-US, and the topic is in pt-BR"]),
        (topic("en", "en_GB-aru-medium#99"), NONE, ["no speaker '99'", "03, 06"]),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_way_out(
    asked: Topic, preferences: Preferences, words: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        cast(asked, INSTALLED, preferences)
    where = words[0] if words[0].startswith("VOICE") else "input/moon.md:1: "
    assert str(refused.value).startswith(where)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "preferences"),
    [(topic("en", "en_GB-aru-medium#06"), NONE), (topic("en"), Preferences("en_GB-aru-medium#06", named=True))],
)
def test_a_speaker_is_cast_with_the_voice(asked: Topic, preferences: Preferences) -> None:
    assert cast(asked, INSTALLED, preferences).speaker == "06"
