"""Settings: where values come from, and the one clear message for each that is wrong."""

from __future__ import annotations

import json
import re
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path

import certifi
import pytest
from pydantic import ValidationError

from pipeline.errors import SettingsError
from pipeline.settings import Loaded, Settings, env_example, load, reference, table, write_docs
from pipeline.settings.facts import all_facts
from pipeline.settings.pages import ENV_EXAMPLE, REFERENCE, REGENERATE

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def given_settings(
    project: Path,
    *,
    toml: str | bytes = "",
    dotenv: str | bytes = "",
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    for name, content in (("config/pipeline.toml", toml), (".env", dotenv)):
        (project / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load(project, environ or {}, overrides or {})


def problems(project: Path, **sources: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        given_settings(project, **sources)  # type: ignore[arg-type]
    return [problem.replace(str(project), "PROJECT") for problem in caught.value.problems]


# -- where values come from ------------------------------------------------------------------------------------


def test_an_empty_project_has_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})

    assert loaded.settings.ollama_model == "gemma3:4b"
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(Settings.model_fields)


def test_later_sources_go_before_earlier_ones_and_each_is_named(project: Path) -> None:
    loaded = given_settings(
        project,
        toml="\nwords = 201\ncores = 1\nvoice = 'a'\nstyle = 'a'\n",
        dotenv="# own\n\nCORES=2\nVOICE=b\nSTYLE=b\n",
        environ={"VOICE": "c", "STYLE": "c", "PATH": "/bin"},
        overrides={"style": "d", "voice": None},
    )

    assert (loaded.settings.words, loaded.origins["words"]) == (201, "config/pipeline.toml:2")
    assert (loaded.settings.cores, loaded.origins["cores"]) == (2, ".env:3")
    assert (loaded.settings.voice, loaded.origins["voice"]) == ("c", "environment")
    assert (loaded.settings.style, loaded.origins["style"]) == ("d", "command line")
    assert loaded.origins["flac"] == "default"


def test_the_process_environment_is_not_read_behind_the_callers_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE", "from-the-process")
    (project / ".env").write_text("")

    assert load(project, {}).settings.voice == "en_US-joe-medium"


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("FLAC", "yes", True),
        ("SSL_VERIFY", "0", False),
        ("SPEAKING_RATE", "1.25", 1.25),
        ("MP3_KBITS", "128", 128),
        ("LOG_LEVEL", "DEBUG", "debug"),
        ("WRITER", "Ollama", "ollama"),
        ("OLLAMA_BASE_URL", "https://ollama.example/", "https://ollama.example"),
        ("OLLAMA_KEEP_ALIVE", "-1", "-1"),
        ("TOPIC_LANGUAGE", "pt_br", "pt-BR"),
        ("VOICES", '{"pt_BR": "pt_BR-faber-medium"}', {"pt-BR": "pt_BR-faber-medium"}),
        ("INPUT_DIR", "/srv/topics", Path("/srv/topics")),
        ("VOICE", "", "en_US-joe-medium"),
    ],
)
def test_values_are_read_from_the_texts_of_the_environment(
    project: Path, name: str, written: str, value: object
) -> None:
    field = {facts.env: facts.name for facts in all_facts().values()}[name]

    assert getattr(given_settings(project, environ={name: written}).settings, field) == value


def test_a_voice_for_each_language_is_a_table(project: Path) -> None:
    loaded = given_settings(
        project, toml='voice = ""\n[voices]\npt = "pt_BR-faber-medium"\nde_at = "de_DE-thorsten-low"\n'
    )

    assert dict(loaded.settings.voices) == {"pt": "pt_BR-faber-medium", "de-AT": "de_DE-thorsten-low"}
    assert (loaded.settings.voice, loaded.origins["voices"]) == ("", "config/pipeline.toml:2")


def test_the_environment_may_hold_what_other_programs_use(project: Path) -> None:
    others = {"LANGUAGE": "pt_BR:pt:en", "OLLAMA_MODELS": "/models", "OLLAMA_HOST": "x", "STYLES": "1", "": "x"}
    others["BACKUPS_DIR"] = ""  # as make hands on what is not set

    assert given_settings(project, environ=others).settings.language == "en"


def test_docker_compose_may_keep_its_own_in_dotenv(project: Path) -> None:
    assert given_settings(project, dotenv="COMPOSE_PROFILES=gpu\nCORES=1\n").settings.cores == 1


def test_another_configuration_folder_is_found_by_the_environment(project: Path) -> None:
    (project / "other").mkdir()
    (project / "other" / "pipeline.toml").write_text("words = 99")
    loaded = given_settings(project, environ={"CONFIG_DIR": "other"})

    assert (loaded.settings.words, loaded.origins["words"]) == (99, "other/pipeline.toml:1")


