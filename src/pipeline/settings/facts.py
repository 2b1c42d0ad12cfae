"""What is known of each setting, read off the model: for messages, tables and the generated pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import SecretStr

from pipeline.settings.model import Settings

_A_WHOLE, _A_NUMBER = "a whole number", "a number"


@dataclass(frozen=True, slots=True)
class Facts:
    name: str
    env: str
    """Its name in the environment and in .env."""
    group: str
    about: str
    default: Any
    wants: str
    """What a value must be, as it follows "is not": `a number of seconds from 0 to 10`; empty for free text."""
    choices: tuple[str, ...]
    secret: bool


@cache
def all_facts() -> dict[str, Facts]:
    """By name, in the order of the model."""
    return {name: _facts_of(name) for name in Settings.model_fields}


def _facts_of(name: str) -> Facts:
    field = Settings.model_fields[name]
    extra = field.json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101 every field is made by model._setting
    choices = (
        tuple(str(choice) for choice in get_args(field.annotation)) if get_origin(field.annotation) is Literal else ()
    )
    return Facts(
        name=name,
        env=str(extra["env"]) or name.upper(),
        group=str(extra["group"]),
        about=field.description or "",
        default=field.default,
        wants=_wants(field.annotation, field.metadata, str(extra["unit"]), choices),
        choices=choices,
        secret=SecretStr in get_args(field.annotation),
    )


def _wants(kind: object, metadata: list[Any], unit: str, choices: tuple[str, ...]) -> str:
    if choices:
        return f"one of {', '.join(choices)}"
    if kind is bool:
        return "true or false"
    if kind not in (int, float):
        return ""
    low = next(item.ge for item in metadata if isinstance(item, Ge))
    high = next(item.le for item in metadata if isinstance(item, Le))
    number = _A_WHOLE if kind is int else _A_NUMBER
    return f"{number}{f' of {unit}' if unit else ''} from {low} to {high}"
