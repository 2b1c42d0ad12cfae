"""Whether a line of the log is as the schema says: for every line that any test has the pipeline log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.telemetry.events import schema
from tests.json_schema import faults

_SCHEMA = schema()
_FOREIGN, *_OURS = _SCHEMA["oneOf"]
_BY_NAME = {one["title"]: one for one in _OURS}
_FIELDS = {name: {key: value for key, value in kind.items() if key != "description"}
           for name, kind in _SCHEMA["properties"].items()}  # fmt: skip


def wrong_with(line: Mapping[str, Any]) -> list[str]:
    """What in a line is against the schema."""
    if "logger" in line:
        one = _FOREIGN
    elif line.get("event") in _BY_NAME:
        one = _BY_NAME[line["event"]]
    else:
        return [f"there is no event {line.get('event')!r} in the list: {dict(line)}"]
    found = [*faults(line, {"type": "object", "required": _SCHEMA["required"], "properties": _FIELDS})]
    found += faults(line, {name: one[name] for name in ("required", "properties", "propertyNames") if name in one})
    return [f"{line['event']}: {fault}" for fault in found]
