"""The commands about models: have, list, prove, remove them; carry them to where no network is; lock them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opening import AsJson, Project, Status, find_project, settings_of, stopping
from pipeline.errors import EngineError, EngineRefused, SettingsError

if TYPE_CHECKING:
    from pipeline.engines.ollama_models import Server
    from pipeline.models.installation import Installation
    from pipeline.models.needs import Asked, Need
    from pipeline.report.models import FetchScreen, ModelRow
    from pipeline.settings import Loaded

commands = typer.Typer(
    help="The models that everything works with: voices, Ollama's model, checkpoints for pictures.\n\n"
    "Example:  pipeline models fetch",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Models by name: en_US-joe-medium, gemma3:4b, stabilityai/sd-turbo@COMMIT.",
        metavar="[MODEL]...",
        show_default=False,
    ),
]
SomeNames = Annotated[
    list[str], typer.Argument(help="Models by name: en_US-joe-medium, stabilityai/sd-turbo.", metavar="MODEL...")
]


@commands.command("fetch", epilog="Example:  pipeline models fetch pt_BR-faber-medium")
def models_fetch(names: Names = None, as_json: AsJson = False, project: Project = None) -> int:
    """Have the named models, or those that the settings ask for. Resumed after a cut, checked, then put in place."""
    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        return Status.DONE if fetch_named(names or [], place, loaded, stop, as_json=as_json) else Status.SOME_FAILED


@commands.command("list", epilog="Example:  pipeline models list --json | jq '.models[].name'")
def models_list(as_json: AsJson = False, project: Project = None) -> int:
    """List the models that are known here: state, size, licence, and the setting that asks for each."""
    from pipeline.models.keeping import holdings, strangers
    from pipeline.models.needs import needs_of
    from pipeline.report.models import ModelRow, row_of, show_models

    place = find_project(project)
    loaded = settings_of(place)
    site = installation_of(place, loaded, Event())
    needs = {need.name: need for need in needs_of(asked_of(loaded))}
    rows = [row_of(held, needs[held.model.name].why if held.model.name in needs else "") for held in holdings(site)]
    known = {row.name for row in rows}
    for need in needs.values():
        if need.kind == "ollama":
            rows.append(_ollama_row(need, loaded, site.stop))
        elif need.name not in known:
            rows.append(ModelRow(need.name, need.kind, "not here", None, "", "", need.why))
    show_models(rows, strangers(site), as_json=as_json)
    return Status.DONE


@commands.command("verify", epilog="Example:  pipeline models verify && echo every byte is as it should be")
def models_verify(names: Names = None, as_json: AsJson = False, project: Project = None) -> int:
    """Read every byte of the named models, or of all that are here, and say what is damaged. Changes nothing."""
    from pipeline.models.keeping import verify
    from pipeline.report.models import show_checked

    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        site = installation_of(place, loaded, stop)
        kept = [_kept(name, site, loaded) for name in names or []]
        good = show_checked(verify(site, kept, lambda *_: None), as_json=as_json)
    return Status.DONE if good else Status.SOME_FAILED


@commands.command("remove", epilog="Example:  pipeline models remove pt_BR-faber-medium")
def models_remove(names: SomeNames, as_json: AsJson = False, project: Project = None) -> int:
    """Remove the files of models that the lock file or a record knows, and nothing else."""
    from pipeline.models.keeping import remove
    from pipeline.models.needs import needs_of
    from pipeline.report.models import show_removed

    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        site = installation_of(place, loaded, stop)
        kept = [_kept(name, site, loaded) for name in names]
        removed = {name: remove(site, name) for name in kept}
    show_removed(removed, {need.name: need.why for need in needs_of(asked_of(loaded))}, as_json=as_json)
    return Status.DONE


@commands.command("export", epilog="Example:  pipeline models export models.tar")
def models_export(
    bundle: Annotated[Path, typer.Argument(help="The file to write.", metavar="BUNDLE")],
    names: Names = None,
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Write voices and checkpoints into one file, for a machine without a network. Ollama's models are not in it."""
    from pipeline.models.bundle import export
    from pipeline.models.needs import needs_of
    from pipeline.report.models import show_bundle

    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        site = installation_of(place, loaded, stop)
        left_out = [need.name for need in needs_of(asked_of(loaded)) if need.kind == "ollama" and not names]
        kept = [_kept(name, site, loaded) for name in names or []]
        contents = export(site, kept, bundle.absolute(), left_out, lambda *_: None)
    show_bundle(contents, f"written to {bundle}", as_json=as_json)
    return Status.DONE


@commands.command("import", epilog="Example:  pipeline models import models.tar")
def models_import(
    bundle: Annotated[Path, typer.Argument(help="A file that `export` wrote.", metavar="BUNDLE")],
    as_json: AsJson = False,
    project: Project = None,
) -> int:
    """Install the models of a bundle. All of it is read and proven before the first is put in place."""
    from pipeline.models.bundle import import_
    from pipeline.report.models import show_bundle

    place = find_project(project)
    loaded = settings_of(place)
    stop = Event()
    with stopping(stop.set):
        contents = import_(installation_of(place, loaded, stop), bundle.absolute(), lambda *_: None)
    show_bundle(contents, "installed", as_json=as_json)
    return Status.DONE


