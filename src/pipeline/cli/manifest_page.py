"""The page about the manifest, from its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.domain import manifest
from pipeline.text.manifest_schema import schema

_OPENING = f"""# The manifest

<!-- Made by: pipeline settings --write-docs -->

Every episode's folder has a `manifest.json`: what each file is, how it came about, who worked on it, and that a
machine made it. It is written last, so where it lies the episode is whole. The same artifacts published again give
the same bytes. Its schema is [manifest.schema.json](manifest.schema.json) (JSON Schema 2020-12).

**How it grows.** The format is `{manifest.FORMAT}`. New fields may come within a number: pass over what you do not
know. The number goes up when a field goes away or changes its meaning. The schema says exactly what its own version
writes, and so refuses any other field.

## What `pipeline verify` proves

It reads every file of every episode and tells, line by line, what is not as it was published, and then ends with exit
status 1. `--json` has the same for programs: `wrong`, `remarks`, `edited_by_hand`, `no_topic`.

| what happened | by what it is found |
| --- | --- |
| a file is changed, cut, missing, or no plain file | its length and SHA-256 under `files` |
| the manifest is damaged, or edited by hand | its own digest, `{manifest.DIGEST}` |
| it is edited and the digest formed anew, also together with a file | the project's record of what it published last |
| the manifest is gone | that record |
| a name stands twice, or leads out of the folder | reading it |
| `script.md` is one bit off what was published | the store, or the kept edit |
| another file lies in the folder | told as a remark: it may be yours |
| a manifest without a digest, by an earlier version | told as a remark; its files are compared |

`pipeline run` then publishes from the store what a topic asks for, and makes nothing twice. A changed `script.md` is
an edit, no fault, and the next run takes it; only where it is a single bit off is it told as damage.

The digest is over the file without the line it stands on, so it needs no program of ours:

```sh
grep -v '^  "{manifest.DIGEST}": ' manifest.json | sha256sum
```

**What it does not prove.** A digest is no signature. Whoever changes a file and the manifest can form the digest
anew; then only the record tells, in the data folder (`.pipeline/records/`) of the project that published it. Whoever
can write there too can change that. An episode that was sent to somebody has no record beside it. Who made a file is
proven by content credentials (C2PA) in the file itself, which are signed. A backup of a project that was at work may
hold an episode that is newer than its record; `verify` then says that the manifest is not the one published last, and
one `pipeline run` settles it.
"""


def manifest_page() -> str:
    """Markdown for docs/reference/manifest.md."""
    fields: Mapping[str, Any] = schema()["properties"]
    lines = [_OPENING, "## Fields", "", *_table(_rows({k: v for k, v in fields.items() if not _is_large(v)}, ""))]
    for name, field in fields.items():
        if _is_large(field):
            lines += ["", f"## `{name}`", "", _cell(field["description"]), "", *_table(_inside(field, ""))]
    return "\n".join(lines) + "\n"


def _is_large(field: Mapping[str, Any]) -> bool:
    return "object" in _types(field)


def _table(rows: Iterator[tuple[str, str, str]]) -> list[str]:
    head = ["| field | kind | what it is |", "| --- | --- | --- |"]
    return head + [f"| `{name}` | {kind} | {_cell(about)} |" for name, kind, about in rows]


def _rows(
    fields: Mapping[str, Any], prefix: str, required: frozenset[str] | None = None
) -> Iterator[tuple[str, str, str]]:
    for name, field in fields.items():
        may_lack = required is not None and name not in required
        yield f"{prefix}{name}", _kind(field) + (", may be absent" if may_lack else ""), field["description"]
        yield from _inside(field, f"{prefix}{name}")


def _inside(field: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    """What a field holds: an object's fields, a list's items where they are objects, a file of any name."""
    point = f"{prefix}." if prefix else ""
    if "properties" in field:
        yield from _rows(field["properties"], point, frozenset(field["required"]))
    more = field.get("additionalProperties")
    if isinstance(more, dict):
        yield f"{point}*", _kind(more), more["description"]
        yield from _inside(more, f"{point}*")
    if "items" in field:
        inner = field["items"]
        yield from _inside(inner, f"{prefix}[]") if "items" not in inner else ()


def _kind(field: Mapping[str, Any]) -> str:
    if "const" in field:
        return "true" if field["const"] is True else "text"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list", "null": "null"}
    if "items" in field and _kind(field["items"]) in _MANY:
        words["array"] = f"list of {_MANY[_kind(field['items'])]}"
    return " or ".join(words.get(one, one) for one in _types(field))


_MANY = {"text": "texts", "whole number": "whole numbers", "object": "objects", "list of texts": "lists of texts"}


def _types(field: Mapping[str, Any]) -> list[str]:
    told = field.get("type", [])
    return [told] if isinstance(told, str) else list(told)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
