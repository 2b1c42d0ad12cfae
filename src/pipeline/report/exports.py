"""What is told of exports: which files there are now, what each was made from, and what was left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report.output import Output, write_json

if TYPE_CHECKING:
    from pipeline.exports import Exported, Made

_LOSSY = "audio.mp3"
_REENCODED = ("m4b", "opus", "flac")


def show_exports(done: Sequence[Exported], folder: Path, *, as_json: bool) -> None:
    if as_json:
        write_json({"folder": str(folder), "episodes": [_facts(one) for one in done]})
        return
    out = Output()
    for one in done:
        for line in _lines(one.files):
            out.print(line, markup=False)
        for made in one.files:
            if made.outcome == "kept":
                out.say(f"kept: {made.path} is not as it was exported; --force writes over it", style="yellow")
        if one.problem:
            out.say(f"failed: {one.problem}", style="red")
    if any(made.source == _LOSSY and made.kind in _REENCODED for one in done for made in one.files):
        out.say(
            "Made from audio.mp3, which has lost something already. With FLAC=true, `pipeline run` publishes the "
            "programme without loss, and exports are made from that."
        )


def _lines(files: Sequence[Made]) -> list[str]:
    """A file a line; of an unpacked episode, one line for all of them."""
    lines = [
        f"{made.path}: {_size(made.bytes)}, {made.outcome}{f', from {made.source}' if made.source else ''}"
        for made in files
        if made.kind != "folder" and made.outcome != "kept"
    ]
    unpacked = [made for made in files if made.kind == "folder" and made.outcome != "kept"]
    if unpacked:
        top = min((made.path for made in unpacked), key=lambda path: len(path.parts)).parent
        new = sum(made.outcome == "made" for made in unpacked)
        lines.append(f"{top}: {_size(sum(made.bytes for made in unpacked))}, {new} of {len(unpacked)} files made")
    return lines


def _facts(one: Exported) -> dict[str, object]:
    return {
        "slug": one.slug,
        "whole": one.whole,
        "problem": one.problem or None,
        "files": [
            {
                "path": str(made.path),
                "kind": made.kind,
                "made_from": made.source or None,
                "outcome": made.outcome,
                "bytes": made.bytes,
            }
            for made in one.files
        ],
    }


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
