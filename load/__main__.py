"""`make load`: the service and the speech service on loopback, a minute of callers, and what they met.

`python -m load [SECONDS [CALLERS]]` writes load-report/: report.json and report.md, and Locust's own page report.html.
Exit status 1 where a request failed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic

import requests

from load import report

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0


def main(seconds: int = 60, callers: int = 10) -> int:
    folder = ROOT / "load-report"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        project = Path(place)
        shutil.copytree(ROOT / "config", project / "config")
        (project / "input").mkdir()
        with _speech() as speech, _service(project, speech) as service:
            _say(f"{callers} callers for {seconds} s at {service} and {speech}")
            _locust(folder, seconds, callers, service, speech, project / "input")
        made = len(list((project / "output").glob("*/manifest.json")))
    found = report.rows((folder / "locust_stats.csv").read_text().splitlines())
    about = (
        f"{callers} callers for {seconds} s; Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}. {made} episodes were made meanwhile."
    )
    told = {"seconds": seconds, "callers": callers, "cores": os.cpu_count(), "episodes": made}
    (folder / "report.json").write_text(json.dumps({**told, "requests": [asdict(row) for row in found]}, indent=2))
    (folder / "report.md").write_text(report.page(found, about))
    _say((folder / "report.md").read_text())
    return int(not found or any(row.failures for row in found))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _locust(folder: Path, seconds: int, callers: int, service: str, speech: str, dropped: Path) -> None:
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--headless", "--only-summary",
        "--users", str(callers), "--spawn-rate", "5", "--run-time", f"{seconds}s", "--stop-timeout", "30",
        "--host", service, "--csv", str(folder / "locust"), "--html", str(folder / "report.html"),
        "--loglevel", "WARNING",
    ]  # fmt: skip
    environment = {**os.environ, "LOAD_INPUT": str(dropped), "LOAD_SPEECH": speech}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False, timeout=seconds + 120)


@contextmanager
def _speech() -> Iterator[str]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as voices:
        own = {"SPEECH_PORT": str(port), "SPEECH_VOICES_DIR": voices, "SPEECH_LOG_LEVEL": "error"}
        with _running([sys.executable, "-m", "pipeline.speech_server"], own, f"http://127.0.0.1:{port}") as address:
            yield address


@contextmanager
def _service(project: Path, speech: str) -> Iterator[str]:
    port = _free_port()
    own = {
        "WRITER": "embedded", "VOICE_ENGINE": "piper-server", "PIPER_BASE_URL": speech, "VIDEO": "off",
        "WATCH_SECONDS": "0.5", "LOG_LEVEL": "error",
    }  # fmt: skip
    command = [sys.executable, "-m", "pipeline", "serve", "--project", str(project), "--port", str(port)]
    with _running(command, own, f"http://127.0.0.1:{port}") as address:
        yield address


@contextmanager
def _running(command: Sequence[str], own: Mapping[str, str], address: str) -> Iterator[str]:
    """A server in a process of its own, once it is ready."""
    process = subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = monotonic() + START_SECONDS
        while not _is_ready(address):
            if process.poll() is not None or monotonic() > until:
                raise RuntimeError(f"it did not start: {' '.join(command)}")
            threading.Event().wait(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/ready", timeout=10).status_code == 200
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
