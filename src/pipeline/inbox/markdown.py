"""One topic in a Markdown file: optional front matter between `---` lines, then notes (or the text to be read)."""

from __future__ import annotations

import re
from pathlib import PurePath

from pipeline.inbox.cleaning import one_line
from pipeline.inbox.rows import Cell, Fault, Row, Rows
from pipeline.inbox.yaml_rows import front_matter

_FENCE = re.compile(r"---[ \t]*")
_CODE_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# An ATX heading of the first level (CommonMark 0.31, section 4.2).
_HEADING = re.compile(r" {0,3}#[ \t]")


def markdown_rows(text: str, file_name: str) -> Rows:
    """The one row of the file. Its title: the front matter's, else the first `# heading`, else the file's name."""
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines) if line.strip())
    cells: dict[str, Cell] = {}
    body = first
    if _FENCE.fullmatch(lines[first]):
        end = next((n for n in range(first + 1, len(lines)) if lines[n].rstrip() in {"---", "..."}), None)
        if end is None:
            yield Fault(first + 1, "the front matter is not closed", "Write a line --- below its last field.")
            return
        fields = front_matter("\n".join(lines[first + 1 : end]), first + 1)
        if isinstance(fields, Fault):
            yield fields
            return
        cells = fields
        body = end + 1
    elif lines[first].rstrip() == "+++":
        yield Fault(first + 1, "front matter in TOML (+++)", "Write it as YAML, between --- lines.")
        return
    notes = lines[body:]
    if "title" not in cells:
        heading = _first_heading(notes)
        if heading is not None:
            cells["title"] = Cell(heading[1], body + heading[0] + 1)
            if not "".join(notes[: heading[0]]).strip():
                # The heading on top is the title and no longer a note; the line stays, for the line numbers.
                notes[heading[0]] = ""
    written = _without_comments("\n".join(notes))
    if written.strip():
        if "notes" in cells or "text" in cells:
            yield Fault(
                cells.get("notes", cells.get("text", Cell("", 1))).line,
                "notes in the front matter and below it",
                "Keep one of them.",
            )
            return
        cells["notes"] = Cell(written, body + 1, verbatim=True)
    yield Row(1, cells, fallback_title=readable(file_name))


def readable(file_name: str) -> str:
    """`01-why-the-sky_is-blue.md` → `Why the sky is blue`."""
    stem = PurePath(file_name).stem
    stem = re.sub(r"^0\d*[-_. ]+(?=\S)", "", stem)
    title = one_line(stem if " " in stem else re.sub(r"[-_]+", " ", stem))
    return title[:1].upper() + title[1:] if title.islower() else title


def _first_heading(lines: list[str]) -> tuple[int, str] | None:
    fence = ""
    for number, line in enumerate(lines):
        code = _CODE_FENCE.match(line)
        if code and not fence:
            fence = code[1]
        elif code and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence:
            heading = _heading(line)
            if heading:
                return number, heading
    return None


def _heading(line: str) -> str:
    if not _HEADING.match(line):
        return ""
    text = line.strip()[1:].strip()
    bare = text.rstrip("#")
    # A closing run of # belongs to the heading only behind a blank: "C#" is a name.
    return bare.rstrip() if not bare or bare[-1] in " \t" else text


def _without_comments(text: str) -> str:
    """Without `<!-- … -->`, which is neither a fact nor something to read aloud; every line keeps its number."""
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept += (text[at:start], "\n" * text.count("\n", start, end))
        at = end + 3
    return "".join([*kept, text[at:]])
