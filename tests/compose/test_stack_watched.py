"""The stack and who watches it, on a real engine: what is stopped is missed, told, and not told any more.

After `test_stack.py`: it leaves the stack down, and this one brings it up as `make up MONITORING=true` does.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import chromium
from tests.compose.conftest import Stack
from tests.compose.watching import RULES, document

pytestmark = [pytest.mark.stack, pytest.mark.slow]

# Where images cannot be fetched, these two can be made of Debian's packages.
HERE = ("prometheus", "alertmanager")
# What takes a minute for people takes seconds here; promtool has tried the real times.
FOR_SECONDS = 15
NOTE = "---\ntitle: Said when it is back\nmode: read\n---\nThis waits for a voice.\n"
DROPPED = "---\ntitle: Dropped into the folder\nmode: read\n---\nA file was put there.\n"
POSTED = {"title": "Posted to the API", "mode": "read", "notes": "A program asked for it."}
# The smallest voice speaks a sentence in a second; the machine may be busy.
PATIENCE_MILLISECONDS = 120_000


def until(happened: Callable[[], bool], what: Callable[[], object], *, seconds: float = 120) -> None:
    """Look again and again; fails with `what` when it has not happened by then."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen in time: {what()}"
        time.sleep(0.5)


class Ports:
    """What answers on this machine, by service."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._session = requests.Session()
        self._session.trust_env = False

    def address(self, service: str, port: int) -> str:
        return f"http://{self._stack.compose('port', service, str(port)).stdout.strip()}"

    def get(self, service: str, port: int, path: str) -> requests.Response:
        return self._session.get(self.address(service, port) + path, timeout=30)

    def post(self, service: str, port: int, path: str, body: object) -> requests.Response:
        return self._session.post(self.address(service, port) + path, json=body, timeout=30)

    def prometheus(self, path: str) -> Any:
        return self.get("prometheus", 9090, f"/api/v1/{path}").json()["data"]

    def state_of(self, alert: str, job: str) -> str:
        """`pending`, `firing`, or nothing."""
        found = [
            one["state"]
            for one in self.prometheus("alerts")["alerts"]
            if one["labels"]["alertname"] == alert and one["labels"].get("job") == job
        ]
        return found[0] if found else ""

    def told(self) -> set[str]:
        """The alerts that Alertmanager has."""
        return {one["labels"]["alertname"] for one in self.get("alertmanager", 9093, "/api/v2/alerts").json()}


def in_seconds(stack: Stack) -> None:
    """The copy's rules and configuration, with seconds for minutes."""
    folder = stack.folder / "compose" / "monitoring" / "prometheus"
    alerts = folder / "rules" / "alerts.yml"
    shortened, number = re.subn(
        r"(alert: ServiceDown\n(?:.*\n)*?\s+for:) 1m", rf"\1 {FOR_SECONDS}s", alerts.read_text()
    )
    assert number == 1
    alerts.write_text(shortened)
    config = folder / "prometheus.yml"
    text = config.read_text()
    for name, quick in (
        ("scrape_interval: 15s", "2s"),
        ("scrape_timeout: 10s", "2s"),
        ("evaluation_interval: 15s", "1s"),
    ):
        assert name in text
        text = text.replace(name, f"{name.partition(':')[0]}: {quick}")
    config.write_text(text)


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Iterator[Stack]:
    """Up, with `make up MONITORING=true`."""
    in_seconds(stack)
    free = dict.fromkeys(("GRAFANA_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"), "0")
    made = stack.under(MONITORING="true", **free)
    made.run("make", "up")
    yield made
    made.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


@pytest.fixture
def ports(watched: Stack) -> Ports:
    return Ports(watched)


@pytest.fixture
def page(ports: Ports) -> Iterator[Page]:
    """The pipeline's page, as Chromium shows it; at the end nothing must have been forbidden or broken on it."""
    program = chromium.installed()
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(chromium.NAMES)}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    wrong: list[str] = []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=sandbox) as browser:
        shown = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
        shown.set_default_timeout(PATIENCE_MILLISECONDS)
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("console", lambda told: wrong.append(told.text) if "Security Policy" in told.text else None)
        shown.goto(ports.address("door", 8080))
        yield shown
    assert wrong == []


def running(stack: Stack) -> dict[str, str]:
    """Service → its health, of what runs."""
    shown = [json.loads(line) for line in stack.compose("ps", "--format", "json").stdout.splitlines()]
    return {one["Service"]: one["Health"] for one in shown if one["State"] == "running"}


