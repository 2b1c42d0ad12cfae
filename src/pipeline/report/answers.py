"""What is asked for: plans, how things stand, findings, settings, voices; as text or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from pipeline.errors import InputError
from pipeline.ports import VoiceIdentity
from pipeline.report.output import Output, write, write_json
from pipeline.report.screens import error_facts
from pipeline.stages.publish import read_manifest, verify
from pipeline.studio import EpisodePlan, Plan, Studio, Survey
from pipeline.wiring import Workshop

if TYPE_CHECKING:
    from pipeline.doctor import Finding
    from pipeline.net.tls import Tls
    from pipeline.settings import Loaded


def narrowed(survey: Survey, only: Sequence[str]) -> Survey:
    """The survey of some episodes alone, by folder name or topic file. Raises InputError for a name there is not."""
    if not only:
        return survey
    wanted = [name.removeprefix("./").rstrip("/") for name in only]
    works = tuple(work for work in survey.works if any(name in {work.slug, work.topic.source.path} for name in wanted))
    known = {name for work in survey.works for name in (work.slug, work.topic.source.path)} | set(survey.finished)
    known |= set(survey.finished_sources)
    known |= {refused.where.split(":")[0] for refused in survey.refused}
    for name in wanted:
        if name not in known:
            raise InputError(
                f"there is no episode or topic file {name!r}",
                hint="`pipeline status` lists them; give one of those names.",
            )
    refused = tuple(error for error in survey.refused if error.where.split(":")[0] in wanted)
    return replace(survey, works=works, refused=refused, sources={})


# -- plan --------------------------------------------------------------------------------------------------------


def show_plan(plan: Plan, shop: Workshop, *, as_json: bool) -> None:
    if as_json:
        write_json(_plan_facts(plan, shop))
        return
    out = Output()
    for refused in plan.refused:
        out.print(f"refused: {refused}", style="red", markup=False)
    for episode in plan.episodes:
        _show_episode(out, episode)
    if plan.nothing_to_do:
        count = len(plan.finished) + len(plan.episodes)
        if count:
            out.print(f"Nothing to do: {count} {'episode is' if count == 1 else 'episodes are'} up to date.")
        elif not plan.refused:
            out.print("Nothing to do: there are no topics in input/.")
        return
    out.print(f"writer: {shop.writer.name} ({shop.writer.why})", style="dim", markup=False)
    out.print(f"voice: {shop.voice.name} ({shop.voice.why})", style="dim", markup=False)
    to_do = sum(not episode.nothing_to_do and episode.error is None for episode in plan.episodes)
    about = f", about {_duration(plan.seconds)}" if plan.seconds is not None else ", how long is not known yet"
    out.print(f"{to_do} to make{about}; {len(plan.finished) + len(plan.episodes) - to_do} stay as they are.")


def _show_episode(out: Output, episode: EpisodePlan) -> None:
    if episode.error is not None:
        out.print(f"{episode.work.slug}: cannot be made: {episode.error}", style="red", markup=False)
        return
    if episode.nothing_to_do:
        if episode.edited:
            out.print(
                f"{episode.work.slug}: up to date; script.md is edited by hand and kept", style="dim", markup=False
            )
        return
    seconds = f" (about {_duration(episode.seconds)})" if episode.seconds is not None else ""
    out.print(f"{episode.work.slug}{seconds}", style="bold", markup=False)
    if episode.edited:
        out.print("  script: edited by hand, kept as it is", markup=False)
    for line in _reasons(episode):
        out.print(f"  {line}", markup=False)
    if not episode.whole:
        out.print("  then speech, mix and captions, once the script is there", style="dim")
    if episode.to_publish:
        out.print(f"  publish: {', '.join(episode.to_publish)} missing or changed in output/", markup=False)


def _reasons(episode: EpisodePlan) -> Iterable[str]:
    grouped = Counter((verdict.step.place, verdict.why) for verdict in episode.to_make)
    for (place, why), count in grouped.items():
        yield f"{place}: {why}" if count == 1 else f"{place}: {count} × {why}"


def _plan_facts(plan: Plan, shop: Workshop) -> dict[str, object]:
    return {
        "nothing_to_do": plan.nothing_to_do and not plan.refused,
        "finished": list(plan.finished),
        "seconds": plan.seconds,
        "writer": {"engine": shop.writer.name, "why": shop.writer.why},
        "voice": {"engine": shop.voice.name, "why": shop.voice.why},
        "refused": [error_facts(error) for error in plan.refused],
        "episodes": [
            {
                "episode": episode.work.slug,
                "source": str(episode.work.topic.source),
                "nothing_to_do": episode.nothing_to_do,
                "edited_by_hand": episode.edited,
                "seconds": episode.seconds,
                "whole": episode.whole,
                "publish": list(episode.to_publish),
                "make": [
                    {
                        "stage": verdict.step.place,
                        "step": verdict.step.label,
                        "why": verdict.why,
                        "key": verdict.step.key,
                    }
                    for verdict in episode.to_make
                ],
                "error": error_facts(episode.error) if episode.error is not None else None,
            }
            for episode in plan.episodes
        ],
    }


# -- status and verify -------------------------------------------------------------------------------------------


def show_status(studio: Studio, *, as_json: bool) -> int:
    """Every episode and how it stands. Returns 1 where a topic is refused or failed, else 0."""
    plan = studio.plan(studio.survey())
    rows: list[dict[str, object]] = []
    edited = studio.edits.slugs()
    rows += [
        {"episode": name, "state": "finished", "edited_by_hand": name in edited, "why": ""} for name in plan.finished
    ]
    for episode in plan.episodes:
        failure = studio.failure(episode.work.slug)
        state, why = "to make", "; ".join(_reasons(episode))
        if episode.error is not None:
            state, why = "cannot be made", str(episode.error)
        elif episode.nothing_to_do:
            state, why = "finished", ""
        elif failure is not None:
            state, why = (
                "failed",
                f"{failure.what}. {failure.hint}".strip()
                + (f" What it answered is in {failure.answer}." if failure.answer else ""),
            )
        rows.append({"episode": episode.work.slug, "state": state, "edited_by_hand": episode.edited, "why": why})
    asked = {row["episode"] for row in rows}
    rows += [
        {"episode": name, "state": "kept", "edited_by_hand": name in edited, "why": "no topic asks for it now"}
        for name in studio.episodes_on_disk()
        if name not in asked
    ]
    rows += [{"episode": "", "state": "refused", "edited_by_hand": False, "why": str(error)} for error in plan.refused]
    if as_json:
        write_json({"episodes": rows})
    else:
        _table(("episode", "state", "", ""), [_status_row(row) for row in rows])
    return int(any(row["state"] in {"cannot be made", "failed", "refused"} for row in rows))


def _status_row(row: Mapping[str, object]) -> tuple[str, str, str, str]:
    return str(row["episode"]), str(row["state"]), "edited by hand" if row["edited_by_hand"] else "", str(row["why"])


def show_verification(studio: Studio, *, as_json: bool) -> int:
    """Each episode's files against its manifest. Returns 1 where anything is wrong, else 0."""
    found = {name: verify(studio.folders.output / name) for name in studio.episodes_on_disk()}
    wrong = {name: faults for name, faults in found.items() if faults}
    if as_json:
        write_json({"episodes": len(found), "wrong": {name: list(faults) for name, faults in wrong.items()}})
    else:
        out = Output()
        for name, faults in wrong.items():
            for fault in faults:
                out.print(f"{name}: {fault}", style="red", markup=False)
        files = sum(len(read_manifest(studio.folders.output / name).get("files", ())) for name in found)
        out.print(
            f"{len(found)} episodes, {files} files: "
            + (
                "all as their manifests say."
                if not wrong
                else f"{len(wrong)} episodes are not as they should be. "
                "`pipeline run` publishes them again; nothing is made twice."
            )
        )
    return int(bool(wrong))


