"""Every setting of the speech server: environment variables `SPEECH_*`, all faults in one report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from pipeline.environment import FromEnvironment, read

PREFIX = "SPEECH_"


class SpeechSettings(FromEnvironment):
    """Frozen. Made by `load`."""

    host: str = Field(
        default="127.0.0.1", description="The address to listen on; 0.0.0.0 in a container.", min_length=1
    )
    port: int = Field(default=5000, description="The port to listen on.", ge=0, le=65_535)
    voices_dir: Path = Field(default=Path("voices"), description="Where voices lie: NAME.onnx beside NAME.onnx.json.")
    voice: str = Field(default="", description="The voice of requests that name none; empty for the first one by name.")
    unknown_voice: Literal["refuse", "default"] = Field(
        default="refuse",
        description="What an OpenAI client gets for a voice that is not here (alloy, nova): refuse, or the default.",
    )
    threads: int = Field(default=0, description="How many sentences are spoken at once; 0 is one a core.", ge=0, le=256)
    max_loaded: int = Field(default=3, description="How many voices stay in memory; the least used goes.", ge=1, le=64)
    max_waiting: int = Field(
        default=64, description="How many requests wait or are spoken at once; more get 503.", ge=1, le=10_000
    )
    max_characters: int = Field(
        default=20_000, description="The longest text of one request; 1,000 are a minute.", ge=1, le=1_000_000
    )
    pause_seconds: float = Field(
        default=0.2, description="The silence between sentences for OpenAI's clients.", ge=0, le=10
    )
    api_key: SecretStr | None = Field(default=None, description="Asked of callers as a bearer token, where it is set.")
    grace_seconds: float = Field(
        default=20.0, description="How long what is being spoken may take when the server is told to stop.", ge=0
    )
    log_format: Literal["text", "json"] = Field(default="json", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )


def load(environment: Mapping[str, str] = os.environ) -> SpeechSettings:
    """The settings; an empty variable is one that is not set. Raises SettingsError with every fault."""
    return read(SpeechSettings, PREFIX, environment)
