"""Every expression of the dashboards is asked of a real Prometheus, which scrapes a service that makes episodes."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from pipeline.build.recipe import Step
from pipeline.build.runner import Event, Kind
from pipeline.errors import EngineRefused
from pipeline.image_server.easel import Progress, Standing
from pipeline.image_server.metrics import Metrics as ImageMetrics
from pipeline.ports import Question
from pipeline.speech_server.metrics import Metrics as SpeechMetrics
from pipeline.stages.video import STRETCH
from pipeline.telemetry.work import WORK
from tests.compose import tools
from tests.compose.watching import MONITORING, RULES, Query, document, queries, rules
from tests.fakes.served import Served, project_of, served
from tests.fakes.writer import FakeWriter

# What Grafana puts in; longer than the test lasts.
VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$stage": ".*"}
NOTHING_THERE = ("annotation: Starts",)
"""Where no value is the right answer: nothing is started anew while it is watched."""
TOKEN = "shown to the manager"
# Prometheus takes a second to start, and asks once a second; the machine may be busy.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.2


class Watched:
    """A Prometheus with the project's own rules, asked over its own API."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer. Raises AssertionError for one that is not a success, with what it says."""
        told = self._session.get(f"{self.address}/api/v1/{path}", params=parameters, timeout=10).json()
        assert told["status"] == "success", told
        assert not told.get("warnings"), told
        return told["data"]

    def value(self, expression: str) -> list[Any]:
        return list(self.ask("query", query=expression)["result"])


