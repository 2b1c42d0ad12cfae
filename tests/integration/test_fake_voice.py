"""The fake voice keeps the contract that the real ones keep, so that tests may trust it."""

from __future__ import annotations

import pytest

from pipeline.errors import EngineUnavailable
from pipeline.ports import SpeechRequest, Voice
from tests.fakes.voice import FakeVoice, identity
from tests.integration.voice_contract import LONG, VoiceContract


class TestFakeVoice(VoiceContract):
    @pytest.fixture
    def voice(self) -> Voice:
        return FakeVoice()

    @pytest.fixture
    def voice_name(self) -> str:
        return identity().name

    def test_it_fails_on_the_calls_it_was_told_to_and_counts_them_all(self) -> None:
        voice = FakeVoice(failures={2: EngineUnavailable("down", where="fake")})
        request = SpeechRequest(LONG, identity().name)

        first = voice.speak(request)
        with pytest.raises(EngineUnavailable):
            voice.speak(request)

        assert voice.speak(request) == first
        assert len(voice.calls) == 3