# -- settings, doctor, voices ------------------------------------------------------------------------------------


def show_settings(loaded: Loaded, *, as_json: bool) -> None:
    from pipeline.settings import table

    rows = table(loaded)
    if as_json:
        write_json({row.name: {"value": row.value, "from": row.origin, "about": row.about} for row in rows})
        return
    _table(("setting", "value", "from", "what it does"), [(row.name, row.value, row.origin, row.about) for row in rows])


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "healthy": not any(finding.bad for finding in findings),
                "findings": [{"check": f.check, "state": f.state, "found": f.found, "todo": f.todo} for f in findings],
            }
        )
        return
    out = Output()
    styles = {"ok": "green", "note": "yellow", "bad": "red"}
    for finding in findings:
        out.print(f"{finding.state:>4}  ", style=styles[finding.state], end="")
        out.print(f"{finding.check}: {finding.found}", markup=False)
        if finding.todo:
            out.print(f"      → {finding.todo}", markup=False)


def show_voices(voices: Mapping[str, VoiceIdentity], *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                name: {
                    "language": voice.language,
                    "sample_rate": voice.sample_rate,
                    "speakers": list(voice.speakers),
                    "licence": voice.licence,
                    "engine": voice.engine,
                    "sha256": voice.digest,
                }
                for name, voice in sorted(voices.items())
            }
        )
        return
    _table(
        ("voice", "language", "licence", "speakers"),
        [(name, v.language, v.licence, ", ".join(v.speakers)) for name, v in sorted(voices.items())],
    )


def show_catalogue(language: str, tls: Tls, stop: Event, *, as_json: bool) -> None:
    """The voices that can be fetched. Raises EngineError."""
    from pipeline.engines import voice_catalogue

    offered = [
        voice
        for name, voice in sorted(voice_catalogue.available(tls=tls, stop=stop).items())
        if voice.language == language or voice.language.split("-")[0] == language or not language
    ]
    if as_json:
        write_json(
            {
                voice.name: {"language": voice.language, "bytes": voice.size, "speakers": voice.speakers}
                for voice in offered
            }
        )
        return
    _table(
        ("voice", "language", "size", "speakers"),
        [(voice.name, voice.language, f"{voice.size / 1e6:.0f} MB", str(voice.speakers)) for voice in offered],
    )


def fetch_voice(name: str, folder: Path, tls: Tls, stop: Event) -> None:
    """Fetch one voice, with a bar on a terminal. Raises EngineError."""
    from pipeline.engines import voice_catalogue

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Output()) as progress:
        bar = progress.add_task(name, total=None)
        voice_catalogue.get(
            name,
            folder,
            tls=tls,
            stop=stop,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    Output().print(f"{name} is installed in {folder}.", markup=False)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out = Output()
    if not out.is_terminal:
        for row in rows:
            write("\t".join(row).rstrip("\t"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    out.soft_wrap = False
    out.print(table)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
