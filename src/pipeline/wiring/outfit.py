"""What episodes are made with, and the one fingerprint over all of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pipeline import __version__
from pipeline.build.recipe import Canonical
from pipeline.engines.choice import Choice
from pipeline.errors import EngineError
from pipeline.flow import Desk
from pipeline.media.credentials import Identity, open_identity
from pipeline.media.programme import Pauses
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Voice, Writer
from pipeline.settings import Loaded, Settings
from pipeline.site import Channel
from pipeline.stages import captions, casting, credentials, mix, pace, pages, pictures, script, speech, video
from pipeline.studio import fingerprint_of
from pipeline.text.style_file import Style, load_style
from pipeline.wiring.pictures import films_of
from pipeline.wiring.texts import read_prompts, read_pronunciations

RULES = (
    *script.RULES, pace.RULE, speech.RULE, *mix.RULES, captions.RULE, *pictures.RULES, *video.RULES,
    credentials.RULE, pages.RULE,
)  # fmt: skip
"""Of every stage there is."""


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
    channel = channel_of(settings)
    credits_ = mix.Credits(artist=channel.author or channel.title, album=channel.title)
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
        credits=credits_,
        fails_unsupported=settings.unsupported == "fail",
        fingerprint=fingerprint_of(
            {
                "rules": [[rule.name, rule.version] for rule in RULES],
                "writer": _identity(writer),
                "voices": _voices(voice),
                "prompts": read_prompts(project, prompts),
                "pronunciations": repr(pronunciations),
                "preferences": [preferences.voice, preferences.named, dict(preferences.by_language)],
                "sound": repr(sound),
                "credits": repr(credits_),
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
                "public_url": channel.public_url,
                "defaults": [settings.language, settings.style, settings.words, settings.minutes],
                "provenance": repr(provenance),
            }
        ),
        auto_writer=settings.writer == "auto",
        auto_voice=settings.voice_engine == "auto",
        auto_illustrator=settings.sd_enabled,
        signer=signer,
        public_url=channel.public_url,
        provenance=provenance,
    )


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


def signer_of(project: Path, settings: Settings) -> Identity | None:
    """Who signs what is published; None where nothing is to be signed. Raises SettingsError, StoreError."""
    if not settings.credentials:
        return None
    certificate, key = (
        project / path if path is not None else None for path in (settings.credentials_cert, settings.credentials_key)
    )
    return open_identity(certificate, key, local=project / settings.data_dir / "credentials" / "local.pem")


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
