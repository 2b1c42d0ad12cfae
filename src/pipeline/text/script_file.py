"""How a script stands on disk: Markdown with front matter, made for a person to edit.

    ---
    title: Why the sea is salty
    language: en
    ---

    ## Rain and rivers

    > picture: a river running into the sea

    Rain dissolves a little salt from the rocks. Rivers carry it to the sea.

Lenient in layout: lines may be wrapped anywhere, lists become sentences, comments are for people. Strict where
something would go missing: what cannot be understood is an InputError with its line.
"""

from __future__ import annotations

import difflib
import re

import yaml

from pipeline.domain.script import Script, Segment
from pipeline.errors import InputError
from pipeline.text import escaping, plain
from pipeline.text.yaml_faults import cure_of

# An hour of speech is some 9,300 words, 60,000 letters; ten hours are a mistake.
_LARGEST = 1_000_000

_NOTE = "<!-- Edit this file as you like: it is then yours, is never overwritten, and the episode is made from it. -->"
_FENCE = "---"
_KEYS = ("title", "language")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_COMMENT = re.compile(r"(?<!\\)<!--.*?-->", re.DOTALL)
_OPEN_COMMENT = re.compile(r"(?<!\\)<!--")
_PICTURE = re.compile(r"^ {0,3}>[ \t]*picture[ \t]*:(?P<prompt>.*)$", re.IGNORECASE)
_QUOTED = re.compile(r"^ {0,3}>(?P<text>.*)$")


def format(script: Script) -> str:  # noqa: A001  # read as script_file.format
    """The file's text. `parse` gives the same script back, for texts with single blanks and no line breaks."""
    front = yaml.safe_dump(
        {"title": script.title, "language": script.language}, allow_unicode=True, sort_keys=False, width=10_000
    )
    blocks = [f"{_FENCE}\n{front}{_FENCE}", _NOTE]
    for index, segment in enumerate(script.segments):
        if segment.title or index:
            blocks.append(f"## {escaping.heading(segment.title)}".rstrip())
        if segment.picture_prompt:
            blocks.append(f"> picture: {escaping.inline(segment.picture_prompt)}")
        blocks += [escaping.paragraph(paragraph) for paragraph in segment.paragraphs]
    return "\n\n".join(blocks) + "\n"


def parse(text: str, *, where: str) -> Script:
    """Read a script; `where` names the file in errors. Raises InputError with file, line and cure."""
    if len(text) > _LARGEST:
        raise InputError(
            f"the script has {len(text):,} letters, and {_LARGEST:,} are the most",
            where=where,
            hint="Make several topics of it.",
        )
    lines = text.removeprefix("\ufeff").splitlines()
    front, first = _front_matter(lines, where)
    body = _without_comments("\n".join([""] * first + lines[first:]), where)
    rest, pictures = _pictures(body.split("\n"), where)
    found = plain.parts(rest)
    if not any(part.paragraphs for part in found):
        raise InputError(
            "there is nothing to say in this script", where=f"{where}:{first + 1}", hint="Write at least one sentence."
        )
    segments = []
    for index, part in enumerate(found):
        end = found[index + 1].line if index + 1 < len(found) else len(lines) + 1
        start = part.line if index else 0
        if not part.paragraphs:
            raise InputError(
                f"there is nothing to say under the heading {part.title!r}",
                where=f"{where}:{part.line}",
                hint="Write a sentence below it, or take the heading away.",
            )
        own = [(line, prompt) for line, prompt in pictures if start <= line < end]
        if len(own) > 1:
            raise InputError(
                "this part has two pictures", where=f"{where}:{own[1][0]}", hint="Keep one `> picture:` line."
            )
        segments.append(Segment(part.title, part.paragraphs, own[0][1] if own else ""))
    return Script(front["title"], front["language"], tuple(segments))


def _front_matter(lines: list[str], where: str) -> tuple[dict[str, str], int]:
    """The front matter's values, and how many lines it takes."""
    cure = "Begin the file with ---, then `title: ...` and `language: en`, then ---."
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[start].strip() != _FENCE:
        raise InputError("the front matter is missing", where=f"{where}:1", hint=cure)
    end = next((index for index in range(start + 1, len(lines)) if lines[index].strip() == _FENCE), None)
    if end is None:
        raise InputError("the front matter has no end", where=f"{where}:{start + 1}", hint="Close it with a line ---.")
    try:
        # BaseLoader: every value is the text that stands there; a title `1984` or `yes` stays a title.
        raw = yaml.load("\n".join(lines[start + 1 : end]), Loader=yaml.BaseLoader)  # noqa: S506  # makes no objects
    except (yaml.YAMLError, RecursionError) as error:
        # What was begun and never ended is named by where it began.
        marks = [mark.line for name in ("context_mark", "problem_mark") if (mark := getattr(error, name, None))]
        line = start + 2 + min(marks, default=0)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise InputError(
            f"the front matter is not YAML: {problem}", where=f"{where}:{line}", hint=cure_of(error)
        ) from error
    if not isinstance(raw, dict):
        raise InputError("the front matter holds no `title` and `language`", where=f"{where}:{start + 1}", hint=cure)
    return _checked(raw, lines, start, where), end + 1


def _checked(raw: dict[object, object], lines: list[str], start: int, where: str) -> dict[str, str]:
    def line_of(key: object) -> int:
        return next((n for n, line in enumerate(lines[start:], start + 1) if line.strip().startswith(str(key))), 1)

    for key in raw:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "A script has a `title` and a `language`."
            raise InputError(f"the front matter has no `{key}`", where=f"{where}:{line_of(key)}", hint=hint)
    values = {}
    for key in _KEYS:
        value = raw.get(key)
        if not isinstance(value, str) or not value.strip():
            example = "title: Why the sea is salty" if key == "title" else "language: en"
            raise InputError(
                f"the front matter needs a `{key}`", where=f"{where}:{line_of(key)}", hint=f"Write `{example}`."
            )
        values[key] = " ".join(value.split())
    if not _LANGUAGE.fullmatch(values["language"]):
        raise InputError(
            f"{values['language']!r} is not a language code",
            where=f"{where}:{line_of('language')}",
            hint="Write `en`, `pt-BR` or the like.",
        )
    return values


def _without_comments(body: str, where: str) -> str:
    blanked = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), body)
    if unclosed := _OPEN_COMMENT.search(blanked):
        raise InputError(
            "a comment is opened and never closed",
            where=f"{where}:{blanked.count(chr(10), 0, unclosed.start()) + 1}",
            hint="End it with -->.",
        )
    return blanked


def _pictures(lines: list[str], where: str) -> tuple[str, list[tuple[int, str]]]:
    """The text without its picture lines, and each prompt with its line.

    Taken out before Markdown is read: to Markdown, a sentence right below the line would belong to the quotation,
    and would go unsaid.
    """
    kept: list[str] = []
    found: list[tuple[int, str]] = []
    inside = False
    for number, line in enumerate(lines, 1):
        if picture := _PICTURE.match(line):
            found.append((number, picture["prompt"]))
            inside = True
        elif inside and (more := _QUOTED.match(line)):
            found[-1] = (found[-1][0], f"{found[-1][1]} {more['text']}")
        else:
            inside = False
            kept.append(line)
            continue
        kept.append("")
    pictures = [(line, plain.inline(prompt)) for line, prompt in found]
    for number, prompt in pictures:
        if not prompt:
            raise InputError(
                "this picture line is empty", where=f"{where}:{number}", hint="Say what is to be seen, or take it away."
            )
    return "\n".join(kept), pictures
