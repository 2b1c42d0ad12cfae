"""The monitoring's files as data: dashboards, rules, what programs export, and what the expressions may ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.metrics.families import IMAGES, MANAGER, SPEECH, Family
from tests.compose.files import FOLDER, ROOT

MONITORING = FOLDER / "monitoring"
RULES = MONITORING / "prometheus" / "rules"
RULE_TESTS = Path(__file__).parent / "rules"
RUNBOOKS = ROOT / "docs" / "runbooks"
METRIC_DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = [*METRIC_DASHBOARDS, *sorted((MONITORING / "grafana" / "dashboards-logs").glob("*.json"))]

_OF_EVERY_TARGET = ("job", "instance")
# prometheus_client's ProcessCollector: https://prometheus.github.io/client_python/collector/
_PROCESS = ("cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "start_time_seconds", "open_fds",
            "max_fds")  # fmt: skip
# Of Prometheus itself, and of Alertmanager: https://prometheus.io/docs/alerting/latest/management_api/
_OTHERS = {
    "up": (),
    "ALERTS": ("alertname", "alertstate", "severity"),
    "alertmanager_notifications_failed_total": ("integration", "reason"),
}


def document(path: Path) -> Any:
    """A YAML or JSON file."""
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def rules(kind: str) -> list[dict[str, Any]]:
    """Every rule of a kind, `alert` or `record`, in the order of the files."""
    return [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in document(path)["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


def panels(path: Path) -> list[dict[str, Any]]:
    """Those of a dashboard that show something; rows only divide."""
    return [panel for panel in document(path)["panels"] if panel["type"] != "row"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and where it stands."""

    where: str
    expression: str


def queries() -> Iterator[Query]:
    """Every PromQL expression of the dashboards: panels, annotations, variables."""
    for path in METRIC_DASHBOARDS:
        dashboard = document(path)
        for panel in panels(path):
            for target in panel["targets"]:
                yield Query(f"{path.stem} {panel['id']}{target['refId']}: {panel['title']}", target["expr"])
        for one in dashboard["annotations"]["list"]:
            if "expr" in one:
                yield Query(f"{path.stem} annotation: {one['name']}", one["expr"])
        for one in dashboard["templating"]["list"]:
            if one["type"] == "query":
                inside = one["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
                yield Query(f"{path.stem} variable: {one['name']}", inside)


def exported() -> Mapping[str, tuple[str, ...]]:
    """Every metric that there is, as Prometheus stores it, with its labels: what our programs export by their own list,
    what comes with the client, what the watchers export, and what the rules record.
    """
    known: dict[str, tuple[str, ...]] = {}
    for family in (*MANAGER, *SPEECH, *IMAGES):
        for name, labels in _series(family):
            known[name] = (*labels, *_OF_EVERY_TARGET)
    for name in _PROCESS:
        known[f"process_{name}"] = _OF_EVERY_TARGET
    for name, labels in _OTHERS.items():
        known[name] = (*labels, *_OF_EVERY_TARGET)
    for rule in rules("record"):
        known[rule["record"]] = (rule["record"].split(":")[0],)
    return known


def _series(family: Family) -> Iterator[tuple[str, tuple[str, ...]]]:
    if family.kind == "histogram":
        yield f"{family.name}_bucket", (*family.labels, "le")
        yield f"{family.name}_sum", family.labels
        yield f"{family.name}_count", family.labels
    else:
        yield family.name, family.labels
