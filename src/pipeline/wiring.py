"""Settings → ready objects. The only place that names concrete engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import TypeVar

from pipeline import __version__, inbox
from pipeline.build.recipe import Canonical
from pipeline.digests import Digests
from pipeline.engines.choice import Candidate, Choice, choose
from pipeline.engines.observed import ObservedIllustrator, ObservedVoice, ObservedWriter
from pipeline.errors import EngineError, SettingsError, StoreError
from pipeline.files import read_plain
from pipeline.flow import Desk
from pipeline.media.cards.palette import Scheme
from pipeline.media.credentials import Identity, open_identity
from pipeline.media.programme import Pauses
from pipeline.net.breaker import Change, log_change
from pipeline.net.limit import CallsPerMinute, Limit, Unlimited
from pipeline.net.outages import Outages
from pipeline.net.reach import knock
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Unloads, Voice, Writer
from pipeline.settings import Loaded, Settings
from pipeline.site import Channel
from pipeline.stages import captions, casting, credentials, mix, pace, pages, pictures, script, speech, video
from pipeline.studio import Folders, SharedGpu, Studio, fingerprint_of
from pipeline.telemetry import failure, log
from pipeline.text.picture_prompts import Look, parse_look
from pipeline.text.pronunciations import Pronunciations, parse
from pipeline.text.style_file import Style, load_style

# Eight sequences decoded together make nearly twice the tokens a second of one (measured on two cores with the
# embedded model); more slots only make each topic wait longer.
_EMBEDDED_SLOTS = 8
# Ollama works at one request at a time unless OLLAMA_NUM_PARALLEL says otherwise; `writer_slots` then says so too.
_OLLAMA_SLOTS = 1


E = TypeVar("E")

_STABLE_DIFFUSION, _CARDS = "stable-diffusion", "cards"
_WIDE, _TALL = pictures.Shape("", 1280, 720), pictures.Shape("tall", 1080, 1920)

_RULES = (
    *script.RULES, pace.RULE, speech.RULE, *mix.RULES, captions.RULE, *pictures.RULES, *video.RULES,
    credentials.RULE, pages.RULE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workshop:
    """A studio, and what was decided in making it."""

    studio: Studio
    writer: Choice[Writer]
    voice: Choice[Voice]
    illustrator: Choice[Illustrator]
    tls: Tls
    outages: Outages = field(default_factory=Outages)
    """Which of its services are down."""


def _lent(before: Choice[E], now: Choice[E]) -> Choice[E]:
    return replace(now, engine=before.engine) if before.name == now.name else now


def folders(project: Path, settings: Settings) -> Folders:
    """The project's folders, absolute."""
    return Folders(
        project=project,
        input=project / settings.input_dir,
        output=project / settings.output_dir,
        data=project / settings.data_dir,
    )


def workshop(project: Path, loaded: Loaded, *, stop: Event, earlier: Workshop | None = None) -> Workshop:
    """Everything ready to plan and run. Loads no model and asks nobody to work.

    `earlier`, of the same settings and the same `stop`, lends those engines that are chosen again, with the models
    that they hold. Raises SettingsError (pronunciations with faults in them), EngineRefused where an engine is not
    installed.
    """
    settings = loaded.settings
    places = folders(project, settings)
    tls = tls_of(settings)
    digests = Digests(places.data / "digests.json")
    outages = earlier.outages if earlier is not None else Outages()
    writer = choose_writer(settings, tls, digests, stop, outages.take)
    voice = choose_voice(project, settings, tls, digests, stop, outages.take)
    if earlier is not None:
        writer, voice = _lent(earlier.writer, writer), _lent(earlier.voice, voice)
    look = read_look(project, settings)
    illustrator = choose_illustrator(project, settings, tls, look, stop, outages.take)
    cores = settings.cores or available_cores()
    slots = settings.writer_slots or (_EMBEDDED_SLOTS if writer.name == "embedded" else _OLLAMA_SLOTS)
    # A Stable Diffusion server draws one picture at a time; cards are set as many at once as there are cores.
    threads = {"llm": slots, "speech": cores, "cpu": cores, "image": 1 if illustrator.name != _CARDS else cores}

    def executors() -> Mapping[str, Executor]:
        return {name: ThreadPoolExecutor(count, thread_name_prefix=name) for name, count in threads.items()}

    studio = Studio(
        places,
        desk(project, loaded, writer, voice, easel_of(project, settings, illustrator, look), tls),
        defaults_of(settings),
        executors=executors,
        threads=threads,
        # Enough episodes open that every slot and core has work from one while another waits.
        open_at_once=slots + 2 * cores,
        stop=stop,
        shared_gpu=shared_gpu(settings, writer, illustrator),
        outages=outages,
        topic_tries=settings.topic_tries,
    )
    return Workshop(studio, writer, voice, illustrator, tls, outages)