def until(happened: Callable[[], bool], what: Callable[[], object]) -> None:
    """Look again and again; fails with `what` when it has not happened in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, f"it did not happen in time: {what()}"
        time.sleep(LOOK_SECONDS)


@contextmanager
def exposing(text: Callable[[], bytes]) -> Iterator[int]:
    """A port of this machine where /metrics is this text."""

    class Exposed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Exposed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def spoken(metrics: SpeechMetrics) -> bytes:
    """A speech server that has spoken once more, each time it is asked."""
    metrics.requests.labels("openai", "spoken").inc()
    metrics.audio.inc(10)
    metrics.busy.inc(2)
    metrics.characters.inc(150)
    metrics.first.observe(0.1)
    metrics.seconds.observe(2)
    return metrics.text(inside=1, waiting=2, loaded=1, ready=True)


def drawn(metrics: ImageMetrics) -> bytes:
    """An image server that has drawn once more, each time it is asked."""
    metrics.requests.labels("drawn").inc()
    metrics.pictures.inc()
    metrics.seconds.observe(4)
    return metrics.text(Standing(ready=True, loaded=True, why="", facts=None), Progress(busy=True))


def free_port() -> int:
    """Prometheus cannot say which one it was given."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def configuration(folder: Path, own: int, manager: str, piper: int, images: int) -> Path:
    """The project's own, with addresses of this machine, and a second for a quarter of a minute."""
    told = document(MONITORING / "prometheus" / "prometheus.yml")
    told["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
    told["rule_files"] = [str(path) for path in RULES.glob("*.yml")]
    del told["alerting"]
    (folder / "token").write_text(TOKEN)
    targets = {"manager": manager, "piper": f"127.0.0.1:{piper}", "prometheus": f"127.0.0.1:{own}"}
    kept = []
    for job in told["scrape_configs"]:
        if job["job_name"] in targets:
            job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
            if "authorization" in job:
                job["authorization"] = {"credentials_file": str(folder / "token")}
            kept.append(job)
        elif "file_sd_configs" in job:
            (optional,) = document(MONITORING / "targets" / "images" / "images.yml")
            (folder / "images.yml").write_text(yaml.safe_dump([{**optional, "targets": [f"127.0.0.1:{images}"]}]))
            job["file_sd_configs"] = [{"files": [str(folder / "*.yml")]}]
            kept.append(job)
    told["scrape_configs"] = kept
    path = folder / "configuration.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


@contextmanager
def prometheus(folder: Path, manager: str, piper: int, images: int) -> Iterator[Watched]:
    program = tools.program("prometheus")
    port = free_port()
    config = configuration(folder, port, manager, piper, images)
    with (folder / "log").open("w+") as log:
        running = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        watched = Watched(f"http://127.0.0.1:{port}")

        def all_up() -> bool:
            assert running.poll() is None, (folder / "log").read_text()
            try:
                return len(watched.value("up == 1")) == 4
            except requests.RequestException:
                return False  # it does not listen yet

        try:
            until(all_up, lambda: (folder / "log").read_text())
            yield watched
        finally:
            running.terminate()
            running.wait(30)


def work(at: Served, folder: Path) -> None:
    """A bit of everything that there is to count: episodes made and failed, topics refused, film, calls, waiting."""
    metrics = at.service.house.metrics
    for number in range(3):
        (folder / "input" / f"read-{number}.md").write_text(
            f"---\ntitle: Read {number}\nmode: read\n---\nThis sentence is in each of them. Number {number} is not.\n"
        )
    (folder / "input" / "written.md").write_text("---\ntitle: Written\n---\n- Nobody writes this one.\n")
    (folder / "input" / "wrong.md").write_text("---\ntitle: [\n---\n")
    stretch = Step(STRETCH, place="film-stretch", inputs={}, make=dict, units=20.0)
    metrics.take(Event(Kind.STARTED, "film", stretch))
    metrics.take(Event(Kind.MADE, "film", stretch, seconds=8.0))
    for role, amount in (("writer", 300.0), ("voice", 20.0), ("illustrator", 1.0)):
        with WORK.call(role) as came:
            came(amount)
    metrics.certificate("writer", time.time() + 30 * 86400)


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    tools.program("prometheus")
    folder = tmp_path_factory.mktemp("watched")
    (folder / "backups").mkdir()
    (folder / "backups" / "pipeline-20260101T030000Z.tar").touch()

    def refuses(question: Question) -> str | EngineRefused:
        """All but the check."""
        return "Hello." if "hello" in question.prompt else EngineRefused("there is no such model")

    project = replace(project_of(folder, writer=FakeWriter(refuses)), backups=folder / "backups")
    speech, images = SpeechMetrics(), ImageMetrics()
    with ExitStack() as stack:
        at = stack.enter_context(served(project, token=TOKEN))
        piper = stack.enter_context(exposing(lambda: spoken(speech)))
        drawer = stack.enter_context(exposing(lambda: drawn(images)))
        (folder / "prometheus").mkdir()
        manager = at.address.removeprefix("http://")
        watched = stack.enter_context(prometheus(folder / "prometheus", manager, piper, drawer))
        # From here on: a rate is between two values.
        work(at, folder)
        yield watched


def asked_by_grafana(query: Query) -> str:
    expression = query.expression
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def test_every_panel_has_something_to_show_when_the_service_works(at_work: Watched) -> None:
    """All of them in one: what has no value yet is asked again, till there is one or the time is up."""
    every = {query.where: asked_by_grafana(query) for query in queries()}
    assert len(every) > 80
    left = {where: expression for where, expression in every.items() if not where.endswith(NOTHING_THERE)}

    def nothing_left() -> bool:
        for where, expression in list(left.items()):
            if at_work.value(expression):
                del left[where]
        return not left

    until(nothing_left, lambda: json.dumps(left, indent=2))
    for where, expression in every.items():
        assert not where.endswith(NOTHING_THERE) or at_work.value(expression) == [], f"{where} has a value after all"


def test_every_rule_can_be_judged_and_every_record_is_recorded(at_work: Watched) -> None:
    def all_judged() -> bool:
        told = [rule for group in at_work.ask("rules")["groups"] for rule in group["rules"]]
        assert not [rule for rule in told if rule["health"] == "err"]
        return len(told) == len(rules("alert")) + len(rules("record")) and all(one["health"] == "ok" for one in told)

    until(all_judged, lambda: at_work.ask("rules"))
    left = {rule["record"] for rule in rules("record")}

    def nothing_left() -> bool:
        left.difference_update([name for name in left if at_work.value(name)])
        return not left

    until(nothing_left, lambda: left)


def test_what_is_wrong_is_an_alert_at_once_and_told_when_its_time_is_up(at_work: Watched) -> None:
    until(
        lambda: bool(at_work.value('ALERTS{alertname="TopicsRefused", alertstate="pending"}')), lambda: "TopicsRefused"
    )
    assert not at_work.value('ALERTS{alertstate="firing"}')
    (alert,) = (one for one in at_work.ask("alerts")["alerts"] if one["labels"]["alertname"] == "TopicsRefused")
    assert re.fullmatch(r"\d+ topics cannot be read", alert["annotations"]["summary"])
