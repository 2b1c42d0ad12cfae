"""The real synthesizer in this process: the same bytes every time, and words where they are heard."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.piper import Piper
from pipeline.engines.piper.folders import file_digest
from pipeline.errors import EngineRefused, InputError, Interrupted
from pipeline.ports import Speech, SpeechRequest, Voice
from tests.fakes.voices_on_disk import BUNDLED, PORTUGUESE, bundled_config, bundled_model, make_voice, write_config
from tests.integration.voice_contract import LONG, VoiceContract, sentence

pytestmark = pytest.mark.engines

# Hashing the bundled voice again for each test would cost more than the test.
DIGESTS: dict[Path, str] = {}


def remembered_digest(path: Path) -> str:
    real = path.resolve()
    if real != bundled_model().resolve():
        return file_digest(real)
    if real not in DIGESTS:
        DIGESTS[real] = file_digest(real)
    return DIGESTS[real]


def piper(*folders: Path, stop: threading.Event | None = None, in_parts: bool = False) -> Piper:
    return Piper(folders, threads=2, stop=stop or threading.Event(), digest=remembered_digest, in_parts=in_parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    make_voice(folder)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Piper:
    """One for the module: a voice takes two seconds to load."""
    return piper(folder)


class TestContract(VoiceContract):
    @pytest.fixture
    def voice(self, engine: Piper) -> Voice:
        return engine

    @pytest.fixture
    def voice_name(self) -> str:
        return BUNDLED


# -- the same bytes --------------------------------------------------------------------------------------------


def fingerprint(speech: Speech) -> str:
    return hashlib.sha256(speech.pcm + repr(speech.spans).encode()).hexdigest()


def test_sixteen_threads_at_once_get_the_same_bytes_for_the_same_request(engine: Piper) -> None:
    requests = [SpeechRequest(sentence(text), BUNDLED) for text in ("The tide is coming in.", "Why does it?")] * 8
    start = threading.Barrier(len(requests))

    def speak(request: SpeechRequest) -> str:
        start.wait()
        return fingerprint(engine.speak(request))

    with ThreadPoolExecutor(len(requests)) as threads:
        spoken = list(threads.map(speak, requests))

    assert len(set(spoken[::2])) == len(set(spoken[1::2])) == 1
    assert spoken[0] != spoken[1]


def test_another_process_gets_the_same_bytes(engine: Piper) -> None:
    request = SpeechRequest(sentence("The same on every run."), BUNDLED, rate=1.1, seed=7)
    code = (
        "import sys, threading\n"
        "from tests.integration.test_piper_in_process import fingerprint, piper\n"
        "from tests.integration.voice_contract import sentence\n"
        "from pipeline.ports import SpeechRequest\n"
        f"request = SpeechRequest(sentence({request.sentence.spoken!r}), {BUNDLED!r}, rate=1.1, seed=7)\n"
        "engine = piper()\n"
        "engine.check()\n"  # whatever was said before changes nothing
        "print(fingerprint(engine.speak(request)))\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src:.", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == fingerprint(engine.speak(request))


def test_another_seed_is_another_reading_of_the_same_sentence(engine: Piper) -> None:
    one, other = (engine.speak(SpeechRequest(LONG, BUNDLED, seed=seed)) for seed in (0, 1))

    assert one.pcm != other.pcm
    assert one.seconds == pytest.approx(other.seconds, rel=0.15)


# -- in parts --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_parts() -> Piper:
    return piper(in_parts=True)


@pytest.mark.parametrize("early", [True, False])
def test_the_sound_made_in_parts_is_that_of_one_run(engine: Piper, in_parts: Piper, early: bool) -> None:
    pieces: list[bytes] = []
    request = SpeechRequest(LONG, BUNDLED)
    whole = engine.speak(request)

    made, _ = in_parts.speak_in_full(request, heard=pieces.append if early else None)

    steps = np.abs(np.frombuffer(made.pcm, "<i2").astype(int) - np.frombuffer(whole.pcm, "<i2"))
    assert (made.spans, made.exact) == (whole.spans, True)
    assert steps.max() <= 1
    assert steps.mean() < 0.005
    assert not early or (len(pieces) > 2 and b"".join(pieces) == made.pcm)


def test_what_nobody_wants_any_more_is_not_made_to_its_end(in_parts: Piper) -> None:
    pieces: list[bytes] = []

    with pytest.raises(Interrupted):
        in_parts.speak_in_full(SpeechRequest(LONG, BUNDLED), heard=pieces.append, wanted=lambda: not pieces)

    assert len(pieces) == 1


# -- words where they are heard --------------------------------------------------------------------------------


def level(speech: Speech, start: float, end: float) -> float:
    """Decibels below full scale."""
    samples = np.frombuffer(speech.pcm, "<i2")[round(start * speech.sample_rate) : round(end * speech.sample_rate)]
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / 32768 + 1e-6))


def silences(speech: Speech, *, at_least: float = 0.12, below: float = -60.0) -> list[tuple[float, float]]:
    """The pauses inside the sound, found by its energy alone, in steps of 10 ms."""
    step = 0.01
    quiet = [level(speech, place * step, (place + 1) * step) < below for place in range(int(speech.seconds / step))]
    found: list[tuple[float, float]] = []
    start: int | None = None
    for place, silent in enumerate([*quiet, False]):
        if silent and start is None:
            start = place
        elif not silent and start is not None:
            if (place - start) * step >= at_least and start and place < len(quiet):
                found.append((start * step, place * step))
            start = None
    return found


def test_the_pauses_that_can_be_heard_lie_between_the_words_that_have_a_comma(engine: Piper) -> None:
    said = sentence("When the moon is full, the tides are high; when it is half, they are low, and so it goes.")
    speech = engine.speak(SpeechRequest(said, BUNDLED))

    assert speech.exact
    pauses = silences(speech)
    marked = [number for number, word in enumerate(said.words[:-1]) if word.shown[-1] in ",;"]
    assert len(pauses) >= 3
    for start, end in pauses:
        before = max((n for n, span in enumerate(speech.spans) if span.start < (start + end) / 2), default=0)
        assert before in marked
        # The end of a word dies away; its span may take some of that.
        assert speech.spans[before].end == pytest.approx(start, abs=0.08)
        assert speech.spans[before + 1].start == pytest.approx(end, abs=0.08)


def test_every_word_is_where_sound_is(engine: Piper) -> None:
    speech = engine.speak(SpeechRequest(LONG, BUNDLED))

    assert all(level(speech, span.start, span.end) > -45 for span in speech.spans)
    assert speech.seconds - speech.spans[-1].end < 0.4
    assert speech.spans[0].start < 0.2


def test_a_text_that_piper_cuts_in_two_keeps_its_words_in_order(engine: Piper) -> None:
    two = engine.speak(SpeechRequest(sentence("Stop! Who goes there?"), BUNDLED))

    assert two.exact
    assert len(two.spans) == 4
    assert two.spans[1].start - two.spans[0].end > 0.1


def test_words_given_in_phonemes_are_spoken_so_and_timed(engine: Piper) -> None:
    words = (Word("A", "A"), Word("GIF,", "[[dʒˈɪf]],"), Word("he", "he"), Word("said.", "said."))
    speech = engine.speak(SpeechRequest(Sentence(words), BUNDLED))

    assert speech.exact
    assert all(span.seconds > 0.05 for span in speech.spans)
    assert speech.spans[2].start - speech.spans[1].end > 0.08


# -- voices ----------------------------------------------------------------------------------------------------


def test_portuguese_is_read_by_a_portuguese_voice(engine: Piper) -> None:
    said = sentence("Não, a maré não é só da lua.")
    known = engine.installed()[PORTUGUESE]
    speech = engine.speak(SpeechRequest(said, PORTUGUESE))

    assert known.language == "pt-BR"
    assert speech.exact
    assert all(span.seconds > 0 for span in speech.spans)
    assert speech.pcm != engine.speak(SpeechRequest(said, BUNDLED)).pcm


def test_the_bundled_voice_says_who_it_is() -> None:
    known = piper().installed()[BUNDLED]

    assert (known.engine, known.language, known.sample_rate, known.licence) == ("piper", "en-US", 22050, "CC0")
    assert known.speakers == ()


def test_a_voice_has_another_digest_when_its_model_or_its_configuration_is_another(tmp_path: Path) -> None:
    make_voice(tmp_path, "pt_BR-one-medium")
    make_voice(tmp_path, "pt_BR-two-medium")
    make_voice(tmp_path, "en_US-three-medium", code="en_US", espeak="en-us")
    known = piper(tmp_path).installed()

    assert known["pt_BR-one-medium"].digest == known["pt_BR-two-medium"].digest
    assert known["pt_BR-one-medium"].digest != known["en_US-three-medium"].digest


def test_a_voice_that_is_added_or_removed_is_noticed(tmp_path: Path) -> None:
    engine = piper(tmp_path)
    before = set(engine.installed())
    model = make_voice(tmp_path)
    during = set(engine.installed())
    model.unlink()
    model.with_name(f"{model.name}.json").unlink()

    assert during - before == {PORTUGUESE}
    assert set(engine.installed()) == before


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("# Model card\n\n* License: CC BY 4.0\n", "CC BY 4.0"),
        ("Licence: [CC0](https://example.org/cc0)", "[CC0](https://example.org/cc0)"),
        ("Nothing about it", "see the voice's model card"),
        (None, "see the voice's model card"),
    ],
)
def test_a_licence_comes_from_the_model_card(tmp_path: Path, card: str | None, licence: str) -> None:
    make_voice(tmp_path)
    make_voice(tmp_path, "pt_BR-other-medium")
    if card is not None:
        (tmp_path / f"{PORTUGUESE}.MODEL_CARD").write_text(card, encoding="utf-8")

    known = piper(tmp_path).installed()

    assert known[PORTUGUESE].licence == licence
    assert known["pt_BR-other-medium"].licence == "see the voice's model card"


def cut_off(model: Path) -> None:
    whole = bundled_model().read_bytes()
    model.unlink()
    model.write_bytes(whole[: len(whole) // 2])


def web_page(model: Path) -> None:
    model.unlink()
    model.write_text("<!DOCTYPE html><html><body>Not found</body></html>", encoding="utf-8")


def emptied(model: Path) -> None:
    model.unlink()
    model.touch()


def without_config(model: Path) -> None:
    model.with_name(f"{model.name}.json").unlink()


def half_a_config(model: Path) -> None:
    config = model.with_name(f"{model.name}.json")
    config.write_text(config.read_text(encoding="utf-8")[:300], encoding="utf-8")


def foreign_config(model: Path) -> None:
    model.with_name(f"{model.name}.json").write_text(json.dumps({"audio": {"sample_rate": 22050}}), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(cut_off, "is cut off", id="a download that broke off"),
        pytest.param(web_page, "is not an ONNX model", id="an error page under the model's name"),
        pytest.param(emptied, "is empty", id="an empty file"),
        pytest.param(Path.unlink, "is missing", id="a configuration alone"),
        pytest.param(without_config, r"configuration .*\.onnx\.json is missing", id="a model alone"),
        pytest.param(half_a_config, "is not JSON", id="half a configuration"),
        pytest.param(foreign_config, "is not the configuration of a Piper voice", id="another program's JSON"),
    ],
)
def test_a_broken_voice_is_refused_by_name_and_the_others_speak(
    tmp_path: Path, engine: Piper, damage: Callable[[Path], None], reason: str
) -> None:
    damage(make_voice(tmp_path, "pt_BR-broken-medium"))
    found = piper(tmp_path)

    assert set(found.installed()) == {BUNDLED}
    assert set(found.broken()) == {"pt_BR-broken-medium"}
    with pytest.raises(EngineRefused, match=reason) as refused:
        found.speak(SpeechRequest(LONG, "pt_BR-broken-medium"))
    assert "pipeline voices get pt_BR-broken-medium" in refused.value.hint


def test_a_whole_file_that_is_no_network_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    model = make_voice(tmp_path)
    model.unlink()
    model.write_bytes(b"\x3a\x00\x42\x00")  # an empty graph and an empty operator set

    with pytest.raises(EngineRefused, match="cannot be loaded"):
        piper(tmp_path).speak(SpeechRequest(LONG, PORTUGUESE))


def test_a_voice_of_several_speakers_is_asked_for_one_by_name(tmp_path: Path) -> None:
    model = make_voice(tmp_path, "en_GB-many-medium", code="en_GB", espeak="en-gb")
    write_config(model, bundled_config() | {"num_speakers": 2, "speaker_id_map": {"tom": 1, "ann": 0}})
    found = piper(tmp_path)

    assert found.installed()["en_GB-many-medium"].speakers == ("ann", "tom")
    with pytest.raises(EngineRefused, match=r"no speaker 'tim'.*tom"):
        found.speak(SpeechRequest(LONG, "en_GB-many-medium#tim"))


# -- refusals --------------------------------------------------------------------------------------------------


def test_an_unknown_voice_is_refused_with_the_nearest_and_the_command(engine: Piper) -> None:
    with pytest.raises(EngineRefused, match=f"Did you mean {BUNDLED}") as refused:
        engine.speak(SpeechRequest(LONG, "en_US-jo-medium"))

    assert "pipeline voices get en_US-jo-medium" in str(refused.value)


def test_a_speaker_of_a_voice_that_has_but_one_is_refused(engine: Piper) -> None:
    with pytest.raises(EngineRefused, match="single speaker"):
        engine.speak(SpeechRequest(LONG, f"{BUNDLED}#ann"))


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.1, 9.0, float("nan")])
def test_a_pace_that_nobody_can_follow_is_refused(engine: Piper, rate: float) -> None:
    with pytest.raises(EngineRefused, match="pace"):
        engine.speak(SpeechRequest(LONG, BUNDLED, rate=rate))


@pytest.mark.parametrize("text", ["...", "?!", "— —", "→"])
def test_marks_alone_are_nothing_to_say(engine: Piper, text: str) -> None:
    with pytest.raises(InputError, match="nothing to say"):
        engine.speak(SpeechRequest(Sentence((Word(text, text),)), BUNDLED))


def test_a_stopped_run_speaks_nothing_more(engine: Piper, folder: Path) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Interrupted):
        piper(folder, stop=stop).speak(SpeechRequest(LONG, BUNDLED))


def test_loudness_is_the_voices_own_and_even_from_sentence_to_sentence(engine: Piper) -> None:
    texts = ("Pop! Pat put the pot on top.", "The moon is the only natural satellite.", "We all saw her leave.")
    levels = [
        level(speech, 0, speech.seconds)
        for speech in (engine.speak(SpeechRequest(sentence(text), BUNDLED)) for text in texts)
    ]

    assert max(levels) - min(levels) < 4
    assert -30 < min(levels) < max(levels) < -18
