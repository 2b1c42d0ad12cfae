"""What watches the stack, read from its files: what it may do, what it asks, what it tells whom, and that nothing is
asked for that nobody exports.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.metrics.families import LABELS
from pipeline.telemetry.events import FIELDS
from tests.compose import tools
from tests.compose.files import FOLDER, ROOT, read, services
from tests.compose.promql import Asked, asked, grouped
from tests.compose.watching import (
    DASHBOARDS,
    METRIC_DASHBOARDS,
    MONITORING,
    RULE_TESTS,
    RUNBOOKS,
    document,
    exported,
    panels,
    queries,
    rules,
)

FILES = ("monitoring.yaml", "monitoring-logs.yaml", "monitoring-images.yaml")
WATCHERS = services(*FILES)
STACK = services("compose.yaml", "images.yaml")
NETWORKS = {name: about for file in FILES for name, about in read(file).get("networks", {}).items()}
START = MONITORING / "alertmanager" / "start.sh"


# -- what it may do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WATCHERS)
def test_every_watcher_has_the_least_it_needs(name: str) -> None:
    service = WATCHERS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "privileged" not in service
    assert re.match(r"[1-9]\d*:", service["user"]), "somebody, and not root"
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["stop_grace_period"]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert {"test", "interval", "timeout", "retries", "start_period", "start_interval"} == set(service["healthcheck"])
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:${"), "on this machine alone, and another one can be chosen"


@pytest.mark.parametrize("name", WATCHERS)
def test_every_image_has_a_version_and_can_be_another(name: str) -> None:
    assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+\}", WATCHERS[name]["image"])


def test_the_engines_socket_has_one_reader_behind_a_keyhole() -> None:
    with_it = {name for name, about in WATCHERS.items() if "docker.sock" in str(about.get("volumes", []))}
    assert with_it == {"docker-socket"}
    assert WATCHERS["docker-socket"]["networks"] == ["socket"]
    assert {name for name, about in WATCHERS.items() if "socket" in about["networks"]} == {"docker-socket", "alloy"}
    assert NETWORKS["socket"] == {"internal": True}
    assert "docker.sock" not in (FOLDER / "monitoring.yaml").read_text(), "MONITORING=metrics comes nowhere near it"
    assert "-allowfrom=alloy" in WATCHERS["docker-socket"]["command"]


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/v1.51/containers/json", True),
        (f"/v1.51/containers/{'0a' * 32}/json", True),
        (f"/v1.51/containers/{'0a' * 32}/logs", True),
        ("/v1.51/networks", True),
        ("/v1.51/info", False),
        ("/v1.51/secrets", False),
        ("/v1.51/images/json", False),
        (f"/v1.51/containers/{'0a' * 32}/export", False),
        (f"/v1.51/containers/{'0a' * 32}/archive", False),
        (f"/v1.51/containers/{'0a' * 32}/attach/ws", False),
        ("/v1.51/containers/../secrets", False),
    ],
)
def test_the_keyhole_lets_through_what_alloy_asks_and_nothing_else(path: str, passes: bool) -> None:
    allowed = [one for one in WATCHERS["docker-socket"]["command"] if one.startswith("-allow") and "=/" in one]
    assert {one.partition("=")[0] for one in allowed} == {"-allowGET", "-allowHEAD"}
    get = next(one.partition("=")[2] for one in allowed if one.startswith("-allowGET"))
    # The proxy puts ^ and $ around it by itself.
    assert bool(re.fullmatch(get, path)) is passes


def test_only_notifications_lead_out_and_only_where_they_are_wanted() -> None:
    assert not [name for name, about in WATCHERS.items() if "outside" in about["networks"]]
    assert NETWORKS["watch"] == {"internal": True}
    assert NETWORKS["shown"]["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    told = services(*FILES, "monitoring-notify.yaml")
    assert {name for name, about in told.items() if "outside" in about["networks"]} == {"alertmanager"}
    assert {name for name, about in WATCHERS.items() if "inside" in about["networks"]} == {"prometheus"}


def test_nothing_is_told_to_the_makers_of_these_programs() -> None:
    grafana = WATCHERS["grafana"]["environment"]
    off = (
        "ANALYTICS_REPORTING_ENABLED", "ANALYTICS_CHECK_FOR_UPDATES", "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "ANALYTICS_FEEDBACK_LINKS_ENABLED", "NEWS_NEWS_FEED_ENABLED", "SNAPSHOTS_EXTERNAL_ENABLED",
        "PLUGINS_PLUGIN_ADMIN_ENABLED", "PLUGINS_PREINSTALL_AUTO_UPDATE",
    )  # fmt: skip
    on = ("SECURITY_DISABLE_GRAVATAR", "PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED", "PLUGINS_PREINSTALL_DISABLED")
    assert {grafana[f"GF_{name}"] for name in off} == {"false"}
    assert {grafana[f"GF_{name}"] for name in on} == {"true"}
    assert document(MONITORING / "loki" / "loki.yaml")["analytics"] == {"reporting_enabled": False}
    assert "--disable-reporting" in WATCHERS["alloy"]["command"]


def test_who_only_looks_is_a_viewer_and_the_admins_password_is_a_file() -> None:
    grafana = WATCHERS["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in grafana
    for about in WATCHERS.values():
        for name, value in about.get("environment", {}).items():
            assert not re.search(r"PASSWORD|TOKEN|WEBHOOK", name) or str(value).startswith("/run/secrets/")


def test_what_is_recorded_is_bounded_by_time_and_size() -> None:
    kept = " ".join(WATCHERS["prometheus"]["command"])
    assert re.search(r"retention\.time=\$\{PROMETHEUS_RETENTION:-\d+d\}", kept)
    assert re.search(r"retention\.size=\$\{PROMETHEUS_RETENTION_SIZE:-\d+GB\}", kept)
    loki = document(MONITORING / "loki" / "loki.yaml")
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == "filesystem"
    assert re.fullmatch(r"\$\{LOKI_RETENTION:-\d+d\}", loki["limits_config"]["retention_period"])
    (schema,) = loki["schema_config"]["configs"]
    assert (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h")


@pytest.mark.parametrize("name", WATCHERS)
def test_everything_that_is_mounted_is_there_and_volumes_have_the_stacks_name(name: str) -> None:
    volumes = {key: about for file in FILES for key, about in read(file).get("volumes", {}).items()}
    for volume in WATCHERS[name].get("volumes", []):
        source = volume.rsplit(":", 2 if volume.endswith(":ro") else 1)[0]
        if source.startswith("."):
            assert (FOLDER / source).exists(), source
            assert volume.endswith(":ro")
        elif not source.startswith("${"):
            assert volumes[source] == {"name": "${STACK_NAME:-media-pipeline}-" + source}


# -- what it asks -------------------------------------------------------------------------------------------------


def test_every_target_is_a_service_on_the_port_where_it_answers() -> None:
    listens = {
        "manager": STACK["manager"]["environment"]["SERVICE_PORT"],
        "piper": STACK["piper"]["environment"]["SPEECH_PORT"],
        "images": STACK["images"]["environment"]["IMAGES_PORT"],
        "loki": str(document(MONITORING / "loki" / "loki.yaml")["server"]["http_listen_port"]),
        "alloy": next(one for one in WATCHERS["alloy"]["command"] if "listen-addr" in one).rpartition(":")[2],
        **{name: WATCHERS[name]["ports"][0].rpartition(":")[2] for name in ("alertmanager", "grafana", "prometheus")},
    }
    jobs = document(MONITORING / "prometheus" / "prometheus.yml")["scrape_configs"]
    named = {
        job["job_name"]: target for job in jobs for one in job.get("static_configs", []) for target in one["targets"]
    }
    for path in sorted((MONITORING / "targets").glob("*/*.yml")):
        named |= {one["labels"]["job"]: target for one in document(path) for target in one["targets"]}
    assert {name: target.rpartition(":")[2] for name, target in named.items()} == listens
    hosts = {name: target.rpartition(":")[0] for name, target in named.items()}
    assert hosts == {name: "127.0.0.1" if name == "prometheus" else name for name in listens}


def test_targets_that_may_be_missing_are_laid_in_by_the_file_that_adds_their_service() -> None:
    (optional,) = (
        job
        for job in document(MONITORING / "prometheus" / "prometheus.yml")["scrape_configs"]
        if "file_sd_configs" in job
    )
    mounted = [volume.split(":")[1] for volume in WATCHERS["prometheus"]["volumes"] if "targets" in volume]
    assert sorted(optional["file_sd_configs"][0]["files"]) == sorted(f"{folder}/*.yml" for folder in mounted)
    assert "targets" not in str(read("monitoring.yaml")["services"]["prometheus"]["volumes"])


def test_alloy_reads_fields_that_the_log_has_and_labels_by_few() -> None:
    text = (MONITORING / "alloy" / "config.alloy").read_text()
    assert text.count("{") == text.count("}")
    taken = re.search(r"expressions = \{(.*?)\}", text, re.DOTALL)
    beside = re.search(r"stage\.structured_metadata \{\s*values = \{(.*?)\}", text, re.DOTALL)
    labels = re.search(r"stage\.labels \{\s*values = \{(.*?)\}", text, re.DOTALL)
    assert taken is not None
    assert beside is not None
    assert labels is not None
    fields = set(re.findall(r"(\w+)\s*=", taken[1]))
    assert fields <= set(FIELDS)
    assert set(re.findall(r"(\w+)\s*=", labels[1])) == {"level"}
    assert set(re.findall(r"(\w+)\s*=", beside[1])) == fields - {"level", "time"}
    for kind, name in re.findall(r"\b((?:discovery|loki)\.\w+(?:\.\w+)?)\.(\w+)\.(?:targets|output|receiver)", text):
        assert f'{kind} "{name}" {{' in text, "what is referred to is there"


# -- the rules ----------------------------------------------------------------------------------------------------


def test_promtool_finds_nothing_wrong_with_the_configuration(tmp_path: Path) -> None:
    """It wants every file there that is named in it, the secret one too."""
    folder = tmp_path / "prometheus"
    shutil.copytree(MONITORING / "prometheus", folder)
    (tmp_path / "token").touch()
    config = folder / "prometheus.yml"
    text = config.read_text()
    assert "/run/secrets/service_token" in text
    config.write_text(text.replace("/run/secrets/service_token", str(tmp_path / "token")))
    done = tools.run("promtool", "check", "config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout


@pytest.mark.parametrize("path", sorted(RULE_TESTS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_alert_fires_at_its_time_and_not_before(path: Path) -> None:
    done = tools.run("promtool", "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_as_it_fires_and_as_it_does_not() -> None:
    fires, rests = set(), set()
    for path in sorted(RULE_TESTS.glob("*.yml")):
        for one in document(path)["tests"]:
            for moment in one["alert_rule_test"]:
                severities = {alert["exp_labels"]["severity"] for alert in moment["exp_alerts"]}
                fires |= {(moment["alertname"], severity) for severity in severities}
                if not moment["exp_alerts"]:
                    rests.add(moment["alertname"])
    there = {(rule["alert"], rule["labels"]["severity"]) for rule in rules("alert")}
    assert fires == there
    assert rests == {name for name, _ in there}


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_what_it_means_and_has_a_page_of_help(rule: Mapping[str, Any]) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["for"], "some slack, so that a moment is no alarm"
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    page = (ROOT / notes["runbook_url"]).read_text()
    assert page.startswith(f"# {rule['alert']}\n")
    for part in ("**Severity:**", "## How to see it", "## Cure", "## Harmless when"):
        assert part in page
    assert rule["labels"]["severity"] in page


def test_every_page_of_help_has_its_alert_and_stands_in_the_list() -> None:
    pages = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert pages == {Path(rule["annotations"]["runbook_url"]).name for rule in rules("alert")}
    listed = (RUNBOOKS / "README.md").read_text()
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", listed)) == pages


@pytest.mark.parametrize("rule", rules("record"), ids=lambda rule: rule["record"])
def test_every_recorded_name_has_level_metric_and_operation(rule: Mapping[str, Any]) -> None:
    level, _, rest = rule["record"].partition(":")
    assert re.fullmatch(r"[a-z_]+:[a-z0-9_]+", rest)
    assert level in grouped(rule["expr"])


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up", {"up"}),
        ('sum by (job, instance) (rate(a_total{x="b{c}"}[5m])) / (b > 0)', {"a_total", "b"}),
        ("time() - max(c_seconds) or vector(0)", {"c_seconds"}),
        ("histogram_quantile(0.95, sum by (le) (rate(d_bucket[$__rate_interval])))", {"d_bucket"}),
        ('absent(up{job="x"}) unless on (job) job:e:ratio_rate1h > bool 0.5', {"up", "job:e:ratio_rate1h"}),
        ("100 * f offset 1h and ignoring (x) g", {"f", "g"}),
    ],
)
def test_names_are_found_in_expressions(expression: str, names: set[str]) -> None:
    assert {one.name for one in asked(expression)} == names


def test_matchers_and_groups_are_found_in_expressions() -> None:
    (one,) = asked('sum by (a, b) (m{x="1", y=~"2|}"})')
    assert one == Asked("m", (("x", "=", "1"), ("y", "=~", "2|}")))
    assert grouped('sum by (a, b) (m) and on (c) n{d="by (e)"}') == {"a", "b", "c"}


ASKED = [(query.where, query.expression) for query in queries()] + [
    (rule.get("alert") or rule["record"], rule["expr"]) for rule in (*rules("record"), *rules("alert"))
]
EXPORTED = exported()
# Of each label that has a fixed set of values, all of them.
VALUES = {
    label: {str(value) for name, values in LABELS if name.split("`")[1] == label for value in values}
    for label in {name.split("`")[1] for name, _ in LABELS}
} | {
    "job": {"manager", "piper", "images", "prometheus", "alertmanager", "grafana", "loki", "alloy"},
    "alertstate": {"pending", "firing"},
    "status": {"200", "503"},
}


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_nothing_is_asked_for_that_nobody_exports(where: str, expression: str) -> None:
    del where
    labels: set[str] = set()
    found = list(asked(expression))
    assert found
    for one in found:
        assert one.name in EXPORTED, one.name
        labels |= set(EXPORTED[one.name])
        for label, operator, value in one.matchers:
            assert label in EXPORTED[one.name], f"{one.name} has no label {label}"
            if "$" in value:
                continue
            named = set(value.split("|")) if operator in {"=~", "!~"} else {value}
            values = VALUES[label]
            for pattern in named:
                assert any(re.fullmatch(pattern, value) for value in values), f"{label} is never {pattern}"
    assert grouped(expression) <= labels | {"stage", "job"}


# -- the dashboards -----------------------------------------------------------------------------------------------


def test_dashboards_have_names_and_addresses_of_their_own() -> None:
    assert {path.stem for path in METRIC_DASHBOARDS} == {"overview", "episodes", "engines"}
    for key in ("uid", "title"):
        assert len({document(path)[key] for path in DASHBOARDS}) == len(DASHBOARDS)
    for path in DASHBOARDS:
        dashboard = document(path)
        assert dashboard["id"] is None
        assert "__inputs" not in dashboard
        assert dashboard["tags"] == ["media-pipeline"], "the links at the top go by it"
        assert dashboard["description"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_two_panels_share_a_place_or_an_id(path: Path) -> None:
    every = document(path)["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows_in_which_unit_from_where(path: Path) -> None:
    sources = {
        one["uid"]: one["type"]
        for file in (MONITORING / "grafana" / "datasources").glob("*.yaml")
        for one in document(file)["datasources"]
    }
    assert sources == {"prometheus": "prometheus", "loki": "loki"}
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs
        assert len(set(refs)) == len(refs)
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert sources[source["uid"]] == source["type"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


def test_only_the_dashboard_of_logs_needs_logs() -> None:
    for path in METRIC_DASHBOARDS:
        assert "loki" not in path.read_text()
    for name in ("metrics", "logs"):
        (provider,) = document(MONITORING / "grafana" / "providers" / f"{name}.yaml")["providers"]
        assert provider["name"] == name
        assert any(provider["options"]["path"] in volume for volume in WATCHERS["grafana"]["volumes"])


def test_logs_are_chosen_by_the_labels_that_they_are_given() -> None:
    expressions = [
        target["expr"]
        for path in DASHBOARDS
        if path not in METRIC_DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
    ]
    assert expressions
    for expression in expressions:
        (selector,) = re.findall(r"\{(.*?)\}", expression)
        assert set(re.findall(r"(\w+)\s*=~", selector)) <= {"service", "level"}
        assert set(re.findall(r"\$(\w+)", expression)) <= {"service", "level", "word", "__auto"}


def test_the_first_page_is_a_dashboard_that_is_there() -> None:
    home = WATCHERS["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == "/var/lib/dashboards/metrics/overview.json"
    assert MONITORING / "grafana" / "dashboards" / "overview.json" in METRIC_DASHBOARDS


# -- who is told --------------------------------------------------------------------------------------------------

IN_A_FILE = "where it is"
WEBHOOK = "https://hooks.example.org/it's?a=1#b"
MAIL = {"ALERT_MAIL_TO": "ada@example.org", "ALERT_MAIL_SMARTHOST": "mail.example.org:587"}


def made(folder: Path, environ: Mapping[str, str], *, webhook: str = "", password: str = "") -> tuple[int, str, str]:
    """What the container would start Alertmanager with."""
    (folder / "alert_webhook_url").write_text(webhook)
    (folder / "alert_mail_password").write_text(password)
    done = subprocess.run(
        ["sh", str(START), "--print"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "SECRETS": str(folder), **environ},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("environ", "webhook", "password", "told"),
    [
        ({}, "", "", {}),
        ({}, WEBHOOK, "", {"webhook_configs": [{"url": WEBHOOK, "send_resolved": True}]}),
        (MAIL, "", "", {"email_configs": [{
            "to": "ada@example.org", "from": "ada@example.org", "smarthost": "mail.example.org:587",
            "require_tls": True, "send_resolved": True}]}),
        ({**MAIL, "ALERT_MAIL_FROM": "Watch: 'it' <w@example.org>", "ALERT_MAIL_USER": "w", "ALERT_MAIL_TLS": "false"},
         WEBHOOK, "secret: #1", {
            "webhook_configs": [{"url": WEBHOOK, "send_resolved": True}],
            "email_configs": [{
                "to": "ada@example.org", "from": "Watch: 'it' <w@example.org>", "smarthost": "mail.example.org:587",
                "require_tls": False, "send_resolved": True, "auth_username": "w",
                "auth_password_file": IN_A_FILE}]}),
    ],
    ids=["nobody", "webhook", "mail", "both"],
)  # fmt: skip
def test_who_is_told_is_what_was_set(
    tmp_path: Path, environ: Mapping[str, str], webhook: str, password: str, told: Mapping[str, Any]
) -> None:
    status, text, errors = made(tmp_path, environ, webhook=webhook, password=password)
    assert status == 0, errors
    (receiver,) = yaml.safe_load(text)["receivers"]
    expected = yaml.safe_load(yaml.safe_dump(dict(told)).replace(IN_A_FILE, str(tmp_path / "alert_mail_password")))
    assert receiver == {"name": "people", **(expected or {})}
    assert yaml.safe_load(text)["route"]["receiver"] == "people"
    assert not password or password not in text


@pytest.mark.parametrize("environ", [{}, MAIL, {**MAIL, "ALERT_MAIL_USER": "w"}], ids=["nobody", "mail", "with a name"])
def test_alertmanager_takes_what_is_made(tmp_path: Path, environ: Mapping[str, str]) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(made(tmp_path, environ, webhook=WEBHOOK if environ else "", password="x")[1])
    done = tools.run("amtool", "check-config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environ", "webhook", "says"),
    [
        ({}, "hooks.example.org", "ALERT_WEBHOOK_URL begins with http:// or https://"),
        ({"ALERT_MAIL_TO": "a@b.example"}, "", "ALERT_MAIL_TO needs ALERT_MAIL_SMARTHOST, as host:port"),
        ({**MAIL, "ALERT_MAIL_SMARTHOST": "mail.example.org"}, "", "as host:port"),
        ({**MAIL, "ALERT_MAIL_TLS": "yes"}, "", "ALERT_MAIL_TLS is true or false, not 'yes'"),
        ({**MAIL, "ALERT_MAIL_TO": "a@b.example\nto: c@d.example"}, "", "more than one line"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    tmp_path: Path, environ: Mapping[str, str], webhook: str, says: str
) -> None:
    status, _, errors = made(tmp_path, environ, webhook=webhook)
    assert status == 2
    assert says in errors


def test_what_follows_from_something_told_is_not_told_too(tmp_path: Path) -> None:
    names = {rule["alert"] for rule in rules("alert")}
    held = yaml.safe_load(made(tmp_path, {})[1])["inhibit_rules"]
    assert held
    for one in held:
        for matcher in (*one["source_matchers"], *one["target_matchers"]):
            label, value = re.split(r"\s*=~?\s*", matcher)
            if label == "alertname":
                assert set(value.strip('"').split("|")) <= names


# -- how it is started --------------------------------------------------------------------------------------------

ENGINE = """#!/bin/sh
case $1 in
    volume) exit 1 ;;
    compose) shift; printf '%s\\n' "$@" "gid=${DOCKER_SOCKET_GID:-}" "socket=${DOCKER_SOCKET:-}" ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an engine that says what it was called with."""
    folder = tmp_path / "a project"
    (folder / "src" / "pipeline").mkdir(parents=True)
    (folder / "src" / "pipeline" / "__init__.py").write_text('__version__ = "1"\n')
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "engine").write_text(ENGINE)
    (folder / "engine").chmod(0o755)
    return folder


def called(project: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/stack.sh", "compose", "config"], cwd=project, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "CONTAINER_ENGINE": str(project / "engine"), **environ},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({}, set()),
        ({"MONITORING": "false"}, set()),
        ({"MONITORING": "metrics"}, {"monitoring"}),
        ({"MONITORING": "true"}, {"monitoring", "monitoring-logs"}),
        ({"MONITORING": "True", "SD_ENABLED": "true"},
         {"images", "monitoring", "monitoring-images", "monitoring-logs"}),
        ({"MONITORING": "metrics", "ALERT_WEBHOOK_URL": WEBHOOK}, {"monitoring", "monitoring-notify"}),
        ({"MONITORING": "metrics", "ALERT_MAIL_TO": "a@b.example"}, {"monitoring", "monitoring-notify"}),
        ({"ALERT_WEBHOOK_URL": WEBHOOK}, set()),
    ],
)  # fmt: skip
def test_the_files_are_those_of_what_is_wanted(project: Path, environ: dict[str, str], files: set[str]) -> None:
    said = called(project, **environ)
    assert said.returncode == 0, said.stderr
    assert set(re.findall(r"^compose/(.+)\.yaml$", said.stdout, re.MULTILINE)) == files | {"compose"}
    assert (project / "secrets").exists() == any("monitoring" in file for file in files)


def test_a_word_that_means_nothing_is_told(project: Path) -> None:
    said = called(project, MONITORING="yess")
    assert said.returncode == 2
    assert said.stderr.strip().endswith("MONITORING is true, metrics (which is without logs) or false, not 'yess'")


def test_secrets_are_files_that_nobody_else_reaches(project: Path) -> None:
    (project / "password").write_text("for mail\n")
    (project / ".env").write_text(
        f"MONITORING=metrics\nALERT_WEBHOOK_URL={WEBHOOK}\nALERT_MAIL_PASSWORD_FILE=password\n"
    )
    assert called(project).returncode == 0
    secrets = project / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    kept = {path.name: path.read_text() for path in secrets.iterdir()}
    assert kept.pop("alert-webhook-url") == WEBHOOK
    assert kept.pop("alert-mail-password") == "for mail"
    assert kept.pop("service-token") == ""
    password = kept.pop("grafana-password")
    assert len(password) == 32
    assert not kept
    # The container's user is not the folder's owner: it is given one file of it.
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}

    before = (secrets / "grafana-password").stat().st_ino
    assert called(project).returncode == 0
    assert (secrets / "grafana-password").read_text() == password, "made once"
    assert (secrets / "grafana-password").stat().st_ino == before, "a container has it open"
    chosen = "chosen by hand"
    assert called(project, GRAFANA_PASSWORD=chosen).returncode == 0
    assert (secrets / "grafana-password").read_text() == chosen


def test_who_watches_can_read_its_files_whatever_the_umask(project: Path) -> None:
    rule = project / "compose" / "monitoring" / "prometheus" / "rules" / "alerts.yml"
    rule.parent.mkdir(parents=True)
    rule.touch(mode=0o600)
    for folder in rule.relative_to(project).parents:
        (project / folder).chmod(0o700)
    assert called(project, MONITORING="metrics").returncode == 0
    assert stat.S_IMODE(rule.stat().st_mode) == 0o644
    assert stat.S_IMODE(rule.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["ALERT_MAIL_PASSWORD", "ALERT_WEBHOOK_URL", "GRAFANA_PASSWORD"])
def test_a_secret_may_be_in_a_file_and_one_that_cannot_be_read_is_told(project: Path, name: str) -> None:
    (project / "file").write_text("https://secret.example\n")
    assert called(project, **{"MONITORING": "true", f"{name}_FILE": "file"}).returncode == 0
    kept = [path.name for path in (project / "secrets").iterdir() if path.read_text() == "https://secret.example"]
    assert [one.replace("-", "_").upper() for one in kept] == [name]
    said = called(project, **{"MONITORING": "true", f"{name}_FILE": "nowhere"})
    assert said.returncode == 2
    assert f"{name}_FILE: nowhere cannot be read" in said.stderr


@pytest.mark.parametrize(
    ("environ", "socket", "group"),
    [
        ({"DOCKER_SOCKET": "SOCKET"}, "SOCKET", "its own"),
        ({"DOCKER_HOST": "unix://SOCKET"}, "SOCKET", "its own"),
        ({"DOCKER_SOCKET": "SOCKET", "DOCKER_SOCKET_GID": "4321"}, "SOCKET", "4321"),
        ({"DOCKER_SOCKET": "/run/user/1000/docker.sock"}, "/run/user/1000/docker.sock", "0"),
        ({"DOCKER_HOST": "tcp://elsewhere:2376", "DOCKER_SOCKET_GID": "7"}, "/var/run/docker.sock", "7"),
    ],
    ids=["named", "the client's", "with its group", "rootless", "elsewhere"],
)
def test_the_engines_socket_is_found_with_its_group(
    project: Path, environ: dict[str, str], socket: str, group: str
) -> None:
    there = project / "engine.sock"
    there.touch()
    given = {name: value.replace("SOCKET", str(there)) for name, value in environ.items()}
    said = called(project, MONITORING="true", **given).stdout
    assert f"socket={socket.replace('SOCKET', str(there))}\n" in said
    expected = str(there.stat().st_gid) if group == "its own" else group
    assert f"gid={expected}\n" in said


UP = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLED"
case "$*" in
    volume*) exit 1 ;;
    inspect*) echo running healthy ;;
    *"config --services") printf '%s\\n' ollama manager door prometheus alertmanager grafana ;;
    *" port "*) echo 127.0.0.1:3000 ;;
    *" up "*" $MISSING") exit 1 ;;
esac
"""


@pytest.mark.parametrize("missing", ["grafana", "prometheus", "nobody"])
def test_a_watcher_that_cannot_start_keeps_nobody_from_work(project: Path, missing: str) -> None:
    (project / "engine").write_text(UP)
    calls = project / "calls"
    done = subprocess.run(
        ["scripts/stack.sh", "up"], cwd=project, capture_output=True, text=True, check=False,
        env={
            "PATH": os.environ["PATH"], "CONTAINER_ENGINE": str(project / "engine"), "MONITORING": "metrics",
            "MISSING": missing, "CALLED": str(calls),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    started = [line.partition(" up ")[2] for line in calls.read_text().splitlines() if " up " in line]
    assert started == [
        "--detach --remove-orphans ollama manager",
        "--detach --no-deps door",
        *(f"--detach --no-deps {name}" for name in ("prometheus", "alertmanager", "grafana")),
    ]
    assert ("not there to watch: " + missing in done.stderr) == (missing != "nobody")
    assert ("Grafana is at http://127.0.0.1:3000" in done.stderr) == (missing != "grafana")
