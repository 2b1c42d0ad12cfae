"""What a topic's fields mean: each text is checked once, here, for every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TypeVar

from pipeline.domain.topic import WORDS_PER_MINUTE, Mode, Source, Topic
from pipeline.inbox.cleaning import Unreadable, clean, one_line
from pipeline.inbox.rows import Cell, Fault, Row
from pipeline.text.language_tag import UnknownLanguage, canonical_language
from pipeline.text.names import is_style_name, is_voice_name

FIELDS = (
    "title", "notes", "text", "language", "voice", "style", "words", "minutes", "mode", "seed", "tags", "date",
)  # fmt: skip

LONGEST_TITLE = 200
LONGEST_NOTES = 100_000
"""Characters; some 16,000 words, an hour and three quarters of narration."""
FEWEST_WORDS, MOST_WORDS = 20, 10_000
"""A script of 20 words takes 8 seconds, one of 10,000 an hour."""
LARGEST_SEED = 2**31 - 1
"""Every engine takes a signed 32-bit seed."""
MOST_TAGS, LONGEST_TAG = 20, 50
_SECONDS_A_MINUTE = 60
_MOST_UNKNOWN = 10  # unknown fields told of in one row

# What people call the fields elsewhere.
_MEANT = {
    "body": "notes",
    "content": "notes",
    "description": "notes",
    "duration": "minutes",
    "facts": "notes",
    "headline": "title",
    "keywords": "tags",
    "lang": "language",
    "length": "words or minutes",
    "locale": "language",
    "name": "title",
    "prompt": "notes",
    "speaker": "voice",
    "subject": "title",
    "topic": "title",
}
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class TopicDefaults:
    """What the settings say for topics that do not."""

    language: str = "en"
    style: str = "explainer"
    words: int = 150
    minutes: float = 0.0
    """0 leaves it to `words`."""
    max_bytes: int = 1_048_576
    """The largest topic file that is read."""


class _Wrong(Exception):
    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def unknown_field(name: str, line: int) -> Fault:
    """The fault of a field that there is not, with the one that was probably meant."""
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    near = _MEANT.get(name.lower()) or next(iter(get_close_matches(shown.lower(), FIELDS, n=1)), None)
    hint = f"Did you mean {near}?" if near else f"The fields are {', '.join(FIELDS)}."
    return Fault(line, f"no such field: {shown if shown.isidentifier() else repr(shown)}", hint)


def topic_of(row: Row, name: str, defaults: TopicDefaults) -> Topic | list[Fault]:
    """The topic that a row of the file `name` asks for, or everything that is wrong with it."""
    wishes = _Wishes(row)
    title = wishes.get("title", _title, "")
    if not title and not wishes.refuses("title"):
        title = wishes.fallback_title()
    mode = wishes.get("mode", _mode, Mode.WRITE)
    notes = _notes_of(wishes, mode)
    seconds = _seconds_of(wishes, mode, defaults)
    topic = Topic(
        title=title,
        source=Source(name, row.line),
        notes=notes,
        language=wishes.get("language", _language, defaults.language),
        voice=wishes.get("voice", _voice, None),
        style=wishes.get("style", _style, defaults.style),
        words=_words_of(wishes, mode, notes, seconds, defaults),
        seconds=seconds,
        note_lines=_lines_of(row.cells.get("notes"), notes),
        mode=mode,
        seed=wishes.get("seed", _seed, 0),
        tags=wishes.get("tags", _tags, ()),
        date=wishes.get("date", _date, None),
    )
    return wishes.faults or topic


def _notes_of(wishes: _Wishes, mode: Mode) -> str:
    notes = wishes.get("notes", _notes, "")
    text = wishes.get("text", _notes, "")
    if text and notes:
        wishes.refuse(wishes.line("text"), "both text and notes", "Keep one of them.")
    elif text and mode is Mode.WRITE and not wishes.refuses("mode"):
        wishes.refuse(wishes.line("text"), "text is for mode: read", "Add mode: read, or call it notes.")
    notes = notes or text
    given = "notes" in wishes.row.cells or "text" in wishes.row.cells
    if mode is Mode.READ and not any(map(str.isalnum, notes)) and not (given and wishes.faults):
        wishes.refuse(wishes.line("mode"), "mode is read, and there is no text to read", "Write the text below.")
    return notes


def _lines_of(cell: Cell | None, notes: str) -> tuple[int, ...]:
    """For each line of the notes as they were cleaned, its line in the file; nothing where the format has other lines.

    Cleaning leaves out empty lines and changes no order, so each line is the next one with the same text.
    """
    if not notes or cell is None or not cell.verbatim or not isinstance(cell.value, str):
        return ()
    written = clean(cell.value).split("\n")
    found: list[int] = []
    place = 0
    for line in notes.split("\n"):
        while place < len(written) and written[place].rstrip() != line:
            place += 1
        found.append(cell.line + place)
        place += 1
    return tuple(found)


def _seconds_of(wishes: _Wishes, mode: Mode, defaults: TopicDefaults) -> float | None:
    """How long the programme is to be, where the topic says it, or the settings for topics that say nothing."""
    given = [name for name in ("words", "minutes") if name in wishes.row.cells]
    if len(given) == 2:
        wishes.refuse(wishes.line("minutes"), "both words and minutes", "Keep one of them.")
    seconds = wishes.get("minutes", _minutes, 0.0)
    # A text that is read has the length it has: it is only brought nearer to another where somebody asks for it.
    if not given and mode is Mode.WRITE:
        seconds = defaults.minutes * _SECONDS_A_MINUTE
    return seconds or None


def _words_of(wishes: _Wishes, mode: Mode, notes: str, seconds: float | None, defaults: TopicDefaults) -> int:
    if mode is Mode.READ and "words" in wishes.row.cells:
        what = "words says nothing with mode: read, where the text is read as it is"
        wishes.refuse(wishes.line("words"), what, "Remove words.")
    words = wishes.get("words", _words, 0)
    if mode is Mode.READ:
        return max(1, len(notes.split()))
    return words or (_words_in(seconds) if seconds else defaults.words)


class _Wishes:
    """A row's cells, taken one by one; faults are gathered."""

    def __init__(self, row: Row) -> None:
        self.row = row
        unknown = [(name, cell.line) for name, cell in row.cells.items() if name not in FIELDS]
        self.faults = [unknown_field(name, line) for name, line in unknown[:_MOST_UNKNOWN]]
        self._refused: set[str] = set()

    def get(self, name: str, parse: Callable[[str | tuple[str, ...]], _Value], default: _Value) -> _Value:
        cell = self.row.cells.get(name)
        if cell is None:
            return default
        value = self.get_from(cell, name, parse)
        return default if value is None else value

    def get_from(self, cell: Cell, name: str, parse: Callable[[str | tuple[str, ...]], _Value]) -> _Value | None:
        try:
            value = clean(cell.value) if isinstance(cell.value, str) else tuple(map(clean, cell.value))
            return parse(value)
        except Unreadable as unreadable:
            self.refuse(cell.line + unreadable.lines_before, f"{name}: {unreadable.what}", unreadable.hint)
        except _Wrong as wrong:
            self.refuse(cell.line, f"{name}: {wrong.what}", wrong.hint)
        except UnknownLanguage as unknown:
            self.refuse(cell.line, f"{name}: {unknown.what}", unknown.hint)
        self._refused.add(name)
        return None

    def fallback_title(self) -> str:
        if self.row.fallback_title:
            return self.get_from(Cell(self.row.fallback_title, self.row.line), "title", _title) or ""
        self.refuse(self.row.line, "there is no title", "Give the topic a title.")
        return ""

    def refuse(self, line: int, what: str, hint: str) -> None:
        self.faults.append(Fault(line, what, hint))

    def refuses(self, name: str) -> bool:
        return name in self._refused

    def line(self, name: str) -> int:
        cell = self.row.cells.get(name)
        return self.row.line if cell is None else cell.line


