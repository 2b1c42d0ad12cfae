"""The JSON Schema of the manifest: every field that is written, what it means, and in what unit.

The schema says exactly what this version writes, so that a slip of the pen on our side is found by it. Readers are held
to less: within one number of the format fields may come, and what a reader does not know it passes over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from pipeline.domain import manifest
from pipeline.domain.topic import Mode

Schema: TypeAlias = dict[str, Any]

ID = "urn:media-pipeline:manifest:1"

_SHA256 = "^[0-9a-f]{64}$"
# RFC 3339 in UTC, as the store writes it.
_MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)$"


def schema() -> Schema:
    """The whole schema, JSON Schema 2020-12."""
    about = (
        "What an episode of Media Pipeline consists of and how it came about. It lies beside the episode's files, is "
        "written last, and has the same bytes whenever the same things are published."
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Media Pipeline manifest 1",
        **_object(about, _top()),
    }


def schema_text() -> str:
    """docs/reference/manifest.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _top() -> dict[str, Schema]:
    return {
        "format": {
            "const": manifest.FORMAT,
            "description": "Which manifest this is. The number goes up when a field goes away or changes its meaning.",
        },
        manifest.DIGEST: _sha256(
            "SHA-256 of this file without the line that this stands on. It finds damage and edits; it is no signature."
        ),
        "title": _text("The episode's title."),
        "summary": _text("The script's first sentences, at most 280 characters."),
        "slug": _text("The name of the episode's folder.", pattern="^[a-z0-9-]{1,60}$"),
        "language": _text("What is spoken, as BCP 47: `en`, `pt-BR`."),
        "tags": _list(_text("A tag."), "The topic's tags, in its order."),
        "date": _maybe(
            _text("The topic's own date, `2026-05-17`; null where it has none.", pattern=r"^\d{4}-\d{2}-\d{2}$")
        ),
        "identity": _text(
            "What the episode is of: the topic's file, and for a row of a list its title too. It stays the same while "
            "the topic stays where it is."
        ),
        "source": _object(
            "Where the topic stands.",
            {
                "path": _text("The file, relative to the project's folder."),
                "line": _count("The topic's first line in it, from 1.", least=1),
            },
        ),
        "ai_generated": _object(
            "What a machine made.",
            {
                "script": _flag("A language model wrote the script, also where a person has edited it since."),
                "speech": {"const": True, "description": "The voice is synthesised; it always is."},
                "pictures": _flag("A model drew the pictures; false for pictures that are set in type."),
                "notice": _text("The same in a sentence, as it stands in the files' tags, the feed and the page."),
            },
        ),
        "script": _script(),
        "engines": _object(
            "Who worked on it.",
            {
                "writer": _maybe(
                    _engine("Who wrote the script; null where no model did.", "model", "The model's name: `gemma3:4b`.")
                ),
                "voice": _engine(
                    "Who spoke it.",
                    "voice",
                    "The voice's name: `en_US-joe-medium`.",
                    {
                        "speaker": _maybe(_text("Which of a voice's several speakers; null where it has one.")),
                        "language": _text("The voice's own language, as BCP 47."),
                        "speaking_rate": _number("1 is the voice's own pace, 1.1 a tenth faster.", above=0),
                    },
                ),
                "illustrator": _engine(
                    "Who made the segments' pictures.", "model", "The checkpoint's name; `cards` for typography."
                ),
            },
        ),
        "length": _maybe(_length()),
        "audio": _audio(),
        "pictures": _object(
            "How each picture came about.",
            {
                "cover": _picture("`cover.png`, which is always set in type."),
                "shapes": _list(
                    _object(
                        "A shape.",
                        {
                            "width": _count("Pixels.", least=1),
                            "height": _count("Pixels.", least=1),
                            "segments": _list(_picture("A picture."), "One for each segment, in order."),
                        },
                    ),
                    "The shapes that pictures were made in, the one of the page first.",
                ),
            },
        ),
        "pipeline": _object(
            "The installation that published it.",
            {
                "version": _text("Its version."),
                "tls_verified": _flag("Certificates were checked on every connection."),
            },
        ),
        "made_at": _moment("When the newest of its parts was made, not when it was published."),
        "files": {
            "type": "object",
            "description": "Every file of the episode but the manifest, by name; all lie in its folder.",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^[^/\\]+$"},
            "additionalProperties": _object(
                "A file.",
                {
                    "bytes": _count("Its length in bytes."),
                    "sha256": _sha256("SHA-256 of its bytes, in hex."),
                    "key": _sha256("The artifact it is, in the store; a script edited by hand has none."),
                    "made_at": _moment("When it was made; not for a script edited by hand."),
                },
                optional=("key", "made_at"),
            ),
        },
    }


