"""Secrets stay behind: which settings are secret, and a configuration file without them.

A settings file loses the lines that set a secret, and is otherwise the same to the byte. Where that cannot be done with
certainty, or a secret's text turns up anywhere else in `config/`, the file is left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.text.toml_file import NoToml, read_toml

# A secret shorter than this is also a word that stands in harmless texts; it is still taken out of settings files.
_TELLING_LENGTH = 8
INSTEAD = "# {name}: left out of the backup, because it is a secret"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not go into a backup."""

    names: Collection[str] = ()
    """The settings that are secret, as a settings file spells them."""
    values: Collection[str] = ()
    """Their values now, wherever they come from."""

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self.names))})"

    def betrayed_by(self, data: bytes) -> bool:
        """Whether a secret's text stands in a file."""
        return any(len(value) >= _TELLING_LENGTH and value.encode() in data for value in self.values)

    def without(self, toml: bytes) -> bytes | None:
        """A settings file with no secrets in it: the same bytes where it has none, None where they cannot be taken
        out with certainty.
        """
        try:
            text = toml.decode()
            before = read_toml(text.removeprefix("\ufeff"))
        except (UnicodeDecodeError, NoToml):
            # Not readable as settings, so nothing can be said of what it holds, but that a secret is not named.
            return None if any(name.encode() in toml for name in self.names) or self.betrayed_by(toml) else toml
        found = [name for name in self.names if name in before]
        for name in found:
            line = re.compile(rf"""^[ \t]*["']?{re.escape(name)}["']?[ \t]*=[^\r\n]*""", re.MULTILINE)
            text = line.sub(INSTEAD.format(name=name), text)
        masked = text.encode()
        if not found:
            return None if self.betrayed_by(toml) else toml
        try:
            after = read_toml(text.removeprefix("\ufeff"))
        except NoToml:
            return None
        left = {name: value for name, value in before.items() if name not in found}
        told = [str(before[name]) for name in found]
        # A text over several lines leaves its other lines behind: as settings, as a fault, or in a comment.
        if after != left or any(value and value in text for value in told) or self.betrayed_by(masked):
            return None
        return masked
