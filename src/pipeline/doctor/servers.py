"""Whether a server's address leads, hop by hop, to the service that should be there.

Each hop is a finding of its own: whose address it is, the proxy, the name, the certificate, who answers. The first
that fails ends it, because what lies behind cannot be seen.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from pipeline import __version__
from pipeline.doctor import who
from pipeline.doctor.clock import drift
from pipeline.doctor.finding import Finding, State
from pipeline.doctor.proxies import Way, way_to
from pipeline.errors import EngineError, EngineRefused, EngineUnavailable
from pipeline.net.border import Timeouts
from pipeline.net.session import Answer, Service
from pipeline.net.tls import Certificate, Tls, certificate_of

# A certificate is renewed by a person or a program within a month of its end; less is left only where that failed.
_ENDS_SOON = timedelta(days=21)
# Listing voices takes a few milliseconds each; a server that takes longer is too busy to be told by waiting.
_ANSWER_SECONDS = 15.0
# From 0.5 `format` takes a schema, which scripts are asked for by; from 0.9 `think` can be turned off.
_OLLAMA_NEEDS, _OLLAMA_WANTS = (0, 5), (0, 9)

LookUp = Callable[[str], list[str]]
"""A host's addresses. Raises OSError for a name that nobody knows."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    """For people: `Ollama`."""
    url: str
    setting: str
    """`OLLAMA_BASE_URL`."""
    origin: str
    """Where the setting's value stands: `.env:3`, `default`."""
    needed: bool
    """False where something else does the work if this is not there."""
    asked_for: bool = False
    """Somebody turned it on: that nobody answers is worth a word, wherever its address comes from."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Go with every question; may hold secrets, which are never shown."""

    @property
    def named(self) -> str:
        """`OLLAMA_BASE_URL, from .env:3`."""
        return f"{self.setting}, {'its default' if self.origin == 'default' else f'from {self.origin}'}"

    @property
    def missing(self) -> State:
        """How bad it is that nobody answers."""
        if self.needed:
            return "bad"
        return "ok" if self.origin == "default" and not self.asked_for else "note"


def system_look_up(host: str) -> list[str]:
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


