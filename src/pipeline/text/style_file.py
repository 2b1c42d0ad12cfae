"""How scripts are asked for: a prompt file in `config/prompts/`, which a person may edit or add to.

    ---
    about: What the style is, in a line.
    opening: "{title}."
    rewrite: "Say this in your own words: {fact}"
    parts:
      - title: What it is
        ask: "Tell me what {title} is, in three short sentences."
    ---

    # System

    Who the writer is.

    # Ask

    Write about {title} in {words} words.

`System` and `Ask` are what a large model is given, whole; a third section, `Revise`, may say how it is asked to make
segments of its {script} longer or shorter ({changes}) where the length is asked for in minutes. A small model is asked
step by step: `rewrite` for each fact of the notes, `parts` where there are none; `opening` is then the first sentence.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from pipeline.errors import InputError, SettingsError, StoreError
from pipeline.files import read_plain

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_SECTION = re.compile(r"^#[ \t]+(?P<title>.+?)[ \t]*$", re.MULTILINE)

_EVERYWHERE = frozenset({"title", "notes", "words", "language"})
_SECTIONS: Mapping[str, frozenset[str]] = {
    "system": _EVERYWHERE,
    "ask": _EVERYWHERE,
    "revise": _EVERYWHERE | {"script", "changes"},
}
_IN_STEPS = frozenset({"title", "language"})
_TEXT_KEYS: Mapping[str, frozenset[str]] = {
    "about": frozenset(),
    "opening": _IN_STEPS,
    "rewrite": _IN_STEPS | {"fact"},
}
_KEYS = (*_TEXT_KEYS, "parts")


REVISE = """
This is a narration titled "{title}" in {language}, in numbered segments:

{script}

What is known, and what you must keep to. Do not contradict it, and add no names, dates or figures that are not here:

{notes}

Write these segments anew, and no others, so that each still follows from the one before it and leads to the next. To
make one longer, say more clearly what it says already and what follows from it; to make one shorter, leave out what
matters least. Say nothing twice.

{changes}
""".strip()
"""How a revision is asked for, where a prompt file has no section for it."""


@dataclass(frozen=True, slots=True)
class Facet:
    """One thing to say about a topic, for a model that can only say one thing at a time."""

    title: str
    ask: str


@dataclass(frozen=True, slots=True)
class Style:
    """A prompt file, read and checked: every placeholder in it is known."""

    name: str
    about: str
    system: str
    ask: str
    rewrite: str
    facets: tuple[Facet, ...]
    opening: str = ""
    revise: str = REVISE

    @property
    def digest(self) -> str:
        """SHA-256 of all that a first script follows from: what enters its key. `revise` enters a revision's."""
        first = {name: value for name, value in asdict(self).items() if name != "revise"}
        return hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()


def fill(template: str, values: Mapping[str, object]) -> str:
    """A template with its placeholders filled in; values are never looked into for more of them."""
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template).strip()


