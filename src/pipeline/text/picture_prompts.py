"""What a painter is asked for: a scene from the script, and the look that all of a project's pictures share.

A large model writes a scene for each segment; where it wrote none, the segment's heading and its most telling sentence
are the scene. The look (`config/pictures.toml`) is a person's:

    [prompt]
    style = "editorial illustration, soft natural light"
    negative = "text, watermark"

    [cards]
    scheme = "title"
    fonts = []
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.domain.script import Segment
from pipeline.errors import SettingsError
from pipeline.text.script_checks import sentences, words_of
from pipeline.text.toml_file import NoToml, read_toml

SCHEMES = ("title", "night", "deep", "paper", "bright")
"""Of `cards.scheme`: by title, or what is light and what is dark on every card."""

# Stable Diffusion's text encoder (CLIP) reads 77 tokens, two of which are its own; an English word is 1.3 of them, and
# commas count. The style comes last and is what would be lost, so the scene is held to what leaves it room.
_MOST_WORDS_OF_SCENE = 30
_MOST_WORDS_OF_STYLE = 35
# A sentence is looked for among the first of a segment: later ones lean on them.
_LOOKED_AT = 4
_CLAUSE_END = re.compile(r"[,;:–—]\s")
# "Part 2", "Teil 3": a heading that says nothing to be seen.
_ONLY_A_NUMBER = re.compile(r"\W*(?:[^\W\d_]+\W+)?(?:\d+|[ivxlc]+)\W*", re.IGNORECASE)

_TABLES: Mapping[str, tuple[str, ...]] = {"prompt": ("style", "negative"), "cards": ("scheme", "fonts")}


@dataclass(frozen=True, slots=True)
class Look:
    """`config/pictures.toml`, read and checked."""

    style: str = ""
    """What every prompt ends with."""
    negative: str = ""
    """What no picture should have."""
    scheme: str = "title"
    """One of `SCHEMES`."""
    fonts: tuple[str, ...] = ()
    """Paths, relative to the project's folder."""


@dataclass(frozen=True, slots=True)
class PicturePrompt:
    prompt: str
    negative: str
    derived: bool
    """True where the scene was not written as one, but taken from what is said."""


def parse_look(text: str, *, where: str) -> Look:
    """Read `pictures.toml`; what is left out is empty. Raises SettingsError with every fault and its line."""
    try:
        raw = read_toml(text)
    except NoToml as error:
        raise SettingsError([f"{where}{f':{error.line}' if error.line else ''}: not TOML: {error}"]) from error
    reading = _Reading(text, where)
    for name in raw.keys() - _TABLES.keys():
        reading.unknown(name, _TABLES, name)
    tables = {name: reading.table(raw, name) for name in _TABLES}
    look = Look(
        style=reading.line(tables["prompt"], "style"),
        negative=reading.line(tables["prompt"], "negative"),
        scheme=reading.scheme(tables["cards"]),
        fonts=reading.fonts(tables["cards"]),
    )
    if len(look.style.split()) > _MOST_WORDS_OF_STYLE:
        reading.say("prompt.style", f"`style` has more than {_MOST_WORDS_OF_STYLE} words, and what follows is not read")
    if reading.problems:
        raise SettingsError(reading.problems, hint="The pictures.toml that comes with the pipeline shows what belongs.")
    return look


def telling_heading(segment: Segment) -> str:
    """The segment's heading, or nothing where it only counts: "Part 2" says nothing to be seen."""
    return "" if _ONLY_A_NUMBER.fullmatch(segment.title) else segment.title


def prompt_for(segment: Segment, *, title: str, look: Look, language: str) -> PicturePrompt:
    """What the picture of a segment is asked for; `title` is the script's, `language` a BCP 47 tag."""
    written = " ".join(segment.picture_prompt.split())
    return _prompt(written or _scene(segment, title, language), look, derived=not written)


def cover_prompt(segments: Iterable[Segment], *, title: str, look: Look) -> PicturePrompt:
    """What a cover is asked for: the title, as the first scene that was written shows it."""
    first = next((" ".join(one.picture_prompt.split()) for one in segments if one.picture_prompt.strip()), "")
    return _prompt(_joined(title, first), look, derived=True)


