"""The page of all commands, from what they say of themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import typer


def commands_reference(groups: Iterable[tuple[str, typer.Typer]]) -> str:
    """Markdown for docs/reference/commands.md; `groups` as `pipeline.cli.GROUPS` has them."""
    lines = [
        "# Commands",
        "",
        "Made by `pipeline settings --write-docs` from the commands themselves. Every command also has `--help` and",
        "`--project FOLDER`. Exit status: 0 all built, 1 some topic failed, 2 unusable settings or arguments,",
        "130 interrupted.",
    ]
    for group, commands in groups:
        for command in commands.registered_commands:
            called = command.callback
            about = inspect.getdoc(called) or ""
            name = command.name or (called.__name__ if called is not None else "")
            example = (command.epilog or "").removeprefix("Example:").strip()
            lines += [
                "",
                f"## {' '.join(filter(None, ('pipeline', group, name)))}",
                "",
                about,
                "",
                "```sh",
                example,
                "```",
            ]
    return "\n".join(lines) + "\n"
