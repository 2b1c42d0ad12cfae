"""The settings as people read them: a table of values, .env.example and the reference page, all from the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import SecretStr

from pipeline.files import make_folder, write_whole
from pipeline.settings.facts import Facts, all_facts
from pipeline.settings.loading import Loaded

ENV_EXAMPLE = ".env.example"
REFERENCE = "docs/reference/settings.md"
REGENERATE = "pipeline settings --write-docs"
MASK = "********"


@dataclass(frozen=True, slots=True)
class SettingRow:
    name: str
    value: str
    """As it is written; a secret is masked."""
    origin: str
    about: str


def table(loaded: Loaded) -> tuple[SettingRow, ...]:
    """Every setting, its value and where it comes from."""
    return tuple(
        SettingRow(name, _written(getattr(loaded.settings, name)), loaded.origins[name], facts.about)
        for name, facts in all_facts().items()
    )


def env_example() -> str:
    """The text of .env.example: every setting with its default, commented out."""
    lines = [
        "# Settings of this machine. Copy this file to .env and remove the # before what you change.",
        "# The environment goes before this file, this file before config/pipeline.toml.",
        f"# Made by: {REGENERATE}",
    ]
    for group, members in groupby(all_facts().values(), key=lambda facts: facts.group):
        lines += ["", f"# -- {group} " + "-" * (73 - len(group))]
        for facts in members:
            lines += ["", f"# {facts.about}{_bounds(facts)}", f"#{facts.env}={_written(facts.default)}"]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The text of docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        f"<!-- Made by: {REGENERATE} -->",
        "",
        "A setting is written in one of four places; a later one goes before an earlier one:",
        "",
        "1. its default, below",
        '2. `config/pipeline.toml`: `voice = "en_US-joe-medium"`, by its name',
        "3. `.env`: `VOICE=en_US-joe-medium`, by its name in the environment (`.env.example` lists them all)",
        "4. the environment: `VOICE=en_US-joe-medium pipeline run`; an empty variable counts as not set",
        "",
        "`pipeline settings` shows every value and where it comes from. Every fault is told at once, with its file",
        "and line, before anything starts. Folders are relative to the project's.",
        "",
        "A name that no setting has is a fault in `config/pipeline.toml` and in `.env` (but for what Docker Compose",
        "reads there: `COMPOSE_...` and `DOCKER_...`). The environment belongs to every program: there, only a name of",
        "eight letters or more that is nearly one of these (`OLLAMA_MDOEL`) is a fault; any other is passed over.",
    ]
    for group, members in groupby(all_facts().values(), key=lambda facts: facts.group):
        lines += ["", f"## {group}", "", "| setting | in the environment | default | what it does |"]
        lines += ["| --- | --- | --- | --- |"]
        for facts in members:
            default = f"`{_written(facts.default)}`" if _written(facts.default) else "none"
            lines.append(f"| `{facts.name}` | `{facts.env}` | {default} | {facts.about}{_bounds(facts)} |")
    return "\n".join(lines) + "\n"


def write_docs(project: Path) -> None:
    """Write .env.example and the reference page anew. Raises StoreError."""
    for name, text in ((ENV_EXAMPLE, env_example()), (REFERENCE, reference())):
        make_folder((project / name).parent)
        write_whole(project / name, text.encode())


def _bounds(facts: Facts) -> str:
    return f" {facts.wants[0].upper()}{facts.wants[1:]}." if facts.wants else ""


def _written(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return MASK
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case Mapping():
            return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
        case _:
            return str(value)
