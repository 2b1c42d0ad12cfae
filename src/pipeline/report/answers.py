"""What is asked for: how things stand, findings, settings, voices; as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from textwrap import wrap
from threading import Event
from typing import TYPE_CHECKING

from rich.table import Table

from pipeline import underway
from pipeline.errors import InputError, SetAside
from pipeline.ports import VoiceIdentity
from pipeline.report.called import as_typed
from pipeline.report.output import Output, write, write_json
from pipeline.report.plans import left_told
from pipeline.report.reasons import publishing, reasons
from pipeline.report.remarks import remark_on
from pipeline.report.screens import episodes
from pipeline.stages.publish import SCRIPT, read_manifest
from pipeline.studio import Checked, Returns, Rewritten, Studio, Survey
from pipeline.underway import AtWork

if TYPE_CHECKING:
    from pipeline.doctor import Finding
    from pipeline.net.tls import Tls
    from pipeline.settings import Loaded

# Below this a column of sentences is harder to read than lines that the terminal folds.
_NARROWEST_COLUMN = 30


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
    sealed = {slug for name in wanted for slug in survey.finished_sources.get(name, (name,))}
    finished = tuple(slug for slug in survey.finished if slug in sealed)
    return replace(survey, finished=finished, works=works, refused=refused, sources={}, whole=False)


# -- status and verify -------------------------------------------------------------------------------------------


def show_status(studio: Studio, *, as_json: bool) -> int:
    """Every episode and how it stands, and the runs at work. Returns 1 where a topic is refused, failed or set aside.

    The states are the words of a run's account: `finished`, `to make`, `failed` (also what could not be made if it
    were tried now), `set aside` (it failed too often to be tried again as it is), `refused`; `kept` is what no topic
    asks for.
    """
    plan = studio.plan(studio.survey())
    edited = studio.edits.slugs()
    rows = [_row(name, "finished", _remark(studio, name), edited=name in edited) for name in plan.finished]
    for episode in plan.episodes:
        name = episode.work.slug
        failure = studio.failure(name)
        state, why = "to make", "; ".join(reasons(episode)) or publishing(episode.to_publish)
        if episode.error is not None:
            aside = isinstance(episode.error, SetAside)
            state, why = ("set aside", str(episode.error)) if aside else ("failed", f"cannot be made: {episode.error}")
        elif episode.nothing_to_do:
            state, why = "finished", _remark(studio, name)
        elif failure is not None:
            answer = f" What it answered is in {failure.answer}." if failure.answer else ""
            state, why = "failed", f"{failure.what}. {failure.hint}".strip() + answer
        rows.append(_row(name, state, why, edited=episode.edited))
    for left in plan.left:
        why = left_told(left) if left.edited else "no topic asks for it now"
        if left.refused:
            why = f"its topic ({left.source}) is refused"
        rows.append(_row(left.slug, "kept", why, edited=left.edited))
    rows += [_row("", "refused", str(error), edited=False) for error in plan.refused]
    runs = underway.at_work(studio.folders.data)
    if as_json:
        write_json({"episodes": rows, "runs": [asdict(run) for run in runs]})
    else:
        _table(("episode", "state", "", ""), [_status_row(row) for row in rows])
        for line in _at_work(runs):
            Output().say(line, style="yellow")
    return int(any(row["state"] in {"failed", "set aside", "refused"} for row in rows))


def _at_work(runs: Sequence[AtWork]) -> Iterable[str]:
    """What the runs at work wait for; nothing of those that get on."""
    for run in runs:
        for wait in run.waits:
            held = f" ({', '.join(wait.episodes)})" if wait.episodes else ""
            yield (
                f"A run at work (process {run.pid}) has been waiting since {_clock_time(wait.since)} for the "
                f"{wait.service}{held}; next try at {_clock_time(wait.next_try)}. {wait.where}: {wait.why}"
            )


def _clock_time(at: str) -> str:
    """A time of this run in this machine's time, for people."""
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")


def _row(episode: str, state: str, why: str, *, edited: bool) -> dict[str, object]:
    return {"episode": episode, "state": state, "edited_by_hand": edited, "why": why}


def _remark(studio: Studio, slug: str) -> str:
    return remark_on(read_manifest(studio.folders.output / slug))


def _status_row(row: Mapping[str, object]) -> tuple[str, str, str, str]:
    return str(row["episode"]), str(row["state"]), "edited by hand" if row["edited_by_hand"] else "", str(row["why"])


