"""How long a word takes a voice: measured on a passage, once for each voice, before a script is asked for by time."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipeline.build.recipe import Flow, Parts, Rule, Step
from pipeline.ports import SpeechRequest, Voice, VoiceIdentity
from pipeline.text import sentences, spoken
from pipeline.text.pronunciations import Pronunciations

RULE = Rule("pace", version=1, resource="speech")

# Plain narration as the prompts ask for it: 4.4 letters a word in English, 4.7 in Portuguese, and no figure or name
# whose reading takes longer than it looks.
_PASSAGES: Mapping[str, str] = {
    "en": (
        "Early in the morning the harbour is still quiet. A few boats lie beside the old stone wall, and the water "
        "under them hardly moves. When the sun comes over the hills, the colour of the sea changes from grey to a "
        "bright and friendly green. Then the first people arrive, open the doors of their small shops, and talk about "
        "the weather."
    ),
    "pt": (
        "De manhã cedo o porto ainda está calmo. Alguns barcos descansam junto ao velho muro de pedra, e a água por "
        "baixo deles quase não se mexe. Quando o sol aparece sobre os montes, a cor do mar passa de cinzento a um "
        "verde claro e alegre. Depois chegam as primeiras pessoas, abrem as portas das suas pequenas lojas e falam do "
        "tempo."
    ),
}
# To a hundredth of a second, some 2.5 %: the same voice gives the same number on every machine.
_DIGITS = 2


def seconds_a_word(
    language: str, voice: Voice, identity: VoiceIdentity, *, speaker: str, rate: float
) -> Flow[float | None]:
    """Seconds of speech a word takes, pauses between sentences left out; None for a language without a passage."""
    primary = language.split("-", 1)[0]
    passage = _PASSAGES.get(primary)
    if passage is None:
        return None
    said = [spoken.sentence(shown, language, Pronunciations()) for shown in sentences.split(passage, language)]
    name = f"{identity.name}#{speaker}" if speaker else identity.name

    def make() -> Parts:
        seconds = 0.0
        for sentence in said:
            spans = voice.speak(SpeechRequest(sentence, name, rate)).spans
            seconds += spans[-1].end - spans[0].start
        return {"pace.json": json.dumps(round(seconds / len(passage.split()), _DIGITS)).encode()}

    (artifact,) = yield [
        Step(
            RULE,
            place="pace",
            inputs={
                "text": [[word.spoken for word in sentence.words] for sentence in said],
                "voice": [identity.engine, identity.name, identity.digest, speaker],
                "speaking rate": rate,
            },
            make=make,
            label="pace of the voice",
            units=float(sum(len(word.spoken) for sentence in said for word in sentence.words)),
        )
    ]
    return float(json.loads(artifact.read("pace.json")))