# -- one function a field --------------------------------------------------------------------------------------


def _single(value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        raise _Wrong("one text is wanted, not a list", "Write it without brackets or dashes.")
    return one_line(value)


def _title(value: str | tuple[str, ...]) -> str:
    title = _single(value)
    if not any(map(str.isalnum, title)):
        raise _Wrong("no letter or digit in it", "Write what the episode is about.")
    if len(title) > LONGEST_TITLE:
        what = f"{len(title)} characters, and a title has at most {LONGEST_TITLE}"
        raise _Wrong(what, "Shorten it; the rest belongs in notes (.md).")
    return title


def _notes(value: str | tuple[str, ...]) -> str:
    """Lines without blanks at their ends, no more than one empty line in a row."""
    text = value if isinstance(value, str) else "\n".join(f"- {one_line(item)}" for item in value)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(map(str.rstrip, text.split("\n")))).strip("\n")
    if len(text) > LONGEST_NOTES:
        what = f"{len(text):,} characters, and notes have at most {LONGEST_NOTES:,}"
        raise _Wrong(what, "Split it into several topics.")
    return text


def _language(value: str | tuple[str, ...]) -> str:
    return canonical_language(_single(value))


def _voice(value: str | tuple[str, ...]) -> str:
    voice = _single(value)
    if not is_voice_name(voice):
        raise _Wrong(f"{voice[:60]!r} is no voice's name", "Write it like en_US-joe-medium; see: pipeline voices")
    return voice


