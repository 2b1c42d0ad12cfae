"""Can this installation do its work? Every finding says what was seen and, where it is not well, what to do.

An engine is well only when it has produced something: a server that answers its version while its model hangs is not.
"""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Literal

from pipeline import __version__, wiring
from pipeline.digests import Digests
from pipeline.errors import PipelineError, SettingsError
from pipeline.settings import Loaded, load

# A day's episodes and the store beside them fit in this; below it a run is likely to meet a full disk.
_LOW_DISK_BYTES = 2 * 10**9


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    state: Literal["ok", "note", "bad"]
    found: str
    todo: str = ""

    @property
    def bad(self) -> bool:
        return self.state == "bad"


def examine(project: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Everything there is to know, in the order in which a person would look for it. Never raises for a fault found."""
    findings = [Finding("version", "ok", f"pipeline {__version__}, Python {platform.python_version()}, {sys.platform}")]
    try:
        loaded = load(project, environ)
    except SettingsError as error:
        findings += [Finding("settings", "bad", problem, "Mend it and look again.") for problem in error.problems]
        return findings
    findings.append(Finding("settings", "ok", f"{len(loaded.origins)} settings read from {project}"))
    findings += _tls(loaded)
    findings += _paths(project, loaded)
    findings += _engines(project, loaded)
    return findings


def _tls(loaded: Loaded) -> Iterator[Finding]:
    tls = wiring.tls_of(loaded.settings)
    try:
        tls.context()
    except PipelineError as error:
        yield Finding("TLS", "bad", error.what, error.hint)
        return
    if tls.verify:
        also = f", and the authority in {tls.ca_bundle}" if tls.ca_bundle else ""
        yield Finding("TLS", "ok", f"certificates are checked against certifi's authorities{also}")
    else:
        yield Finding(
            "TLS",
            "note",
            "certificates are not checked",
            "Set SSL_VERIFY=true; SSL_CA_BUNDLE adds a company's authority.",
        )


def _paths(project: Path, loaded: Loaded) -> Iterator[Finding]:
    places = wiring.folders(project, loaded.settings)
    for name, folder, written in (
        ("input", places.input, False),
        ("output", places.output, True),
        ("data", places.data, True),
    ):
        yield _path(name, folder, written=written)
    free = shutil.disk_usage(places.data if places.data.exists() else project).free
    low = free < _LOW_DISK_BYTES
    yield Finding(
        "disk",
        "note" if low else "ok",
        f"{free / 1e9:.1f} GB free",
        "Free some space before a long run." if low else "",
    )


def _path(name: str, folder: Path, *, written: bool) -> Finding:
    try:
        found = folder.stat()
    except FileNotFoundError:
        if written and os.access(folder.parent, os.W_OK):
            return Finding(name, "ok", f"{folder} is made when it is needed")
        return Finding(name, "bad", f"{folder} does not exist", f"Make it: mkdir -p {folder}")
    except OSError as error:
        return Finding(name, "bad", f"{folder}: {error.strerror}", "Change its owner or mode.")
    owner = _owner(found.st_uid)
    facts = f"{folder}, owner {owner}, mode {stat.filemode(found.st_mode)}"
    needed = os.R_OK | os.X_OK | (os.W_OK if written else 0)
    if os.access(folder, needed):
        return Finding(name, "ok", facts)
    me = _owner(os.geteuid())
    return Finding(
        name, "bad", f"{facts}: {me} may not {'write' if written else 'read'} there", f"chown -R {me} {folder}"
    )


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _engines(project: Path, loaded: Loaded) -> Iterator[Finding]:
    settings, stop = loaded.settings, Event()
    tls = wiring.tls_of(settings)
    digests = Digests(wiring.folders(project, settings).data / "digests.json")
    try:
        writer = wiring.choose_writer(settings, tls, digests, stop)
    except PipelineError as error:
        yield Finding("writer", "bad", error.what, error.hint)
    else:
        yield Finding("writer", "ok", f"{writer.name} is taken: {writer.why}")
        yield _proven("writing", writer.engine.check, lambda: writer.engine.describe().name)
    try:
        voice = wiring.choose_voice(project, settings, tls, digests, stop)
    except PipelineError as error:
        yield Finding("voice", "bad", error.what, error.hint)
    else:
        yield Finding("voice", "ok", f"{voice.name} is taken: {voice.why}")
        yield _proven("speaking", voice.engine.check, lambda: ", ".join(sorted(voice.engine.installed())))


def _proven(check: str, act: Callable[[], None], name: Callable[[], str]) -> Finding:
    begun = perf_counter()
    try:
        act()
        return Finding(check, "ok", f"{name()} produced something in {perf_counter() - begun:.1f} s")
    except PipelineError as error:
        where = f"{error.where}: " if error.where else ""
        return Finding(check, "bad", f"{where}{error.what}", error.hint)
