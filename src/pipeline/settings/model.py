"""Every setting there is: its type, its bounds, its default and the sentence that explains it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, PlainSerializer, SecretStr, WithJsonSchema
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.text.language_tag import UnknownLanguage, canonical_language
from pipeline.text.names import is_style_name, is_voice_name

# Go's durations, which Ollama reads (time.ParseDuration), or a whole number of seconds; negative means for ever.
_DURATION = re.compile(r"-?\d+|-?(?:\d+(?:\.\d+)?(?:h|m|s|ms))+")


class NotANumber(ValueError):
    """Said of what a setting's type does not allow; the message tells what it does."""


def _url(value: str) -> str:
    text = value.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{value!r} is not an address; write it like http://127.0.0.1:11434") from None
    if "://" not in text:
        raise ValueError(f"{value!r} does not say http or https; did you mean http://{text}?")
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{value!r} is not http or https; write it like http://127.0.0.1:11434")
    if parts.username is not None or parts.password is not None:
        # The value would be shown in logs, so it is not repeated here either.
        raise ValueError("an address must not hold a password, because addresses are shown in logs")
    if not parts.hostname or port == 0 or re.search(r"\s", text):
        raise ValueError(f"{value!r} is not an address; write it like http://127.0.0.1:11434")
    if parts.query or parts.fragment:
        raise ValueError(f"{value!r} must end before ? or #")
    return text.rstrip("/")


def _language(value: str) -> str:
    try:
        return canonical_language(value)
    except UnknownLanguage as unknown:
        raise ValueError(f"{unknown.what}; {unknown.hint[0].lower()}{unknown.hint[1:]}") from None


def _voice(value: str) -> str:
    if value and not is_voice_name(value):
        raise ValueError(f"{value!r} is not a voice's name; write it like en_US-joe-medium")
    return value


def _voices(value: object) -> object:
    """A table as it is; from the environment, where there are no tables, JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f'{value!r} is not JSON; write it like {{"pt": "pt_BR-faber-medium"}}') from None
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("not a table of languages and voices; write it like voices.pt = 'pt_BR-faber-medium'")
    return MappingProxyType({_table_language(str(name)): _voice(item) for name, item in value.items()})


def _table_language(name: str) -> str:
    if name in Settings.model_fields:
        raise ValueError(f"{name} is a setting, not a language; move it above the line [voices]")
    return _language(name)


def _style(value: str) -> str:
    if not is_style_name(value):
        raise ValueError(f"{value!r} is not a style's name; name a file of config/prompts/, without .md")
    return value


def _minutes(value: float) -> float:
    if 0 < value < 0.13:  # 20 words
        raise ValueError(f"{value} is too short; write at least 0.13, or 0 to leave it to words")
    return value


def _duration(value: object) -> object:
    text = str(value).strip()
    if isinstance(value, bool) or not _DURATION.fullmatch(text):
        raise ValueError(f"{value!r} is not a duration; write it like 10m, 1h30m or -1 (for ever)")
    return text


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _repository(value: str) -> str:
    if not re.fullmatch(r"(?!.*--)[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", value, re.ASCII):
        raise ValueError(f"{value!r} is not a repository of the Hugging Face Hub; write it like stabilityai/sd-turbo")
    return value


def _revision(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w./-]{0,99}", value, re.ASCII):
        raise ValueError(f"{value!r} is not a revision; write a commit of 40 digits, or a tag")
    return value


def _credentials(value: SecretStr) -> SecretStr:
    user, colon, password = value.get_secret_value().partition(":")
    if not (user and colon and password):  # what it is, is not repeated: it is a secret
        raise ValueError("not a user and a password; write it like user:password")
    return value


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]{16,512}", value.get_secret_value()):  # what it is, is not repeated: it is a secret
        raise ValueError("a token has 16 to 512 letters, digits and signs, without blanks")
    return value


def _hosts(value: str) -> str:
    names = [name.strip().lower() for name in value.split(",") if name.strip()]
    for name in names:
        if not re.fullmatch(r"[a-z0-9._:-]{1,253}", name, re.ASCII) or name.count(":") == 1:
            raise ValueError(f"{name!r} is no name of a machine; write it like media.example, without a port")
    return ",".join(names)


def _side(value: int) -> int:
    if value % 8:
        raise ValueError(f"{value} is not a multiple of 8, which models draw in; write {round(value / 8) * 8}")
    return value


def _number(value: object) -> object:
    # Python takes true for 1 and 1_0 for 10; nobody who writes settings means that.
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise NotANumber("not a number")
    return value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _path(value: object) -> object:
    if isinstance(value, str) and ("\0" in value or not value.strip()):
        raise ValueError("must name a folder or a file")
    return at_home(value) if isinstance(value, str) else value


def at_home(text: str) -> Path:
    """A path, with `~` for a person's home. Raises ValueError where there is no such person."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text}: nobody here has that home") from error


