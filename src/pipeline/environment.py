"""The settings of a server that runs by itself: environment variables of one prefix, all faults in one report."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.errors import SettingsError


class FromEnvironment(BaseSettings):
    """What `read` makes; frozen. A server's settings are a kind of it."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `read` gives and nothing else: a variable that is misspelt must be seen, not passed over."""
        return (init_settings,)


S = TypeVar("S", bound=FromEnvironment)


def read(kind: type[S], prefix: str, environment: Mapping[str, str]) -> S:
    """The settings of a kind; an empty variable is one that is not set. Raises SettingsError with every fault.

    What a model says of several fields together must name them itself: it is told as it stands.
    """
    known = kind.model_fields
    values: dict[str, Any] = {}
    problems = []
    for variable, value in sorted(environment.items()):
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefix) or not value.strip():
            continue
        if name in known:
            values[name] = value.strip()
        else:
            near = get_close_matches(name, known, n=1)
            problems.append(
                f"{variable}: no such setting{f'; did you mean {prefix}{near[0].upper()}?' if near else ''}"
            )
    try:
        settings = kind(**values)
    except ValidationError as error:
        for fault in error.errors():
            where = f"{prefix}{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
            said = fault.get("ctx", {}).get("error")  # a model's own words, which pydantic puts others before
            problems.append(where + (str(said) if isinstance(said, ValueError) else fault["msg"]))
        raise SettingsError(problems) from error
    if problems:
        raise SettingsError(problems)
    return settings