def _script() -> Schema:
    return _object(
        "The script, and how it came about.",
        {
            "mode": {
                "enum": [mode.value for mode in Mode],
                "description": "`write`: a model was asked; `read`: the topic's own text.",
            },
            "style": _maybe(_text("The prompt file it was written with; null where no model wrote it.")),
            "style_sha256": _maybe(_sha256("SHA-256 of all that the prompt file says; null where no model wrote it.")),
            "edited_by_hand": _flag("A person has changed it; `script.md` is then theirs, to the byte."),
            "words": _count("How many words it has."),
            "words_asked": _maybe(
                _count("How many the topic asked for; null where it asked for minutes, or its own text is read.")
            ),
            "segments": _list(_text("A heading; empty where it has none."), "The segments' headings, in order."),
            "picture_prompts": _list(
                _text("What the picture is to show; empty where the script does not say."), "One for each segment."
            ),
            "sentences": _count("How many sentences are spoken."),
            "claims": _maybe(
                _object(
                    "What the sentences rest on; null where the topic has no notes.",
                    {
                        "notes": _list(
                            _list(_text("File and line: `input/sea.md:7`."), "The notes of one sentence; may be none."),
                            "One list for each spoken sentence.",
                        ),
                        "unsupported": _list(
                            _count("A sentence's index, from 0."), "Sentences that are in none of the notes."
                        ),
                        "by_hand": _list(
                            _count("A sentence's index, from 0."), "Sentences that a person wrote; never unsupported."
                        ),
                    },
                )
            ),
            "how": _maybe(_how()),
        },
    )


def _how() -> Schema:
    """Three ways share what they can: which fields there are follows from `asked`."""
    asked = {
        "questions": _count("How often the model was asked."),
        "tokens": _count("How many tokens it answered with."),
        "seconds": _number("How long it took, in seconds.", least=0),
    }
    seeds = _list({"type": "integer", "description": "A seed."}, "The seed of each question, in order.")
    writer = {
        "engine": _text("As in `engines.writer`."),
        "model": _text("The model's name."),
        "sha256": _text("The model's digest."),
    }
    fields = {
        "asked": _text(
            "`at once`: a large model was asked for the whole; `in steps`: a small one for a sentence or two at a "
            "time; `nobody: …`: the text is read as it stands."
        ),
        "words": _count("How many words came of it."),
        "writer": _object("The model that was asked.", writer),
        **asked,
        "seeds": seeds,
        "seed": {"type": "integer", "description": "In steps: the topic's seed, from which each question's follows."},
        "passages": _count("In steps: how many passages the script was put together from."),
        "facts_in_the_notes_own_words": _count("In steps: how many notes are told as they stand."),
        "shorter_than_asked": _text("In steps: why it has fewer words than it was to have; absent where it has them."),
        "revised": _list(
            _object(
                "A round.",
                {
                    "segments": _list(_count("A segment's number.", least=1), "The segments that were to change."),
                    "words": {"type": "integer", "description": "How many words longer it became."},
                    "seeds": seeds,
                    **asked,
                },
            ),
            "At once: the rounds that made it longer or shorter; absent where there were none.",
        ),
        "other_language": _text(
            "`nobody: …`: the language that the text is clearly in (ISO 639-1), where that is not `language`."
        ),
        "sentences": _list(
            _text("The beginning of a sentence's SHA-256, in hex.", pattern="^[0-9a-f]+$"),
            "The sentences that the writer wrote, by which a person's are told from them; only with notes.",
        ),
    }
    about = "What was asked and what it took; null for a text that a person gave and edited."
    return _object(about, fields, optional=fields.keys() - {"asked", "words"})