def defaults_of(settings: Settings) -> inbox.TopicDefaults:
    """What topics have that do not say otherwise."""
    return inbox.TopicDefaults(
        settings.language, settings.style, settings.words, settings.minutes, settings.max_topic_bytes
    )


def desk(
    project: Path,
    loaded: Loaded,
    writer: Choice[Writer],
    voice: Choice[Voice],
    easel: pictures.Easel,
    tls: Tls,
) -> Desk:
    """What episodes are made with, and the fingerprint over all of it."""
    settings = loaded.settings
    voice_named = loaded.origins["voice"] != "default"
    prompts = project / settings.config_dir / "prompts"
    pronunciations = read_pronunciations(project, settings)
    sound = mix.Sound(
        pauses=Pauses(
            settings.pause_sentence_seconds, settings.pause_paragraph_seconds, settings.pause_segment_seconds
        ),
        loudness_lufs=settings.loudness_lufs,
        true_peak_dbtp=settings.true_peak_dbtp,
        mp3_kbits=settings.mp3_kbits,
        flac=settings.flac,
    )
    films = films_of(settings)
    signer = signer_of(project, settings)
    preferences = casting.Preferences(settings.voice, voice_named, dict(settings.voices))
    # Not why today's engines were taken: a finished episode may have been made by others, and names them itself.
    provenance: dict[str, object] = {"pipeline": {"version": __version__, "tls_verified": tls.verify}}

    @lru_cache(maxsize=64)
    def style(name: str) -> Style:
        return load_style(prompts, name)

    return Desk(
        writer=writer.engine,
        voice=voice.engine,
        style=style,
        pronunciations=pronunciations,
        voices=preferences,
        sound=sound,
        easel=easel,
        films=films,
        rate=settings.speaking_rate,
        tries=settings.writer_tries,
        fails_unsupported=settings.unsupported == "fail",
        fingerprint=fingerprint_of(
            {
                "rules": [[rule.name, rule.version] for rule in _RULES],
                "writer": _identity(writer),
                "voices": _voices(voice),
                "prompts": read_prompts(project, prompts),
                "pronunciations": repr(pronunciations),
                "preferences": [preferences.voice, preferences.named, dict(preferences.by_language)],
                "sound": repr(sound),
                "pictures": [
                    _drawn_by(easel.segments),
                    _drawn_by(easel.covers),
                    repr(easel.typeset),
                    repr(easel.drawn),
                    repr(easel.look),
                ],
                "steps": easel.steps,
                "films": repr(films),
                "signer": signer.digest if signer is not None else None,
                "rate": settings.speaking_rate,
                "unsupported": settings.unsupported,
                "public_url": channel_of(settings).public_url,
                "defaults": [settings.language, settings.style, settings.words, settings.minutes],
                "provenance": repr(provenance),
            }
        ),
        auto_writer=settings.writer == "auto",
        auto_voice=settings.voice_engine == "auto",
        auto_illustrator=settings.sd_enabled,
        signer=signer,
        public_url=channel_of(settings).public_url,
        provenance=provenance,
    )