@commands.command("lock", epilog="Example:  pipeline models lock pt_BR-faber-medium")
def models_lock(names: SomeNames, as_json: AsJson = False, project: Project = None) -> int:
    """Install models as their sources have them now, and write their SHA-256 into the lock file."""
    from pipeline.models.fetching import Wanted
    from pipeline.models.lockfile import NAME, read_lock, write_lock
    from pipeline.models.locking import locked_anew
    from pipeline.report.models import fetch_screen, show_locked

    place = find_project(project)
    loaded = settings_of(place)
    path = place / loaded.settings.config_dir / NAME
    stop = Event()
    with stopping(stop.set), fetch_screen(as_json=as_json) as screen:
        site = installation_of(place, loaded, stop)
        needs = _needs(names, site, loaded)
        locked = []
        for need in needs:
            if need.kind == "ollama":
                raise EngineRefused(
                    f"{need.name} is Ollama's, which keeps its own digests", hint="Lock voices and checkpoints."
                )
            model = locked_anew(site, Wanted(need.name, need.kind, need.revision), screen)
            if model is not None:
                write_lock(path, read_lock(path) | {model.name: model})
                locked.append(model.name)
    show_locked(locked, str(path), as_json=as_json)
    return Status.DONE if len(locked) == len(needs) else Status.SOME_FAILED


# -- from settings to models -------------------------------------------------------------------------------------


def fetch_named(names: Iterable[str], place: Path, loaded: Loaded, stop: Event, *, as_json: bool) -> bool:
    """Have these models, or what the settings ask for; returns whether all are there."""
    from pipeline.models.fetching import Wanted, fetch
    from pipeline.models.needs import needs_of, speechless
    from pipeline.report.models import fetch_screen

    asked = asked_of(loaded)
    site = installation_of(place, loaded, stop)
    named = list(names)
    needs = _needs(named, site, loaded) if named else list(needs_of(asked))
    with fetch_screen(as_json=as_json) as screen:
        kept = [Wanted(need.name, need.kind, need.revision) for need in needs if need.kind != "ollama"]
        good = fetch(site, kept, screen)
        for need in needs:
            if need.kind == "ollama":
                good = _pulled(need.name, server_of(loaded, stop), screen) and good
    if not named and speechless(asked):
        typer.echo(
            f"pipeline: no voice is named for {speechless(asked)}: set VOICE; `pipeline voices available` lists them.",
            err=True,
        )
    return good


def installation_of(place: Path, loaded: Loaded, stop: Event) -> Installation:
    """Raises SettingsError for a lock file with faults in it."""
    from pipeline import wiring
    from pipeline.engines.voice_catalogue import PUBLIC
    from pipeline.models.catalogue import Places
    from pipeline.models.installation import HUB, Installation
    from pipeline.models.lockfile import NAME, read_lock

    settings = loaded.settings
    own = settings.voice_catalogue_url
    return Installation(
        places=Places(place / settings.voices_dir, place / settings.sd_models_dir),
        lock=read_lock(place / settings.config_dir / NAME),
        tls=wiring.tls_of(settings),
        stop=stop,
        mirror=settings.models_mirror or "",
        catalogue_url=own or PUBLIC,
        hub_url=HUB,
        policy=wiring.retry_policy(settings),
    )


def asked_of(loaded: Loaded) -> Asked:
    from pipeline.models.needs import Asked

    settings = loaded.settings
    return Asked(
        language=settings.language,
        voice=settings.voice,
        voices=settings.voices,
        writer=settings.writer,
        ollama_model=settings.ollama_model,
        pictures=settings.sd_enabled,
        checkpoint=settings.sd_model,
        revision=settings.sd_revision,
    )


def server_of(loaded: Loaded, stop: Event) -> Server:
    from pipeline import wiring
    from pipeline.engines.ollama_models import Server

    settings = loaded.settings
    key = settings.ollama_api_key
    return Server(
        settings.ollama_base_url,
        wiring.tls_of(settings),
        stop,
        api_key=key.get_secret_value() if key is not None else None,
    )


def _needs(names: Iterable[str], site: Installation, loaded: Loaded) -> list[Need]:
    """Raises SettingsError with every name that no model can have."""
    from pipeline.models.keeping import known_kinds
    from pipeline.models.needs import need_from

    known, asked = known_kinds(site), asked_of(loaded)
    needs, faults = [], []
    for name in names:
        try:
            needs.append(need_from(name, known, asked))
        except ValueError as fault:
            faults.append(str(fault))
    if faults:
        raise SettingsError(faults, hint="`pipeline models list` and `pipeline voices available` have names.")
    return needs


def _kept(name: str, site: Installation, loaded: Loaded) -> str:
    """A model that is kept here. Raises EngineRefused for Ollama's."""
    for need in _needs([name], site, loaded):
        if need.kind == "ollama":
            raise EngineRefused(
                f"{name} is Ollama's, which keeps and checks its own models",
                where=f"Ollama at {loaded.settings.ollama_base_url}",
                hint=f"`ollama rm {name}` removes it; `ollama pull {name}` mends it.",
            )
        return need.name
    return name


def _pulled(name: str, server: Server, screen: FetchScreen) -> bool:
    from pipeline.engines.ollama_models import pull

    begun = False

    def tell(done: int, total: int | None) -> None:
        nonlocal begun
        if not begun:
            screen.begins(name, total, "")
            begun = True
        screen.moved(name, done, total)

    try:
        pulled = pull(name, server, tell)
    except EngineError as error:
        screen.failed(name, error)
        return False
    screen.ended(name, f"fetched by Ollama at {server.url}" if pulled else "here already")
    return True


def _ollama_row(need: Need, loaded: Loaded, stop: Event) -> ModelRow:
    """Raises nothing: a server that does not answer is a state."""
    from dataclasses import replace

    from pipeline.engines.ollama_models import installed, tagged
    from pipeline.net.retry import Policy
    from pipeline.report.models import ModelRow

    try:
        found = installed(replace(server_of(loaded, stop), policy=Policy(attempts=1)))
    except EngineError as error:
        return ModelRow(need.name, "ollama", error.what, None, "", "", need.why)
    size = found.get(tagged(need.name))
    return ModelRow(need.name, "ollama", "not here" if size is None else "here", size, "", "", need.why)
