"""Where settings are written: config/pipeline.toml, .env, the environment, the command line; each value with its line.

A name that no setting has is an error wherever the file is ours. The environment belongs to every program on the
machine: there, only a near miss of one of our names is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv.parser import parse_stream

from pipeline.errors import StoreError
from pipeline.files import read_plain
from pipeline.settings.facts import all_facts
from pipeline.text.toml_file import NoToml, read_toml

TOML = "pipeline.toml"
DOTENV = ".env"
ENVIRONMENT = "environment"
COMMAND_LINE = "command line"

# Every setting with a long value fills a tenth of it.
_MOST_BYTES = 1 << 20

# Docker Compose reads the same .env for itself.
_COMPOSE = ("COMPOSE_", "DOCKER_")
# Names near ours that other programs own: Ollama's folder of models, Open WebUI's list of servers.
_FOREIGN = frozenset({"OLLAMA_MODELS", "OLLAMA_BASE_URLS", "LANGUAGE", "LANGUAGES", "LOGLEVEL"})
# How alike a name in the environment must be (difflib's ratio), and how long: OLLAMA_MDOEL is one of ours misspelt,
# STYLES is another program's.
_ALIKE, _SHORTEST = 0.88, 8


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was written."""

    value: object
    where: str
    """`config/pipeline.toml:12`, `.env:3`, `environment`, `command line`."""
    spelt: str
    """The setting's name as it is spelt there: `OLLAMA_MODEL` in the environment."""


@dataclass(frozen=True, slots=True)
class Layer:
    values: Mapping[str, Given]
    problems: tuple[str, ...] = ()


def toml_layer(path: Path, shown: str) -> Layer:
    """The settings in a TOML file; none where there is no file."""
    text = _text_of(path, shown)
    if isinstance(text, Layer):
        return text
    try:
        values = read_toml(text)
    except NoToml as error:
        if error.line is None:
            return Layer({}, (f"{shown}: not TOML: {error}",))
        return Layer({}, (f"{shown}:{error.line}: not TOML: {error}; texts stand in quotes, lists in brackets",))
    found: dict[str, Given] = {}
    problems = []
    for name, value in values.items():
        where = f"{shown}:{_line_of(name, text)}"
        if name == "config_dir":
            problems.append(f"{where} {name}: cannot be set here, because this file is found by it; use .env")
        elif name in all_facts():
            found[name] = Given(value, where, name)
        elif isinstance(value, dict):
            problems.append(f"{where} [{name}]: no such table; settings stand above the first table, one a line")
        else:
            problems.append(f"{where} {name}: no such setting{_meant(name, list(all_facts()))}")
    return Layer(found, tuple(problems))


def dotenv_layer(path: Path) -> Layer:
    """The settings in a .env file; none where there is no file. Nothing is expanded: `$` is a dollar sign."""
    text = _text_of(path, DOTENV)
    if isinstance(text, Layer):
        return text
    names = _by_env_name()
    found: dict[str, Given] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        # The parser counts the blank lines before a binding to it.
        original = binding.original.string
        line = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        where = f"{DOTENV}:{line}"
        if binding.error:
            problems.append(f"{where}: not a line of the form NAME=value")
        elif binding.key is None or binding.key.startswith(_COMPOSE):
            continue
        elif binding.key not in names:
            problems.append(f"{where} {binding.key}: no such setting{_meant(binding.key.upper(), list(names))}")
        elif names[binding.key] in found:
            problems.append(
                f"{where} {binding.key}: also set in line {found[names[binding.key]].where.rpartition(':')[2]}"
            )
        elif binding.value:
            found[names[binding.key]] = Given(binding.value, where, binding.key)
    return Layer(found, tuple(problems))


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Our settings in the environment. A variable that is empty counts as not set."""
    names = _by_env_name()
    found: dict[str, Given] = {}
    problems = []
    for key, value in environ.items():
        if key in names:
            if value:
                found[names[key]] = Given(value, ENVIRONMENT, key)
        elif value and len(key) >= _SHORTEST and key not in _FOREIGN:
            near = get_close_matches(key, names, n=1, cutoff=_ALIKE)
            if near and near[0] not in environ:
                problems.append(f"{ENVIRONMENT} {key}: no such setting; did you mean {near[0]}?")
    return Layer(found, tuple(sorted(problems)))


def command_line_layer(overrides: Mapping[str, object]) -> Layer:
    """What was said on the command line; None counts as not said."""
    found: dict[str, Given] = {}
    problems = []
    for name, value in overrides.items():
        if name not in all_facts():
            problems.append(f"{COMMAND_LINE} {name}: no such setting{_meant(name, list(all_facts()))}")
        elif value is not None:
            found[name] = Given(value, COMMAND_LINE, name)
    return Layer(found, tuple(problems))


def _by_env_name() -> dict[str, str]:
    return {facts.env: name for name, facts in all_facts().items()}


def _meant(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else "; docs/reference/settings.md lists them all"


def _text_of(path: Path, shown: str) -> str | Layer:
    try:
        return read_plain(path, most_bytes=_MOST_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return Layer({})
    except StoreError as error:
        if path.is_dir():
            return Layer({}, (f"{shown}: a folder stands where the file should be; remove it",))
        return Layer({}, (f"{shown}: cannot be read: {error.what}. {error.hint}",))
    except UnicodeDecodeError:
        return Layer({}, (f"{shown}: not UTF-8; save it as UTF-8 in your editor",))


def _line_of(name: str, text: str) -> int:
    """The line that a top-level name of a TOML file stands in; the parser does not say."""
    escaped = re.escape(name)
    place = re.search(rf"""^[ \t]*(?:\[+[ \t]*)?["']?{escaped}["']?[ \t]*[.=\]]""", text, re.MULTILINE)
    return text.count("\n", 0, place.start()) + 1 if place else 1
