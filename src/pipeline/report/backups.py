"""What is told of backups and restores, while they are at work and when they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.errors import Interrupted
from pipeline.report.output import Output, write, write_json

if TYPE_CHECKING:
    from pipeline.backup import Kept, Made, Manifest, OpenBackup, Places, Restored

Tick = Callable[[int], None]


@contextmanager
def meter(stop: Event, *, shown: bool) -> Iterator[Callable[[str, int], Tick]]:
    """Measures long work in bytes, with a bar on a terminal; raises Interrupted out of that work once `stop` is set."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bars:

        def begin(title: str, total: int) -> Tick:
            bar = bars.add_task(title, total=max(total, 1))

            def tick(count: int) -> None:
                if stop.is_set():
                    raise Interrupted
                bars.advance(bar, count)

            return tick

        yield begin


def show_backup(made: Made, kept: Kept | None, *, as_json: bool) -> None:
    manifest = made.manifest
    if as_json:
        write_json(
            {
                "file": str(made.path),
                "bytes": made.bytes,
                "files": len(manifest.entries),
                "holds": list(manifest.holds),
                "manifest_sha256": made.sha256,
                "verified": made.verified,
                "left_out": [{"path": path, "why": why} for path, why in manifest.left_out],
                "notes": [{"path": path, "note": note} for path, note in made.notes],
                "kept": [str(path) for path in kept.kept] if kept else None,
                "removed": [str(path) for path in kept.removed] if kept else [],
                "damaged": [{"file": str(path), "why": why} for path, why in kept.damaged] if kept else [],
            }
        )
        return
    out = Output()
    out.print(
        f"{made.path}: {_count(manifest)}, {made.bytes / 1e6:.1f} MB"
        + (", read back and whole." if made.verified else "."),
        markup=False,
    )
    for path, note in made.notes:
        out.print(f"note: {path}: {note}", style="yellow", markup=False)
    for path, why in manifest.left_out:
        out.print(f"left out: {path}: {why}", style="red", markup=False)
    if kept is not None:
        for file in kept.removed:
            out.print(f"removed: {file}", markup=False)
        for file, why in kept.damaged:
            out.print(f"damaged: {file}: {why}; it was left where it is", style="red", markup=False)


def show_contents(manifest: Manifest, *, as_json: bool) -> None:
    from pipeline.backup.manifest import shown_time

    if as_json:
        sys.stdout.write(manifest.to_json().decode())
        return
    for entry in manifest.entries:
        write(f"{entry.mode:03o}\t{entry.bytes}\t{shown_time(entry.modified)}\t{entry.path}")


def show_verified(opened: OpenBackup, *, as_json: bool) -> None:
    manifest = opened.manifest
    if as_json:
        write_json(
            {
                "file": str(opened.path),
                "whole": True,
                "bytes": opened.size,
                "files": len(manifest.entries),
                "holds": list(manifest.holds),
                "manifest_sha256": opened.sha256,
            }
        )
        return
    Output().print(f"{opened.path}: {_count(manifest)}: whole.", markup=False)


def show_restored(done: Restored, places: Places | None, *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "files": done.files,
                "bytes": done.bytes,
                "project": str(places.project) if places else None,
                "moved_aside_to": [str(path) for path in done.aside],
                "finished_earlier": done.finished_earlier,
            }
        )
        return
    out = Output()
    if done.finished_earlier:
        out.print("A restore that was cut off is finished now.")
    where = f" into {places.project}" if places else ""
    out.print(f"{_files(done.files)} restored{where}, {done.bytes / 1e6:.1f} MB.", markup=False)
    for path in done.aside:
        out.print(f"What was there is in {path}", markup=False)


def _count(manifest: Manifest) -> str:
    return _files(len(manifest.entries))


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