def test_windows_line_ends_and_a_byte_order_mark_are_read(project: Path) -> None:
    loaded = given_settings(project, toml="\ufeffwords = 99\r\n", dotenv="\ufeffCORES=1\r\nVOICE='x'\r\n")

    assert (loaded.settings.words, loaded.settings.cores, loaded.settings.voice) == (99, 1, "x")


def test_a_bundle_of_certificates_is_found_from_the_project(project: Path) -> None:
    (project / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    settings = given_settings(project, toml='ssl_ca_bundle = "ca.pem"').settings

    assert settings.ssl_ca_bundle == project / "ca.pem"
    assert ssl.create_default_context(cafile=str(settings.ssl_ca_bundle)).cert_store_stats()["x509_ca"] > 0


def test_settings_cannot_be_changed(project: Path) -> None:
    settings = given_settings(project).settings

    with pytest.raises(ValidationError):
        settings.words = 3
    with pytest.raises(TypeError):
        settings.voices["en"] = "x"  # type: ignore[index]


# -- what is wrong ---------------------------------------------------------------------------------------------

WRITE_URL = "write it like http://127.0.0.1:11434"
T = "config/pipeline.toml"

BAD: dict[str, tuple[dict[str, object], str]] = {
    "unknown": ({"toml": '\nvoise = "x"'}, f"{T}:2 voise: no such setting; did you mean voice?"),
    "far": ({"toml": "zzz = 1"}, f"{T}:1 zzz: no such setting; docs/reference/settings.md lists them all"),
    "table": (
        {"toml": '[ollama]\nmodel = "x"'},
        f"{T}:1 [ollama]: no such table; settings stand above the first table, one a line",
    ),
    "below the table": (
        {"toml": '[voices]\npt = "x"\nwords = "y"'},
        f"{T}:1 voices: words is a setting, not a language; move it above the line [voices]",
    ),
    "config_dir in its own file": (
        {"toml": 'config_dir = "x"'},
        f"{T}:1 config_dir: cannot be set here, because this file is found by it; use .env",
    ),
    "not TOML": (
        {"toml": "words = 100\nvoice = x\n"},
        f"{T}:2: not TOML: Invalid value; texts stand in quotes, lists in brackets",
    ),
    "TOML with a key without end": (
        {"toml": "\n" + "a." * 20_000 + "b = 1"},
        f"{T}:2: not TOML: a key has more than 32 parts; texts stand in quotes, lists in brackets",
    ),
    "TOML with a number without end": (
        {"toml": "x = " + "1" * 5_000},
        f"{T}: not TOML: a number has more digits than can be read",
    ),
    "TOML too deep": ({"toml": "x = " + "[" * 100_000}, f"{T}: not TOML: it is nested too deeply"),
    "TOML in Latin-1": ({"toml": b"# caf\xe9"}, f"{T}: not UTF-8; save it as UTF-8 in your editor"),
    "unit": (
        {"toml": 'read_timeout_seconds = "5 s"'},
        f"{T}:1 read_timeout_seconds: '5 s' is not a number of seconds from 0.1 to 3600",
    ),
    "negative": (
        {"dotenv": "CORES=1\nRETRY_ATTEMPTS=-1"},
        ".env:2 RETRY_ATTEMPTS: '-1' is not a whole number from 1 to 50",
    ),
    "fraction": ({"toml": "writer_tries = 1.5"}, f"{T}:1 writer_tries: 1.5 is not a whole number from 1 to 20"),
    "true for a number": ({"toml": "cores = true"}, f"{T}:1 cores: true is not a whole number from 0 to 1024"),
    "NaN": ({"toml": "speaking_rate = nan"}, f"{T}:1 speaking_rate: nan is not a number from 0.5 to 2"),
    "infinity": (
        {"environ": {"RETRY_TOTAL_SECONDS": "inf"}},
        "environment RETRY_TOTAL_SECONDS: 'inf' is not a number of seconds from 0 to 86400",
    ),
    "too fast": ({"overrides": {"speaking_rate": 3}}, "command line speaking_rate: 3 is not a number from 0.5 to 2"),
    "too loud": ({"toml": "loudness_lufs = 16"}, f"{T}:1 loudness_lufs: 16 is not a number of LUFS from -31 to -9"),
    "bit rate": (
        {"toml": "mp3_kbits = 97"},
        f"{T}:1 mp3_kbits: 97 is not one of 48, 56, 64, 80, 96, 112, 128, 160",
    ),
    "choice": (
        {"toml": 'writer = "olama"'},
        f"{T}:1 writer: 'olama' is not one of auto, ollama, embedded; did you mean ollama?",
    ),
    "neither true nor false": ({"dotenv": "FLAC=maybe"}, ".env:1 FLAC: 'maybe' is not true or false"),
    "number for a text": ({"toml": "voice = 5"}, f"{T}:1 voice: 5 is not a text; put it in quotes"),
    "no model": ({"toml": 'ollama_model = " "'}, f"{T}:1 ollama_model: must not be empty"),
    "no scheme": (
        {"environ": {"PIPER_BASE_URL": "box:5000"}},
        "environment PIPER_BASE_URL: 'box:5000' does not say http or https; did you mean http://box:5000?",
    ),
    "other scheme": (
        {"toml": 'piper_base_url = "ftp://h"'},
        f"{T}:1 piper_base_url: 'ftp://h' is not http or https; {WRITE_URL}",
    ),
    "no host": (
        {"toml": 'piper_base_url = "http://"'},
        f"{T}:1 piper_base_url: 'http://' is not an address; {WRITE_URL}",
    ),
    "bad port": (
        {"toml": 'piper_base_url = "http://h:99999"'},
        f"{T}:1 piper_base_url: 'http://h:99999' is not an address; {WRITE_URL}",
    ),
    "query": (
        {"toml": 'piper_base_url = "http://h/?a=b"'},
        f"{T}:1 piper_base_url: 'http://h/?a=b' must end before ? or #",
    ),
    "password in an address": (
        {"toml": 'ollama_base_url = "http://me:pass@h"'},
        f"{T}:1 ollama_base_url: an address must not hold a password, because addresses are shown in logs",
    ),
    "duration": (
        {"toml": 'ollama_keep_alive = "ten minutes"'},
        f"{T}:1 ollama_keep_alive: 'ten minutes' is not a duration; write it like 10m, 1h30m or -1 (for ever)",
    ),
    "language": (
        {"environ": {"TOPIC_LANGUAGE": "english"}},
        "environment TOPIC_LANGUAGE: no such language: 'english'; did you mean en?",
    ),
    "voice as a path": (
        {"toml": 'voice = "../x"'},
        f"{T}:1 voice: '../x' is not a voice's name; write it like en_US-joe-medium",
    ),
    "style as a path": (
        {"toml": 'style = "a/b"'},
        f"{T}:1 style: 'a/b' is not a style's name; name a file of config/prompts/, without .md",
    ),
    "voices without JSON": (
        {"environ": {"VOICES": "pt=x"}},
        'environment VOICES: \'pt=x\' is not JSON; write it like {"pt": "pt_BR-faber-medium"}',
    ),
    "voices as a list": (
        {"toml": "voices = [1]"},
        f"{T}:1 voices: not a table of languages and voices; write it like voices.pt = 'pt_BR-faber-medium'",
    ),
    "credentials without a password": (
        {"environ": {"SD_AUTH": "hush"}},
        "environment SD_AUTH: not a user and a password; write it like user:password",
    ),
    "a size that models do not draw": (
        {"toml": "sd_width = 770"},
        f"{T}:1 sd_width: 770 is not a multiple of 8, which models draw in; write 768",
    ),
    "films": (
        {"toml": 'video = "widescreen"'},
        f"{T}:1 video: 'widescreen' is not one of off, wide, tall, both",
    ),
    "dotenv name": (
        {"dotenv": "ollama_model=x"},
        ".env:1 ollama_model: no such setting; did you mean OLLAMA_MODEL?",
    ),
    "dotenv line": ({"dotenv": "CORES=1\n\nwhat is this\n"}, ".env:3: not a line of the form NAME=value"),
    "dotenv twice": ({"dotenv": "CORES=1\nWORDS=50\nCORES=2"}, ".env:3 CORES: also set in line 1"),
    "near miss in the environment": (
        {"environ": {"OLLAMA_MDOEL": "x"}},
        "environment OLLAMA_MDOEL: no such setting; did you mean OLLAMA_MODEL?",
    ),
    "command line": ({"overrides": {"voic": "x"}}, "command line voic: no such setting; did you mean voice?"),
    "output inside input": (
        {"toml": 'output_dir = "input/out"'},
        f"{T}:1 output_dir: inside input_dir; give each its own folder",
    ),
    "input inside output": (
        {"toml": 'input_dir = "output/in"'},
        f"{T}:1 input_dir: inside output_dir; give each its own folder",
    ),
    "one folder for both": (
        {"toml": 'output_dir = "x/../input"'},
        f"{T}:1 output_dir: the same folder as input_dir; give each its own",
    ),
    "a file for a folder": ({"toml": 'data_dir = ".env"'}, f"{T}:1 data_dir: PROJECT/.env is a file, not a folder"),
    "empty folder name": ({"toml": 'data_dir = " "'}, f"{T}:1 data_dir: must name a folder or a file"),
    "no bundle": ({"toml": 'ssl_ca_bundle = "ca.pem"'}, f"{T}:1 ssl_ca_bundle: there is no file PROJECT/ca.pem"),
    "empty bundle": (
        {"toml": 'ssl_ca_bundle = ".env"'},
        f"{T}:1 ssl_ca_bundle: PROJECT/.env is empty; it should hold certificates in PEM form",
    ),
    "bundle without certificates": (
        {"toml": 'ssl_ca_bundle = "config/pipeline.toml"'},
        f"{T}:1 ssl_ca_bundle: PROJECT/{T} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_bad_setting_gets_its_one_clear_message(project: Path, case: str) -> None:
    sources, message = BAD[case]

    assert problems(project, **sources) == [message]


def test_all_faults_come_in_one_report(project: Path) -> None:
    assert problems(
        project,
        toml='voise = "x"\ncores = -1\noutput_dir = "input"',
        dotenv="FLAC=maybe",
        environ={"SPEAKING_RATE": "fast"},
        overrides={"wrods": 3},
    ) == [
        f"{T}:1 voise: no such setting; did you mean voice?",
        "command line wrods: no such setting; did you mean words?",
        "environment SPEAKING_RATE: 'fast' is not a number from 0.5 to 2",
        ".env:1 FLAC: 'maybe' is not true or false",
        f"{T}:2 cores: -1 is not a whole number from 0 to 1024",
        f"{T}:3 output_dir: the same folder as input_dir; give each its own",
    ]


def test_a_folder_in_a_files_place_is_told(project: Path) -> None:
    (project / ".env").mkdir()

    with pytest.raises(SettingsError) as caught:
        load(project, {})
    assert caught.value.problems == (".env: a folder stands where the file should be; remove it",)


# -- secrets ---------------------------------------------------------------------------------------------------


def test_secrets_are_shown_nowhere(project: Path) -> None:
    loaded = given_settings(project, dotenv="OLLAMA_API_KEY=hush-hush")
    (row,) = (row for row in table(loaded) if row.name == "ollama_api_key")

    assert loaded.settings.ollama_api_key is not None
    assert loaded.settings.ollama_api_key.get_secret_value() == "hush-hush"
    assert (row.value, row.origin) == ("********", ".env:1")
    assert "hush" not in f"{loaded!r} {loaded.origins} {table(loaded)} {loaded.settings.model_dump_json()}"


def test_a_secret_at_fault_is_not_repeated(project: Path) -> None:
    assert problems(project, toml="ollama_api_key = 31337") == [
        f"{T}:1 ollama_api_key: the value is not a text; put it in quotes"
    ]


# -- pages -----------------------------------------------------------------------------------------------------


def test_the_table_has_every_setting_with_its_origin(project: Path) -> None:
    rows = {row.name: row for row in table(given_settings(project, toml="speaking_rate = 1.5\nflac = true"))}

    assert set(rows) == set(Settings.model_fields)
    assert (rows["speaking_rate"].value, rows["speaking_rate"].origin) == ("1.5", "config/pipeline.toml:1")
    assert (rows["flac"].value, rows["voices"].value, rows["ssl_ca_bundle"].value) == ("true", "{}", "")
    assert all(row.about.endswith(".") for row in rows.values())


@pytest.mark.parametrize(("name", "text"), [(ENV_EXAMPLE, env_example()), (REFERENCE, reference())])
def test_the_generated_pages_are_up_to_date(name: str, text: str) -> None:
    assert (PROJECT / name).read_text("utf-8") == text, f"made anew by: {REGENERATE}"


def test_write_docs_writes_both_pages(tmp_path: Path) -> None:
    write_docs(tmp_path)

    assert (tmp_path / ENV_EXAMPLE).read_text("utf-8") == env_example()
    assert (tmp_path / REFERENCE).read_text("utf-8") == reference()


def test_the_example_of_dotenv_is_a_dotenv_with_the_defaults(project: Path) -> None:
    lines = [line[1:] for line in env_example().splitlines() if re.match(r"#[A-Z_0-9]+=", line)]
    loaded = given_settings(project, dotenv="\n".join(lines))

    assert len(lines) == len(Settings.model_fields)
    assert loaded.settings == load(project.parent / "nowhere", {}).settings


def test_the_commented_values_of_the_shipped_toml_are_the_defaults() -> None:
    text = (PROJECT / "config" / "pipeline.toml").read_text("utf-8")
    shown = tomllib.loads("\n".join(re.findall(r"^# ([a-z_0-9]+ = .*)$", text.split("[voices]")[0], re.MULTILINE)))

    assert len(shown) > 10
    assert shown == {name: json.loads(json.dumps(all_facts()[name].default)) for name in shown}


def test_the_shipped_project_loads() -> None:
    assert load(PROJECT, {}).settings.output_dir == Path("output")