def show_verification(studio: Studio, *, as_json: bool) -> int:
    """Each episode's files against its manifest. Returns 1 where anything is wrong, else 0; an edit by hand that no
    run has taken yet is not wrong.
    """
    found = tuple(studio.check())
    wrong = [one for one in found if one.faults]
    if as_json:
        write_json(
            {
                "episodes": len(found),
                "wrong": {one.slug: list(one.faults) for one in wrong},
                "remarks": {one.slug: list(one.remarks) for one in found if one.remarks},
                "edited_by_hand": [one.slug for one in found if one.edited],
                "no_topic": [one.slug for one in found if one.left],
            }
        )
        return int(bool(wrong))
    out = Output()
    for one in found:
        for fault in one.faults:
            out.say(f"{one.slug}: {fault}", style="red")
        for remark in one.remarks:
            out.say(f"{one.slug}: {remark}", style="yellow")
        if one.edited:
            taken = "no topic asks for it, so no run takes it" if one.left else "the next run takes it"
            out.say(f"{one.slug}: {SCRIPT} is edited by hand; {taken}", style="yellow")
    counted = f"{episodes(len(found))}, {_files(found)}"
    if not wrong:
        out.say(f"{counted}: all as their manifests say{', but for the edits' * any(one.edited for one in found)}.")
        return 0
    out.say(f"{counted}: {episodes(len(wrong))} {'is not as it' if len(wrong) == 1 else 'are not as they'} should be.")
    if not all(one.left for one in wrong):
        out.say("`pipeline run` publishes what a topic asks for again; nothing is made twice.")
    if gone := [one.slug for one in wrong if one.left]:
        out.say(
            f"No topic asks for {', '.join(gone)}, so no run publishes {'it' if len(gone) == 1 else 'them'} again: "
            "bring the topic file back, or the files from a backup."
        )
    return 1


def _files(found: Sequence[Checked]) -> str:
    count = sum(one.files for one in found)
    return "1 file" if count == 1 else f"{count} files"


# -- giving up an edit, cleaning ---------------------------------------------------------------------------------

_COMES_BACK = {
    Returns.STORED: "the script as the model wrote it comes back with the next run",
    Returns.READ: "the next run has the script as its file has it",
    Returns.ANEW: "the next run has the script written anew",
}


def show_rewritten(episode: str, given_up: Rewritten, *, as_json: bool) -> None:
    if as_json:
        write_json({"episode": episode, "edit": str(given_up.aside), "script": given_up.script})
        return
    Output().say(f"{episode}: {_COMES_BACK[given_up.script]}. Your edit lies in {given_up.aside}.")


def show_retried(names: Sequence[str], *, as_json: bool) -> None:
    """Which episodes the next run tries again."""
    if as_json:
        write_json({"episodes": list(names)}, indent=None)
        return
    again = f"The next run tries {'it' if len(names) == 1 else 'them'} again: {', '.join(names)}."
    Output().say(again if names else "Nothing is set aside.")


def show_cleaned(count: int, freed_bytes: int, *, as_json: bool) -> None:
    if as_json:
        write_json({"artifacts": count, "bytes": freed_bytes}, indent=None)
        return
    dropped = "1 artifact" if count == 1 else f"{count} artifacts"
    Output().say(
        f"{dropped} dropped, {freed_bytes / 1e6:.1f} MB freed."
        if count
        else "Nothing to drop; what was made within the last hour is left alone."
    )


# -- settings, doctor, voices ------------------------------------------------------------------------------------


def show_settings(loaded: Loaded, *, as_json: bool) -> None:
    from pipeline.settings import table

    rows = table(loaded)
    if as_json:
        write_json({row.name: {"value": row.value, "from": row.origin, "about": row.about} for row in rows})
        return
    _table(("setting", "value", "from", "what it does"), [(row.name, row.value, row.origin, row.about) for row in rows])


def show_findings(findings: Sequence[Finding], *, as_json: bool, quick: bool = False) -> None:
    """`quick`: nothing was made, so that all is well is not proven."""
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
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        out.print(f"{finding.state:>4}  ", style=styles[finding.state], end="")
        out.print(f"{finding.check:<{width}}  ", end="", markup=False)
        out.say(_hanging(out, finding.found, 8 + width))
        if finding.todo:
            out.say(" " * (6 + width) + f"→ {_hanging(out, finding.todo, 8 + width)}")
    out.say(_told(findings, quick=quick))


def _hanging(out: Output, text: str, indent: int) -> str:
    """A sentence that goes on under its own beginning where the terminal is too narrow for it; elsewhere one line."""
    text = as_typed(text)
    if not out.is_terminal or out.width - indent < _NARROWEST_COLUMN:
        return text
    lines = wrap(text, out.width - indent, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)


def _told(findings: Sequence[Finding], *, quick: bool) -> str:
    bad = sum(finding.bad for finding in findings)
    notes = sum(finding.state == "note" for finding in findings)
    also = f" {notes} worth knowing." if notes else ""
    well = "Nothing to mend at a quick look." if quick else "Everything can do its work."
    return f"{bad} to mend.{also}" if bad else f"{well}{also}"


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


def show_catalogue(language: str, tls: Tls, stop: Event, base_url: str, *, as_json: bool) -> None:
    """The voices that can be fetched from the catalogue at `base_url`. Raises EngineError."""
    from pipeline.engines import voice_catalogue

    offered = [
        voice
        for name, voice in sorted(voice_catalogue.available(tls=tls, stop=stop, base_url=base_url).items())
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


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    out = Output()
    if not out.is_terminal:
        for row in rows:
            write(as_typed("\t".join(row).rstrip("\t")))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(as_typed(cell).replace("[", r"\[") for cell in row))
    out.soft_wrap = False
    out.print(table)
