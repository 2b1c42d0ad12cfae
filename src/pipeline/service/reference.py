"""The API described: OpenAPI with an example of every call, and the page that is made from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.service.problems import MEDIA_TYPE
from pipeline.service.wire import Problem

_INSTEAD = ("HTTPValidationError", "ValidationError")
_VERBS = ("get", "post", "put", "delete")


def described(openapi: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's description, with our problems in place of its errors, and an example of each call."""
    schemas = openapi["components"]["schemas"]
    if "Problem" in schemas:
        return openapi
    for name in _INSTEAD:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    example = schemas["Problem"]["examples"][0]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    for _, _, call in calls_of(openapi):
        call["responses"].pop("422", None)
        call["responses"]["default"] = {"description": "A problem (RFC 9457)", "content": content}
        bodies = [call.get("requestBody", {}), *call["responses"].values()]
        for media in (media for body in bodies for media in body.get("content", {}).values()):
            name = str(media.get("schema", {}).get("$ref", "")).rpartition("/")[2]
            if name in schemas and "example" not in media:
                media["example"] = schemas[name]["examples"][0]
    openapi["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    openapi["security"] = [{}, {"token": []}]
    return openapi


def calls_of(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, verb and description of every call."""
    for path, verbs in openapi["paths"].items():
        for verb in _VERBS:
            if verb in verbs:
                yield path, verb.upper(), verbs[verb]


def page(openapi: Mapping[str, Any]) -> str:
    """The text of docs/reference/api.md."""
    lines = [
        "# The service's API",
        "",
        "Made by `pipeline serve --write-docs` from the API itself, which also describes itself at",
        "`/api/v1/openapi.json` (OpenAPI 3.1). How to start it: [run as a service](../how-to/run-as-a-service.md).",
        "",
        "Every refusal is `application/problem+json` (RFC 9457) with a stable `code`, what happened, where, what to",
        "do, and the request's id, which stands in the log and in `X-Request-Id`. Where a token is set, it is sent as",
        "`Authorization: Bearer …`. Lists come in pages: give `next` as `after` for the following one.",
    ]
    for path, verb, call in calls_of(openapi):
        lines += ["", f"## {verb} {path}", "", str(call.get("description") or call["summary"]).strip()]
        if parameters := call.get("parameters"):
            lines += ["", "| parameter | in | |", "|---|---|---|"]
            lines += [_parameter(one) for one in parameters]
        for media, body in call.get("requestBody", {}).get("content", {}).items():
            lines += ["", f"Request, `{media}`:", "", *_shown(media, body.get("example"))]
        for status, answer in call["responses"].items():
            if status == "default":
                continue
            for media, body in answer.get("content", {}).items():
                lines += ["", f"{status}, `{media}`:", "", *_shown(media, body.get("example"))]
    return "\n".join(lines) + "\n"


def _parameter(one: Mapping[str, Any]) -> str:
    schema = one.get("schema", {})
    about = str(one.get("description", ""))
    bounds = [f"{word} {schema[name]}" for word, name in (("from", "minimum"), ("to", "maximum")) if name in schema]
    standard = [f"default {schema['default']!r}"] if schema.get("default") not in (None, "") else []
    return f"| `{one['name']}` | {one['in']} | {' '.join(filter(None, [about, ', '.join([*bounds, *standard])]))} |"


def _shown(media: str, example: object) -> list[str]:
    if example is None:
        return []
    if media.endswith("json"):
        return ["```json", json.dumps(example, indent=2, ensure_ascii=False), "```"]
    return ["```text", str(example).rstrip("\n"), "```"]
