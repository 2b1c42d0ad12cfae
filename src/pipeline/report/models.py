"""Models on their way, and what is here of them: bars on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from pipeline.errors import PipelineError
from pipeline.models.bundle import Contents
from pipeline.models.keeping import Checked, Holding
from pipeline.report.output import Output, write, write_json
from pipeline.report.screens import error_facts


class FetchScreen(Protocol):
    """A `Watcher` that shows what it is told."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def begins(self, name: str, size: int | None, note: str) -> None: ...
    def moved(self, name: str, done: int, total: int | None) -> None: ...
    def ended(self, name: str, how: str) -> None: ...
    def failed(self, name: str, error: PipelineError) -> None: ...


def fetch_screen(*, as_json: bool) -> FetchScreen:
    """The right one for where standard output goes."""
    if as_json:
        return _Json()
    console = Output()
    return _Bars(console) if console.is_terminal else _Lines(console)


class _Lines:
    """A line for each thing that happens, and one for each tenth of a model."""

    def __init__(self, console: Output) -> None:
        self._console = console
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begins(self, name: str, size: int | None, note: str) -> None:
        self._say(f"{name}: {f'{_mb(size)} to come' if size is not None else 'on its way'}")
        if note:
            self._say(f"{name}: {note}")

    def moved(self, name: str, done: int, total: int | None) -> None:
        tenth = done * 10 // total if total else 0
        if tenth > self._tenths.get(name, 0):
            self._tenths[name] = tenth
            self._say(f"{name}: {_mb(done)} of {_mb(total or 0)}")

    def ended(self, name: str, how: str) -> None:
        self._say(f"{name}: {how}")

    def failed(self, name: str, error: PipelineError) -> None:
        self._console.say(f"{name}: {error}", style="red")

    def _say(self, line: str) -> None:
        self._console.say(line)


class _Bars(_Lines):
    """A bar for each model that is on its way."""

    def __init__(self, console: Output) -> None:
        super().__init__(console)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=console)
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begins(self, name: str, size: int | None, note: str) -> None:
        self._bars[name] = self._progress.add_task(name, total=size)
        if note:
            self._say(f"{name}: {note}")

    def moved(self, name: str, done: int, total: int | None) -> None:
        if name in self._bars:
            self._progress.update(self._bars[name], completed=done, total=total)

    def ended(self, name: str, how: str) -> None:
        if name in self._bars:
            self._progress.remove_task(self._bars.pop(name))
        super().ended(name, how)


class _Json:
    """One event a line; of the bytes, one for each hundredth."""

    def __init__(self) -> None:
        self._hundredths: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begins(self, name: str, size: int | None, note: str) -> None:
        write_json({"event": "begins", "model": name, "bytes": size, "note": note}, indent=None)

    def moved(self, name: str, done: int, total: int | None) -> None:
        hundredth = done * 100 // total if total else 0
        if hundredth > self._hundredths.get(name, -1):
            self._hundredths[name] = hundredth
            write_json({"event": "moved", "model": name, "bytes": done, "of": total}, indent=None)

    def ended(self, name: str, how: str) -> None:
        write_json({"event": "ready", "model": name, "how": how}, indent=None)

    def failed(self, name: str, error: PipelineError) -> None:
        write_json({"event": "failed", "model": name, "error": error_facts(error)}, indent=None)


# -- what is here ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelRow:
    name: str
    kind: str
    """`voice`, `checkpoint` or `ollama`."""
    state: str
    size: int | None
    """In bytes; None where nobody has said."""
    licence: str
    basis: str
    """What says how it has to be: `lock`, `first seen`; empty for what is not kept here."""
    used_by: str
    """The setting that asks for it."""
    origin: str = ""


def row_of(holding: Holding, used_by: str) -> ModelRow:
    model = holding.model
    licence = model.licence or ("see its card" if model.kind == "voice" else "see its repository")
    return ModelRow(model.name, model.kind, holding.state, model.size, licence, holding.basis, used_by, holding.origin)


def show_models(rows: Sequence[ModelRow], strangers: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        facts = [
            {
                "name": row.name,
                "kind": row.kind,
                "state": row.state,
                "bytes": row.size,
                "licence": row.licence,
                "known_by": row.basis,
                "used_by": row.used_by,
                "from": row.origin,
            }
            for row in rows
        ]
        write_json({"models": facts, "put_there_by_hand": list(strangers)})
        return
    cells = [
        (row.name, row.kind, row.state, _mb(row.size) if row.size else "", row.licence, row.basis, row.used_by)
        for row in rows
    ]
    cells += [(name, "voice", "put there by hand", "", "", "", "") for name in strangers]
    heads = ("model", "kind", "state", "size", "licence", "known by", "used by")
    out = Output()
    if not out.is_terminal:
        for row in cells:
            write("\t".join(row).rstrip("\t"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in cells:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    out.soft_wrap = False
    out.print(table)


def show_checked(checked: Iterable[Checked], *, as_json: bool) -> bool:
    """What was read back; as it comes, for it takes a while. Returns whether all is as it should be."""
    out, found = Output(), []
    for one in checked:
        found.append(one)
        if as_json:
            continue
        for fault in one.faults:
            out.say(f"{one.name}: {fault}", style="red")
        if not one.faults:
            out.say(f"{one.name}: {_mb(one.size)} read, all as it should be")
    wrong = [one for one in found if one.faults]
    if as_json:
        write_json(
            {
                "models": {
                    one.name: {"good": not one.faults, "bytes": one.size, "faults": list(one.faults)} for one in found
                }
            }
        )
    elif wrong:
        names = " ".join(one.name for one in wrong)
        out.say(f"Nothing was changed. What is damaged is fetched again by: pipeline models fetch {names}")
    elif not found:
        out.say("There are no models here. `pipeline models fetch` has those that the settings ask for.")
    return not wrong


def show_removed(removed: Mapping[str, int], used_by: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        write_json({"removed": dict(removed)})
        return
    for name, size in removed.items():
        asked = f"; the settings ask for it ({used_by[name]})" if name in used_by else ""
        Output().say(f"{name}: removed, {_mb(size)} are free{asked}")


def show_bundle(contents: Contents, done: str, *, as_json: bool) -> None:
    """`done` says what was done with it: `written to models.tar`."""
    if as_json:
        models = {model.name: {"kind": model.kind, "bytes": model.size} for model in contents.models}
        write_json({"models": models, "bytes": contents.size, "not_included": list(contents.left_out)})
        return
    out = Output()
    for model in contents.models:
        out.say(f"{model.name}: {_mb(model.size)}")
    out.say(f"{len(contents.models)} models, {_mb(contents.size)}: {done}.")
    for name in contents.left_out:
        out.say(f"{name} is not in it: Ollama keeps its own models. Copy the server's folder of models.")


def show_locked(names: Sequence[str], path: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"locked": list(names), "file": path}, indent=None)
    elif names:
        Output().say(f"{', '.join(names)} written to {path}.")


def _mb(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size:,} bytes"
