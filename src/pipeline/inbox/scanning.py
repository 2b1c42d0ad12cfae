"""Which files in `input/` are topic files. Nothing is opened: one directory listing a folder, one stat a file."""

from __future__ import annotations

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError

FORMATS = frozenset({".md", ".txt", ".csv", ".jsonl", ".yaml", ".yml"})
DEEPEST_FOLDER = 8
"""Folders below `input/`; a deeper tree is a mistake (a project copied into itself), or a loop of mounts."""

_USE = "Use .md, .txt, .csv, .jsonl or .yaml, or move it out of the input folder."
# Endings that are nearly right, and what to do about them.
_CURES = {
    ".json": "Save it as .jsonl, one topic a line, or as .yaml.",
    ".markdown": "Rename it to .md.",
    ".text": "Rename it to .txt.",
    ".tsv": "Rename it to .csv; tabs between the columns are understood.",
    ".xlsx": "Save the sheet as .csv (UTF-8).",
    ".ods": "Save the sheet as .csv (UTF-8).",
    ".docx": "Save the text as .md or .txt (UTF-8).",
    ".odt": "Save the text as .md or .txt (UTF-8).",
}
# What systems, editors, downloads and file synchronisers leave behind; nobody means these as topics.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})
_LITTER_ENDINGS = ("~", ".swp", ".swo", ".part", ".tmp", ".crdownload", ".bak", ".lock")
_LITTER_FOLDERS = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found", "system volume information"}
)

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_PLAIN_FILES_ONLY = "Only plain files are read. Put a copy of the text here, or move it away."


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A topic file, seen and not yet opened."""

    location: str
    """Where it is, as the system knows it; a Path for each of ten thousand files would cost more than their stats."""
    name: str
    """Relative to the project's folder, with forward slashes, NFC: `input/moon.md`."""
    signature: tuple[int, ...]
    """Size in bytes, modification and change time in nanoseconds, inode."""

    @property
    def path(self) -> Path:
        return Path(self.location)


@dataclass(frozen=True, slots=True)
class Scan:
    files: tuple[FoundFile, ...]
    """In the order of their names."""
    refused: tuple[InputError, ...]


def scan(folder: Path, project: Path) -> Scan:
    """Every topic file in `folder` and the folders below it; what cannot be one is refused by name.

    Symbolic links are never followed. Hidden files, README files and what editors and synchronisers leave behind
    are passed over in silence.
    """
    files: list[FoundFile] = []
    refused: list[InputError] = []
    name = _name_below(folder, project)
    _look_into(str(folder), name, 0, files, refused)
    files.sort(key=lambda found: found.name)
    refused.sort(key=lambda error: error.where)
    return Scan(tuple(_unlike(files, refused)), tuple(refused))


def _name_below(folder: Path, project: Path) -> str:
    try:
        return unicodedata.normalize("NFC", folder.relative_to(project).as_posix())
    except ValueError:
        return unicodedata.normalize("NFC", folder.name)


def _look_into(folder: str, name: str, depth: int, files: list[FoundFile], refused: list[InputError]) -> None:
    if depth > DEEPEST_FOLDER:
        refused.append(_refusal(name, f"more than {DEEPEST_FOLDER} folders deep", "Move its topics further up."))
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _look_at(entry, f"{name}/{_shown(entry.name)}", depth, files, refused)
    except FileNotFoundError:
        if depth == 0:
            refused.append(_refusal(name, "there is no such folder", "Make it, and put topic files into it."))
    except NotADirectoryError:
        refused.append(_refusal(name, "not a folder", "Move the file away, or choose another input_dir."))
    except PermissionError:
        refused.append(_refusal(name, "this user may not look into the folder", "Change its owner or mode."))
    except OSError as error:
        refused.append(_refusal(name, f"the folder cannot be read: {error.strerror}", "Check the disk."))


def _look_at(entry: os.DirEntry[str], name: str, depth: int, files: list[FoundFile], refused: list[InputError]) -> None:
    if _is_litter(entry.name):
        return
    if entry.is_dir(follow_symlinks=False):
        if entry.name.lower() not in _LITTER_FOLDERS:
            _look_into(entry.path, name, depth + 1, files, refused)
        return
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return  # removed since the folder was listed: then it is not there
    fault = _fault_of(entry, status.st_mode)
    if fault is not None:
        refused.append(_refusal(name, *fault))
        return
    signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    files.append(FoundFile(entry.path, name, signature))


def _fault_of(entry: os.DirEntry[str], mode: int) -> tuple[str, str] | None:
    """What is wrong with an entry, and its cure; None for a topic file."""
    name = entry.name
    if not (name.isascii() and name.isprintable()) and not _can_be_shown(name):
        return "the file's name holds bytes or characters that cannot be shown", "Rename it."
    if stat.S_ISLNK(mode):
        return "a symbolic link, which is never followed", _PLAIN_FILES_ONLY
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "not a plain file")
        return f"{kind}, not a topic", _PLAIN_FILES_ONLY
    stem, dot, last = name.rpartition(".")
    ending = f".{last.lower()}" if stem and dot else ""
    if ending not in FORMATS:
        what = f"{ending} is not a format for topics" if ending else "a file without an ending"
        return what, _CURES.get(ending, _USE)
    if not mode & 0o444:
        return "nobody may read it (its mode has no r)", f"Allow it: chmod u+r {name}"
    return None


def _is_litter(name: str) -> bool:
    if name[0] in ".~#" and (name[0] == "." or name.startswith("~$") or name.endswith("#")):
        return True
    lower = name.lower()
    if lower in _LITTER or lower.endswith(_LITTER_ENDINGS):
        return True
    # A README explains its folder, by a convention older than this one.
    return lower.startswith("readme") and lower.removeprefix("readme") in {"", ".md", ".txt"}


def _can_be_shown(name: str) -> bool:
    # Cf holds the marks that turn text around; Cc the controls; Cs stands for bytes that are not UTF-8.
    return not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in name.replace("\u200d", "")
    )


def _shown(name: str) -> str:
    if name.isascii() and name.isprintable():
        return name
    if _can_be_shown(name):
        return unicodedata.normalize("NFC", name)
    return ascii(name)[1:-1]


def _unlike(files: list[FoundFile], refused: list[InputError]) -> list[FoundFile]:
    """The files whose names differ also when composed and decomposed accents are the same."""
    names: set[str] = set()
    kept = []
    for found in files:
        if found.name in names:
            what = "two files have this name, with accents composed in one and decomposed in the other"
            refused.append(_refusal(found.name, what, "Rename one of them."))
            continue
        names.add(found.name)
        kept.append(found)
    return kept


def _refusal(name: str, what: str, hint: str) -> InputError:
    return InputError(what, where=name, hint=hint)
