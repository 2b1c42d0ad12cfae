"""A sentence becomes sound with the exact time of each word, on as many cores as there are.

One onnxruntime session a voice with one thread inside, shared by as many threads as there are cores: the fastest
arrangement measured (24 s of sound a second on two cores, where Piper's default, threads inside the session, makes
13 to 17).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.sentence import Sentence, Word
from pipeline.engines.piper import network
from pipeline.engines.piper.folders import VoiceFiles, VoiceFolders, file_digest, speaker_numbers
from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, InputError, Interrupted
from pipeline.media import speech_checks
from pipeline.ports import Speech, SpeechRequest, VoiceIdentity
from pipeline.text.alignment import Sound, shared_by_letters, word_spans

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnxruntime
    from piper import PiperVoice

# Outside these Piper's voices are no longer understood.
SLOWEST, FASTEST = 0.25, 4.0
# onnxruntime keeps the memory of the longest run there was: 0.43 GB with sentences of up to 15 s on two threads, and
# 1.1 GB after one of two minutes. Giving it back costs the next run a tenth of its time (fresh pages), so that it is
# done after unusually long ones alone: 400 phoneme ids are some 20 s of speech.
_GIVE_BACK_MEMORY = ("memory.enable_memory_arena_shrinkage", "cpu:0")
_LONG_CHUNK_IDS = 400
_CHECK_WORD = "Ready."


@dataclass(frozen=True)
class _Loaded:
    """A voice that is ready to speak."""

    files: VoiceFiles
    voice: PiperVoice
    network: network.Network
    give_back_memory: onnxruntime.RunOptions
    phonemes_alone: Callable[[str], tuple[str, ...]]
    """The phonemes of a word by itself, remembered: most words of a script come more than once."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """How one sentence is spoken, beside what the request says."""

    speaker: int | None
    noise: float | None
    noise_w: float | None
    heard: Callable[[bytes], None] | None
    wanted: Callable[[], bool] | None

    def go_on(self) -> None:
        if self.wanted is not None and not self.wanted():
            raise Interrupted


class Piper:
    """Fulfils `ports.Voice` with the voices in some folders and the bundled one."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        threads: int,
        stop: threading.Event,
        digest: Callable[[Path], str] = file_digest,
        ready: Path | None = None,
        in_parts: bool = False,
    ) -> None:
        """`threads` bounds how many sentences are spoken at once, and with them the memory; the callers bring the
        threads. `digest` gives a file's SHA-256 in hex and may remember it between runs; in the folder `ready`
        voices are kept as onnxruntime wants them, 67 MB for a medium one, and load in a fifth of the time.

        `in_parts` makes the sound in windows: early, in less memory, and now and then one step of 16 bits beside the
        sound of one run. Such voices are not kept in `ready`.
        """
        self._folders = VoiceFolders(folders, digest)
        self._look_lock = threading.Lock()
        self._kept_in = ready
        self._in_parts = in_parts
        self._at_once = threading.BoundedSemaphore(threads)
        self._stop = stop
        self._loaded: dict[str, _Loaded] = {}
        self._load_locks: dict[str, threading.Lock] = {}

    def installed(self) -> Mapping[str, VoiceIdentity]:
        """The voices that are whole, by name."""
        return {name: self._identity(files) for name, files in self._look()[0].items()}

    def broken(self) -> Mapping[str, str]:
        """The voices that cannot be used, by name, each with what is wrong with it."""
        return self._look()[1]

    def check(self) -> None:
        """Have one of the voices say a word; whichever is loaded already, else the first by name."""
        installed = self._look()[0]
        if not installed:
            raise EngineRefused(
                "no voice is installed",
                where="piper",
                hint="Fetch one with: pipeline voices get en_US-lessac-medium.",
            )
        ready = sorted(installed.keys() & self._loaded.keys()) or sorted(installed)
        self.speak(SpeechRequest(Sentence((Word(_CHECK_WORD, _CHECK_WORD),)), ready[0]))

    def speak(self, request: SpeechRequest) -> Speech:
        """Speak one sentence; `request.voice` is a voice's name, or `name#speaker` where it has several."""
        return self.speak_in_full(request)[0]

    def speak_in_full(
        self,
        request: SpeechRequest,
        *,
        noise: float | None = None,
        noise_w: float | None = None,
        heard: Callable[[bytes], None] | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> tuple[Speech, tuple[Sound, ...]]:
        """The same, with each phoneme and its length; none where the voice does not tell them. `noise` and `noise_w`
        are how much its sound and its rhythm vary; None is the voice's own. `heard` is given the sound piece by piece
        as it is made, which is before the whole of it is checked; the pieces together are the sound. `wanted` is asked
        between two pieces: once it says no, Interrupted is raised and no more is made."""
        self._go_on()
        if not speech_checks.letters(request.sentence.spoken):
            raise InputError(
                f"there is nothing to say in “{request.sentence.shown}”", hint="Write it in words, or take it out."
            )
        if not SLOWEST <= request.rate <= FASTEST:
            raise EngineRefused(
                f"cannot speak at {request.rate:g} times a voice's pace",
                where="piper",
                hint=f"Choose a rate from {SLOWEST:g} to {FASTEST:g}.",
            )
        name, _, speaker = request.voice.partition("#")
        files = self._files(name)
        number = _speaker_number(files, speaker)
        with self._at_once:
            self._go_on()
            return _spoken(self._ready(files), request, _Manner(number, noise, noise_w, heard, wanted))

    def configs(self) -> Mapping[str, Mapping[str, object]]:
        """Each whole voice's own configuration (its `.onnx.json`), by name."""
        return {name: files.config for name, files in self._look()[0].items()}

    def loaded(self) -> tuple[str, ...]:
        """The voices in memory, by name."""
        return tuple(sorted(self._loaded))

    def unload(self, name: str) -> None:
        """Give a voice's memory back; whoever speaks with it now goes on, and it is loaded again when asked for."""
        self._loaded.pop(name, None)

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _look(self) -> tuple[Mapping[str, VoiceFiles], Mapping[str, str]]:
        with self._look_lock:
            catalogue = self._folders.look()
        return catalogue.whole, catalogue.broken

    def _identity(self, files: VoiceFiles) -> VoiceIdentity:
        loaded = self._loaded.get(files.name)
        if loaded is None or loaded.network.repeatable:
            return files.identity
        return replace(files.identity, details={**files.identity.details, "repeatable": "false"})

    def _files(self, name: str) -> VoiceFiles:
        whole, broken = self._look()
        if name in whole:
            return whole[name]
        if name in broken:
            raise EngineRefused(
                f"the voice {name} cannot be used: {broken[name]}",
                where="piper",
                hint=f"Fetch it again with: pipeline voices get {name}.",
            )
        near = get_close_matches(name, whole, n=3)
        raise EngineRefused(
            f"the voice {name!r} is not installed",
            where="piper",
            hint=(f"Did you mean {' or '.join(near)}? " if near else "")
            + f"Fetch it with: pipeline voices get {name}. Installed: {', '.join(sorted(whole)) or 'none'}.",
        )

    def _ready(self, files: VoiceFiles) -> _Loaded:
        """The voice, loaded once however many threads ask for it, and again when its files changed."""
        with self._look_lock:
            lock = self._load_locks.setdefault(files.name, threading.Lock())
        with lock:
            loaded = self._loaded.get(files.name)
            if loaded is None or loaded.files.signature != files.signature or loaded.files.model != files.model:
                loaded = self._loaded[files.name] = _load(files, self._kept_in, in_parts=self._in_parts)
            return loaded


def _load(files: VoiceFiles, ready: Path | None, *, in_parts: bool) -> _Loaded:
    try:
        import onnxruntime
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
        from piper import PiperVoice
        from piper.config import PiperConfig

        from pipeline.engines.piper.phonemes import phonemes_of
    except ModuleNotFoundError as missing:
        raise _not_installed(missing) from missing

    give_back_memory = onnxruntime.RunOptions()
    give_back_memory.add_run_config_entry(*_GIVE_BACK_MEMORY)
    unusable = (
        DecodeError,
        OSError,
        KeyError,
        ValueError,
        onnxruntime_errors.Fail,
        onnxruntime_errors.InvalidGraph,
        onnxruntime_errors.InvalidProtobuf,
        onnxruntime_errors.InvalidArgument,
        onnxruntime_errors.NotImplemented,
        onnxruntime_errors.RuntimeException,
    )
    try:
        config = PiperConfig.from_dict(dict(files.config))
        opened = network.opened(files, _session_options, ready, in_parts=in_parts)
    except ModuleNotFoundError as missing:
        raise _not_installed(missing) from missing
    except unusable as problem:
        raise EngineRefused(
            f"the voice {files.name} cannot be loaded: {problem}",
            where=str(files.model),
            hint=f"Fetch it again with: pipeline voices get {files.name}.",
        ) from problem
    voice = PiperVoice(config=config, session=opened.session)

    @lru_cache(maxsize=20_000)
    def phonemes_alone(spoken: str) -> tuple[str, ...]:
        return tuple(symbol for chunk in phonemes_of(voice, spoken) for symbol in (*chunk, " "))

    return _Loaded(
        files,
        voice,
        opened,
        give_back_memory,
        phonemes_alone,
    )


def _session_options() -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # A pattern is kept for each length of input ever seen, and hardly two sentences have the same: without them
    # it takes a tenth less time and a fifth less memory.
    options.enable_mem_pattern = False
    # Planning which buffers may be reused is quadratic in the network's 2,800 nodes and makes three quarters of the
    # time it takes to load a voice (1.9 s against 0.5 s); the peak of memory is the same without (measured up to
    # 800 phonemes), because the arena gives freed blocks out again by itself.
    options.enable_mem_reuse = False
    options.log_severity_level = 3  # errors; warnings are about the voice's making
    return options


def _not_installed(missing: ModuleNotFoundError) -> EngineRefused:
    return EngineRefused(
        f"the package {missing.name} is not installed",
        where="piper",
        hint="Install the embedded engines: pip install 'media-pipeline[embedded]'.",
    )


def _speaker_number(files: VoiceFiles, speaker: str) -> int | None:
    """The number that the network knows a speaker by; None for the voice's own choice."""
    if not speaker:
        return None
    speakers = speaker_numbers(files.config)
    if speaker in speakers:
        return speakers[speaker]
    near = get_close_matches(speaker, speakers, n=3) or list(speakers)[:8]
    raise EngineRefused(
        f"the voice {files.name} has no speaker {speaker!r}",
        where="piper",
        hint=f"Its speakers: {', '.join(near)}." if near else f"It has a single speaker: ask for {files.name} alone.",
    )


def _spoken(loaded: _Loaded, request: SpeechRequest, manner: _Manner) -> tuple[Speech, tuple[Sound, ...]]:
    import numpy as np

    from pipeline.engines.piper.phonemes import phonemes_of, runs

    name, sentence = loaded.files.name, request.sentence
    rate = loaded.voice.config.sample_rate
    chunks = [run for chunk in phonemes_of(loaded.voice, sentence.spoken) for run in runs(chunk)]
    known = loaded.voice.config.phoneme_id_map
    if not any(symbol in known and symbol.strip() for chunk in chunks for symbol in chunk):
        raise InputError(
            f"the voice {name} has no sound for “{sentence.shown}”",
            hint="Write it in the voice's language, or take a voice of its own.",
        )
    waves: list[npt.NDArray[np.float32]] = []
    sounds: list[Sound] | None = []
    for number, chunk in enumerate(chunks):
        wave, lengths = _inferred(loaded, chunk, request, _noise_start(request, number), manner)
        timed = None if lengths is None else _timed(loaded.voice, chunk, lengths, len(wave), rate)
        sounds = None if timed is None or sounds is None else [*sounds, *timed]
        waves.append(wave)
    pcm = _pcm(np.concatenate(waves), where=f"piper {name}")
    speech_checks.check(pcm, rate, _measured(sentence, chunks), where=f"piper {name}", rate=request.rate)
    seconds = len(pcm) / 2 / rate
    if sounds is None:
        spans = shared_by_letters([word.spoken for word in sentence.words], seconds)
        return Speech(pcm, rate, spans, exact=False), ()
    alone = [loaded.phonemes_alone(word.spoken) if word.spoken else () for word in sentence.words]
    return Speech(pcm, rate, word_spans(alone, sounds, seconds=seconds), exact=True), tuple(sounds)


def _measured(sentence: Sentence, chunks: Sequence[Sequence[str]]) -> Sentence:
    """What the sound's length is judged by: the phonemes, where digits are left to espeak-ng (nine of them may be a
    dozen words)."""
    if not any(map(str.isdigit, sentence.spoken)):
        return sentence
    return Sentence((Word(sentence.shown, "".join(chain.from_iterable(chunks))),))


def _noise_start(request: SpeechRequest, chunk: int) -> int:
    """Where this call's noise begins: another place for another sentence, the same for the same request."""
    what = f"{request.seed}\0{request.voice}\0{request.sentence.spoken}\0{chunk}"
    return int.from_bytes(hashlib.blake2b(what.encode(), digest_size=4).digest(), "big")


def _inferred(
    loaded: _Loaded, chunk: list[str], request: SpeechRequest, noise_start: int, manner: _Manner
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64] | None]:
    """The wave, and how many samples each phoneme id lasts where the network tells it."""
    import numpy as np
    from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

    config, session = loaded.voice.config, loaded.network.session
    ids = loaded.voice.phonemes_to_ids(chunk)
    scales = [
        config.noise_scale if manner.noise is None else manner.noise,
        config.length_scale / request.rate,
        config.noise_w_scale if manner.noise_w is None else manner.noise_w,
    ]
    inputs = {
        "input": np.array([ids], dtype=np.int64),
        "input_lengths": np.array([len(ids)], dtype=np.int64),
        "scales": np.array(scales, dtype=np.float32),
    }
    if config.num_speakers > 1:
        speaker = config.default_speaker_id if manner.speaker is None else manner.speaker
        inputs["sid"] = np.array([speaker], dtype=np.int64)
    if loaded.network.takes_noise_start:
        inputs[network.NOISE_START] = np.array(noise_start, dtype=np.int64)
    where = f"piper {loaded.files.name}"
    waves: list[npt.NDArray[np.float32]] = []
    manner.go_on()
    try:
        outputs = session.run(None, inputs, loaded.give_back_memory if len(ids) > _LONG_CHUNK_IDS else None)
        for wave in _waves(loaded.network, outputs, early=manner.heard is not None):
            waves.append(wave)
            if manner.heard is not None:
                manner.heard(_pcm(wave, where=where))
            manner.go_on()
    except (onnxruntime_errors.Fail, onnxruntime_errors.RuntimeException, MemoryError) as problem:
        raise EngineUnavailable(
            f"the voice broke off ({problem})",
            where=where,
            hint="It may be short of memory: let fewer sentences be spoken at once.",
        ) from problem
    if not loaded.network.tells_lengths:
        return np.concatenate(waves), None
    return np.concatenate(waves), (outputs[1].reshape(-1) * config.hop_length).astype(np.int64)


