"""Can this installation do its work? Every finding says what was seen and, where it is not well, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from pipeline import wiring
from pipeline.digests import Digests
from pipeline.doctor import engines, machine, places
from pipeline.doctor.clock import clock
from pipeline.doctor.finding import Finding
from pipeline.doctor.proxies import proxies
from pipeline.doctor.rounds import Check, made
from pipeline.doctor.servers import Visit
from pipeline.errors import PipelineError, SettingsError
from pipeline.net.session import basic_auth
from pipeline.net.tls import Tls
from pipeline.settings import Loaded, load

__all__ = ["Finding", "examine"]

# For what only looks at this machine: it takes milliseconds, unless a disk or a driver is ill.
_MOMENT_SECONDS = 15.0
# What requests, curl and OpenSSL read. One setting says who is believed, so that a shell's leavings do not.
_OTHERS_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def examine(project: Path, environ: Mapping[str, str], *, quick: bool = False) -> list[Finding]:
    """Everything there is to know, in the order in which a person would look for it. Never raises for a fault found.

    `quick` leaves out what loads a model: nothing is written and nothing is spoken.
    """
    findings = [machine.version()]
    try:
        loaded = load(project, environ)
    except SettingsError as error:
        findings += [Finding("settings", "bad", problem, "Mend it and look again.") for problem in error.problems]
        return findings
    given = sum(origin != "default" for origin in loaded.origins.values())
    findings.append(Finding("settings", "ok", f"{len(loaded.origins)} settings, {given} of them given, in {project}"))
    tls = wiring.tls_of(loaded.settings)
    believed = _tls(tls, environ)
    findings.append(believed)
    visits = _visits(loaded, tls, environ)
    checks = _here(project, loaded, environ)
    if not believed.bad:  # without certificates to believe, nobody can be asked
        digests = Digests(wiring.folders(project, loaded.settings).data / "digests.json")
        checks.append(engines.writer(loaded, visits[0], digests, quick=quick))
        checks.append(engines.voice(project, loaded, visits[1], digests, quick=quick))
        checks.append(engines.illustrator(project, loaded, visits[2], quick=quick))
    findings += made(checks)
    drifts = {visit.server.name: visit.drift for visit in visits if visit.drift is not None}
    return [*findings, clock(datetime.now(UTC), drifts)]


def _tls(tls: Tls, environ: Mapping[str, str]) -> Finding:
    try:
        tls.context()
    except PipelineError as error:
        return Finding("TLS", "bad", error.what, error.hint)
    if tls.verify:
        also = f", and the authority in {tls.ca_bundle}" if tls.ca_bundle else ""
        unread = [name for name in _OTHERS_BUNDLES if environ.get(name)]
        beside = (
            f"; {', '.join(unread)} {'is' if len(unread) == 1 else 'are'} not read, SSL_CA_BUNDLE is" if unread else ""
        )
        return Finding("TLS", "ok", f"certificates are checked against certifi's authorities{also}{beside}")
    todo = "Set SSL_VERIFY=true; SSL_CA_BUNDLE adds a company's authority."
    return Finding("TLS", "note", "certificates are not checked", todo)


def _visits(loaded: Loaded, tls: Tls, environ: Mapping[str, str]) -> tuple[Visit, Visit, Visit]:
    settings = loaded.settings
    key = settings.ollama_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    auth = settings.sd_auth
    drawing = {"Authorization": basic_auth(auth.get_secret_value())} if auth else {}
    servers = (
        engines.server(loaded, "Ollama", "ollama_base_url", needed=settings.writer == "ollama", headers=headers),
        engines.server(loaded, "Piper", "piper_base_url", needed=settings.voice_engine == "piper-server"),
        engines.server(
            loaded,
            "Stable Diffusion",
            "sd_base_url",
            needed=False,
            asked_for=settings.sd_enabled,
            headers=drawing,
        ),
    )
    writer, voice, illustrator = (Visit(one, tls, environ, settings.connect_timeout_seconds) for one in servers)
    return writer, voice, illustrator


def _here(project: Path, loaded: Loaded, environ: Mapping[str, str]) -> list[Check]:
    """What is looked at without asking anybody else."""
    settings = loaded.settings
    folders = wiring.folders(project, settings)
    written = {"output": folders.output, "data": folders.data}

    def paths(_: Event) -> Iterator[Finding]:
        yield places.readable("input", folders.input)
        for name, folder in written.items():
            yield places.writable(name, folder)
        yield from places.room(written.values())

    return [
        Check("machine", _MOMENT_SECONDS, lambda _: machine.machine(environ, settings.cores)),
        Check("GPU", _MOMENT_SECONDS, lambda _: [machine.gpu(draws=settings.sd_enabled)]),
        Check("folders", _MOMENT_SECONDS, paths, "See the disks: a network folder may have gone."),
        Check("proxies", _MOMENT_SECONDS, lambda _: [proxies(environ)]),
    ]
