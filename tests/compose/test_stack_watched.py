"""The stack and who watches it, on a real engine: what is stopped is missed, told, and not told any more.

After `test_stack.py`: it leaves the stack down, and this one brings it up as `make up MONITORING=true` does.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.compose.conftest import Stack
from tests.compose.watching import RULES, document

pytestmark = [pytest.mark.stack, pytest.mark.slow]

# Where images cannot be fetched, these two can be made of Debian's packages.
HERE = ("prometheus", "alertmanager")
# What takes a minute for people takes seconds here; promtool has tried the real times.
FOR_SECONDS = 15
NOTE = "---\ntitle: Said when it is back\nmode: read\n---\nThis waits for a voice.\n"


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

    def get(self, service: str, port: int, path: str) -> requests.Response:
        address = self._stack.compose("port", service, str(port)).stdout.strip()
        return self._session.get(f"http://{address}{path}", timeout=30)

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


def test_a_service_that_is_stopped_is_missed_in_its_time_and_all_goes_on_when_it_is_back(
    watched: Stack, ports: Ports
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

    watched.compose("start", "piper")
    until(lambda: ports.state_of("ServiceDown", "piper") == "", lambda: ports.prometheus("alerts"))
    episode = watched.folder / "output" / "said-when-it-is-back" / "manifest.json"
    until(episode.exists, lambda: ports.get("door", 8080, "/api/v1/maker").text, seconds=300)
    until(lambda: ports.get("door", 8080, "/ready").status_code == 200, lambda: ports.get("door", 8080, "/ready").text)