@dataclass
class Visit:
    """One look at one server, and what it showed on the way."""

    server: Server
    tls: Tls
    environ: Mapping[str, str]
    connect_seconds: float
    look_up: LookUp = system_look_up
    failure: EngineError | None = None
    """Why it cannot be used; None where it can."""
    drift: timedelta | None = None
    """How far this machine's clock was after the server's."""

    def hops(self, judge: Callable[[Visit, Service], Iterator[Finding]]) -> Iterator[Finding]:
        """What is found on the way there, and then what `judge` finds in its answers. Sets `failure` and `drift`."""
        try:
            yield from self._hops(judge)
        except EngineError as error:
            self.failure = error
            state = "bad" if isinstance(error, EngineRefused) and self.server.needed else self.server.missing
            if isinstance(error, EngineRefused) and state == "ok":
                state = "note"  # somebody is there, and not the one who should be
            yield Finding(
                self.server.name, state, f"{error.what} ({self.server.named})", "" if state == "ok" else error.hint
            )

    def _hops(self, judge: Callable[[Visit, Service], Iterator[Finding]]) -> Iterator[Finding]:
        server = self.server
        parts = urlsplit(server.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        yield Finding(f"{server.name} address", "ok", f"{server.url} ({server.named})")
        way = way_to(server.url, self.environ)
        if way.proxy:
            yield Finding(f"{server.name} way", "ok", f"through the proxy {way.proxy} ({way.why})")
        else:
            if way.why != "no proxy is set for it":
                yield Finding(f"{server.name} way", "ok", f"directly: {way.why}")
            yield from self._name(host)
        service = self._service(way)
        try:
            self._date(service.ask("GET", "/"))
            if parts.scheme == "https" and not way.proxy:
                yield self._certificate(host, port)
            yield from judge(self, service)
        finally:
            service.close()

    def _service(self, way: Way) -> Service:
        server = self.server
        hint = f"See that {server.name} is running, and that {server.setting} is its address"
        hint += "; or let NO_PROXY keep the proxy away from it." if way.proxy else "."
        timeouts = Timeouts(self.connect_seconds, _ANSWER_SECONDS, _ANSWER_SECONDS)
        return Service(server.name, server.url, tls=self.tls, timeouts=timeouts, headers=server.headers, hint=hint)

    def _name(self, host: str) -> Iterator[Finding]:
        if _is_address(host):
            return
        found = looked_up(host, self.connect_seconds, self.look_up, where=f"{self.server.name} at {self.server.url}")
        yield Finding(f"{self.server.name} name", "ok", f"{host} is {', '.join(found[:4])}")

    def _certificate(self, host: str, port: int) -> Finding:
        check = f"{self.server.name} certificate"
        shown = certificate_of(host, port)
        if shown is None:
            return Finding(check, "ok", "accepted")
        return certificate_finding(check, shown, datetime.now(UTC), verified=self.tls.verify)

    def _date(self, answer: Answer) -> None:
        self.drift = drift(answer.headers.get("date", ""), datetime.now(UTC))

    def stranger(self, service: Service, expected: str) -> EngineRefused:
        """The error for somebody else at the address, with who it seems to be."""
        answers: dict[str, Answer] = {}
        for path in who.CLUES:
            try:
                answers[path] = service.ask("GET", path)
            except EngineError:
                continue  # sent elsewhere, cut off: no clue
        server = self.server
        seems = who.who(answers)
        todo = f"Set {server.setting} to {server.name}'s address"
        if "proxy" in seems or "page" in seems:
            todo += ", or keep the proxy away from it with NO_PROXY"
        return EngineRefused(f"what answers at {server.url} is not {expected} but {seems}", hint=f"{todo}.")


def looked_up(host: str, seconds: float, look_up: LookUp, *, where: str) -> list[str]:
    """A host's addresses. The system's own look-up may hang for minutes where there is no network, and cannot be
    called off; it is left behind. Raises EngineUnavailable.
    """
    outcome: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put(look_up(host))
        except OSError as error:
            outcome.put(error)
        except UnicodeError as error:  # a name that cannot be one, such as a label of 64 letters
            outcome.put(OSError(str(error)))

    Thread(target=run, name=f"look-up {host}", daemon=True).start()
    try:
        found = outcome.get(timeout=seconds)
    except Empty:
        raise EngineUnavailable(
            f"the look-up of its name {host!r} took more than {seconds:g} s",
            where=where,
            hint="See that this machine's network and name server work (/etc/resolv.conf).",
        ) from None
    if isinstance(found, OSError):
        raise EngineUnavailable(
            f"no machine of the name {host!r} is known here ({found.strerror or found})",
            where=where,
            hint="See the name for a slip. Names of Compose's services are known inside its network alone.",
        ) from found
    return found


def certificate_finding(check: str, shown: Certificate, now: datetime, *, verified: bool) -> Finding:
    """A certificate that was accepted, and how long it yet holds."""
    facts = f"subject {shown.subject}, issuer {shown.issuer}, until {shown.expires}"
    if not verified:
        return Finding(check, "note", f"{facts}; not checked", "Set SSL_VERIFY=true.")
    try:
        ends = datetime.strptime(shown.expires, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return Finding(check, "ok", facts)
    if ends - now > _ENDS_SOON:
        return Finding(check, "ok", facts)
    return Finding(check, "note", f"{facts}, which is in {(ends - now).days} days", "Have it renewed on the server.")


# -- who should be there ---------------------------------------------------------------------------------------


def is_ollama(model: str) -> Callable[[Visit, Service], Iterator[Finding]]:
    """Judges whether Ollama answers, of a version that will do, with the model."""

    def judge(visit: Visit, service: Service) -> Iterator[Finding]:
        answer = service.ask("GET", "/api/version")
        version = who.ollama_version(answer)
        if not version:
            if answer.status in (401, 403) and who.as_json(answer) is not None:
                service.accept(answer)
            raise visit.stranger(service, "Ollama")
        yield ollama_version(version)
        tags = service.ask("GET", "/api/tags")
        listed = who.as_json(tags)
        models = listed.get("models") if isinstance(listed, dict) else None
        if not isinstance(models, list):
            raise EngineRefused(
                f"it says that it is Ollama {version}, but its list of models is not there (/api/tags: {tags.status})",
                hint="Something between lets only some routes through: let all of /api/ through.",
            )
        names = sorted(str(one.get("model", "")) for one in models if isinstance(one, dict))
        yield model_finding(model, names, needed=visit.server.needed)

    return judge


def ollama_version(version: str) -> Finding:
    known, answers = who.numbers(version), f"Ollama {version} answers"
    if not known or not any(known):  # one that was built by hand names itself 0.0.0
        return Finding("Ollama", "ok", answers)
    if known < _OLLAMA_NEEDS:
        return Finding("Ollama", "bad", f"{answers}; scripts need 0.5 or later", "Update Ollama.")
    if known < _OLLAMA_WANTS:
        return Finding("Ollama", "note", f"{answers}; before 0.9 no model can be told not to think", "Update Ollama.")
    return Finding("Ollama", "ok", answers)


def model_finding(model: str, there: list[str], *, needed: bool) -> Finding:
    """`there`: the models' names as Ollama lists them, with their tags. Not `needed`: another writer can be taken."""
    tagged = model if ":" in model.rsplit("/", 1)[-1] else f"{model}:latest"
    if tagged in there:
        return Finding("Ollama model", "ok", f"{tagged} is there")
    near = get_close_matches(tagged, there, n=3, cutoff=0.5)
    meant = f" Or did you mean {near[0]} (OLLAMA_MODEL)?" if near else ""
    found = f"{tagged} is not there; it has {', '.join(there[:8]) or 'none at all'}"
    return Finding(
        "Ollama model", "bad" if needed else "note", found, f"ollama pull {model}; in containers, make models.{meant}"
    )


def is_stable_diffusion(visit: Visit, service: Service) -> Iterator[Finding]:
    """Judges whether a server with AUTOMATIC1111's routes answers, this project's or another."""
    models = service.ask("GET", "/sdapi/v1/sd-models")
    if models.status in (401, 403):
        raise EngineRefused(
            f"it asks who calls (HTTP {models.status})", hint="Set SD_AUTH=user:password, as its --api-auth says."
        )
    if models.status != 200 or not isinstance(who.as_json(models), list):
        raise visit.stranger(service, "a Stable Diffusion server with its API on (--api)")
    own, version = who.own_service(service.ask("GET", "/health"))
    whose = f"this project's own image server {version}" if own else "a server with AUTOMATIC1111's routes"
    yield Finding("Stable Diffusion", "ok", f"{whose} answers")


def is_piper(visit: Visit, service: Service) -> Iterator[Finding]:
    """Judges whether a Piper server answers, this project's or upstream's, and takes texts."""
    if not who.is_voice_list(service.ask("GET", "/voices")):
        raise visit.stranger(service, "a Piper server")
    own, version = who.own_service(service.ask("GET", "/health"))
    if own:
        if version == __version__:
            yield Finding("Piper", "ok", f"this project's own speech server {version} answers")
        else:
            said = f"this project's own speech server answers, of version {version}; the pipeline is {__version__}"
            yield Finding("Piper", "note", said, "Bring both to one version: make up builds the images again.")
        return
    # A route that takes only POST answers GET with 405, and one that is not there with 404.
    for path, since in (("/synthesize", "1.5 or later"), ("/", "before 1.5")):
        if service.ask("GET", path).status == 405:
            yield Finding("Piper", "ok", f"upstream's Piper server answers, {since} (POST {path})")
            return
    raise EngineRefused(
        "it lists voices but takes no texts: neither POST /synthesize (from 1.5) nor POST / (before) is there",
        hint="Something between lets only some routes through, or it is another program: see what listens there.",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
