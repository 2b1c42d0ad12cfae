"""What a browser's form sends, read without a script's help: one text for each field."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import ValidationError

from pipeline.errors import InputError
from pipeline.service.problems import Mistaken
from pipeline.service.wire import NewTopic

_MOST_FIELDS = 30
_MEDIA_TYPE = "application/x-www-form-urlencoded"
TOPIC_FIELDS = ("title", "notes", "mode", "style", "voice", "minutes", "language")


async def fields_of(request: Request) -> Mapping[str, str]:
    """The fields of a form, the last of each name; line ends as everywhere else. Raises Mistaken."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise Mistaken("this takes what a form sends", hint=f"Send {_MEDIA_TYPE}; programs use the API.", status=415)
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=False,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise Mistaken("the form cannot be read", hint="Send it from the page.", status=400) from error
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def topic_of(fields: Mapping[str, str]) -> NewTopic:
    """What a form asks for; what is left empty is as the settings say. Raises InputError with every fault."""
    asked: dict[str, object] = {name: value for name in TOPIC_FIELDS if (value := fields.get(name, "").strip())}
    try:
        return NewTopic.model_validate(asked)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InputError("; ".join(faults), hint="Mend it in the form, and send it again.") from error