Url = Annotated[str, AfterValidator(_url)]
Text = Annotated[str, AfterValidator(_filled)]
Whole = Annotated[int, BeforeValidator(_number)]
PictureSide = Annotated[Whole, AfterValidator(_side)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Folder = Annotated[Path, BeforeValidator(_path)]
Voices = Annotated[
    Mapping[str, str],
    BeforeValidator(_voices),
    AfterValidator(MappingProxyType),
    PlainSerializer(dict),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]


def _setting(
    default: object,
    about: str,
    *,
    group: str,
    unit: str = "",
    env: str = "",
    ge: float | None = None,
    le: float | None = None,
) -> Any:  # noqa: ANN401 as pydantic's own Field, so that a field's type stands before the =
    extra: dict[str, JsonValue] = {"group": group, "unit": unit, "env": env}
    return Field(default, description=about, json_schema_extra=extra, ge=ge, le=le)


def _seconds(default: float, about: str, *, group: str, ge: float = 0, le: float) -> Any:  # noqa: ANN401 as above
    return _setting(default, about, group=group, unit="seconds", ge=ge, le=le)


_FOLDERS, _TOPICS, _WRITING, _SPEAKING = "Folders", "Topics", "Writing", "Speaking"
_SOUND, _NETWORK, _MACHINE = "Sound", "Network", "Machine and log"
_PICTURES, _MODELS, _SITE = "Pictures", "Models", "Page and feed"
_SERVICE, _CREDENTIALS = "Service", "Content credentials"


class Settings(BaseSettings):
    """The settings of one project; frozen. Made by `load`, which knows where each value was written."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    input_dir: Folder = _setting(Path("input"), "Where the topic files lie.", group=_FOLDERS)
    output_dir: Folder = _setting(Path("output"), "Where the finished episodes are published.", group=_FOLDERS)
    config_dir: Folder = _setting(
        Path("config"), "Where pipeline.toml, prompts and pronunciations lie; not set in pipeline.toml itself.",
        group=_FOLDERS,
    )  # fmt: skip
    data_dir: Folder = _setting(
        Path(".pipeline"), "What the pipeline keeps for itself: finished artifacts, edits, records.", group=_FOLDERS
    )

    # LANGUAGE in the environment is gettext's list of languages (`pt_BR:pt:en`) and set on most desktops.
    language: Annotated[str, AfterValidator(_language)] = _setting(
        "en", "The language of topics that name none (BCP 47).", group=_TOPICS, env="TOPIC_LANGUAGE"
    )
    style: Annotated[str, AfterValidator(_style)] = _setting(
        "explainer", "The style of topics that name none: a file of config/prompts/, without .md.", group=_TOPICS
    )
    words: Whole = _setting(
        150, "The length of topics that name none; 155 words take a minute.", group=_TOPICS, unit="words",
        ge=20, le=10_000,
    )  # fmt: skip
    minutes: Annotated[Number, AfterValidator(_minutes)] = _setting(
        0.0, "The length of topics that name none, by the clock; goes before words. 0 leaves it to words.",
        group=_TOPICS, unit="minutes", ge=0, le=64,
    )  # fmt: skip
    max_topic_bytes: Whole = _setting(
        1_048_576, "The largest topic file that is read.", group=_TOPICS, unit="bytes", ge=1024, le=100 * 1_048_576
    )
    topic_tries: Whole = _setting(
        5, "How often a topic may fail, unchanged, before it is set aside till it changes or `pipeline retry` asks for "
        "it.", group=_TOPICS, ge=1, le=1000,
    )  # fmt: skip

    writer: Annotated[Literal["auto", "ollama", "embedded"], BeforeValidator(_lower)] = _setting(
        "auto", "Who writes: ollama, the embedded small model, or auto: Ollama where it answers.", group=_WRITING
    )
    ollama_base_url: Url = _setting("http://127.0.0.1:11434", "Where Ollama answers.", group=_WRITING)
    ollama_model: Text = _setting("gemma3:4b", "The model that writes; fetch it with ollama pull.", group=_WRITING)
    ollama_num_ctx: Whole = _setting(
        8192, "The context that Ollama gives the model.", group=_WRITING, unit="tokens", ge=512, le=1_048_576
    )
    ollama_keep_alive: Annotated[str, BeforeValidator(_duration)] = _setting(
        "10m", "How long Ollama keeps the model loaded after an answer, such as 10m; -1 is for ever.", group=_WRITING
    )
    ollama_api_key: SecretStr | None = _setting(
        None, "Sent as a bearer token, for an Ollama behind a proxy that asks for one.", group=_WRITING
    )
    ollama_first_token_seconds: Number = _seconds(
        120, "How long to wait for the first word of an answer: the model may have to be loaded first.",
        group=_WRITING, ge=1, le=3600,
    )  # fmt: skip
    writer_slots: Whole = _setting(
        0, "How many scripts are written at once; 0 chooses by the writer.", group=_WRITING, ge=0, le=64
    )
    writer_tries: Whole = _setting(
        4, "How often a script that fails its checks is asked for before its topic fails.", group=_WRITING, ge=1, le=20
    )

    unsupported: Annotated[Literal["note", "fail"], BeforeValidator(_lower)] = _setting(
        "note", "What happens where a script says something that is in none of its topic's notes: it is marked in the "
        "script, the page and the manifest (note), or its topic fails (fail).",
        group=_WRITING,
    )  # fmt: skip

    voice_engine: Annotated[Literal["auto", "piper-server", "embedded"], BeforeValidator(_lower)] = _setting(
        "auto", "Who speaks: piper-server, Piper embedded, or auto: the server where it answers.", group=_SPEAKING
    )
    piper_base_url: Url = _setting("http://127.0.0.1:5000", "Where the Piper server answers.", group=_SPEAKING)
    voice: Annotated[str, AfterValidator(_voice)] = _setting(
        "en_US-joe-medium", "The voice wherever it speaks the topic's language; empty for no preference.",
        group=_SPEAKING,
    )  # fmt: skip
    voices: Voices = _setting(
        {}, "The voice for each language; goes before voice. In the environment as JSON.",
        group=_SPEAKING,
    )  # fmt: skip
    voices_dir: Folder = _setting(Path(".pipeline/voices"), "Where fetched voices are kept.", group=_SPEAKING)
    speaking_rate: Number = _setting(
        1.0, "1 is the voice's own pace, 1.1 a tenth faster.", group=_SPEAKING, ge=0.5, le=2
    )
    pause_sentence_seconds: Number = _seconds(0.35, "The silence after a sentence.", group=_SPEAKING, le=10)
    pause_paragraph_seconds: Number = _seconds(0.7, "The silence after a paragraph.", group=_SPEAKING, le=10)
    pause_segment_seconds: Number = _seconds(1.2, "The silence after a segment.", group=_SPEAKING, le=10)

    loudness_lufs: Number = _setting(
        -16.0, "How loud the programme is; podcasts are at -16, European radio at -23.", group=_SOUND, unit="LUFS",
        ge=-31, le=-9,
    )  # fmt: skip
    true_peak_dbtp: Number = _setting(
        -1.0, "What the loudest peak stays below.", group=_SOUND, unit="dBTP", ge=-9, le=0
    )
    mp3_kbits: Annotated[Literal[48, 56, 64, 80, 96, 112, 128, 160], BeforeValidator(
        lambda value: int(value) if isinstance(value, str) and value.strip().isdecimal() else _number(value)
    )] = _setting(96, "The bit rate of audio.mp3.", group=_SOUND, unit="kbit/s")  # fmt: skip
    flac: bool = _setting(
        False, "Whether audio.flac is published too: without loss, five times as large.", group=_SOUND
    )

    video: Annotated[Literal["off", "wide", "tall", "both"], BeforeValidator(_lower)] = _setting(
        "wide", "Which films are made: wide, 1280 x 720 pixels; tall, 1080 x 1920, for telephones; both; or off.",
        group=_PICTURES,
    )  # fmt: skip
    video_motion: bool = _setting(
        True, "Whether the camera moves over the pictures; still ones are filmed many times sooner.", group=_PICTURES
    )
    burn_captions: bool = _setting(
        False, "Whether captions are drawn on the picture too, the spoken word lit; a track has them always.",
        group=_PICTURES,
    )  # fmt: skip
    sd_enabled: bool = _setting(
        False, "Whether Stable Diffusion draws the pictures of the segments; else they are typographic cards.",
        group=_PICTURES,
    )  # fmt: skip
    sd_base_url: Url = _setting(
        "http://127.0.0.1:7860", "Where a server with AUTOMATIC1111's routes answers.", group=_PICTURES
    )
    sd_auth: Annotated[SecretStr, AfterValidator(_credentials)] | None = _setting(
        None, "user:password, for a server that was started with --api-auth.", group=_PICTURES
    )
    sd_checkpoint: str = _setting(
        "", "The checkpoint that draws, as the server names it; empty for the one that is loaded.", group=_PICTURES
    )
    sd_steps: Whole = _setting(
        0, "How many steps a picture takes; 0 is what the server recommends.", group=_PICTURES, ge=0, le=150
    )
    sd_width: PictureSide = _setting(
        768, "How wide a picture is asked for; a multiple of 8.", group=_PICTURES, unit="pixels", ge=256, le=2048
    )
    sd_height: PictureSide = _setting(
        432, "How high; for tall films the two change places.", group=_PICTURES, unit="pixels", ge=256, le=2048
    )
    sd_picture_seconds: Number = _seconds(
        600, "How long one picture may take: without a GPU it takes minutes.", group=_PICTURES, ge=1, le=7200
    )
    gpu_shared: bool = _setting(
        False,
        "Whether one GPU serves both models: then all is written first, the language model is unloaded, all pictures "
        "are drawn, and the checkpoint is unloaded.",
        group=_PICTURES,
    )
    sd_model: Annotated[str, AfterValidator(_repository)] = _setting(
        "stabilityai/sd-turbo", "The checkpoint that is fetched: a repository with safetensors in diffusers' layout.",
        group=_PICTURES,
    )  # fmt: skip
    sd_revision: Annotated[str, AfterValidator(_revision)] = _setting(
        "b261bac6fd2cf515557d5d0707481eafa0485ec2", "The commit of that repository.", group=_PICTURES
    )
    sd_models_dir: Folder = _setting(
        Path(".pipeline/checkpoints"), "Where fetched checkpoints are kept.", group=_PICTURES
    )

    models_mirror: Url | None = _setting(
        None,
        "An address that stands in for https://huggingface.co and every other host that models are fetched from.",
        group=_MODELS,
    )
    voice_catalogue_url: Url | None = _setting(
        None, "Where a copy of Piper's voices.json lies, with the voices beside it; goes before models_mirror.",
        group=_MODELS,
    )  # fmt: skip

    ssl_verify: bool = _setting(
        True, "Whether certificates are checked; false lets anyone on the way read and change what is sent.",
        group=_NETWORK,
    )  # fmt: skip
    ssl_ca_bundle: Folder | None = _setting(
        None, "A PEM file of authorities to trust besides the public ones, such as a company's own.", group=_NETWORK
    )
    connect_timeout_seconds: Number = _seconds(
        5, "How long to wait for a server to take the call.", group=_NETWORK, ge=0.1, le=300
    )
    read_timeout_seconds: Number = _seconds(
        120, "How long a server may say nothing in the middle of an answer.", group=_NETWORK, ge=0.1, le=3600
    )
    retry_attempts: Whole = _setting(
        5, "How often a call that may yet succeed is made, the first time included.", group=_NETWORK, ge=1, le=50
    )
    retry_total_seconds: Number = _seconds(
        300, "How long one call and its repetitions may take together.", group=_NETWORK, le=86_400
    )
    wait_for_services_seconds: Number = _seconds(
        1800, "How long a run waits for a service that is down before episodes fail for it; 0 does not wait.",
        group=_NETWORK, le=604_800,
    )  # fmt: skip
    calls_per_minute: Whole = _setting(
        0, "The most calls to one service in a minute; 0 is no bound.", group=_NETWORK, ge=0, le=100_000
    )

    site_title: Text = _setting(
        "Media Pipeline",
        "What the page of all episodes and the feed are called; the album in the sound's tags.",
        group=_SITE,
    )
    site_description: str = _setting(
        "Narrated episodes, written and spoken by machines at home.", "What they say of themselves.", group=_SITE
    )
    feed_base_url: Url = _setting(
        "http://127.0.0.1:8000", "Where output/ will lie for the world; the feed's addresses begin with it.",
        group=_SITE,
    )  # fmt: skip
    feed_author: str = _setting(
        "", "Who the feed says it is by, and the artist in the sound's tags; empty for the title.", group=_SITE
    )
    feed_email: str = _setting("", "The address that podcast directories write to; empty for none.", group=_SITE)
    feed_category: Text = _setting(
        "Education", "Apple's category, with a subcategory after >: Science > Physics.", group=_SITE
    )
    feed_explicit: bool = _setting(False, "Whether the feed says that it is not for children.", group=_SITE)

    credentials: bool = _setting(
        False, "Whether MP3, MP4 and PNG say, signed inside themselves, how they were made (C2PA); needs the extra "
        "`credentials`.",
        group=_CREDENTIALS,
    )  # fmt: skip
    credentials_cert: Folder | None = _setting(
        None, "A PEM file with the certificate that they are signed with, its issuers after it; without one, a "
        "certificate and a key are made under data_dir.",
        group=_CREDENTIALS,
    )  # fmt: skip
    credentials_key: Folder | None = _setting(
        None, "A PEM file with that certificate's private key, without a passphrase.", group=_CREDENTIALS
    )

    service_host: Text = _setting(
        "127.0.0.1", "The address that `pipeline serve` listens on; any but this machine's own needs a service_token.",
        group=_SERVICE,
    )  # fmt: skip
    service_port: Whole = _setting(8080, "The port that it listens on.", group=_SERVICE, ge=0, le=65_535)
    service_token: Annotated[SecretStr, AfterValidator(_token)] | None = _setting(
        None, "Asked of every caller as a bearer token, where it is set.", group=_SERVICE
    )
    service_network_is_private: bool = _setting(
        False, "Whoever reaches the service needs no token: it stands on a network of its own, as in the stack.",
        group=_SERVICE,
    )  # fmt: skip
    service_hosts: Annotated[str, AfterValidator(_hosts)] = _setting(
        "", "Other names by which callers may call the service, with commas between them.", group=_SERVICE
    )
    service_grace_seconds: Number = _seconds(
        20.0, "How long what is being made and answered may take when it is told to stop.", group=_SERVICE, le=3600
    )

    cores: Whole = _setting(0, "How many processor cores to use; 0 is all.", group=_MACHINE, ge=0, le=1024)
    watch_seconds: Number = _seconds(
        5.0, "How often `pipeline watch` looks for something new.", group=_MACHINE, ge=0.1, le=3600
    )
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = _setting(
        "text", "How log lines look: text for people, json for machines.", group=_MACHINE
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = _setting(
        "info", "The least important lines that are logged.", group=_MACHINE
    )
    log_file: Folder | None = _setting(
        None, "A file that every line is also written to, as JSON, whatever log_format says.", group=_MACHINE
    )
    log_file_megabytes: Number = _setting(
        10.0, "How large that file grows before it is put aside as .1 and a new one begun.", group=_MACHINE, unit="MB",
        ge=0.01, le=10_000,
    )  # fmt: skip
    log_files_kept: Whole = _setting(
        5, "How many of those put aside are kept; the oldest goes.", group=_MACHINE, ge=1, le=1000
    )
    metrics_textfile: Folder | None = _setting(
        None, "A file that `pipeline run` writes its figures to, for node_exporter; its name ends in .prom.",
        group=_MACHINE,
    )  # fmt: skip
    backup_dir: Folder = _setting(
        Path("backups"), "Where backups lie; the service looks there for how old the newest is.", group=_MACHINE
    )
    otel_exporter_otlp_endpoint: Url | None = _setting(
        None, "Where traces are sent: a collector that takes OTLP over HTTP, http://host:4318.", group=_MACHINE
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `load` gives and nothing else: it reads the sources itself, because a fault is told with the file
        and line that it stands in.
        """
        return (init_settings,)