def _style(value: str | tuple[str, ...]) -> str:
    style = _single(value)
    if not is_style_name(style):
        bare = style.removesuffix(".md")
        cure = f"Did you mean {bare}?" if is_style_name(bare) else "Name a file of config/prompts/, without .md."
        raise _Wrong(f"{style[:60]!r} is no style's name", cure)
    return style


def _words(value: str | tuple[str, ...]) -> int:
    text = _single(value)
    cure = "Write a whole number, such as 150."
    words = _number(text, cure)
    if not words.is_integer():
        raise _Wrong(f"{text[:40]!r} is not a whole number", cure)
    return _within(int(words))


def _minutes(value: str | tuple[str, ...]) -> float:
    """In seconds, to the millisecond."""
    seconds = round(_number(_single(value), "Write a number, such as 1.5.") * _SECONDS_A_MINUTE, 3)
    _within(_words_in(seconds))
    return seconds


def _words_in(seconds: float) -> int:
    return round(seconds / _SECONDS_A_MINUTE * WORDS_PER_MINUTE)


def _within(words: int) -> int:
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        most, fewest = MOST_WORDS // WORDS_PER_MINUTE, round(FEWEST_WORDS / WORDS_PER_MINUTE, 2)
        hint = f"At {WORDS_PER_MINUTE} words a minute that is {fewest} to {most} minutes."
        raise _Wrong(f"a script has {FEWEST_WORDS} to {MOST_WORDS:,} words, not {words:,}", hint)
    return words


def _number(text: str, cure: str) -> float:
    if not re.fullmatch(r"[+-]?\d{1,12}(?:\.\d{1,12})?", text, re.ASCII):
        raise _Wrong(f"{text[:40]!r} is not a number", cure)
    return float(text)


def _seed(value: str | tuple[str, ...]) -> int:
    text = _single(value)
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII) or int(text) > LARGEST_SEED:
        raise _Wrong(f"{text[:40]!r} is no seed", f"Write a whole number from 0 to {LARGEST_SEED}.")
    return int(text)


def _mode(value: str | tuple[str, ...]) -> Mode:
    text = _single(value)
    try:
        return Mode(text.lower())
    except ValueError:
        near = get_close_matches(text.lower(), list(Mode), n=1)
        cure = f"Did you mean {near[0]}?" if near else "Write write, or read."
        raise _Wrong(f"{text[:40]!r} is no mode", cure) from None


def _tags(value: str | tuple[str, ...]) -> tuple[str, ...]:
    parts: Iterable[str] = re.split("[,;]", value) if isinstance(value, str) else value
    tags = tuple(dict.fromkeys(tag for part in parts if (tag := one_line(part))))
    if len(tags) > MOST_TAGS:
        raise _Wrong(f"{len(tags)} tags, and a topic has at most {MOST_TAGS}", "Keep the ones that matter.")
    long = next((tag for tag in tags if len(tag) > LONGEST_TAG), None)
    if long:
        raise _Wrong(f"a tag of {len(long)} characters", f"A tag has at most {LONGEST_TAG}; put commas between tags.")
    return tags


def _date(value: str | tuple[str, ...]) -> date:
    text = _single(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Python 3.11 also takes 20260321 and 2026-W12-6, which nobody means here.
    if day is None or day.isoformat() != text:
        raise _Wrong(f"{text[:40]!r} is no date", "Write year, month and day, like 2026-03-21.")
    return day