def _length() -> Schema:
    return _object(
        "What came of the minutes that the topic asked for; null where it asked for none.",
        {
            "asked_seconds": _number("Seconds asked for.", above=0),
            "reached_seconds": _number("Seconds that the programme takes, pauses included.", above=0),
            "off_percent": _number("How far that is off, in percent of what was asked; negative is shorter."),
            "met": _flag("It is within 5 %."),
            "why_not": _maybe(_text("Why it was missed; null where it was met.")),
            "pace": _number("How many times faster than at the settings' rate it is spoken, as measured.", above=0),
            "rounds": _list(
                _object(
                    "A round.",
                    {"words": _count("The script's words."), "seconds": _number("Seconds it took.", above=0)},
                ),
                "Each script that was spoken at the settings' rate and measured, the first one too.",
            ),
        },
    )


def _audio() -> Schema:
    return _object(
        "What was measured on the programme, as a decoder gives it.",
        {
            "seconds": _number("Its length in seconds.", above=0),
            "loudness_lufs": _number("Integrated loudness in LUFS (ITU-R BS.1770-5)."),
            "true_peak_dbtp": _number("Highest true peak in dBTP."),
            "loudness_range_lu": _number("Loudness range in LU (EBU Tech 3342).", least=0),
            "limited": _flag("The limiter had to hold a peak back."),
            "target_lufs": _number("The loudness that was to be reached, in LUFS."),
            "ceiling_dbtp": _number("The true peak that was not to be passed, in dBTP."),
            "gain_db": _number("The one gain that was given to all of the speech, in dB."),
            "mp3_kbits": _count("The MP3's bit rate in kbit/s.", least=8),
            "word_times": {
                "enum": ["exact", "estimated"],
                "description": "`exact`: from the synthesizer's own lengths; `estimated`: shared out by letters.",
            },
        },
    )


def _engine(about: str, name: str, named: str, more: Mapping[str, Schema] | None = None) -> Schema:
    fields = {
        "engine": _text("The program and the way it is reached: `ollama`, `piper-server`, `cards`."),
        name: _text(named),
        "sha256": _text("The digest of the model, or of all that changes what the engine gives, in hex."),
        "licence": _text("The model's licence; empty where it is not known."),
        **(more or {}),
    }
    told = _text("What else the engine tells of itself: server, contract, quantization, sampler, fonts.")
    return {**_object(about, fields), "additionalProperties": told}


def _picture(about: str) -> Schema:
    fields = {
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "description": "The seed it was drawn with."},
        "attempts": _count("How often it was drawn until there was something to be seen.", least=1),
    }
    told = _text("What else its illustrator tells: layout, artwork, sampler, steps, letters left out.")
    return {**_object(about, fields), "additionalProperties": told}


# -- the kinds of values -----------------------------------------------------------------------------------------


def _object(about: str, fields: Mapping[str, Schema], *, optional: Collection[str] = ()) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def _list(items: Schema, about: str) -> Schema:
    return {"type": "array", "description": about, "items": items}


def _text(about: str, *, pattern: str = "") -> Schema:
    return {"type": "string", "description": about, **({"pattern": pattern} if pattern else {})}


def _sha256(about: str) -> Schema:
    return _text(about, pattern=_SHA256)


def _moment(about: str) -> Schema:
    return _text(f"{about} RFC 3339, UTC.", pattern=_MOMENT)


def _flag(about: str) -> Schema:
    return {"type": "boolean", "description": about}


def _count(about: str, *, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": about}


def _number(about: str, *, least: float | None = None, above: float | None = None) -> Schema:
    bounds = {"minimum": least, "exclusiveMinimum": above}
    return {"type": "number", "description": about, **{name: one for name, one in bounds.items() if one is not None}}


def _maybe(wanted: Schema) -> Schema:
    return {**wanted, "type": [wanted["type"], "null"]}
