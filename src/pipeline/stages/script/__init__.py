"""A topic becomes a script: asked for whole, asked for in steps, or read as it stands.

A large model is asked once, for JSON; a small one is asked for a sentence or two at a time. Which it is, is told by
the model's size. Every way ends in the same script, the same checks and the same file.
"""

from __future__ import annotations

import re

from pipeline.build.recipe import Flow
from pipeline.domain.topic import Topic
from pipeline.errors import EngineRefused
from pipeline.ports import Writer, WriterIdentity
from pipeline.stages.script import in_one, in_steps, reading
from pipeline.stages.script.reading import read
from pipeline.stages.script.written import NO_REVISION, Written
from pipeline.text.style_file import Style

__all__ = ["NO_REVISION", "RULES", "Written", "is_small", "read", "revise", "write"]

RULES = (in_one.RULE, in_one.REVISION, in_steps.PASSAGE, in_steps.RULE, reading.RULE)

# Below three thousand million weights a model does not hold a JSON schema and a length at the same time.
_SMALL = 3e9
_SIZE_IN_NAME = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])")
_UNITS = {"b": 1e9, "m": 1e6}


def write(topic: Topic, style: Style, writer: Writer, *, tries: int) -> Flow[Written]:
    """Have the writer write the script; a script that fails its checks is asked for again, at most `tries` times.

    Raises EngineRefused for a language the writer cannot write, EngineNonsense (with the last answer) when no try was
    good enough, and whatever the writer raises.
    """
    identity = writer.describe()
    if identity.languages is not None and topic.primary_language not in identity.languages:
        can = ", ".join(sorted(identity.languages))
        raise EngineRefused(
            f"{identity.name} cannot write in {topic.language!r}, only in {can}",
            where=str(topic.source),
            hint="Set up Ollama with a model that can (for example gemma3:4b), or give the text yourself with "
            "`mode: read`.",
        )
    ask = in_steps.write if is_small(identity) else in_one.write
    return (yield from ask(topic, style, writer, identity, tries=tries))


def revise(
    topic: Topic, style: Style, writer: Writer, before: Written, *, words: int, room: int, round_: int, tries: int
) -> Flow[Written]:
    """Have a script made so many words longer (or shorter: negative); what does not have to change stays.

    `topic` is the one that `write` was given, `room` the words asked for until now and `words` together, and `round_`
    counts from 1. Where the writer cannot, the script comes back as it was and says why (`NO_REVISION` in `about`).
    Raises what the writer raises.
    """
    identity = writer.describe()
    if is_small(identity):
        return (yield from in_steps.write(topic, style, writer, identity, tries=tries, room=room, before=before))
    return (yield from in_one.revise(topic, style, writer, identity, before, words=words, round_=round_, tries=tries))


def is_small(identity: WriterIdentity) -> bool:
    """Whether a model must be asked in steps: by its number of weights, or by its name (`qwen3:0.6b`)."""
    if identity.parameters is not None:
        return identity.parameters < _SMALL
    sizes = [float(number) * _UNITS[unit] for number, unit in _SIZE_IN_NAME.findall(identity.name.lower())]
    return bool(sizes) and max(sizes) < _SMALL
