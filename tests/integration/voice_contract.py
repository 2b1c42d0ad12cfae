"""What every `ports.Voice` keeps to: the fake that stands in for it, the one in process, and the ones behind HTTP.

A test module subclasses `VoiceContract` and gives it fixtures `voice` (a Voice) and `voice_name` (one it has).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.errors import EngineRefused, InputError
from pipeline.ports import SpeechRequest, Voice


def sentence(text: str) -> Sentence:
    """A sentence whose words are spoken as they are shown; a lone dash is seen and not heard."""
    return Sentence(tuple(Word(word, "" if word == "—" else word) for word in text.split()))


LONG = sentence("The moon turns once on its axis in the time it takes to go around the Earth, and so we see one face.")


class VoiceContract:
    def test_it_can_produce(self, voice: Voice) -> None:
        voice.check()

    def test_it_names_its_voices_as_they_name_themselves(self, voice: Voice, voice_name: str) -> None:
        installed = voice.installed()

        assert voice_name in installed
        assert all(name == known.name and known.digest and known.language for name, known in installed.items())

    def test_every_word_has_a_span_inside_the_sound_and_in_order(self, voice: Voice, voice_name: str) -> None:
        speech = voice.speak(SpeechRequest(LONG, voice_name))

        assert len(speech.spans) == len(LONG.words)
        assert all(span.seconds > 0 for span in speech.spans)
        assert all(one.end <= other.start for one, other in pairwise(speech.spans))
        assert speech.spans[-1].end <= speech.seconds

    def test_the_sound_is_whole_samples_at_the_rate_it_was_announced_with(self, voice: Voice, voice_name: str) -> None:
        speech = voice.speak(SpeechRequest(LONG, voice_name))

        assert speech.sample_rate == voice.installed()[voice_name].sample_rate
        assert len(speech.pcm) % 2 == 0
        assert speech.pcm.strip(b"\0")

    def test_more_words_take_longer(self, voice: Voice, voice_name: str) -> None:
        short = voice.speak(SpeechRequest(sentence("One."), voice_name))

        assert short.seconds < voice.speak(SpeechRequest(LONG, voice_name)).seconds

    def test_a_higher_rate_takes_less_time(self, voice: Voice, voice_name: str) -> None:
        plain, fast = (voice.speak(SpeechRequest(LONG, voice_name, rate=rate)) for rate in (1.0, 1.5))

        assert fast.seconds < plain.seconds * 0.8

    def test_what_is_seen_and_not_heard_takes_no_time(self, voice: Voice, voice_name: str) -> None:
        before, dash, after = voice.speak(SpeechRequest(sentence("Slowly — surely."), voice_name)).spans

        assert dash.seconds == 0
        assert before.end <= dash.start <= after.start

    def test_many_threads_get_what_each_asked_for(self, voice: Voice, voice_name: str) -> None:
        requests = [
            SpeechRequest(sentence(text), voice_name) for text in ("One.", "Two and three.", "Four of them all.")
        ]
        with ThreadPoolExecutor(6) as threads:
            spoken = list(threads.map(voice.speak, requests * 2))

        assert [len(speech.spans) for speech in spoken] == [1, 3, 4] * 2

    def test_a_voice_that_is_not_installed_is_refused(self, voice: Voice) -> None:
        with pytest.raises(EngineRefused):
            voice.speak(SpeechRequest(LONG, "xx_XX-nobody-medium"))

    @pytest.mark.parametrize("words", [(), (Word("—", ""),), (Word("…", ""), Word("•", ""))])
    def test_a_sentence_with_nothing_to_say_is_the_topics_fault(
        self, voice: Voice, voice_name: str, words: tuple[Word, ...]
    ) -> None:
        with pytest.raises(InputError):
            voice.speak(SpeechRequest(Sentence(words), voice_name))
