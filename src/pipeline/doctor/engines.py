"""Which engines are taken, and whether they produce something.

An engine is well only when it has produced something: a server that answers its version while its model hangs is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from threading import Event
from time import perf_counter

from pipeline import wiring
from pipeline.digests import Digests
from pipeline.doctor.finding import Finding
from pipeline.doctor.rounds import Check, of_error
from pipeline.doctor.servers import Server, Visit, is_ollama, is_piper, is_stable_diffusion
from pipeline.errors import PipelineError
from pipeline.ports import VoiceIdentity
from pipeline.settings import Loaded

# A model comes from a cold disk at 50 MB a second or more; the embedded one has 0.1 GB, and Ollama's its own deadline.
_AT_LEAST_SECONDS = 120.0
_SHOWN_VOICES = 6


def writer(loaded: Loaded, visit: Visit, digests: Digests, *, quick: bool) -> Check:
    """The server's address where one may be taken, which writer is taken, and, unless `quick`, a few words written."""
    settings = loaded.settings

    def look(stop: Event) -> Iterator[Finding]:
        asked = settings
        if settings.writer != "embedded":
            yield from visit.hops(is_ollama(settings.ollama_model))
            if visit.failure is not None:
                if settings.writer == "ollama":
                    yield _unproven("writing", visit)
                    return
                yield Finding("writer", "ok", f"embedded is taken: {visit.server.name} cannot be used")
                asked = settings.model_copy(update={"writer": "embedded"})
        choice = wiring.choose_writer(asked, visit.tls, digests, stop)
        if asked is settings:
            yield Finding("writer", "ok", f"{choice.name} is taken: {choice.why}")
        if not quick:
            yield _proven("writing", choice.engine.check, lambda: choice.engine.describe().name)

    seconds = max(_AT_LEAST_SECONDS, settings.ollama_first_token_seconds + settings.read_timeout_seconds)
    overdue = "See the writer's log; a smaller model, or a GPU, answers sooner."
    return Check("writing", seconds, look, overdue)


def voice(project: Path, loaded: Loaded, visit: Visit, digests: Digests, *, quick: bool) -> Check:
    """The same for who speaks; and which voices there are."""
    settings = loaded.settings

    def look(stop: Event) -> Iterator[Finding]:
        asked = settings
        if settings.voice_engine != "embedded":
            yield from visit.hops(is_piper)
            if visit.failure is not None:
                if settings.voice_engine == "piper-server":
                    yield _unproven("speaking", visit)
                    return
                yield Finding("voice", "ok", f"embedded is taken: {visit.server.name} cannot be used")
                asked = settings.model_copy(update={"voice_engine": "embedded"})
        choice = wiring.choose_voice(project, asked, visit.tls, digests, stop)
        if asked is settings:
            yield Finding("voice", "ok", f"{choice.name} is taken: {choice.why}")
        installed = choice.engine.installed()
        yield voices(installed, wanted_voices(loaded))
        if not quick:
            yield _proven("speaking", choice.engine.check, lambda: ", ".join(sorted(installed)[:_SHOWN_VOICES]))

    seconds = max(_AT_LEAST_SECONDS, settings.read_timeout_seconds + settings.connect_timeout_seconds)
    return Check("speaking", seconds, look, "See the voice's log, and this machine's load.")


def illustrator(project: Path, loaded: Loaded, visit: Visit, *, quick: bool) -> Check:
    """Who draws the pictures; where that is a server, its address, and, unless `quick`, one small picture."""
    settings = loaded.settings

    def look(stop: Event) -> Iterator[Finding]:
        asked = settings
        if settings.sd_enabled:
            yield from visit.hops(is_stable_diffusion)
            if visit.failure is not None:
                yield Finding(
                    "pictures",
                    "note",
                    f"cards are set: {visit.server.name} cannot be used",
                    "When it answers, the next run draws the pictures.",
                )
                asked = settings.model_copy(update={"sd_enabled": False})
        look_of_project = wiring.read_look(project, asked)
        choice = wiring.choose_illustrator(project, asked, visit.tls, look_of_project, stop)
        if asked is settings:
            yield Finding("pictures", "ok", f"{choice.name}: {choice.why}")
        if not quick:
            yield _proven("drawing", choice.engine.check, lambda: choice.engine.describe().name)

    seconds = max(_AT_LEAST_SECONDS, settings.sd_picture_seconds + settings.connect_timeout_seconds)
    return Check("drawing", seconds, look, "See the image server's log: without a GPU a picture takes minutes.")


def server(
    loaded: Loaded,
    name: str,
    setting: str,
    *,
    needed: bool,
    asked_for: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Server:
    """A server as the settings name it; `setting` is the setting of its address."""
    url = str(getattr(loaded.settings, setting)).rstrip("/")
    return Server(name, url, setting.upper(), loaded.origins[setting], needed, asked_for, headers or {})


def wanted_voices(loaded: Loaded) -> tuple[str, ...]:
    """The voices that somebody asked for by name, not those that are only the default."""
    named = [loaded.settings.voice] if loaded.origins["voice"] != "default" and loaded.settings.voice else []
    return tuple(dict.fromkeys([*named, *dict(loaded.settings.voices).values()]))


def voices(installed: Mapping[str, VoiceIdentity], wanted: tuple[str, ...]) -> Finding:
    """Which voices there are, their languages and licences; bad where none is, or one that was asked for is not."""
    if not installed:
        return Finding("voices", "bad", "there are none", "Fetch one: pipeline voices get en_US-lessac-medium.")
    shown = [f"{name} ({one.language}, {one.licence or 'licence not told'})" for name, one in sorted(installed.items())]
    rest = len(shown) - _SHOWN_VOICES
    facts = "; ".join(shown[:_SHOWN_VOICES]) + (f"; and {rest} more" if rest > 0 else "")
    missing = [name for name in wanted if name.partition("#")[0] not in installed]
    if not missing:
        return Finding("voices", "ok", facts)
    near = get_close_matches(missing[0], installed, n=1)
    meant = f" Or did you mean {near[0]}?" if near else ""
    todo = f"Fetch it: pipeline voices get {missing[0].partition('#')[0]}.{meant}"
    return Finding("voices", "bad", f"{', '.join(missing)} is asked for and not there; there are {facts}", todo)


def _unproven(check: str, visit: Visit) -> Finding:
    failure = visit.failure
    assert failure is not None  # noqa: S101  # the callers have looked
    where = f"{visit.server.name} at {visit.server.url}"
    return Finding(check, "bad", f"{where}: not tried, because {failure.what}", failure.hint)


def _proven(check: str, act: Callable[[], None], name: Callable[[], str]) -> Finding:
    begun = perf_counter()
    try:
        act()
        return Finding(check, "ok", f"{name()} produced something in {perf_counter() - begun:.1f} s")
    except PipelineError as error:
        return of_error(check, error)