def _waves(
    opened: network.Network, outputs: Sequence[npt.NDArray[np.float32]], *, early: bool
) -> Iterable[npt.NDArray[np.float32]]:
    if opened.windows is None:
        return (outputs[0].reshape(-1),)
    names = [output.name for output in opened.session.get_outputs()]
    return opened.windows.waves(dict(zip(names, outputs, strict=True)), early=early)


def _timed(
    voice: PiperVoice, chunk: Iterable[str], lengths: npt.NDArray[np.int64], samples: int, rate: int
) -> list[Sound] | None:
    """Each phoneme with its length and that of the padding after it, which is its ending; None where the lengths
    are not those of this chunk (a voice with its own way of making ids)."""
    from piper.const import BOS, EOS, PAD

    known = voice.config.phoneme_id_map
    padding = len(known[PAD])
    counts = [(" ", len(known[BOS]) + padding)]
    counts += [(symbol, len(known[symbol]) + padding if symbol in known else 0) for symbol in chunk]
    counts.append((" ", len(known[EOS])))
    if sum(count for _, count in counts) != len(lengths) or int(lengths.sum()) != samples:
        return None
    sounds: list[Sound] = []
    place = 0
    for symbol, count in counts:
        sounds.append(Sound(symbol, int(lengths[place : place + count].sum()) / rate))
        place += count
    return sounds


def _pcm(wave: npt.NDArray[np.float32], *, where: str) -> bytes:
    """16-bit samples at the voice's own level.

    Piper's default stretches each chunk to full scale by its one loudest sample, so that a sentence with a plosive
    comes out quieter than its neighbours. The network's own level is even from sentence to sentence and bounded
    (its last step is a tanh); loudness is for the mix, which measures the whole programme.
    """
    import numpy as np

    if not np.isfinite(wave).all():
        raise EngineNonsense("sound that is no number", where=where, hint="Fetch the voice again.")
    samples: npt.NDArray[np.int16] = np.rint(np.clip(wave, -1.0, 1.0) * 32767.0).astype("<i2")
    return samples.tobytes()
