"""Which engines there are to choose from, and how each is made. The only place that names concrete ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

from pipeline.digests import Digests
from pipeline.engines.choice import Candidate, Choice, choose
from pipeline.engines.observed import ObservedIllustrator, ObservedVoice, ObservedWriter
from pipeline.media.cards.palette import Scheme
from pipeline.net.breaker import Change, log_change
from pipeline.net.limit import CallsPerMinute, Limit, Unlimited
from pipeline.net.reach import knock
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice, Writer
from pipeline.settings import Settings
from pipeline.text.picture_prompts import Look

# Eight sequences decoded together make nearly twice the tokens a second of one (measured on two cores with the
# embedded model); more slots only make each topic wait longer.
_EMBEDDED_SLOTS = 8
# Ollama works at one request at a time unless OLLAMA_NUM_PARALLEL says otherwise; `writer_slots` then says so too.
_OLLAMA_SLOTS = 1

CARDS = "cards"
"""The name of the illustrator that sets type where nobody draws."""
_STABLE_DIFFUSION = "stable-diffusion"


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


def writer_slots_of(settings: Settings, writer: Choice[Writer]) -> int:
    """How many scripts are asked of it at a time."""
    return settings.writer_slots or (_EMBEDDED_SLOTS if writer.name == "embedded" else _OLLAMA_SLOTS)


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
        return Choice(cards(), CARDS, "Stable Diffusion is off")
    return choose(
        "auto",
        Candidate(_STABLE_DIFFUSION, server, lambda it: _describes(it.describe)),
        Candidate(CARDS, cards),
    )


def cards_of(project: Path, look: Look) -> Illustrator:
    """Who sets the covers, and the pictures where nobody draws them. Raises SettingsError for fonts that are none."""
    from pipeline.engines.cards import Cards, read_fonts

    scheme = None if look.scheme == "title" else Scheme(look.scheme)
    return ObservedIllustrator(
        Cards(fonts=read_fonts([project / font for font in look.fonts]), scheme=scheme),
        "cards",
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
