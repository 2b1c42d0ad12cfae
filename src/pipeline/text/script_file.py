"""How a script stands on disk: Markdown with front matter, made for a person to edit.

    ---
    title: Why the sea is salty
    language: en
    ---

    ## Rain and rivers

    > picture: a river running into the sea

    Rain dissolves a little salt from the rocks.[^1] Rivers carry it to the sea.[^2] The sea is old.[^?]

    [^1]: Rain takes salt from the rocks.
    [^2]: Rivers bring the salt to the sea.

A mark says which note a sentence rests on, `[^?]` that it rests on none; marks are never spoken, and may be changed or
taken away.

Lenient in layout: lines may be wrapped anywhere, lists become sentences, comments are for people. Strict where
something would go missing: what cannot be understood is an InputError with its line.
"""

from __future__ import annotations

import difflib
import re

import yaml

from pipeline.domain.script import Script, Segment
from pipeline.errors import InputError
from pipeline.text import escaping, plain, sentences
from pipeline.text.claims import Marks
from pipeline.text.yaml_faults import cure_of

# An hour of speech is some 9,300 words, 60,000 letters; ten hours are a mistake.
_LARGEST = 1_000_000

_NOTE = "<!-- Edit this file as you like: it is then yours, is never overwritten, and the episode is made from it. -->"
_NOTES = "<!-- What the sentences rest on, by the notes of the topic. [^?] marks what is in none of them. -->"
_FENCE = "---"
_KEYS = ("title", "language")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_COMMENT = re.compile(r"(?<!\\)<!--.*?-->", re.DOTALL)
_OPEN_COMMENT = re.compile(r"(?<!\\)<!--")
_PICTURE = re.compile(r"^ {0,3}>[ \t]*picture[ \t]*:(?P<prompt>.*)$", re.IGNORECASE)
# A mark, as Markdown's footnotes are written; and, at the beginning of a line, the note that it stands for.
_MARK = re.compile(r"(?<!\\)\[\^(?P<number>[1-9]\d{0,3}|[1-5]\d{4}|\?)\](?!:)")
_LITERAL_MARK = re.compile(r"(?<!\\)(?=\[\^(?:\d{1,5}|\?)\])")
_NOTE_OF_A_MARK = re.compile(r"^ {0,3}\[\^(?P<number>[1-9]\d{0,3}|[1-5]\d{4}|\?)\]:[ \t]*(?P<text>.*)$")
# While Markdown is read, a mark is one letter of the fifteenth plane, which is for private use and cannot be spoken.
_FIRST_SIGN = 0xF0000
_SIGN = re.compile("[\U000f0000-\U000fffff]")
_QUOTED = re.compile(r"^ {0,3}>(?P<text>.*)$")


def format(script: Script, marks: Marks | None = None) -> str:  # noqa: A001  # read as script_file.format
    """The file's text. `parse` gives the same script back, for texts with single blanks and no line breaks, and
    `marks` the same marks.
    """
    marks = marks or Marks()
    front = yaml.safe_dump(
        {"title": script.title, "language": script.language}, allow_unicode=True, sort_keys=False, width=10_000
    )
    blocks = [f"{_FENCE}\n{front}{_FENCE}", _NOTE]
    for index, segment in enumerate(script.segments):
        if segment.title or index:
            blocks.append(f"## {escaping.heading(segment.title)}".rstrip())
        if segment.picture_prompt:
            blocks.append(f"> picture: {escaping.inline(segment.picture_prompt)}")
        blocks += [_marked(paragraph, script.language, marks) for paragraph in segment.paragraphs]
    if marks:
        notes = (f"[^{number}]: {' '.join(text.split())}" for number, text in sorted(marks.notes.items()))
        blocks.append("\n".join([_NOTES, "", *notes]).rstrip())
    return "\n\n".join(blocks) + "\n"