def test_the_stack_is_up_and_so_are_those_who_can_be_had(watched: Stack) -> None:
    until(lambda: all(running(watched).get(name) == "healthy" for name in HERE), lambda: running(watched))
    assert running(watched)["manager"] == "healthy"


@pytest.mark.parametrize("name", HERE)
def test_who_watches_has_the_least_it_needs(watched: Stack, name: str) -> None:
    container = watched.inspect(name)
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert {one["HostIp"] for port in host["PortBindings"].values() for one in port} == {"127.0.0.1"}
    assert container["Config"]["User"] == "65534:65534"
    assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]]


def test_every_service_is_asked_and_answers(watched: Stack, ports: Ports) -> None:
    expected = {"manager", "piper", *HERE}

    def up() -> set[str]:
        targets = ports.prometheus("targets")["activeTargets"]
        return {one["labels"]["job"] for one in targets if one["health"] == "up"}

    until(lambda: expected <= up(), lambda: json.dumps(ports.prometheus("targets")["activeTargets"], indent=1))
    groups = ports.prometheus("rules")["groups"]
    alerts = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting"}
    written = document(RULES / "alerts.yml")["groups"]
    assert alerts == {rule["alert"] for group in written for rule in group["rules"]}
    del watched


def test_a_file_a_call_and_a_form_become_three_episodes_on_the_page(watched: Stack, ports: Ports, page: Page) -> None:
    (watched.folder / "input" / "dropped-into-the-folder.md").write_text(DROPPED)
    posted = ports.post("door", 8080, "/api/v1/topics", POSTED)
    assert posted.status_code == 201, posted.text
    page.fill("#title", "Asked for on the page")
    page.fill("#notes", "Somebody filled in a form.")
    page.select_option("#mode", "read")
    page.click("text=Make the episode")
    expect(page.locator("#asked")).to_contain_text("Asked for on the page")
    for title in ("Dropped into the folder", "Posted to the API", "Asked for on the page"):
        expect(page.locator(".shelf h3", has_text=title)).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    for slug in ("dropped-into-the-folder", "posted-to-the-api", "asked-for-on-the-page"):
        answer = ports.get("door", 8080, f"/api/v1/episodes/{slug}")
        assert answer.status_code == 200, answer.text
        assert {"audio.mp3", "captions.vtt", "index.html"} <= {file["name"] for file in answer.json()["files"]}
    assert watched.pipeline("verify").returncode == 0


def test_a_service_that_is_stopped_is_missed_in_its_time_and_all_goes_on_when_it_is_back(
    watched: Stack, ports: Ports, page: Page
) -> None:
    assert ports.state_of("ServiceDown", "piper") == ""
    watched.compose("stop", "piper")
    (watched.folder / "input" / "said-when-it-is-back.md").write_text(NOTE)

    until(lambda: ports.state_of("ServiceDown", "piper") == "pending", lambda: ports.prometheus("alerts"), seconds=30)
    until(lambda: ports.state_of("ServiceDown", "piper") == "firing", lambda: ports.prometheus("alerts"), seconds=60)
    until(lambda: "ServiceDown" in ports.told(), ports.told, seconds=60)

    def waits() -> list[str]:
        return [one["service"] for one in ports.get("door", 8080, "/api/v1/maker").json()["waits"]]

    until(lambda: "voice" in waits(), lambda: ports.get("door", 8080, "/api/v1/maker").text)
    until(lambda: ports.get("door", 8080, "/ready").status_code == 503, lambda: ports.get("door", 8080, "/ready").text)
    expect(page.locator(".down")).to_contain_text("Voice is not to be had", timeout=PATIENCE_MILLISECONDS)
    expect(page.locator(".row.stuck .wait")).to_have_text("waits for: Voice")

    watched.compose("start", "piper")
    until(lambda: ports.state_of("ServiceDown", "piper") == "", lambda: ports.prometheus("alerts"))
    episode = watched.folder / "output" / "said-when-it-is-back" / "manifest.json"
    until(episode.exists, lambda: ports.get("door", 8080, "/api/v1/maker").text, seconds=300)
    until(lambda: ports.get("door", 8080, "/ready").status_code == 200, lambda: ports.get("door", 8080, "/ready").text)
    expect(page.locator(".shelf h3", has_text="Said when it is back")).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    expect(page.locator(".down")).to_have_count(0)