def _prompt(scene: str, look: Look, *, derived: bool) -> PicturePrompt:
    return PicturePrompt(_joined(_clipped(scene, _MOST_WORDS_OF_SCENE), look.style), look.negative, derived)


def _scene(segment: Segment, title: str, language: str) -> str:
    heading = telling_heading(segment)
    said = [one for paragraph in segment.paragraphs for one in sentences(paragraph, language)][:_LOOKED_AT]
    # The sentence with the most to be seen: of its words, those that are long enough to be no particles.
    telling = max(said, key=lambda sentence: _telling(sentence, heading or title), default="")
    return _joined(title if not heading else f"{heading} ({title})", _clipped(telling, 18))


def _telling(sentence: str, subject: str) -> float:
    words = words_of(sentence)
    of_subject = set(words_of(subject))
    seen = sum(1.0 + (word in of_subject) for word in words if len(word) > 4 and not word.isdigit())
    return seen / (len(words) + 4)


def _clipped(text: str, words: int) -> str:
    """The text, or as many of its clauses as have room, or so many words."""
    if len(text.split()) <= words:
        return text.rstrip(" .")
    kept = " ".join(text.split()[:words])
    ends = [found.start() for found in _CLAUSE_END.finditer(kept)]
    if ends and ends[-1] > len(kept) // 2:
        kept = kept[: ends[-1]]
    return kept.rstrip(" .,;:–—")


def _joined(*parts: str) -> str:
    return ", ".join(part.strip(" ,") for part in parts if part.strip(" ,"))


class _Reading:
    """Collects every fault of one file, each with its line."""

    def __init__(self, text: str, where: str) -> None:
        self._lines = text.splitlines()
        self._where = where
        self.problems: list[str] = []

    def table(self, raw: Mapping[str, object], name: str) -> Mapping[str, object]:
        match raw.get(name, {}):
            case dict() as table:
                for key in table.keys() - set(_TABLES[name]):
                    self.unknown(key, _TABLES[name], f"{name}.{key}")
                return table
            case other:
                self.say(name, f"`{name}` is a table, [{name}], not {other!r}")
                return {}

    def line(self, table: Mapping[str, object], key: str) -> str:
        value = table.get(key, "")
        if isinstance(value, str):
            return " ".join(value.split())
        self.say(f"prompt.{key}", f"`{key}` is a text, not {value!r}")
        return ""

    def scheme(self, table: Mapping[str, object]) -> str:
        value = table.get("scheme", "title")
        if value in SCHEMES:
            return str(value)
        self.say("cards.scheme", f"`scheme` is one of {', '.join(SCHEMES)}, not {value!r}")
        return "title"

    def fonts(self, table: Mapping[str, object]) -> tuple[str, ...]:
        value = table.get("fonts", [])
        if isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value):
            return tuple(value)
        self.say("cards.fonts", f'`fonts` is a list of paths, ["fonts/one.ttf"], not {value!r}')
        return ()

    def unknown(self, key: str, known: Iterable[str], shown: str) -> None:
        listed = tuple(known)
        near = difflib.get_close_matches(key, listed, n=1)
        cure = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(listed)}"
        self.say(shown, f"there is no `{shown}`; {cure}")

    def say(self, key: str, what: str) -> None:
        """`key` is a table's name, or one of its keys: `prompt.style`."""
        table, _, name = key.rpartition(".")
        start = self._line_of(rf"\s*\[\s*{re.escape(table)}\s*\]", 1) if table else 1
        begins = rf"\s*{re.escape(name)}\s*=" if table else rf"\s*\[*\s*{re.escape(name)}\b"
        self.problems.append(f"{self._where}:{self._line_of(begins, start)}: {what}")

    def _line_of(self, pattern: str, start: int) -> int:
        return next((n for n, text in enumerate(self._lines, 1) if n >= start and re.match(pattern, text)), start)