def load_style(folder: Path, name: str) -> Style:
    """The style `<folder>/<name>.md`.

    Raises InputError for a style there is no file for (naming the nearest) and SettingsError, with every fault and
    its line, for a file that cannot be used.
    """
    path = folder / f"{name}.md"
    if not _NAME.fullmatch(name):
        raise _unknown(folder, name)
    try:
        text = read_plain(path).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise _unknown(folder, name) from None
    except (StoreError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: the prompt file cannot be read ({error})"], hint="Save it as UTF-8.") from error
    return parse_style(text, name=name, where=str(path))


def parse_style(text: str, *, name: str, where: str) -> Style:
    """Read a prompt file's text. Raises SettingsError with every fault in it."""
    reading = _Reading(text, where)
    front, body = reading.split()
    texts = {key: reading.text(front, key, known) for key, known in _TEXT_KEYS.items()}
    facets = reading.facets(front)
    reading.no_others(front)
    sections = reading.sections(body)
    if reading.problems:
        raise SettingsError(reading.problems, hint="The prompt files that come with the pipeline show what belongs.")
    revise = sections.get("revise") or REVISE
    return Style(name=name, system=sections["system"], ask=sections["ask"], revise=revise, facets=facets, **texts)


def _unknown(folder: Path, name: str) -> InputError:
    names = sorted(path.stem for path in folder.glob("*.md"))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    there = ", ".join(near or names) or "none"
    return InputError(
        f"there is no style {name!r}",
        where=str(folder),
        hint=f"{'The nearest are' if near else 'There are'}: {there}. A style is a prompt file, {folder}/<style>.md.",
    )


class _Reading:
    """Collects every fault of one file, each with its line."""

    def __init__(self, text: str, where: str) -> None:
        self._lines = text.splitlines()
        self._where = where
        self.problems: list[str] = []

    def split(self) -> tuple[dict[str, object], str]:
        """The front matter, and the text below it."""
        ends = [index for index, line in enumerate(self._lines) if line.strip() == "---"][:2]
        if len(ends) < 2 or any(line.strip() for line in self._lines[: ends[0]]):  # begin and end
            self._say(1, "it begins with front matter between two lines `---`")
            return {}, ""
        body = "\n".join(self._lines[ends[1] + 1 :])
        try:
            # BaseLoader: every value is the text that stands there, and no day or number that is none can stop it.
            written = "\n".join(self._lines[ends[0] + 1 : ends[1]])
            front = yaml.load(written, Loader=yaml.BaseLoader) or {}  # noqa: S506  # nosec B506  # makes no objects
        except RecursionError:
            self._say(ends[0] + 2, "not YAML: it is nested too deeply")
            return {}, body
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self._say(ends[0] + 2 + (mark.line if mark else 0), f"not YAML: {getattr(error, 'problem', error)}")
            return {}, body
        if not isinstance(front, dict):
            self._say(ends[0] + 1, "the front matter holds `about`, `rewrite`, `parts`")
            return {}, body
        return {str(key): value for key, value in front.items()}, body

    def text(self, front: Mapping[str, object], key: str, known: frozenset[str]) -> str:
        value = front.get(key, "" if key == "opening" else None)
        if not isinstance(value, str) or (not value.strip() and key != "opening"):
            self._say(self._line_of(f"{key}:"), f"it needs a text `{key}`")
            return ""
        self._placeholders(value, known)
        if key == "rewrite" and "{fact}" not in value:
            self._say(self._line_of("rewrite:"), "`rewrite` must say where the {fact} goes")
        return " ".join(value.split()) if key != "rewrite" else value.strip()

    def facets(self, front: Mapping[str, object]) -> tuple[Facet, ...]:
        found = []
        raw = front.get("parts")
        for item in raw if isinstance(raw, list) else []:
            match item:
                case {"title": str(title), "ask": str(ask), **rest} if title.strip() and ask.strip() and not rest:
                    self._placeholders(title, _IN_STEPS)
                    self._placeholders(ask, _IN_STEPS)
                    found.append(Facet(title.strip(), ask.strip()))
                case _:
                    self._say(
                        self._line_of("parts:"),
                        f"each of the parts has a `title` and an `ask`, not {reprlib.repr(item)}",
                    )
        if not found:
            self._say(self._line_of("parts:"), "it needs at least one of `parts`, with a `title` and an `ask`")
        return tuple(found)

    def no_others(self, front: Mapping[str, object]) -> None:
        for key in front.keys() - set(_KEYS):
            near = difflib.get_close_matches(key, _KEYS, n=1)
            cure = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(_KEYS)}"
            self._say(self._line_of(f"{key}:"), f"there is no `{key}`; {cure}")

    def sections(self, body: str) -> dict[str, str]:
        headings = list(_SECTION.finditer(body))
        found = {}
        for index, heading in enumerate(headings):
            end = headings[index + 1].start() if index + 1 < len(headings) else len(body)
            found[heading["title"].lower()] = body[heading.end() : end].strip()
        for name, known in _SECTIONS.items():
            self._placeholders(found.get(name, ""), known)
            if not found.get(name) and name != "revise":
                self._say(len(self._lines), f"it needs a section `# {name.capitalize()}` with text below it")
        for name in found.keys() - _SECTIONS.keys():
            self._say(self._line_of("#"), f"there is no section {name!r}; use `##` for headings within a prompt")
        if found.get("ask") and "{title}" not in found["ask"]:
            self._say(self._line_of("# Ask"), "`Ask` must say where the {title} goes")
        if found.get("revise") and not all(needed in found["revise"] for needed in ("{script}", "{changes}")):
            self._say(self._line_of("# Revise"), "`Revise` must say where the {script} and the {changes} go")
        return found

    def _placeholders(self, text: str, known: frozenset[str]) -> None:
        for found in _PLACEHOLDER.finditer(text):
            if found[1] not in known:
                can = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
                self._say(self._line_of(found[0]), f"unknown placeholder {found[0]}; here may stand: {can}")

    def _line_of(self, text: str) -> int:
        return next((number for number, line in enumerate(self._lines, 1) if text in line), 1)

    def _say(self, line: int, what: str) -> None:
        self.problems.append(f"{self._where}:{line}: {what}")
