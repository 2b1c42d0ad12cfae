"""From the places where settings are written to settings that hold together, or to every fault in one report."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from pipeline.errors import SettingsError
from pipeline.files import MOST_BYTES
from pipeline.settings.facts import Facts, all_facts
from pipeline.settings.model import NotANumber, Settings, at_home
from pipeline.settings.sources import (
    DOTENV,
    TOML,
    Given,
    command_line_layer,
    dotenv_layer,
    environment_layer,
    toml_layer,
)

DEFAULT = "default"
_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loaded:
    settings: Settings
    origins: Mapping[str, str]
    """Setting → where its value comes from: `default`, `config/pipeline.toml:12`, `.env:3`, `environment`,
    `command line`. Holds no values, and so no secrets.
    """


def load(project: Path, environ: Mapping[str, str], overrides: Mapping[str, object] = _NOTHING) -> Loaded:
    """The project's settings. In rising order: defaults, config/pipeline.toml, .env, the environment, `overrides`.

    Folders stay relative to the project's; `ssl_ca_bundle` is made absolute. Raises SettingsError with every fault
    there is, one line each.
    """
    above = [dotenv_layer(project / DOTENV), environment_layer(environ), command_line_layer(overrides)]
    folder = _config_dir([layer.values for layer in above])
    layers = [toml_layer(project / folder / TOML, (folder / TOML).as_posix()), *above]
    given: dict[str, Given] = {}
    for layer in layers:
        given |= layer.values
    problems = [problem for layer in layers for problem in layer.problems]
    settings, faults = _check(given)
    problems += faults.values()
    for names, problem in _together(settings, project):
        if faults.keys().isdisjoint(names):
            problems.append(f"{_place(names[0], given)}: {problem}")
    if problems:
        raise SettingsError(problems)
    if settings.ssl_ca_bundle is not None:
        settings = settings.model_copy(update={"ssl_ca_bundle": project / settings.ssl_ca_bundle})
    return Loaded(settings, {name: given[name].where if name in given else DEFAULT for name in all_facts()})


def _config_dir(above: list[Mapping[str, Given]]) -> Path:
    """Where pipeline.toml is: the one setting that must be known before the others are read."""
    for values in reversed(above):
        if "config_dir" in values:
            with suppress(ValueError):  # which is said with all other faults
                return at_home(str(values["config_dir"].value).replace("\0", ""))
    return Path(str(all_facts()["config_dir"].default))


def _check(given: Mapping[str, Given]) -> tuple[Settings, dict[str, str]]:
    """The settings, with defaults where a value is at fault; and setting → its fault."""
    faults: dict[str, str] = {}
    values = {name: one.value for name, one in given.items()}
    try:
        return Settings(**values), faults  # type: ignore[arg-type]
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name = str(details["loc"][0])
            said = details.get("ctx", {}).get("error")
            faults.setdefault(name, f"{_place(name, given)}: {_problem(all_facts()[name], given[name].value, said)}")
    good = {name: value for name, value in values.items() if name not in faults}
    return Settings(**good), faults  # type: ignore[arg-type]


def _problem(facts: Facts, value: object, said: object) -> str:
    """What is wrong with a value, in our words; `said` is what our own validator said, where one did."""
    shown = "the value" if facts.secret else str(value).lower() if isinstance(value, bool) else repr(value)
    if facts.choices:
        near = get_close_matches(str(value).lower(), facts.choices, n=1)
        return f"{shown} is not {facts.wants}{f'; did you mean {near[0]}?' if near else ''}"
    if facts.wants and (isinstance(said, NotANumber) or not isinstance(said, ValueError)):
        return f"{shown} is not {facts.wants}"
    if isinstance(said, ValueError):
        return str(said)
    return f"{shown} is not a text; put it in quotes"


def _place(name: str, given: Mapping[str, Given]) -> str:
    one = given.get(name)
    return name if one is None else f"{one.where} {one.spelt}"


# -- what must hold between settings, and between them and the disk ---------------------------------------------


def _together(settings: Settings, project: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each fault with the settings it concerns, the one to be mended first."""
    names = ("input_dir", "config_dir", "output_dir", "data_dir")
    folders = {name: (project / getattr(settings, name)).resolve() for name in names}
    for name, path in folders.items():
        if path.exists() and not path.is_dir():
            yield (name,), f"{path} is a file, not a folder"
    for first, second in combinations(folders, 2):
        one, other = folders[first], folders[second]
        if one == other:
            yield (second, first), f"the same folder as {first}; give each its own"
        elif other.is_relative_to(one):
            yield (second, first), f"inside {first}; give each its own folder"
        elif one.is_relative_to(other):
            yield (first, second), f"inside {second}; give each its own folder"
    if settings.ssl_ca_bundle is not None:
        problem = _bundle_problem(project / settings.ssl_ca_bundle)
        if problem:
            yield ("ssl_ca_bundle",), problem


def _bundle_problem(path: Path) -> str:
    if not path.is_file():
        return f"there is no file {path}"
    try:
        size = path.stat().st_size
        if size == 0:
            return f"{path} is empty; it should hold certificates in PEM form"
        if size > MOST_BYTES:
            return f"{path} has {size >> 20} MiB; it should hold certificates in PEM form"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return ""
