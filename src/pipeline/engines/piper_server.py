"""How sentences are spoken by a Piper server over HTTP: ours, and upstream's own in both its shapes.

Ours takes a sentence word by word and answers with the time of each. Upstream's answers an unknown voice or speaker
with the default one and status 200, tells phoneme lengths only afterwards and only for the last text anybody sent, and
labels its sound as HTML (piper1-gpl 1.3 to 1.8, http_server.py). So the list of voices is read before a sentence is
sent, the sound is judged by its bytes, and word times are taken only where they are provably of the sentence that was
sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from threading import Event
from typing import Any

from pipeline.domain.sentence import Sentence, Word
from pipeline.domain.timeline import Span
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, InputError, Interrupted
from pipeline.media import speech_checks
from pipeline.net.border import Timeouts, complaint
from pipeline.net.session import Answer, Service
from pipeline.net.tls import Tls
from pipeline.ports import Speech, SpeechRequest, VoiceIdentity
from pipeline.text import alignment

_ENGINE = "piper-server"
# What only our own server says of each voice in /voices (speech_server/piper_routes.py).
_OURS = "media_pipeline"
_IS_IT_PIPER = "Is this Piper? See PIPER_BASE_URL, and what listens there."
# How long the list of voices is believed. Reading it costs the server a few milliseconds a voice; after every
# failure it is read again at once, because a server that was away may have come back with other voices.
_LIST_HOLDS_SECONDS = 5.0
# A sentence of a minute at 48,000 samples a second is 6 MB, a third more in base64.
_MOST_ANSWER_BYTES = 16 << 20
# Phoneme lengths count whole frames, of 256 samples in every Piper voice: they sum up to the sound exactly, or they
# belong to another one. Half a millisecond is for the decimals of JSON.
_SAME_LENGTH_SECONDS = 0.0005
# A phoneme of an hour is none.
_LONGEST_SOUND_SECONDS = 3600.0


class Contract(StrEnum):
    """Where a server takes its texts."""

    SYNTHESIZE = "POST /synthesize"
    """From 1.5."""
    ROOT = "POST /"
    """Up to 1.4: no /info, and so no times."""
    OURS = "POST /synthesize with words"
    """The speech server of this project: sound and the time of each word in one answer, for every voice."""

    @property
    def path(self) -> str:
        return self.value.split(" ")[1]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A voice as the server has it: who it is, and the settings it was trained with."""

    identity: VoiceIdentity
    speaker_ids: Mapping[str, int]
    inference: Mapping[str, float]

    def question(self, text: str, speaker: str, rate: float) -> dict[str, object]:
        """The request's body. Every setting is spelled out: the server's own flags would change the sound, and no
        key would know."""
        question: dict[str, object] = {"text": text, "voice": self.identity.name}
        if speaker:
            question |= {"speaker": speaker, "speaker_id": self.speaker_ids[speaker]}
        elif self.speaker_ids:
            question["speaker_id"] = min(self.speaker_ids.values())
        question["length_scale"] = self.inference.get("length_scale", 1.0) / rate
        for asked, known in (("noise_scale", "noise_scale"), ("noise_w_scale", "noise_w")):
            if known in self.inference:
                question[asked] = self.inference[known]
        return question