def read_prompts(project: Path, folder: Path) -> dict[str, str]:
    """File name → text of every prompt file. Raises SettingsError for those that are no UTF-8 text, all at once."""
    texts: dict[str, str] = {}
    problems = []
    for path in sorted(folder.glob("*.md")):
        name = str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
        try:
            texts[path.name] = read_plain(path).decode("utf-8-sig")
        except FileNotFoundError:
            continue  # taken away since the folder was listed
        except StoreError as error:
            problems.append(f"{name}: {error.what}. {error.hint}")
        except UnicodeDecodeError:
            problems.append(f"{name}: not UTF-8 text. Save it as UTF-8 in your editor.")
    if problems:
        raise SettingsError(problems)
    return texts


def read_pronunciations(project: Path, settings: Settings) -> Pronunciations:
    """`config/pronunciations.csv`, or none. Raises SettingsError with every fault in it."""
    path = project / settings.config_dir / "pronunciations.csv"
    name = str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
    try:
        text = read_plain(path).decode("utf-8-sig")
    except FileNotFoundError:
        return parse("", where=name)
    except StoreError as error:
        raise SettingsError([f"{name}: {error.what}. {error.hint}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{name}: not UTF-8 text. In a spreadsheet, save it as “CSV UTF-8”."]) from error
    return parse(text, where=name)


