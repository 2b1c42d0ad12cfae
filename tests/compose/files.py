"""The Compose files as data, merged as the stack merges them, without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "compose"


class _Loader(yaml.SafeLoader):
    """Compose's own tags stand for what they do: `!reset` takes a value away, `!override` replaces it."""


class Reset:
    """Where a value of an earlier file is taken away."""


def _reset(_: _Loader, __: yaml.Node) -> Reset:
    return Reset()


def _override(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_Loader.add_constructor("!reset", _reset)
_Loader.add_constructor("!override", _override)


def read(name: str) -> dict[str, Any]:
    """One Compose file."""
    return dict(yaml.load((FOLDER / name).read_text(), Loader=_Loader))  # noqa: S506  # a safe loader with two harmless tags


def services(*names: str) -> dict[str, dict[str, Any]]:
    """The services of some files, later ones over earlier ones."""
    merged: dict[str, Any] = {}
    for name in names:
        for service, about in read(name).get("services", {}).items():
            if isinstance(about, Reset):
                merged.pop(service, None)
            else:
                merged[service] = _over(merged.get(service, {}), about)
    return merged


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Reset):
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _over(merged[key], value)
        elif isinstance(value, list) and isinstance(merged.get(key), list) and key != "command":
            merged[key] = [*merged[key], *(item for item in value if item not in merged[key])]
        else:
            merged[key] = value
    return merged
