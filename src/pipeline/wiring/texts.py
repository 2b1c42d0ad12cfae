"""The texts of `config/`: prompts, pronunciations, what pictures look like."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import SettingsError, StoreError
from pipeline.files import read_plain
from pipeline.settings import Settings
from pipeline.text.picture_prompts import Look, parse_look
from pipeline.text.pronunciations import Pronunciations, parse

_FROM_AN_EDITOR = "Save it as UTF-8 in your editor."
_FROM_A_SPREADSHEET = "In a spreadsheet, save it as “CSV UTF-8”."


def read_prompts(project: Path, folder: Path) -> dict[str, str]:
    """File name → text of every prompt file. Raises SettingsError for those that are no UTF-8 text, all at once."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.md")):
        try:
            texts[path.name] = _text(path, _shown(project, path), _FROM_AN_EDITOR)
        except FileNotFoundError:
            continue  # taken away since the folder was listed
        except SettingsError as error:
            problems.extend(error.problems)
    if problems:
        raise SettingsError(problems)
    return texts


def read_pronunciations(project: Path, settings: Settings) -> Pronunciations:
    """`config/pronunciations.csv`, or none. Raises SettingsError with every fault in it."""
    path = project / settings.config_dir / "pronunciations.csv"
    name = _shown(project, path)
    try:
        return parse(_text(path, name, _FROM_A_SPREADSHEET), where=name)
    except FileNotFoundError:
        return parse("", where=name)


def read_look(project: Path, settings: Settings) -> Look:
    """`config/pictures.toml`, or what is taken where there is none. Raises SettingsError with every fault in it."""
    path = project / settings.config_dir / "pictures.toml"
    name = _shown(project, path)
    try:
        return parse_look(_text(path, name, _FROM_AN_EDITOR), where=name)
    except FileNotFoundError:
        return Look()


def _shown(project: Path, path: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _text(path: Path, name: str, cure: str) -> str:
    """Raises FileNotFoundError; SettingsError for what cannot be read, or is no UTF-8 text, which has this cure."""
    try:
        return read_plain(path).decode("utf-8-sig")
    except StoreError as error:
        raise SettingsError([f"{name}: {error.what}. {error.hint}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{name}: not UTF-8 text. {cure}"]) from error