def choose_writer(
    settings: Settings, tls: Tls, digests: Digests, stop: Event, on_change: Callable[[Change], None] = log_change
) -> Choice[Writer]:
    """Ollama where it answers and has the model, else llama.cpp in this process."""
    policy = retry_policy(settings)

    def ollama() -> Writer:
        from pipeline.engines.ollama import Ollama
        from pipeline.engines.retrying import RetryingWriter, breaker_for

        return RetryingWriter(
            ObservedWriter(
                Ollama(
                    str(settings.ollama_base_url),
                    settings.ollama_model,
                    num_ctx=settings.ollama_num_ctx,
                    keep_alive=settings.ollama_keep_alive,
                    api_key=settings.ollama_api_key.get_secret_value() if settings.ollama_api_key else None,
                    connect_seconds=settings.connect_timeout_seconds,
                    read_seconds=settings.read_timeout_seconds,
                    first_token_seconds=settings.ollama_first_token_seconds,
                    verify=tls.context(),
                    stop=stop,
                ),
                "ollama",
            ),
            policy=policy,
            stop=stop,
            breaker=breaker_for("writer", policy, on_change),
            limit=limit_of(settings),
        )

    def llama() -> Writer:
        from pipeline.engines.llama import Llama

        return ObservedWriter(
            Llama(
                slots=settings.writer_slots or _EMBEDDED_SLOTS,
                # llama.cpp's threads wait for each other by spinning, which starves everything else where they have to
                # share a core. With half the cores it writes as fast beside speech as with all of them (50 s and 51 s
                # for eight topics on two cores) for three quarters of the CPU time.
                threads=max(1, (settings.cores or available_cores()) // 2),
                stop=stop,
                digest=digests,
            ),
            "embedded",
        )

    def ollama_is_there() -> Writer:
        url = str(settings.ollama_base_url)
        knock(
            "Ollama", url, seconds=settings.connect_timeout_seconds, hint="Start it for a better writer: ollama serve."
        )
        return ollama()

    return choose(
        settings.writer,
        Candidate(
            "ollama", ollama_is_there if settings.writer == "auto" else ollama, lambda it: _describes(it.describe)
        ),
        Candidate("embedded", llama),
    )


def choose_voice(
    project: Path,
    settings: Settings,
    tls: Tls,
    digests: Digests,
    stop: Event,
    on_change: Callable[[Change], None] = log_change,
) -> Choice[Voice]:
    """A Piper server where one answers, else Piper in this process."""
    policy = retry_policy(settings)

    def server() -> Voice:
        from pipeline.engines.piper_server import PiperServer
        from pipeline.engines.retrying import RetryingVoice, breaker_for

        url = str(settings.piper_base_url)
        if settings.voice_engine == "auto":
            knock("Piper", url, seconds=settings.connect_timeout_seconds, hint="Piper in this process is used.")
        return RetryingVoice(
            ObservedVoice(
                PiperServer(
                    url,
                    tls=tls,
                    connect_seconds=settings.connect_timeout_seconds,
                    read_seconds=settings.read_timeout_seconds,
                    stop=stop,
                ),
                "piper-server",
            ),
            policy=policy,
            stop=stop,
            breaker=breaker_for("voice", policy, on_change),
            limit=limit_of(settings),
        )

    def in_process() -> Voice:
        from pipeline.engines.piper import Piper

        return ObservedVoice(
            Piper(
                [project / settings.voices_dir],
                threads=settings.cores or available_cores(),
                stop=stop,
                digest=digests,
                ready=project / settings.data_dir / "ready",
            ),
            "embedded",
        )

    return choose(
        settings.voice_engine,
        Candidate("piper-server", server, lambda it: _describes(it.installed)),
        Candidate("embedded", in_process),
    )


def choose_illustrator(
    project: Path,
    settings: Settings,
    tls: Tls,
    look: Look,
    stop: Event,
    on_change: Callable[[Change], None] = log_change,
) -> Choice[Illustrator]:
    """Stable Diffusion where it is wanted and answers, else cards. Raises SettingsError for fonts that are none."""
    policy = retry_policy(settings)

    def server() -> Illustrator:
        from pipeline.engines.retrying import RetryingIllustrator, breaker_for
        from pipeline.engines.stable_diffusion import StableDiffusion

        url = str(settings.sd_base_url)
        knock(
            "Stable Diffusion",
            url,
            seconds=settings.connect_timeout_seconds,
            hint="Cards are set instead; when it answers, the next run draws their pictures.",
        )
        user, _, password = (settings.sd_auth.get_secret_value() if settings.sd_auth else "").partition(":")
        return RetryingIllustrator(
            ObservedIllustrator(
                StableDiffusion(
                    url,
                    tls=tls,
                    stop=stop,
                    checkpoint=settings.sd_checkpoint,
                    steps=settings.sd_steps or None,
                    user=user,
                    password=password,
                    connect_seconds=settings.connect_timeout_seconds,
                    read_seconds=settings.sd_picture_seconds,
                ),
                "stable-diffusion",
            ),
            policy=policy,
            stop=stop,
            breaker=breaker_for("illustrator", policy, on_change),
            limit=limit_of(settings),
        )

    def cards() -> Illustrator:
        return cards_of(project, look)

    if not settings.sd_enabled:
        return Choice(cards(), _CARDS, "Stable Diffusion is off")
    return choose(
        "auto",
        Candidate(_STABLE_DIFFUSION, server, lambda it: _describes(it.describe)),
        Candidate(_CARDS, cards),
    )


def shared_gpu(settings: Settings, writer: Choice[Writer], illustrator: Choice[Illustrator]) -> SharedGpu | None:
    """How one GPU is shared, where there are two models to share it."""
    if not settings.gpu_shared or illustrator.name == _CARDS or writer.name == "embedded":
        return None

    def freed(engine: object, role: str) -> Callable[[], None]:
        def free() -> None:
            try:
                done = isinstance(engine, Unloads) and engine.unload()
            except EngineError as error:
                # What follows may run out of memory, and will say so; that the other model is in the way is said here.
                log().warning("model_not_unloaded", role=role, **failure(error))
            else:
                log().info("model_unloaded" if done else "model_cannot_be_unloaded", role=role)

        return free

    return SharedGpu(freed(writer.engine, "writer"), freed(illustrator.engine, "illustrator"))


def cards_of(project: Path, look: Look) -> Illustrator:
    """Who sets the covers, and the pictures where nobody draws them. Raises SettingsError for fonts that are none."""
    from pipeline.engines.cards import Cards, read_fonts

    scheme = None if look.scheme == "title" else Scheme(look.scheme)
    return ObservedIllustrator(
        Cards(fonts=read_fonts([project / font for font in look.fonts]), scheme=scheme),
        "cards",
    )


def easel_of(project: Path, settings: Settings, illustrator: Choice[Illustrator], look: Look) -> pictures.Easel:
    """Who draws what, in which shapes."""
    set_in_type = illustrator.name == _CARDS
    asked = {"wide": (_WIDE,), "tall": (_TALL,), "both": (_WIDE, _TALL)}.get(settings.video, (_WIDE,))
    drawn = {
        _WIDE: replace(_WIDE, width=settings.sd_width, height=settings.sd_height),
        _TALL: replace(_TALL, width=settings.sd_height, height=settings.sd_width),
    }
    return pictures.Easel(
        segments=illustrator.engine,
        covers=illustrator.engine if set_in_type else cards_of(project, look),
        typeset=asked,
        drawn=tuple(drawn[shape] for shape in asked),
        look=look,
    )


def films_of(settings: Settings) -> tuple[video.Spec, ...]:
    """The films that the settings ask for, in the order of the easel's shapes."""
    sizes = {"off": (), "wide": (_WIDE,), "tall": (_TALL,), "both": (_WIDE, _TALL)}[settings.video]
    font = None
    if settings.burn_captions and sizes:
        from pipeline.media.cards.lettering import TEXT, bundled

        file = bundled(TEXT)
        font = video.Font(file.data, file.digest)
    return tuple(
        video.Spec(size.width, size.height, settings.video_motion, settings.burn_captions, font) for size in sizes
    )


def signer_of(project: Path, settings: Settings) -> Identity | None:
    """Who signs what is published; None where nothing is to be signed. Raises SettingsError, StoreError."""
    if not settings.credentials:
        return None
    certificate, key = (
        project / path if path is not None else None for path in (settings.credentials_cert, settings.credentials_key)
    )
    return open_identity(certificate, key, local=project / settings.data_dir / "credentials" / "local.pem")


def read_look(project: Path, settings: Settings) -> Look:
    """`config/pictures.toml`, or what is taken where there is none. Raises SettingsError with every fault in it."""
    path = project / settings.config_dir / "pictures.toml"
    name = str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
    try:
        text = read_plain(path).decode("utf-8-sig")
    except FileNotFoundError:
        return Look()
    except StoreError as error:
        raise SettingsError([f"{name}: {error.what}. {error.hint}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{name}: not UTF-8 text. Save it as UTF-8 in your editor."]) from error
    return parse_look(text, where=name)


def channel_of(settings: Settings) -> Channel:
    """What the page of all episodes and the feed say of themselves."""
    return Channel(
        title=settings.site_title,
        description=settings.site_description,
        language=settings.language,
        base_url=settings.feed_base_url,
        author=settings.feed_author,
        email=settings.feed_email,
        category=settings.feed_category,
        explicit=settings.feed_explicit,
    )


def tls_of(settings: Settings) -> Tls:
    """How every connection is checked."""
    return Tls(verify=settings.ssl_verify, ca_bundle=settings.ssl_ca_bundle)


def addresses_of(settings: Settings) -> dict[str, str]:
    """Where the engines are asked, by role, as far as they may be asked over a network."""
    found = {}
    if settings.writer != "embedded":
        found["writer"] = settings.ollama_base_url
    if settings.voice_engine != "embedded":
        found["voice"] = settings.piper_base_url
    if settings.sd_enabled:
        found["illustrator"] = settings.sd_base_url
    return found


def retry_policy(settings: Settings) -> Policy:
    return Policy(
        attempts=settings.retry_attempts,
        total_seconds=settings.retry_total_seconds,
        wait_seconds=settings.wait_for_services_seconds,
    )


def limit_of(settings: Settings) -> Limit:
    return CallsPerMinute(settings.calls_per_minute) if settings.calls_per_minute else Unlimited()


def available_cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _describes(ask: Callable[[], object]) -> None:
    ask()


def _identity(writer: Choice[Writer]) -> Canonical:
    try:
        identity = writer.engine.describe()
    except EngineError:
        # A server that was named and is down: topics that need no writer are made all the same, the others say it.
        return "not to be had"
    return [identity.engine, identity.name, identity.digest]


def _drawn_by(illustrator: Illustrator) -> Canonical:
    try:
        identity = illustrator.describe()
    except EngineError:
        return "not to be had"
    return [identity.engine, identity.name, identity.digest]


def _voices(voice: Choice[Voice]) -> Canonical:
    try:
        installed = voice.engine.installed()
    except EngineError:
        return "not to be had"
    return {name: [found.engine, found.digest, found.language] for name, found in sorted(installed.items())}