class PiperServer:
    """A Voice behind a Piper server. Thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        tls: Tls,
        stop: Event,
        connect_seconds: float = 5.0,
        read_seconds: float = 120.0,
        list_holds_seconds: float = _LIST_HOLDS_SECONDS,
    ) -> None:
        """Asks nothing yet. `read_seconds` is for one sentence: the server is silent while it speaks.

        Raises SettingsError for an address that is none.
        """
        self._service = Service(
            "Piper",
            url,
            tls=tls,
            timeouts=Timeouts(connect=connect_seconds, read=read_seconds, total=read_seconds + connect_seconds),
            hint="See that the Piper server runs and that PIPER_BASE_URL is its address.",
            max_answer_bytes=_MOST_ANSWER_BYTES,
        )
        self._stop = stop
        self._list_holds_seconds = list_holds_seconds
        self._lock = threading.Lock()
        self._listed: Mapping[str, _Listed] = {}
        self._listed_at = -float("inf")
        self._contract: Contract | None = None
        # One text at a time where the server is asked afterwards what the last one was.
        self._one_at_a_time = threading.Lock()
        self._without_times: set[str] = set()

    # -- the port ------------------------------------------------------------------------------------------------

    def installed(self) -> Mapping[str, VoiceIdentity]:
        return {name: listed.identity for name, listed in self._voices().items()}

    def check(self) -> None:
        voices = self._voices()
        if not voices:
            raise EngineRefused(
                "it has no voices", where=self._service.where, hint="Start it with a voice: -m en_US-lessac-medium."
            )
        self.speak(SpeechRequest(Sentence((Word("Hello.", "Hello."),)), next(iter(sorted(voices)))))

    def speak(self, request: SpeechRequest) -> Speech:
        sentence = request.sentence
        text = sentence.spoken.strip()
        if not any(character.isalnum() for character in text):
            # Upstream answers it with status 500, which would look like a server in trouble.
            raise InputError(f"there is nothing to say in “{sentence.shown}”", hint="Take it out, or put it in words.")
        self._stop_if_asked()
        with self._doubt_after_failure():
            listed, speaker = self._voice(request.voice)
            contract = self._known_contract()
            question = listed.question(text, speaker, request.rate)
            name = listed.identity.name
            if contract is Contract.OURS:
                return self._said_in_full(request, listed, speaker)
            if contract is Contract.SYNTHESIZE and name not in self._without_times:
                with self._one_at_a_time:
                    pcm, sample_rate = self._sound(contract, question)
                    sounds = self._last_sounds(text, len(pcm) / 2 / sample_rate)
                if sounds is None:
                    self._without_times.add(name)
            else:
                pcm, sample_rate = self._sound(contract, question)
                sounds = None
            speech_checks.check(
                pcm,
                sample_rate,
                sentence,
                where=f"{self._service.where}, voice {name}",
                rate=request.rate,
                expected_sample_rate=listed.identity.sample_rate,
            )
        self._stop_if_asked()
        seconds = len(pcm) / 2 / sample_rate
        return Speech(pcm, sample_rate, _spans(sentence, sounds, seconds), exact=bool(sounds))

    # -- which voices there are ----------------------------------------------------------------------------------

    def _voices(self) -> Mapping[str, _Listed]:
        with self._lock:
            if time.monotonic() - self._listed_at < self._list_holds_seconds:
                return self._listed
            contract = self._contract or self._find_contract()
            answer = self._service.ask("GET", "/voices")
            if answer.status == 404:
                raise EngineRefused("it has no list of voices (404)", where=self._service.where, hint=_IS_IT_PIPER)
            configs = _json(self._service.accept(answer))
            if not isinstance(configs, dict) or not all(isinstance(config, dict) for config in configs.values()):
                raise EngineRefused(
                    f"its list of voices is none: {complaint(answer.body)}",
                    where=self._service.where,
                    hint=_IS_IT_PIPER,
                )
            if configs and all(_OURS in config for config in configs.values()):
                contract = Contract.OURS
            elif contract is Contract.OURS:
                contract = Contract.SYNTHESIZE
            self._listed = {name: self._parsed(name, config, contract) for name, config in configs.items()}
            self._contract = contract
            self._listed_at = time.monotonic()
            return self._listed

    def _voice(self, wanted: str) -> tuple[_Listed, str]:
        """The voice and the speaker of `model` or `model#speaker`: the server would take another in silence."""
        model, _, speaker = wanted.partition("#")
        voices = self._voices()
        if model not in voices:
            near = get_close_matches(model, voices, n=1)
            raise EngineRefused(
                f"the voice {model!r} is not installed there",
                where=self._service.where,
                hint=f"{f'Did you mean {near[0]}? ' if near else ''}Installed: {', '.join(sorted(voices)) or 'none'}.",
            )
        listed = voices[model]
        if speaker and speaker not in listed.speaker_ids:
            near = get_close_matches(speaker, listed.speaker_ids, n=3)
            raise EngineRefused(
                f"the voice {model} has no speaker {speaker!r}",
                where=self._service.where,
                hint=f"The nearest: {', '.join(near)}." if near else f"It has {len(listed.speaker_ids) or 'one'}.",
            )
        return listed, speaker

    def _parsed(self, name: str, config: Mapping[str, Any], contract: Contract) -> _Listed:
        try:
            sample_rate = int(config["audio"]["sample_rate"])
            several = int(config.get("num_speakers") or 1) > 1
            speaker_ids = {str(k): int(v) for k, v in (config.get("speaker_id_map") or {}).items()} if several else {}
            inference = {str(k): float(v) for k, v in (config.get("inference") or {}).items()}
            own = config.get(_OURS) or {}
            digest, licence = str(own["digest"]) if own else _digest(config, contract), str(own.get("licence", ""))
            language = _language(config, name)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EngineNonsense(
                f"its list describes the voice {name} in a way that cannot be read ({error!r})",
                where=self._service.where,
                hint="Fetch the voice's .onnx.json anew.",
            ) from error
        identity = VoiceIdentity(
            engine=_ENGINE,
            name=name,
            digest=digest,
            licence=licence,
            details={"server": self._service.base_url, "contract": contract.value},
            language=language,
            sample_rate=sample_rate,
            speakers=tuple(sorted(speaker_ids, key=lambda speaker: speaker_ids[speaker])),
        )
        return _Listed(identity, speaker_ids, inference)

    # -- which server it is --------------------------------------------------------------------------------------

    def _known_contract(self) -> Contract:
        with self._lock:
            if self._contract is None:
                self._contract = self._find_contract()
            return self._contract

    def _find_contract(self) -> Contract:
        """Which of the two shapes the server has, without having it speak: a route that takes only POST answers GET
        with 405, and one that is not there with 404."""
        for contract in (Contract.SYNTHESIZE, Contract.ROOT):
            answer = self._service.ask("GET", contract.path)
            if answer.status == 405:
                return contract
            if answer.status not in (200, 404):
                self._service.accept(answer)
        raise EngineRefused(
            "it takes no texts: neither POST /synthesize (from 1.5) nor POST / (before) is there",
            where=self._service.where,
            hint=_IS_IT_PIPER,
        )

    @contextmanager
    def _doubt_after_failure(self) -> Iterator[None]:
        """After a failure nothing is believed that was known of the server: it may come back as another one."""
        try:
            yield
        except EngineError:
            with self._lock:
                self._listed_at = -float("inf")
                self._contract = None
                self._without_times.clear()
            raise

    # -- speaking ------------------------------------------------------------------------------------------------

    def _sound(self, contract: Contract, question: Mapping[str, object]) -> tuple[bytes, int]:
        answer = self._service.ask("POST", contract.path, body=question)
        if answer.status in (404, 405):
            raise EngineUnavailable(
                f"it no longer takes {contract.value}", where=self._service.where, hint="It is looked at anew."
            )
        return read_wav(self._service.accept(answer).body, where=self._service.where)

    def _last_sounds(self, text: str, seconds: float) -> tuple[alignment.Sound, ...] | None:
        """The phonemes of the last text and their lengths; None where the server tells none.

        Empty where they are not provably of this very sound: another client's text came between.
        """
        answer = self._service.ask("GET", "/info")
        if answer.status in (404, 405):
            return None
        info = _json(self._service.accept(answer))
        last = info.get("last") if isinstance(info, dict) else None
        match last:
            case {"text": str(said), "alignments": [*entries]} if said == text:
                sounds = _sounds(entries)
                if sounds is None:
                    return ()
                if not sounds:
                    return None
                same = abs(sum(sound.seconds for sound in sounds) - seconds) <= _SAME_LENGTH_SECONDS
                return sounds if same else ()
        return ()

    def _said_in_full(self, request: SpeechRequest, listed: _Listed, speaker: str) -> Speech:
        """From our own server. Raises EngineNonsense where its times are not of this very sentence and sound."""
        words = request.sentence.words
        question = {
            "text": "",
            "voice": listed.identity.name,
            "speaker": speaker or None,
            "words": [[word.shown, word.spoken] for word in words],
            "rate": request.rate,
            "seed": request.seed,
            "timings": True,
        }
        answer = self._service.ask("POST", Contract.OURS.path, body=question)
        told = _json(self._service.accept(answer))
        try:
            sound = base64.b64decode(told["audio"], validate=True)
            spans = tuple(Span(float(word["start"]), float(word["end"])) for word in told["words"])
            exact = bool(told["exact"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise EngineNonsense(
                f"its answer cannot be read ({error!r})",
                where=self._service.where,
                hint=_IS_IT_PIPER,
                answer=answer.body[:2000].decode("utf-8", "replace"),
            ) from error
        pcm, sample_rate = read_wav(sound, where=self._service.where)
        seconds = len(pcm) / 2 / sample_rate
        if len(spans) != len(words) or any(not 0 <= span.start <= span.end <= seconds + 0.001 for span in spans):
            raise EngineNonsense(
                "its word times are not those of the sentence",
                where=self._service.where,
                hint="See that the Piper server is of this release; one without word times will do, too.",
            )
        speech_checks.check(
            pcm,
            sample_rate,
            request.sentence,
            where=f"{self._service.where}, voice {listed.identity.name}",
            rate=request.rate,
            expected_sample_rate=listed.identity.sample_rate,
        )
        self._stop_if_asked()
        return Speech(pcm, sample_rate, spans, exact)

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Interrupted


def _spans(sentence: Sentence, sounds: tuple[alignment.Sound, ...] | None, seconds: float) -> tuple[Span, ...]:
    spoken = [word.spoken for word in sentence.words]
    if not sounds:
        return alignment.shared_by_letters(spoken, seconds)
    return alignment.word_spans([alignment.letters_as_phonemes(word) for word in spoken], sounds, seconds=seconds)


def _sounds(entries: Sequence[object]) -> tuple[alignment.Sound, ...] | None:
    """Phonemes with their lengths; None where one of them has a length that is none."""
    sounds = []
    for entry in entries:
        if not isinstance(entry, dict) or not {"phoneme", "seconds"} <= entry.keys():
            continue
        seconds = entry["seconds"]
        if not isinstance(seconds, int | float) or not 0 <= seconds < _LONGEST_SOUND_SECONDS:
            return None
        sounds.append(alignment.Sound(str(entry["phoneme"]), float(seconds)))
    return tuple(sounds)


def _language(config: Mapping[str, Any], name: str) -> str:
    """BCP 47 (`en-US`) from the voice's configuration, or from its name where an old one leaves it out."""
    told = config.get("language") or {}
    code = str(told.get("code") or name.partition("-")[0])
    primary, _, region = code.replace("-", "_").partition("_")
    return f"{primary.lower()}-{region.upper()}" if region else primary.lower()


