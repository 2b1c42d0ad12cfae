"""As much of JSON Schema 2020-12 as the manifest's schema uses; a keyword that is not known here is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
_TOLD = {"$schema", "$id", "title", "description"}
_KNOWN = _TOLD | {
    "type", "const", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "properties", "required",
    "additionalProperties", "propertyNames", "minProperties", "items",
}  # fmt: skip


def faults(value: object, schema: Mapping[str, Any], where: str = "", seen: set[str] | None = None) -> Iterator[str]:
    """What in `value` is against the schema. `seen` takes in every named field of the schema that had a value, as
    `script.how.seeds` or `length.rounds[].words`.
    """
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    kinds = schema.get("type", [])
    if kinds and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{where}: {value!r} is no {kinds}"
        return
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} is not like {schema['pattern']}"
    if isinstance(value, (int, float)):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            yield f"{where}: {value} is out of bounds"
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            yield f"{where}: {value} is too small"
    if isinstance(value, dict):
        yield from _of_object(value, schema, where, seen)
    if isinstance(value, list):
        for item in value:
            yield from faults(item, schema.get("items", {}), f"{where}[]", seen)


def fields(schema: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every named field of the schema, and what it says of it."""
    for name, field in schema.get("properties", {}).items():
        yield f"{where}.{name}".lstrip("."), field
        yield from fields(field, f"{where}.{name}".lstrip("."))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields(schema["additionalProperties"], f"{where}.*".lstrip("."))
    if "items" in schema:
        yield from fields(schema["items"], f"{where}[]")


def _of_object(
    value: Mapping[str, object], schema: Mapping[str, Any], where: str, seen: set[str] | None
) -> Iterator[str]:
    named, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    if len(value) < schema.get("minProperties", 0):
        yield f"{where}: has too few fields"
    for name, inner in value.items():
        yield from faults(name, schema.get("propertyNames", {}), f"{where}.{name}")
        if name in named:
            place = f"{where}.{name}".lstrip(".")
            if seen is not None and inner is not None:
                seen.add(place)
            yield from faults(inner, named[name], place, seen)
        elif more is False:
            yield f"{where}: {name} is in no schema"
        elif isinstance(more, dict):
            yield from faults(inner, more, f"{where}.*".lstrip("."), seen)


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
