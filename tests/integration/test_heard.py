"""What comes out can be understood: a recogniser hears the words of the script, when the captions say so."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pysubs2
import pytest
from pocketsphinx import Decoder

from pipeline.cli import run_command_line
from tests.integration.test_command_line import ROOT

RATE = 16_000  # what pocketsphinx's English model was trained on


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dawn chorus, one of the shipped topics, made with the embedded voice."""
    project = tmp_path_factory.mktemp("heard")
    shutil.copytree(ROOT / "config", project / "config")
    (project / "input").mkdir()
    shutil.copy(ROOT / "input" / "the-dawn-chorus.md", project / "input")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WRITER", "embedded")
        environment.setenv("VOICE_ENGINE", "embedded")
        environment.setenv("VIDEO", "off")
        assert run_command_line(["run", "--project", str(project)]) == 0
    return next((project / "output").iterdir())


def sound_of(audio: bytes) -> bytes:
    with av.open(io.BytesIO(audio), "r") as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]).tobytes()


def aligned(decoder: Decoder, pcm: bytes, words: list[str]) -> dict[int, tuple[float, float]]:
    """Where a recogniser, told what is said, hears each word: its index → start and end in seconds."""
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(pcm, no_search=False, full_utt=True)
    decoder.end_utt()
    found = [(s.word, s.start_frame / 100, (s.end_frame + 1) / 100) for s in decoder.seg() if s.word[0] not in "<["]
    assert [re.sub(r"\(\d\)$", "", word) for word, _, _ in found] == words
    return {index: (start, end) for index, (_, start, end) in enumerate(found)}


@pytest.mark.engines
def test_a_recogniser_hears_the_script_and_agrees_with_the_captions(episode: Path) -> None:
    pcm = sound_of((episode / "audio.mp3").read_bytes())
    transcript = json.loads((episode / "transcript.json").read_text())
    decoder = Decoder(samprate=RATE, bestpath=False, lm=None)
    apart: list[float] = []
    judged = 0
    for segment in transcript["segments"]:
        spoken = [(re.sub(r"[^a-z']", "", word["body"].lower()), word) for word in segment["words"]]
        spoken = [(text, word) for text, word in spoken if text]
        if any(decoder.lookup_word(text) is None for text, _ in spoken):
            continue  # a word that the recogniser's dictionary does not have
        start, end = max(0.0, segment["startTime"] - 0.2), segment["endTime"] + 0.2
        heard = aligned(decoder, pcm[2 * int(start * RATE) : 2 * int(end * RATE)], [text for text, _ in spoken])
        judged += 1
        apart += [abs(heard[index][0] + start - word["startTime"]) for index, (_, word) in enumerate(spoken)]
    assert judged >= len(transcript["segments"]) / 2
    # The recogniser itself is right to some 20 ms; stops and breaths make it late now and then.
    assert float(np.median(apart)) < 0.05
    assert float(np.quantile(apart, 0.9)) < 0.12


@pytest.mark.engines
def test_a_recogniser_that_is_told_nothing_recognises_most_of_it(episode: Path) -> None:
    pcm = sound_of((episode / "audio.mp3").read_bytes())
    said = json.loads((episode / "transcript.json").read_text())
    wanted = {re.sub(r"[^a-z']", "", w["body"].lower()) for s in said["segments"] for w in s["words"]}
    decoder = Decoder(samprate=RATE)
    heard: set[str] = set()
    for segment in said["segments"]:
        decoder.start_utt()
        decoder.process_raw(
            pcm[2 * int(segment["startTime"] * RATE) : 2 * int(segment["endTime"] * RATE)],
            no_search=False,
            full_utt=True,
        )
        decoder.end_utt()
        found = decoder.hyp()
        heard |= set(found.hypstr.split()) if found is not None else set()
    # An old recogniser on synthetic speech: noise gives it none of these words, this gives it most.
    assert len(wanted & heard) / len(wanted) > 0.5


@pytest.mark.engines
def test_captions_hold_exactly_the_words_of_the_script(episode: Path) -> None:
    said = json.loads((episode / "transcript.json").read_text())
    words = " ".join(word["body"] for segment in said["segments"] for word in segment["words"]).split()
    for name in ("captions.vtt", "captions.srt"):
        captions = pysubs2.load(str(episode / name))
        assert " ".join(event.plaintext for event in captions).split() == words
    script = (episode / "script.md").read_text()
    assert all(word in script for word in words)