def _digest(config: Mapping[str, Any], contract: Contract) -> str:
    """What stands for the voice in keys. No server tells a digest of the network itself, so this is one of all that
    is told: the configuration, and the kind of server. A network that is trained anew under the same name and
    configuration goes unnoticed; every published voice has its own."""
    told = json.dumps([contract.value, config], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _json(answer: Answer) -> Any:  # noqa: ANN401  # parsed by the caller
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def read_wav(data: bytes, *, where: str) -> tuple[bytes, int]:
    """The samples and the sample rate of 16-bit mono PCM. Raises EngineNonsense with the reason for all else.

    The lengths are taken at their word: a sound that was cut off has the length of the whole in its header.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise EngineNonsense(
            f"it answers with something that is no sound: {complaint(data) or 'nothing at all'}",
            where=where,
            hint=_IS_IT_PIPER,
            answer=data[:2000].decode("utf-8", "replace"),
        )
    chunks = _chunks(data)
    form, samples = chunks.get(b"fmt "), chunks.get(b"data")
    problem = ""
    if int.from_bytes(data[4:8], "little") != len(data) - 8 or samples is None or form is None or len(form) < 16:
        problem = f"its sound is cut off, or its length is wrong: {len(data):,} bytes came"
    elif not samples:
        problem = "its sound is a header with nothing after it"
    elif _numbers(form)[:2] != (1, 1) or not _numbers(form)[2] or _numbers(form)[3] != 16 or len(samples) % 2:
        problem = "its sound is not 16-bit mono PCM"
    if problem or form is None or samples is None:
        raise EngineNonsense(problem, where=where, hint="It is asked again; if it stays so, see the server's log.")
    return samples, _numbers(form)[2]


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks that are there in full."""
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        content = data[place + 8 : place + 8 + length]
        if len(content) == length:
            chunks[data[place : place + 4]] = content
        place += 8 + length + length % 2
    return chunks


def _numbers(form: bytes) -> tuple[int, int, int, int]:
    """Format (1 is PCM), channels, samples a second, bits a sample."""
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    return kind, channels, rate, bits