def parse(text: str, *, where: str) -> Script:
    """Read a script; `where` names the file in errors. Raises InputError with file, line and cure."""
    if len(text) > _LARGEST:
        raise InputError(
            f"the script has {len(text):,} letters, and {_LARGEST:,} are the most",
            where=where,
            hint="Make several topics of it.",
        )
    return _read(text, where)[0]


def marks(text: str, *, where: str) -> Marks:
    """The marks in a script. Raises InputError as `parse` does."""
    return _read(text, where)[1]


def _read(text: str, where: str) -> tuple[Script, Marks]:
    lines = text.removeprefix("\ufeff").splitlines()
    front, first = _front_matter(lines, where)
    notes: dict[int, str] = {}
    for number, line in enumerate(lines[first:], first):
        if note := _NOTE_OF_A_MARK.match(line):
            lines[number] = ""
            if note["number"] != "?":
                notes[int(note["number"])] = note["text"].strip()
    body = _without_comments("\n".join([""] * first + lines[first:]), where)
    body = _MARK.sub(lambda mark: chr(_FIRST_SIGN + int(mark["number"].replace("?", "0"))), _SIGN.sub("", body))
    rest, pictures = _pictures(body.split("\n"), where)
    found = plain.parts(rest)
    if not any(part.paragraphs for part in found):
        raise InputError(
            "there is nothing to say in this script", where=f"{where}:{first + 1}", hint="Write at least one sentence."
        )
    segments = []
    of: dict[str, tuple[int, ...]] = {}
    for index, part in enumerate(found):
        end = found[index + 1].line if index + 1 < len(found) else len(lines) + 1
        start = part.line if index else 0
        paragraphs = []
        for paragraph in part.paragraphs:
            said, numbers = _unmarked(paragraph, front["language"])
            of |= numbers
            paragraphs += [said] if said else []
        if not paragraphs:
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
        title, prompt = (" ".join(_SIGN.sub("", one).split()) for one in (part.title, own[0][1] if own else ""))
        segments.append(Segment(title, tuple(paragraphs), prompt))
    return Script(front["title"], front["language"], tuple(segments)), Marks(of, notes)


def _marked(paragraph: str, language: str, marks: Marks) -> str:
    """A paragraph with a mark behind each sentence that has one."""
    if not marks:
        return _LITERAL_MARK.sub(r"\\", escaping.paragraph(paragraph))
    pieces = []
    for sentence in sentences.split(paragraph, language):
        numbers = marks.of.get(sentence)
        signs = "" if numbers is None else "".join(chr(_FIRST_SIGN + number) for number in numbers or (0,))
        pieces.append(sentence + signs)
    escaped = _LITERAL_MARK.sub(r"\\", escaping.paragraph(" ".join(pieces)))
    return _SIGN.sub(lambda sign: f"[^{ord(sign[0]) - _FIRST_SIGN or '?'}]", escaped)


def _unmarked(paragraph: str, language: str) -> tuple[str, dict[str, tuple[int, ...]]]:
    """A paragraph without its marks, and the marks of each sentence. A mark belongs to the sentence that it stands in
    or behind.
    """
    if not _SIGN.search(paragraph):
        return paragraph, {}
    said = " ".join(_SIGN.sub("", paragraph).split())
    # How many letters of the text, blanks left out, stand before each mark, and up to the end of each sentence.
    places: list[tuple[int, int]] = []
    letters = 0
    for letter in paragraph:
        if _SIGN.match(letter):
            places.append((letters, ord(letter) - _FIRST_SIGN))
        elif not letter.isspace():
            letters += 1
    of: dict[str, tuple[int, ...]] = {}
    end = 0
    for sentence in sentences.split(said, language):
        start, end = end, end + sum(not letter.isspace() for letter in sentence)
        numbers = [number for place, number in places if start < place <= end]
        if numbers:
            of[sentence] = tuple(sorted({number for number in numbers if number}))
    return said, of


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
        front = "\n".join(lines[start + 1 : end])
        raw = yaml.load(front, Loader=yaml.BaseLoader)  # noqa: S506  # nosec B506  # makes no objects
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
